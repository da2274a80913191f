"""SAC of Stable-Baselines3 plays the continuous game: python docs/examples/sb3_sac.py

SAC needs a finite action space, hence action_bound: the largest change of speed in one frame, in pixels per frame.
"""

from __future__ import annotations

from sb3_games import Curve, Games, arguments
from stable_baselines3 import SAC

GAME = "nottingham_continuous"


def main() -> None:
    args = arguments(__doc__, steps=60_000, games=16, interval=5_000)
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
