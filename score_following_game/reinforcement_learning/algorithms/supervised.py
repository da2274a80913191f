"""Supervised localisation: windows drawn near the music, labelled with its true place in them."""

from __future__ import annotations

import torch
from torch import Tensor

from score_following_game.agents.inference import chunks, run_network
from score_following_game.agents.localisation import place_of, without_motion
from score_following_game.environment.game import GameState
from score_following_game.environment.observation import Position
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout


class WindowCollector(RolloutCollector):
    """Draws n_worker * t_max windows: a piece from the sampler, a uniform frame of it, and a uniform position within the
    distance from the music at which a game is lost. No games are played."""

    def collect(self, t_max: int) -> Rollout:
        """Returns windows as a rollout; its actions, (t_max, n_worker), are the places of the music in the next frame."""
        n, bank = t_max * len(self.game), self.bank
        piece = self.sampler.draw(n).piece
        frame = (self._shares(n) * (bank.last_onset[piece] + 1)).long()
        true_x = bank.true_position(piece, frame)
        x = self.game.on_sheet(true_x + (2 * self._shares(n) - 1) * bank.config.threshold, piece)
        states = GameState(Position(piece, frame, x, (frame - 1).clamp(min=0), x), torch.zeros_like(x))
        # The label is the place in the next frame, because the game rewards a position after its step.
        place = place_of(bank.true_position(piece, frame + 1) - x, bank.config).view(t_max, -1)
        none = torch.zeros_like(place, dtype=torch.float32)
        return Rollout(states, place, none, none, none, none, none[0], states.at(slice(0)), None)

    @property
    def playing(self) -> Tensor:
        return self.game.piece[:0]  # no games are played: those of the base class stand where they began

    def _shares(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator, dtype=torch.float64, device=self.bank.device)


class Localisation(Learner):
    """policy loss = mean cross-entropy of the place; one gradient step per rollout."""

    chooses_actions = False

    @property
    def loss_weights(self) -> tuple[float, float]:
        return 0.0, 0.0

    def update(self, rollout: Rollout) -> Losses:
        """Take one gradient step on the mean loss over the windows."""
        place, losses = rollout.actions.flatten(), Losses()
        self.optimiser.zero_grad()
        for part in chunks(self.bank, len(place)):
            position = without_motion(rollout.positions.at(part))
            output, value, _ = run_network(self.network, self.bank, position, self.precision)
            policy = self.network.policy(output)
            self.backward(losses, policy, -policy.log_prob(place[part]), torch.zeros_like(value), len(place))
        self.step(losses)
        return losses
