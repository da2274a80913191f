"""Evaluating an agent on pieces, as eval_score_following.py does."""

from __future__ import annotations

import os
from collections.abc import Sequence

from score_following_game.agents.agents import Agent
from score_following_game.api.agent import LoadedAgent
from score_following_game.api.playing import player_and_bank
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.results import Results


def evaluate(
    agent: LoadedAgent | Agent,
    pieces: Sequence[Piece] | str | os.PathLike[str],
    *,
    trials: int = 10,
    game_config: str | GameConfig | None = None,
    device: str | None = None,
    progress: bool = False,
) -> Results:
    """Have an agent follow every piece several times.

    The same agent and pieces give the same numbers each time, and the numbers that `eval_score_following.py` prints for them.

    Args:
        agent: from `load_agent`, or any `score_following_game.agents.agents.Agent`.
        pieces: from `load_pieces`, or the name of a data set.
        trials: how often each piece is played; the papers use 10.
        game_config: the rules of the game; by default the agent's own, else those the pieces were loaded for.
        device: where the games are played; by default the device of the agent.
        progress: show a progress bar.

    Returns:
        The results: `print(results)` shows the rows of the command line, `results.to_dict()` holds every number per trial
        and per piece, errors in pixels, centimetres and seconds.

    Raises:
        UserError: trials below 1, no pieces, or pieces that do not fit the agent's game.

    Examples:
        >>> results = sfg.evaluate(sfg.load_agent("nottingham"), sfg.load_pieces("test_sample"), trials=10)
        >>> results.to_dict()["mean"]["global_tracking_ratio"]  # R_on
    """
    if not isinstance(trials, int) or trials < 1:
        raise UserError(f"trials is {trials!r}, expected a whole number of at least 1")
    player, bank = player_and_bank(agent, pieces, game_config, device)
    return Results.of(play_data_set(player, bank, trials, progress), bank)
