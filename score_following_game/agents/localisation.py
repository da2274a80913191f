"""The papers' supervised baseline: it locates the music in the sheet window and moves there (Dorfer, Arzt and Widmer, "Towards
score following in sheet music images", ISMIR 2016).

It gets the same observations as the other agents, but the change of the sheet is always zero: that depends on the agent's
previous movement, which this agent does not learn.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from score_following_game.agents.agents import FreelyMovingAgent
from score_following_game.agents.inference import act
from score_following_game.agents.networks import ActorCritic, get_network, network_for
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.observation import Position
from score_following_game.errors import UserError

N_PLACES = 75  # classes into which the window's width is divided; 2 px each for Nottingham


def localisation_network(name: str, config: GameConfig) -> ActorCritic:
    """A new network with one output per place in the window, by its published name; it must be one with discrete actions.

    Raises UserError when the network and the game config do not fit. The game may be discrete or continuous.
    """
    architecture = get_network(name, N_PLACES).architecture
    if architecture.lstm or architecture.continuous:
        raise UserError(
            f"network {name}: localisation classifies each window on its own, which excludes LSTM and continuous networks; "
            "use BaselineNet"
        )
    return network_for(name, replace(config, continuous=False, actions=(0.0,) * N_PLACES))


def place_of(offset: Tensor, config: GameConfig) -> Tensor:
    """Places, int64 (N,), of offsets (N,) in pixels from the window's middle. Beyond an edge: the outermost place."""
    return ((offset / config.sheet_context + 0.5) * N_PLACES).floor().clamp(0, N_PLACES - 1).long()


def offset_of(log_probabilities: Tensor, config: GameConfig) -> Tensor:
    """Offsets (N,) from the window's middle in pixels: the mean over the most probable place and its two neighbours.

    log_probabilities: float32 (N, N_PLACES).
    """
    best = log_probabilities.argmax(dim=1, keepdim=True)
    near = best.clamp(1, N_PLACES - 2) + torch.arange(-1, 2, device=best.device)
    weights = log_probabilities.gather(1, near).softmax(dim=1)
    return ((near + 0.5) * weights).sum(dim=1) / N_PLACES * config.sheet_context - config.sheet_context / 2


def without_motion(position: Position) -> Position:
    """The same positions as observed by an agent that has not moved in the sheet."""
    return position._replace(previous_x=position.x)


class LocalisationAgent(FreelyMovingAgent):
    """Moves, in every frame, to where its network locates the music."""

    name = "the localisation agent"

    def __init__(self, network: ActorCritic, precision: torch.dtype = torch.float32) -> None:
        self.network, self.precision = network.eval(), precision

    def next_speed(self, game: Game) -> Tensor:
        output = act(self.network, game.bank, without_motion(game.position()), self.precision).output
        return offset_of(output.log_softmax(dim=1), game.config).double()
