"""Evaluating an agent on pieces, as eval_score_following.py does."""

from __future__ import annotations

import os
from collections.abc import Sequence

from score_following_game.agents.agents import Agent
from score_following_game.api.agent import LoadedAgent
from score_following_game.api.playing import player_and_bank
from score_following_game.api.policy import Policy
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.spaces import ObservationKind
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.results import Results


def evaluate(
    agent: LoadedAgent | Agent | Policy,
    pieces: Sequence[Piece] | str | os.PathLike[str],
    *,
    trials: int = 10,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    device: str | None = None,
    progress: bool = False,
    observations: ObservationKind | None = None,
    batched: bool | None = None,
) -> Results:
    """Have an agent follow every piece several times.

    The same agent and pieces give the same numbers each time, and the numbers that `eval_score_following.py` prints for them.

    Args:
        agent: from `load_agent`, any `score_following_game.agents.agents.Agent`, or a policy: a function that is called with
            the observations of the games that still run, float32 (N, 2, H, W) each, and returns N actions
            (`score_following_game.api.policy.PolicyAgent` has the details).
        pieces: from `load_pieces`, or the name of a data set.
        trials: how often each piece is played; the papers use 10.
        game_config: path or name of the rules of the game, or a GameConfig; by default the agent's own, else those the pieces
            were loaded for.
        device: where the games are played; by default the device of the agent.
        progress: show a progress bar.
        observations: of a policy: "tuple" (default), it takes (spectrogram, sheet), or "dict", with these keys.
        batched: of a policy: False where it takes the observation of one game and returns one action.

    Returns:
        The results: `print(results)` shows the rows of the command line, `results.to_dict()` holds every number per trial
        and per piece, errors in pixels, centimetres and seconds.

    Raises:
        UserError: trials below 1, no pieces, pieces that do not fit the agent's game or are not timed, or a policy that returns
            something else than actions.

    Examples:
        >>> results = sfg.evaluate(sfg.load_agent("nottingham"), sfg.load_pieces("test_sample"), trials=10)
        >>> results.to_dict()["mean"]["global_tracking_ratio"]  # R_on
        >>> sfg.evaluate(lambda both: model.predict(both)[0], "test_sample", observations="dict")  # Stable-Baselines3
    """
    if not isinstance(trials, int) or trials < 1:
        raise UserError(f"trials is {trials!r}, expected a whole number of at least 1")
    player, bank = player_and_bank(agent, pieces, game_config, device, observations, batched)
    if untimed := [piece.name for piece in bank.pieces if not piece.timed]:
        raise UserError(f"{untimed[0]}: cannot be judged, since it is not known when its notes are played; follow() follows it")
    return Results.of(play_data_set(player, bank, trials, progress), bank)
