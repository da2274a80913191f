"""PPO of Stable-Baselines3 learns the two bundled tunes: python docs/examples/sb3_ppo.py"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sb3_games import Curve, Games
from stable_baselines3 import PPO

GAME = "nottingham"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400_000, help="of all games together (default %(default)s)")
    parser.add_argument("--games", type=int, default=32, help="played at once (default %(default)s)")
    parser.add_argument("--interval", type=int, default=25_000, help="steps between evaluations (default %(default)s)")
    parser.add_argument("--data_set", default="test_sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="write the learning curve here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = PPO(
        "MultiInputPolicy",
        Games(args.games, args.data_set, game_config=GAME),
        learning_rate=5e-4,
        n_steps=64,
        batch_size=256,
        n_epochs=4,
        gamma=0.9,  # the game needs no longer view: the reward is there at every frame
        ent_coef=0.01,
        seed=args.seed,
        device="cpu",
    )
    model.learn(args.steps, callback=Curve(args.data_set, GAME, args.interval, args.csv))


if __name__ == "__main__":
    main()
