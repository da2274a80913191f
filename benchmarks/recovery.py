#!/usr/bin/env python
"""How long a reading agent takes to be with the music again after jumps and stops, with and without looking for it.

    python benchmarks/recovery.py --data_set DATA/folk_valid --params folk --limit 20

Each piece is interrupted once, about its middle. Found: within half a second of the music for two seconds. The last table says
how often the agent was within half a second when its confidence was so high.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np
from tqdm import tqdm

from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.errors import UserError
from score_following_game.evaluation.recovery import INTERRUPTIONS, WITH_THE_MUSIC, Followed, follow, interrupted
from score_following_game.evaluation.report import write_json
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine

BOUNDS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 1.01)  # of confidence


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="folder of pieces (default %(default)s)")
    parser.add_argument("--params", required=True, help="a reading agent: its short name or a parameter file")
    parser.add_argument("--net")
    parser.add_argument("--game_config")
    parser.add_argument("--limit", type=int, metavar="N", help="use only the first N pieces")
    parser.add_argument("--json", metavar="FILE", help="write all numbers")
    add_machine_arguments(parser)
    arguments = parser.parse_args()
    require_writable(arguments.json)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    net, config = resolve_network_and_config(arguments.params, arguments.net, arguments.game_config)
    agent = load_trained_agent(arguments.params, net, config, seed=arguments.seed, device=arguments.device)
    if not isinstance(agent, ReadingAgent):
        raise UserError(f"--params {arguments.params}: is no reading agent; only those look for the music")
    pieces, fps = load_data_set(arguments.data_set, config)[: arguments.limit], config.spectrogram_params.fps
    print("interruption            looks  plays  found  within 5 s  within 10 s  median s  moved wrongly, per minute")
    everything: list[Followed] = []
    numbers = {}
    for how in INTERRUPTIONS:
        random = np.random.default_rng(arguments.seed)
        tried = (interrupted(piece, pieces[index - 1], how, fps, random) for index, piece in enumerate(pieces))
        plays = [play for play in tried if play is not None]
        if not plays:
            print(f"{how:<24}no piece is long enough")
            continue
        for finds in (False, True):
            bar = tqdm(plays, desc=how, leave=False, disable=None)
            followed = [follow(play, agent, config, finds, arguments.device) for play in bar]
            seconds = np.array([one.seconds_until_found(fps) for one in followed])
            moved = sum(frame < one.again for one in followed for frame in one.found)
            minutes = sum(one.again for one in followed) / fps / 60
            numbers[f"{how}, {'looking' if finds else 'not looking'}"] = seconds.tolist()
            shares = "  ".join(f"{(seconds <= bound).mean():{width}.2f}" for bound, width in ((1e9, 5), (5, 10), (10, 11)))
            row = f"{how:<24}{'yes' if finds else 'no':<5}{len(seconds):7}  {shares}"
            print(f"{row}  {np.median(seconds):8.1f}  {moved / minutes:8.2f}")
            everything += followed
    print("\nconfidence   share of frames  within half a second")
    confidence, distance = (np.concatenate([getattr(one, name) for one in everything]) for name in ("confidence", "distance"))
    known = np.isfinite(distance)
    for low, high in pairwise(BOUNDS):
        chosen = known & (confidence >= low) & (confidence < high)
        within = (np.abs(distance[chosen]) <= WITH_THE_MUSIC).mean() if chosen.any() else float("nan")
        print(f"{low:.2f}-{min(high, 1):.2f}  {chosen.sum() / known.sum():15.3f}  {within:20.3f}")
    if arguments.json:
        write_json(arguments.json, numbers)


if __name__ == "__main__":
    with script():
        main()
