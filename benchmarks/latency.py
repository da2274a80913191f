#!/usr/bin/env python
"""Measure the time from the newest samples to an agent's action, frame by frame, on one core: following in real time.

    python benchmarks/latency.py [--data_set DATA] [--paced]

A frame lasts 50 ms. In each, 1102 or 1103 samples arrive and become a frame of the spectrogram; the network sees it with the
sheet (batch 1), and the likeliest action is taken. The parameters are random, which does not change the time. The position
moves at an even speed, so that the window passes through the sheet. Each network and precision runs in a process of its own.
Without --paced the frames follow each other without a pause. The times are wall-clock times, so measure on a quiet machine;
processor time, and how often another program had the core, show how quiet it was.
"""

from __future__ import annotations

import argparse
import json

from latency_parts import CASES, measure, measure_here, print_table, tasks

from score_following_game.command_line import Parser, script
from score_following_game.errors import UserError


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="pieces to follow (default %(default)s)")
    parser.add_argument(
        "--frames", type=int, help="frames per network (default: " + ", ".join(str(case[2]) for case in CASES) + ")"
    )
    parser.add_argument(
        "--paced",
        action="store_true",
        help="wait for the music: one frame every 50 ms, with caches as cold as in a live performance",
    )
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(measure_here(json.loads(arguments.task))))
        return
    if arguments.frames is not None and arguments.frames < 1:
        raise UserError(f"--frames {arguments.frames}: must be above 0")
    for task in tasks(arguments.data_set, arguments.frames, arguments.paced):
        print_table(task, measure(task))


if __name__ == "__main__":
    with script():
        main()
