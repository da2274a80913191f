"""Refuses an agent for sheets of another kind than those it was trained on, and names the right one."""

from __future__ import annotations

from collections.abc import Sequence

from score_following_game.agents.loading import is_localisation, resolve_network_and_config
from score_following_game.agents.shipped import shipped_agents
from score_following_game.config import GameConfig, shows, suitable_configs
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError


def require_fitting(pieces: Sequence[Piece], config: GameConfig, agent: str) -> None:
    """Raise UserError where an agent sees less than half the height of every sheet: they have more staves than it has learnt.

    config: of the agent's game. agent: its name in the message.
    """
    heights = [piece.sheet.shape[0] for piece in pieces]
    if any(shows(config, height) for height in heights):
        return
    other = _fitting(heights[0])
    advice = f"use --params {other}" if other else _without_agent(heights[0])
    raise UserError(
        f"{pieces[0].name}: its sheet is {heights[0]} px high, and {agent} sees {config.staff_height} px of it: the score has "
        f"more staves than this agent has learnt to read; {advice}"
    )


def fitting_agent(height: int, name: str) -> str:
    """The short name of the agent that comes with the project and reads sheets of this height, in pixels.

    name: of the score, for the message. Raises UserError where there is none.
    """
    if (agent := _fitting(height)) is None:
        raise UserError(
            f"{name}: its sheet is {height} px high; {_without_agent(height)} and name it with --params, or take one hand of a "
            "piano score: --part right"
        )
    return agent


def _fitting(height: int) -> str | None:
    """The first agent in alphabetical order; one that acts before one that only localises."""
    found = [name for name in shipped_agents() if shows(resolve_network_and_config(name)[1], height)]
    return min(found, key=is_localisation, default=None)


def _without_agent(height: int) -> str:
    configs = suitable_configs(height)
    return "no agent that comes with the project reads such sheets" + (
        f"; train one with --game_config {configs[0]}" if configs else ""
    )
