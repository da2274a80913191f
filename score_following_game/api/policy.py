"""Anyone's policy, a callable from observations to actions, as an agent that plays batches of games."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from score_following_game.agents.agents import Agent
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.spaces import ObservationKind, observation_of, speed_changes, windows
from score_following_game.errors import UserError

Policy = Callable[[Any], Any]


class PolicyAgent(Agent):
    """Plays by a callable.

    Args:
        policy: called with the observations of the games that still run, float32 (N, 2, H, W) each; returns their actions: N
            indices, or in continuous games N speed changes in pixels per frame. N shrinks as games end; a policy with a method
            `keep` gets the games that continue, bool (N,), before its next call.
        observations: "tuple", (spectrogram, sheet), or "dict", with these keys.
        batched: False: call it once for each game, with the observation of that game, float32 (2, H, W) each.
    """

    def __init__(self, policy: Policy, observations: ObservationKind = "tuple", batched: bool = True) -> None:
        if observations not in ("tuple", "dict"):
            raise UserError(f"observations is {observations!r}, expected 'tuple' or 'dict'")
        self.policy, self.observations, self.batched = policy, observations, batched

    def perform_action(self, game: Game) -> Tensor:
        spec, sheet = windows(game)
        if self.batched:
            actions = _checked(self.policy(observation_of(spec, sheet, self.observations)), game.config, len(game))
        else:
            games = (observation_of(*parts, self.observations) for parts in zip(spec, sheet))
            actions = np.concatenate([_checked(self.policy(observation), game.config, 1) for observation in games])
        return torch.from_numpy(actions).to(game.bank.device)

    def keep(self, games: Tensor) -> None:
        if callable(keep := getattr(self.policy, "keep", None)):
            keep(games.cpu().numpy())


def _checked(returned: Any, config: GameConfig, n: int) -> np.ndarray:
    """What a policy returned for n games, as Game.step takes it. Raises UserError for another number, type or range."""
    if isinstance(returned, tuple):
        raise UserError("the policy returned a tuple, expected actions only; for instance lambda o: model.predict(o)[0]")
    actions = returned.detach().cpu().numpy() if isinstance(returned, Tensor) else np.asarray(returned)
    if config.continuous:
        try:
            return speed_changes(actions, n)
        except (TypeError, ValueError) as error:
            raise UserError(f"the policy's {error}") from None
    count = len(config.actions)
    fits = actions.size == n and actions.dtype.kind in "iu" and (n == 1 or actions.ndim)
    if not fits or actions.min(initial=0) < 0 or actions.max(initial=0) >= count:
        expected = "1 index" if n == 1 else f"{n} indices"
        raise UserError(f"the policy returned {f'{actions!r}'[:80]}, expected {expected} from 0 to {count - 1}")
    return actions.reshape(n).astype(np.int64)
