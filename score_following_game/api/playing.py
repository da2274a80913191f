"""An agent and the pieces it plays, brought together: who plays, the rules and the device are decided here."""

from __future__ import annotations

import os
from collections.abc import Sequence

from score_following_game.agents.agents import Agent
from score_following_game.api.agent import LoadedAgent
from score_following_game.api.pieces import bank_of
from score_following_game.api.policy import Policy, PolicyAgent
from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.spaces import ObservationKind
from score_following_game.errors import UserError


def player_and_bank(
    agent: LoadedAgent | Agent | Policy,
    pieces: Sequence[Piece] | str | os.PathLike[str],
    game_config: str | os.PathLike[str] | GameConfig | None,
    device: str | None,
    observations: ObservationKind | None = None,
    batched: bool | None = None,
) -> tuple[Agent, ScoreBank]:
    """A fresh player, and the pieces under its rules.

    game_config: by default the agent's own, else the one the pieces were loaded for. device: by default the agent's.
    observations, batched: of a policy; None: the defaults of PolicyAgent. Raises UserError for something that cannot play, and
    as bank_of does.
    """
    player = _player(agent, observations, batched)
    config = _config_of(agent, pieces, game_config)
    return player, bank_of(pieces, player.rules(config), device or _device_of(player))


def _player(agent: LoadedAgent | Agent | Policy, observations: ObservationKind | None, batched: bool | None) -> Agent:
    if isinstance(agent, type) or not (isinstance(agent, (LoadedAgent, Agent)) or callable(agent)):
        raise UserError(
            f"{agent!r} cannot play: expected load_agent(...), an Agent, or a function from observations to actions"
        )
    if not isinstance(agent, (LoadedAgent, Agent)):
        return PolicyAgent(agent, observations or "tuple", batched is not False)
    if observations is not None or batched is not None:
        raise UserError(f"{agent!r}: `observations` and `batched` describe a policy that is a function; leave them out")
    return agent.player() if isinstance(agent, LoadedAgent) else agent


def _config_of(
    agent: LoadedAgent | Agent | Policy,
    pieces: Sequence[Piece] | str | os.PathLike[str],
    game_config: str | os.PathLike[str] | GameConfig | None,
) -> GameConfig:
    if game_config is not None:
        return load_game_config(game_config)
    if isinstance(agent, LoadedAgent):
        return agent.config
    first = None if isinstance(pieces, (str, os.PathLike)) else next(iter(pieces), None)
    return getattr(first, "heard_for", None) or load_game_config(DEFAULT_GAME_CONFIG)


def _device_of(player: Agent) -> str:
    """The device a player's network is on; the CPU for players without one."""
    network = getattr(player, "network", None)
    return "cpu" if network is None else str(next(network.parameters()).device)
