"""SAC of Stable-Baselines3 plays the continuous game: python docs/examples/sb3_sac.py

SAC needs a finite action space, hence action_bound: the largest change of speed in one frame, in pixels per frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sb3_games import Curve, Games
from stable_baselines3 import SAC

GAME = "nottingham_continuous"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60_000, help="of all games together (default %(default)s)")
    parser.add_argument("--games", type=int, default=16, help="played at once (default %(default)s)")
    parser.add_argument("--interval", type=int, default=5_000, help="steps between evaluations (default %(default)s)")
    parser.add_argument("--data_set", default="test_sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="write the learning curve here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = SAC(
        "MultiInputPolicy",
        Games(args.games, args.data_set, game_config=GAME, action_bound=1.0),
        learning_rate=1e-3,
        buffer_size=20_000,  # half a GB
        learning_starts=1_000,
        batch_size=128,
        gradient_steps=4,  # for every frame of all games
        gamma=0.9,
        policy_kwargs={"net_arch": [64, 64]},
        seed=args.seed,
        device="cpu",
    )
    model.learn(args.steps, callback=Curve(args.data_set, GAME, args.interval, args.csv))


if __name__ == "__main__":
    main()
