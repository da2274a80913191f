"""PPO in one file, without a library of algorithms: python docs/examples/ppo_single_file.py

The games are one batch (`sfg.make_vec`), so that a few hundred of them cost little more than one. A game that ends is reset in
the same step, and never cut short: `terminated` is all that the advantages need.
"""

from __future__ import annotations

import argparse
import time

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

import score_following_game as sfg


class Network(nn.Module):
    """Policy logits and value of a batch of observations."""

    def __init__(self, shapes: list[tuple[int, int, int]], n_actions: int, size: int = 64) -> None:
        super().__init__()
        self.views = nn.ModuleList(nn.Sequential(nn.AvgPool2d((4, 1)), nn.Flatten()) for _ in shapes)
        n = sum(view(torch.zeros(1, *shape)).shape[1] for view, shape in zip(self.views, shapes))
        self.body = nn.Sequential(nn.Linear(n, size), nn.Tanh(), nn.Linear(size, size), nn.Tanh())
        self.policy, self.value = nn.Linear(size, n_actions), nn.Linear(size, 1)

    def small(self, observations: tuple[np.ndarray, np.ndarray]) -> Tensor:
        """Both views at a quarter of their height: float32 (N, n). What the rollout keeps of an observation."""
        return torch.cat([view(torch.from_numpy(part)) for view, part in zip(self.views, observations)], dim=1)

    def forward(self, small: Tensor) -> tuple[torch.distributions.Categorical, Tensor]:
        features = self.body(small)
        return torch.distributions.Categorical(logits=self.policy(features)), self.value(features)[:, 0]

    @torch.no_grad()
    def act(self, observations: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Sampled actions."""
        return self(self.small(observations))[0].sample().numpy()


def advantages_of(rewards: Tensor, values: Tensor, ended: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantage estimation. rewards, ended: (T, N); values: (T + 1, N). Returns (T, N)."""
    result = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        continues = 1 - ended[t]
        delta = rewards[t] + gamma * continues * values[t + 1] - values[t]
        result[t] = following = delta + gamma * gae_lambda * continues * following
    return result


def update(network: Network, optimiser: torch.optim.Optimizer, rollout: dict[str, Tensor], args: argparse.Namespace) -> None:
    """Some epochs over a rollout, whose tensors have a row per step of a game."""
    n = len(rollout["actions"])
    for _ in range(args.epochs):
        for rows in torch.randperm(n).split(args.batch_size):
            policy, value = network(rollout["seen"][rows])
            ratio = (policy.log_prob(rollout["actions"][rows]) - rollout["log_probs"][rows]).exp()
            gain = rollout["advantages"][rows]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            policy_loss = -torch.min(gain * ratio, gain * ratio.clamp(1 - args.clip, 1 + args.clip)).mean()
            value_loss = (value - rollout["returns"][rows]).square().mean()
            loss = policy_loss + 0.25 * value_loss - args.entropy * policy.entropy().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimiser.step()


def play(
    network: Network, envs: gymnasium.vector.VectorEnv, observations: tuple[np.ndarray, np.ndarray], args: argparse.Namespace
) -> tuple[dict[str, Tensor], tuple[np.ndarray, np.ndarray]]:
    """T steps of N games. Returns the rollout, flattened, and the observations after it."""
    steps: dict[str, list[Tensor]] = {name: [] for name in ("seen", "actions", "log_probs", "values", "rewards", "ended")}
    with torch.no_grad():
        for _ in range(args.rollout):
            seen = network.small(observations)
            policy, value = network(seen)
            actions = policy.sample()
            observations, rewards, terminated, _, _ = envs.step(actions.numpy())
            kept = (seen, actions, policy.log_prob(actions), value, torch.from_numpy(rewards), torch.from_numpy(terminated))
            for name, values in zip(steps, kept):
                steps[name].append(values)
        last = network(network.small(observations))[1]
    rollout = {name: torch.stack(values) for name, values in steps.items()}
    rewards, ended = rollout.pop("rewards").float(), rollout.pop("ended").float()
    values = torch.cat([rollout.pop("values"), last[None]])
    rollout["advantages"] = advantages_of(rewards, values, ended, args.gamma, args.gae_lambda)
    rollout["returns"] = rollout["advantages"] + values[:-1]
    return {name: values.flatten(0, 1) for name, values in rollout.items()}, observations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500_000, help="of all games together (default %(default)s)")
    parser.add_argument("--games", type=int, default=64, help="played at once (default %(default)s)")
    parser.add_argument("--interval", type=int, default=25_000, help="steps between evaluations (default %(default)s)")
    parser.add_argument("--data_set", default="test_sample")
    parser.add_argument("--rollout", type=int, default=64, help="frames of each game between updates (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--gamma", type=float, default=0.9)
    parser.add_argument("--gae_lambda", type=float, default=0.95)
    parser.add_argument("--clip", type=float, default=0.2)
    parser.add_argument("--entropy", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    pieces = sfg.load_pieces(args.data_set)
    envs = sfg.make_vec(args.games, args.data_set)
    network = Network([space.shape for space in envs.single_observation_space], int(envs.single_action_space.n))
    optimiser = torch.optim.Adam(network.parameters(), lr=args.learning_rate)
    observations, _ = envs.reset(seed=args.seed)
    begun, played, due = time.monotonic(), 0, 0
    while True:
        if played >= due or played >= args.steps:
            mean = sfg.evaluate(network.act, pieces, trials=5).to_dict()["mean"]
            r_on, r_tue = mean["global_tracking_ratio"], mean["tracked_until_end_ratio"]
            print(f"{played:8d} steps {time.monotonic() - begun:7.1f} s   R_on {r_on:.2f}   R_tue {r_tue:.2f}", flush=True)
            due += args.interval
        if played >= args.steps:
            break
        rollout, observations = play(network, envs, observations, args)
        update(network, optimiser, rollout, args)
        played += args.games * args.rollout


if __name__ == "__main__":
    main()
