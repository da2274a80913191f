"""The baselines of the papers' tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from score_following_game.agents.agents import Agent, ConstantSpeedAgent, OptimalAgent
from score_following_game.agents.loading import load_trained_agent
from score_following_game.agents.localisation import LocalisationAgent
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.placing import PlacingAgent
from score_following_game.agents.time_warping import TimeWarpingAgent
from score_following_game.config import GameConfig, freely_moving
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.renditions import score_renditions
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError

LOCALISATION = "localisation"  # short name of the agent that comes with the project


@dataclass(frozen=True)
class Contestant:
    """An agent in a comparison. make: builds it for the given pieces. certain: it is deterministic, so one trial is enough."""

    name: str
    make: Callable[[Sequence[Piece], GameConfig], Agent]
    certain: bool = True


def baselines(localisation: Contestant | None) -> list[Contestant]:
    """Constant speed, the supervised baseline (if given), online time warping and the optimal agent: the lower bound first."""
    return [
        Contestant("constant speed", lambda pieces, config: ConstantSpeedAgent(mean_speed(pieces))),
        *([localisation] if localisation else []),
        Contestant("online time warping", time_warping),
        Contestant("optimal", lambda pieces, config: OptimalAgent()),
    ]


def supervised(params: str, net: str, config: GameConfig, device: str, precision: str) -> Contestant:
    """The localisation agent of a parameter file, or the network of a reading agent without its belief.

    Raises UserError for other agents and when it does not fit the game.
    """
    agent: Agent = load_trained_agent(params, net, config, seed=0, device=device, precision=precision)
    if isinstance(agent, ReadingAgent):
        placing = PlacingAgent(agent)
        return Contestant("localisation (its network)", lambda pieces, config: placing)
    if not isinstance(agent, LocalisationAgent):
        raise UserError(
            f"--localisation {params}: chooses among actions, not places; expected parameters of a run with "
            "--agent localisation or --agent reading"
        )
    return Contestant("localisation (supervised)", lambda pieces, config: agent)


def time_warping(pieces: Sequence[Piece], config: GameConfig) -> TimeWarpingAgent:
    """A time-warping agent with renditions of these pieces' scores. Raises UserError when one cannot be made."""
    return TimeWarpingAgent(ScoreBank(score_renditions(pieces, config), freely_moving(config)))


def mean_speed(pieces: Sequence[Piece]) -> float:
    """The mean speed over all pieces, from first to last onset, in pixels per frame."""
    pixels = sum(float(piece.onset_x[-1] - piece.onset_x[0]) for piece in pieces)
    return pixels / max(1, sum(int(piece.onset_frames[-1] - piece.onset_frames[0]) for piece in pieces))
