#!/usr/bin/env python
"""How long a reading agent takes to be with the music again after jumps and stops, with and without looking for it.

    python benchmarks/recovery.py --data_set DATA/folk_valid --params folk --limit 20
    python benchmarks/recovery.py --data_set DATA/folk_valid --params folk --conditions --font FILE.sf2 --plot confidence.png

Each piece is interrupted once, about its middle. Found: within half a second of the music for two seconds. The last tables say
how often the agent was within half a second when its confidence was so high; the light is for agents that look.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.conditions import spread
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError
from score_following_game.evaluation.light import ConfidenceClass, calibration, plot_calibration
from score_following_game.evaluation.plots import require_plottable
from score_following_game.evaluation.recovery import INTERRUPTIONS, Followed, follow, interrupted
from score_following_game.evaluation.report import write_json
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine


def row(how: str, finds: bool, followed: Sequence[Followed], fps: int) -> str:
    """A row of the table of the interruptions."""
    seconds = np.array([one.seconds_until_found(fps) for one in followed])
    moved = sum(frame < one.again for one in followed for frame in one.found)
    minutes = sum(one.again for one in followed) / fps / 60
    shares = "  ".join(f"{(seconds <= bound).mean():{width}.2f}" for bound, width in ((1e9, 5), (5, 10), (10, 11)))
    median = float(np.quantile(seconds, 0.5, method="higher"))
    return f"{how:<24}{'yes' if finds else 'no':<5}{len(seconds):7}  {shares}  {median:8.1f}  {moved / minutes:8.2f}"


def make_parser() -> Parser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="folder of pieces (default %(default)s)")
    parser.add_argument("--params", required=True, help="a reading agent: its short name or a parameter file")
    parser.add_argument("--net")
    parser.add_argument("--game_config")
    parser.add_argument("--limit", type=int, metavar="N", help="use only the first N pieces")
    parser.add_argument("--conditions", action="store_true", help="play each piece under another condition of real_world.py")
    parser.add_argument("--font", type=Path, metavar="FILE.sf2", help="SoundFont of its instruments (default: pretty_midi's)")
    parser.add_argument("--only_looking", action="store_true", help="leave the plays without looking out: half the time")
    parser.add_argument("--json", metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", metavar="FILE", help="draw the last table, of the plays with looking")
    add_machine_arguments(parser)
    return parser


def follow_all(
    pieces: Sequence[Piece], agent: ReadingAgent, config: GameConfig, arguments: argparse.Namespace
) -> dict[bool, dict[str, list[Followed]]]:
    """Whether it looks -> interruption -> how each piece that is long enough was followed. Prints a row for each."""
    fps = config.spectrogram_params.fps
    everything: dict[bool, dict[str, list[Followed]]] = {True: {}} if arguments.only_looking else {False: {}, True: {}}
    print("interruption            looks  plays  found  within 5 s  within 10 s  median s  moved wrongly, per minute")
    for how in INTERRUPTIONS:
        random = np.random.default_rng(arguments.seed)
        tried = (interrupted(piece, pieces[index - 1], how, fps, random) for index, piece in enumerate(pieces))
        plays = [play for play in tried if play is not None]
        if not plays:
            print(f"{how:<24}no piece is long enough")
            continue
        for finds, followed in everything.items():
            bar = tqdm(plays, desc=how, leave=False, disable=None)
            followed[how] = [follow(play, agent, config, finds, arguments.device) for play in bar]
            print(row(how, finds, followed[how], fps), flush=True)
    return everything


def light_of(finds: bool, followed: Mapping[str, Sequence[Followed]]) -> list[ConfidenceClass]:
    """The classes of confidence, which are printed, too."""
    classes = calibration([one for plays in followed.values() for one in plays])
    print(f"\nconfidence, {'' if finds else 'not '}looking   share of frames  within half a second")
    for one in classes:
        print(f"{one.low:.2f}-{one.high:.2f}  {one.share:28.3f}  {one.right:20.3f}")
    return classes


def main() -> None:
    arguments = make_parser().parse_args()
    require_writable(arguments.json)
    require_plottable(arguments.plot)
    if arguments.font:
        if not arguments.conditions:
            raise UserError("--font: has no effect without --conditions")
        require_sound_font(arguments.font)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    net, config = resolve_network_and_config(arguments.params, arguments.net, arguments.game_config)
    agent = load_trained_agent(arguments.params, net, config, seed=arguments.seed, device=arguments.device)
    if not isinstance(agent, ReadingAgent):
        raise UserError(f"--params {arguments.params}: is no reading agent; only those look for the music")
    pieces, fps = load_data_set(arguments.data_set, config)[: arguments.limit], config.spectrogram_params.fps
    if arguments.conditions:
        pieces = spread(pieces, config, arguments.seed, arguments.font)
    everything = follow_all(pieces, agent, config, arguments)
    light = {finds: light_of(finds, followed) for finds, followed in everything.items()}
    if arguments.json:
        names = {True: "looking", False: "not looking"}
        seconds = {
            f"{how}, {names[finds]}": [one.seconds_until_found(fps) for one in plays]
            for finds, followed in everything.items()
            for how, plays in followed.items()
        }
        confidence = {names[finds]: [asdict(one) for one in classes] for finds, classes in light.items()}
        write_json(arguments.json, {"seconds": seconds, "confidence": confidence})
    if arguments.plot:
        plot_calibration(light[True], arguments.plot)


if __name__ == "__main__":
    with script():
        main()
