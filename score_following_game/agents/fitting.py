"""Refuses an agent for sheets of another kind than those it was trained on, and names the right one."""

from __future__ import annotations

from collections.abc import Sequence

from score_following_game.agents.loading import resolve_network_and_config
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
    others = [name for name in shipped_agents() if shows(resolve_network_and_config(name)[1], heights[0])]
    configs = suitable_configs(heights[0])
    advice = f"use --params {others[0]}" if others else "no agent that comes with the project reads such sheets"
    if configs and not others:
        advice += f"; train one with --game_config {configs[0]}"
    raise UserError(
        f"{pieces[0].name}: its sheet is {heights[0]} px high, and {agent} sees {config.staff_height} px of it: the score has "
        f"more staves than this agent has learnt to read; {advice}"
    )
