"""The last moment before each loss, as pictures: what the agent saw, where it was, and where the music was.

python experiments/reading/failures.py AGENT DATA_SET FOLDER

writes FOLDER/NAME.png for every piece that is lost, and FOLDER/failures.csv.
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
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start

BEFORE = 4  # frames before the loss that are shown


def main() -> None:
    name, data_set, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    torch.set_num_threads(1)
    net, config = resolve_network_and_config(name, None, None)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for piece in load_data_set(data_set, config):
        agent = load_trained_agent(name, net, config, seed=0, device="cpu")
        bank = ScoreBank([piece], config)
        game = Game(bank, 1)
        game.reset(Start.from_beginning(torch.tensor([0])))
        states = []
        while True:
            states.append(game.state())
            step = game.step(agent.perform_action(game))
            if bool(step.terminated[0]):
                break
        if int(game.frame[0]) >= int(bank.last_onset[0]):
            continue
        picture = render(Game.at(bank, states[max(len(states) - BEFORE, 0)]))
        cv2.imwrite(str(folder / f"{piece.name}.png"), picture)
        seconds = int(game.frame[0]) / config.spectrogram_params.fps
        rows.append((piece.name, f"{seconds:.1f}", f"{float(step.error[0]):.0f}"))
        print(*rows[-1], flush=True)
    with (folder / "failures.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("piece", "seconds", "error_px"), *rows])


if __name__ == "__main__":
    main()
