"""PPO of Stable-Baselines3 learns the two bundled tunes: python docs/examples/sb3_ppo.py"""

from __future__ import annotations

from sb3_games import Curve, Games, arguments
from stable_baselines3 import PPO

GAME = "nottingham"


def main() -> None:
    args = arguments(__doc__, steps=400_000, games=32, interval=25_000)
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
