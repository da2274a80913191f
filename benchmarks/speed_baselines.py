"""The baselines of speed.py: training fed by processes of single games, and evaluation of one game at a time."""

from __future__ import annotations

import time

from speed_parts import SECONDS, make_network, open_bank, rate


def asynchronous(data_set: str, games: int, precision: str, **_: object) -> dict[str, float]:
    """A2C with the same network, loss and optimiser, but fed by AsyncVectorEnv and with observations kept as pixels."""
    import numpy as np
    import torch
    from gymnasium.vector import AsyncVectorEnv, AutoresetMode

    from score_following_game.agents.inference import choose_precision
    from score_following_game.agents.policy import CategoricalPolicy
    from score_following_game.environment.env import ScoreFollowingEnv
    from score_following_game.reinforcement_learning.algorithms.losses import Losses, backward_chunk, optimiser_step
    from score_following_game.reinforcement_learning.optimiser import make_optimiser
    from score_following_game.reinforcement_learning.rollouts.rollout import discounted_returns
    from score_following_game.reinforcement_learning.settings import Settings

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a process forked after OpenMP has started its threads waits for them forever
    bank, _seconds = open_bank(data_set)
    settings = Settings(n_worker=games)
    environments = AsyncVectorEnv(
        [lambda: ScoreFollowingEnv(bank)] * games, autoreset_mode=AutoresetMode.SAME_STEP, context="fork"
    )
    torch.set_num_threads(threads)
    network = make_network("ScoreFollowingNet", bank.config)
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    now, dtype = environments.reset(seed=0)[0], choose_precision(precision, torch.device("cpu"))

    def run(observation: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = [torch.from_numpy(values).contiguous(memory_format=torch.channels_last) for values in observation]
        logits, value = network([values.to(dtype) for values in tensors])
        return logits, value[:, 0]

    def update() -> int:
        nonlocal now
        seen, actions, rewards, masks = [], [], [], []
        for _step in range(settings.t_max):
            with torch.no_grad():
                action = CategoricalPolicy.from_logits(run(now)[0]).sample()
            seen.append(now)
            now, reward, terminated, _truncated, _info = environments.step(action.numpy())
            actions.append(action)
            rewards.append(torch.from_numpy(reward).float())
            masks.append(torch.from_numpy(~terminated).float())
        with torch.no_grad():
            last = run(now)[1]
        returns = discounted_returns(torch.stack(rewards), torch.stack(masks), last, settings.discounting).flatten()
        logits, values = run(tuple(np.concatenate(parts) for parts in zip(*seen)))
        policy, advantages = CategoricalPolicy.from_logits(logits), returns - values
        losses = Losses()
        optimiser.zero_grad()
        backward_chunk(
            losses,
            policy,
            -advantages.detach() * policy.log_prob(torch.cat(actions)),
            advantages.square(),
            (settings.value_coef, settings.entropy_coef),
            len(returns),
        )
        optimiser_step(network, optimiser, losses, None)
        return len(returns)

    speed = rate(update, 3 * SECONDS)
    environments.close()
    return {"steps": speed}


def one_at_a_time(data_set: str, games: int, **_: object) -> dict[str, float]:
    """Evaluation as in 2018: the first `games` pieces once, one piece and one window at a time."""
    import torch

    from score_following_game.agents.loading import load_trained_agent
    from score_following_game.agents.policy import CategoricalPolicy
    from score_following_game.environment.env import ScoreFollowingEnv

    bank, _seconds = open_bank(data_set)
    network = load_trained_agent("nottingham", "ScoreFollowingNet", bank.config, seed=0).network
    environment = ScoreFollowingEnv(bank)

    def play(piece: str) -> int:
        now, _info = environment.reset(seed=0, options={"piece": piece})
        steps, ended = 0, False
        while not ended:
            logits, _value = network([torch.from_numpy(values)[None] for values in now])
            now, _reward, ended, _truncated, _info = environment.step(int(CategoricalPolicy.from_logits(logits).sample()))
            steps += 1
        return steps

    with torch.no_grad():
        play(bank.names[-1])  # warms up
        began = time.perf_counter()
        steps = sum(map(play, bank.names[:games]))
        return {"steps": steps / (time.perf_counter() - began)}
