"""Shared by the tests of the algorithms: networks, rollouts, the gradients of an update."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from score_following_game.agents.architectures import CONTINUOUS, POLICY_ONLY, Architecture, Conv
from score_following_game.agents.networks import ActorCritic, network_for
from score_following_game.config import GameConfig
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.settings import settings_from

LSTM = "ScoreFollowingNetLSTM"
# Networks for a window of 30 px, small enough to learn in seconds.
TINY = Architecture(
    (39, 20),
    (40, 30),
    (Conv(4, (13, 10), (13, 10)),),
    (Conv(4, (10, 10), (10, 10)),),
    concat=32,
    head=32,
    speed_activation="elu",
)
TINY_NETWORKS = {
    "Tiny": TINY,
    "TinyPolicy": replace(TINY, heads=POLICY_ONLY),
    "TinyDropout": replace(TINY, concat_dropout=0.2, head_dropout=0.2),
    "TinyLSTM": replace(TINY, lstm=16),
    "TinyContinuous": replace(TINY, heads=CONTINUOUS),
    "TinyLSTMContinuous": replace(TINY, lstm=16, heads=CONTINUOUS),
}


def narrow(config: GameConfig) -> GameConfig:
    """The game of the tiny networks."""
    return replace(config, sheet_context=30, sheet_shape=(2, 40, 30))


def fresh_network(config: GameConfig, name: str = "ScoreFollowingNet") -> ActorCritic:
    torch.manual_seed(0)
    return network_for(name, config)


def collect(
    bank: ScoreBank,
    network: ActorCritic,
    games: int = 6,
    t_max: int = 5,
    kind: type[RolloutCollector] = RolloutCollector,
    **more,
) -> Rollout:
    torch.manual_seed(0)
    return kind(bank, games, network, StartSampler(bank, 0, 0.5), 0, torch.float32, **more).collect(t_max)


def update(learner: type[Learner], network: ActorCritic, bank: ScoreBank, rollout: Rollout, **settings) -> Losses:
    """An update with learning rate 0: it leaves the last step's gradients in the parameters."""
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    generator = torch.Generator().manual_seed(0)
    return learner(network, still, bank, settings_from(settings), torch.float32, generator).update(rollout)


def gradients(
    learner: type[Learner],
    network: ActorCritic,
    bank: ScoreBank,
    rollout: Rollout,
    **settings,
) -> list[Tensor | None]:
    update(learner, network, bank, rollout, **settings)
    return gradients_of(network)


def gradients_of(network: nn.Module) -> list[Tensor | None]:
    return [None if parameter.grad is None else parameter.grad.clone() for parameter in network.parameters()]


def require_equal(found: list[Tensor | None], network: nn.Module, loss: Tensor) -> None:
    network.zero_grad()
    loss.backward()
    assert any(gradient is not None and gradient.abs().max() > 1e-4 for gradient in found)
    for gradient, parameter in zip(found, network.parameters(), strict=True):
        if parameter.grad is None:
            assert gradient is None or not gradient.any()
        else:
            torch.testing.assert_close(gradient, parameter.grad, atol=1e-5, rtol=1e-3)


def chosen(logits: Tensor, actions: Tensor) -> Tensor:
    """log pi(a) of each step, (n,)."""
    return torch.log_softmax(logits, 1).gather(1, actions.flatten()[:, None])[:, 0]


def mean_entropy(logits: Tensor) -> Tensor:
    return -(torch.softmax(logits, 1) * torch.log_softmax(logits, 1)).sum(1).mean()


def a2c_loss(rollout: Rollout, logits: Tensor, value: Tensor) -> Tensor:
    advantage = rollout.returns(0.9) - value[:, 0]
    policy_loss = -(advantage.detach() * chosen(logits, rollout.actions)).mean()
    return policy_loss + 0.5 * advantage.square().mean() - 0.05 * mean_entropy(logits)
