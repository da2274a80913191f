"""The papers' supervised baseline: where in the window is the music? Followed by going there (Dorfer, Arzt and Widmer, "Towards
score following in sheet music images", ISMIR 2016).

It hears and sees what the other agents do, save that the sheet's change is always zero: what it was a step before depends on
how it moves, which it does not learn.
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

N_PLACES = 75  # into which the window's width is divided: of 2 px each for Nottingham


def localisation_network(name: str, config: GameConfig) -> ActorCritic:
    """A network by its published name with a score for each place in the window: of those with actions, whatever the game's
    own, since it moves freely in any. Raises UserError where the two do not fit."""
    architecture = get_network(name, N_PLACES).architecture
    if architecture.lstm or architecture.continuous:
        raise UserError(
            f"--net {name}: localisation judges each window alone, by a score for each place: no LSTM and no free "
            "speed; take BaselineNet"
        )
    return network_for(name, replace(config, continuous=False, actions=(0.0,) * N_PLACES))


def place_of(offset: Tensor, config: GameConfig) -> Tensor:
    """Offsets from the middle of the window, pixels (N,) -> int64 places, those beyond its edges the outermost."""
    return ((offset / config.sheet_context + 0.5) * N_PLACES).floor().clamp(0, N_PLACES - 1).long()


def offset_of(log_probabilities: Tensor, config: GameConfig) -> Tensor:
    """float32 (N, N_PLACES) -> (N,) pixels from the window's middle: the mean over the likeliest place and its neighbours."""
    best = log_probabilities.argmax(dim=1, keepdim=True)
    near = best.clamp(1, N_PLACES - 2) + torch.arange(-1, 2, device=best.device)
    weights = log_probabilities.gather(1, near).softmax(dim=1)
    return ((near + 0.5) * weights).sum(dim=1) / N_PLACES * config.sheet_context - config.sheet_context / 2


def without_motion(position: Position) -> Position:
    """What is seen there by one that stood still in the sheet."""
    return position._replace(previous_x=position.x)


class LocalisationAgent(FreelyMovingAgent):
    """Goes to where its network says the music is, frame by frame."""

    name = "the localisation agent"

    def __init__(self, network: ActorCritic, precision: torch.dtype = torch.float32) -> None:
        self.network, self.precision = network.eval(), precision

    def next_speed(self, game: Game) -> Tensor:
        output = act(self.network, game.bank, without_motion(game.position()), self.precision).output
        return offset_of(output.log_softmax(dim=1), game.config).double()
