"""Compare the scale of this project's engraving with that of a published piece that shows the same notes.

    python benchmarks/compare_with_published.py --published FOLDER/ashover_simple_chords_41 --source ashover.abc --tune 41

First checks that both show the same notes (pitches, and onsets in quarters), then prints staff space, window, density and
darkness of both and their ratios. The measured values are in docs/data_sets.md. --picture FILE.png draws both sheets, one above
the other.
"""

from __future__ import annotations

import argparse
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np

from score_following_game.command_line import Parser, script
from score_following_game.data_preparation.building.sources import read_text
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import read_tune_book
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.errors import UserError
from score_following_game.files import replacing

_PAPER = 250  # columns without a staff have a lighter mean
_GREY = 20  # rows with a darker median (255 = ink) belong to a staff line
_SAME = 0.95  # share of the notes, counted from the first, that must agree


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--published",
        type=Path,
        required=True,
        metavar="NAME",
        help="the published piece: path of NAME.npz and NAME.mid, without suffix",
    )
    parser.add_argument("--source", type=Path, required=True, metavar="FILE.abc", help="tune book that contains the tune")
    parser.add_argument("--tune", required=True, metavar="X", help="number of the tune (X:) in the book")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="write a picture of both sheets")
    return parser.parse_args()


def measure(score: Score, notes: int, quarters: float) -> dict[str, float]:
    """Returns the measures of a sheet, lengths in pixels.

    Staff space is the distance between staff lines, window the height of the sheet, density the columns per quarter over the
    first `notes` notes. Darkness is the mean where there is a staff, 255 = ink: published sheets begin with an indent of paper.
    """
    staff = 255.0 - score.sheet[:, score.sheet.mean(axis=0) < _PAPER]
    profile = np.median(staff, axis=1)
    runs = np.split(np.arange(len(profile)), np.flatnonzero(np.diff(profile > _GREY)) + 1)
    lines = [float(np.average(run, weights=profile[run])) for run in runs if profile[run[0]] > _GREY]
    x = score.coords[np.argsort(score.coord2onset[:, 1]), 1][:notes]
    return {
        "staff lines": len(lines),
        "staff space": float(np.diff(lines).mean()),
        "first line's row": lines[0],
        "window": score.sheet.shape[0],
        "density": float(x.max() - x.min()) / quarters,
        "darkness": float(staff.mean()),
        "darkness between lines": float(staff[profile <= _GREY].mean()),
    }


def main() -> None:
    arguments = parse_arguments()
    score = read_score(arguments.published.with_name(f"{arguments.published.name}.npz"))
    midi_path = arguments.published.with_name(f"{arguments.published.name}.mid")
    midi = read_midi(midi_path)
    theirs = sorted(
        (midi.time_to_tick(note.start) / midi.resolution, note.pitch) for part in midi.instruments for note in part.notes
    )
    tune = next((tune for tune in read_tune_book(read_text(arguments.source)) if tune.number == arguments.tune), None)
    if tune is None:
        raise UserError(f"{arguments.source}: no tune X:{arguments.tune}")
    melody = read_melody(tune)
    ours = engrave(melody_to_mei(melody), STYLES["nottingham"], 100.0)
    notes = [(float(note.onset), note.pitch) for note in ours.notes]
    same = list(
        takewhile(
            lambda pair: pair[0][1] == pair[1][1] and abs(pair[0][0] - theirs[0][0] - pair[1][0]) < 0.02, zip(theirs, notes)
        )
    )
    if len(same) < _SAME * max(len(theirs), len(notes)):
        raise UserError(
            f"{midi_path}: shows another tune: only the first {len(same)} of its {len(theirs)} notes agree "
            f"with the {len(notes)} of the tune"
        )
    print(f"the first {len(same)} of {len(theirs)} published and {len(notes)} engraved notes are the same")
    published, engraved = (measure(which, len(same), same[-1][1][0] - same[0][1][0]) for which in (score, ours.score))
    print(f"{'':24}{'published':>10}{'ours':>10}{'ratio':>8}")
    for name, value in published.items():
        print(f"{name:24}{value:10.2f}{engraved[name]:10.2f}{engraved[name] / value:8.3f}")
    if arguments.picture:
        width = min(score.sheet.shape[1], ours.score.sheet.shape[1], 900)
        both = np.vstack([score.sheet[:, :width], np.full((6, width), 128, np.uint8), ours.score.sheet[:, :width]])
        with replacing(arguments.picture) as temporary:
            cv2.imwrite(str(temporary), cv2.resize(both, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST))


if __name__ == "__main__":
    with script():
        main()
