"""The last moment before each loss, as pictures: what the agent saw, where it was, and where the music was.

python experiments/reading/failures.py AGENT DATA_SET FOLDER

writes FOLDER/NAME.png for every piece that is lost in one of a few trials, and FOLDER/failures.csv.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import torch

from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.picture import render
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

TRIALS = 5
BEFORE = 4  # frames before the loss that are shown


def main() -> None:
    name, data_set, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    torch.set_num_threads(1)
    net, config = resolve_network_and_config(name, None, None)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for piece in load_data_set(data_set, config):
        game = game_of(piece, config)
        trials = (
            watch(game_of(piece, config), load_trained_agent(name, net, config, seed=seed, device="cpu"))
            for seed in range(TRIALS)
        )
        episode = next((trial for trial in trials if trial.lost), None)
        if episode is None:
            continue
        before = Game.at(game.bank, episode.states[-1 - BEFORE if len(episode.states) > BEFORE else 0])
        cv2.imwrite(str(folder / f"{piece.name}.png"), render(before))
        rows.append((piece.name, f"{episode.seconds:.1f}", f"{episode.errors[-1]:.0f}"))
        print(*rows[-1], flush=True)
    with (folder / "failures.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("piece", "seconds", "error_px"), *rows])


if __name__ == "__main__":
    main()
