"""The game as gymnasium environments."""

from __future__ import annotations

import os

from gymnasium.vector import AutoresetMode

from score_following_game.config import GameConfig
from score_following_game.environment.env import ScoreFollowingEnv
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.spaces import ObservationKind
from score_following_game.environment.vector_env import ScoreFollowingVectorEnv


def make_env(
    data_set: str | os.PathLike[str] | ScoreBank = "test_sample",
    *,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    piece: str | None = None,
    sound_font: str | os.PathLike[str] | None = None,
    render_mode: str | None = None,
    observations: ObservationKind = "tuple",
    action_bound: float | None = None,
) -> ScoreFollowingEnv:
    """One game as a gymnasium environment; `gymnasium.make("ScoreFollowing-v0", ...)` without its wrappers.

    Args:
        data_set: folder of pieces, name of a bundled set, or a ScoreBank, which several environments can share.
        game_config: path, name or GameConfig; by default game_configs/nottingham.yaml.
        piece: play this piece only; by default each reset draws one.
        sound_font: SoundFont file for MIDI performances.
        render_mode: None, "rgb_array" or "human".
        observations: "tuple", (spectrogram, sheet), or "dict", with these keys.
        action_bound: largest speed change of a continuous game, pixels per frame; None: no bound, as published.

    Raises:
        UserError: a data set, piece or config that cannot be used.
        ValueError: an unknown render mode or kind of observations, a bound of a game that is not continuous, or a ScoreBank
            together with game_config, piece or sound_font, which it determines.

    Examples:
        >>> env = sfg.make_env("test_sample", piece="Minuet")
        >>> (spectrogram, sheet), info = env.reset(seed=1)
    """
    return ScoreFollowingEnv(data_set, game_config, piece, sound_font, render_mode, observations, action_bound)


def make_vec(
    num_envs: int,
    data_set: str | os.PathLike[str] | ScoreBank = "test_sample",
    *,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    piece: str | None = None,
    sound_font: str | os.PathLike[str] | None = None,
    render_mode: str | None = None,
    observations: ObservationKind = "tuple",
    action_bound: float | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
) -> ScoreFollowingVectorEnv:
    """N games as one gymnasium vector environment; all are computed as a batch, in this process.

    Args:
        num_envs: number of games.
        data_set, game_config, piece, sound_font, observations, action_bound: see `make_env`.
        render_mode: None or "rgb_array".
        autoreset_mode: gymnasium's AutoresetMode, or "SameStep", "NextStep" or "Disabled": what becomes of a game that has
            ended (see ScoreFollowingVectorEnv).

    Raises:
        UserError: a data set, piece or config that cannot be used.
        ValueError: num_envs below 1, or an argument of another kind than listed above.

    Examples:
        >>> envs = sfg.make_vec(64, "test_sample")
        >>> observations, infos = envs.reset(seed=1)
        >>> observations, rewards, terminated, truncated, infos = envs.step(agent.act(observations))
    """
    return ScoreFollowingVectorEnv(
        num_envs, data_set, game_config, piece, sound_font, render_mode, observations, action_bound, autoreset_mode
    )
