"""A LilyPond file -> a piece of game data: what its pages show, joined with what its MIDI plays."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.checks import inside
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.engraving.lilypond.contained import OUTPUT, SCORE, own_file, run_contained
from score_following_game.data_preparation.engraving.lilypond.drawing import draw_page
from score_following_game.data_preparation.engraving.lilypond.log import Head, read_log
from score_following_game.data_preparation.engraving.lilypond.midi import (
    TICKS,
    MidiNote,
    ScoreMidi,
    TempoMap,
    read_midi_file,
    without_overlaps,
    write_midi,
)
from score_following_game.data_preparation.engraving.lilypond.pages import Page, PageSystem, read_pages
from score_following_game.data_preparation.engraving.lilypond.source import copy_modern, take_out_crashing
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.score_npz import Score

_HOOK = Path(__file__).with_name("hook.ily")
_UNHEARD = 0.05  # share of the noteheads that may have no note (a player's choice, written small): they get no coordinate
_GAP = TICKS  # ticks of silence between two scores of one file
_OUR_SHARE = 0.9  # of the time limit is LilyPond's, so that its end is ours to tell
WORK_PREFIX = "lilypond-"


@dataclass(frozen=True)
class Joined:
    """midi: what is played.  heads: the heads that show each of its notes.  unshown: how many of LilyPond's notes have no head
    and are not played."""

    midi: ScoreMidi
    heads: dict[tuple[int, int], list[int]]  # (tick, pitch) -> numbers of the heads that show it
    unshown: int


def engrave_lilypond(main: Path, style: Style, time_limit: float, root: Path, work: Path | None = None) -> EngravedPiece:
    """Engrave a LilyPond file as it is printed: its own page breaks and tempi, systems side by side.

    root: the folder that what it includes must lie in.  work: where a temporary folder is made, named WORK_PREFIX...
    Raises EngravingError where LilyPond fails, and for a piece whose sound and sheet do not fit each other.
    """
    with (
        tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=work, ignore_cleanup_errors=True) as name,
        _run(main, root, Path(name), time.monotonic() + _OUR_SHARE * time_limit) as output,
    ):
        heads = read_log(own_file(output / "log"))
        pages = read_pages(own_file(file) for file in sorted(output.glob("*.svg")))
        midis = [
            midi
            for file in sorted(output.glob("*.mid*"), key=_in_order)
            if (midi := read_midi_file(own_file(file))) is not None
        ]
    if not pages:
        raise EngravingError("no music on the pages")
    sheet, systems, centres = _sheet(pages, style)
    # What the window cuts off (very high and low notes) is not to be seen: it is treated as what is not printed.
    centres = {number: centre for number, centre in centres.items() if inside(np.array(centre[0]), style)}
    joined = _join([head for head in heads if not head.tied], midis, set(centres))
    notes = [
        PlayedNote(
            Fraction(note.tick, TICKS),
            Fraction(note.end, TICKS),
            note.pitch,
            tuple(map(str, joined.heads[note.tick, note.pitch])),
        )
        for note in joined.midi.notes
    ]
    score = Score(sheet, *coordinates(notes, {str(number): centre for number, centre in centres.items()}))
    tempo = TempoMap(joined.midi)
    first_tempo = 60.0 / (tempo.seconds(TICKS) - tempo.seconds(0))
    return EngravedPiece(
        score,
        write_midi(joined.midi),
        notes,
        [tempo.seconds(note.tick) for note in joined.midi.notes],
        tempo.seconds(joined.midi.end),
        first_tempo,
        systems,
        [len(system.staves) for page in pages for system in page.systems],
        unshown=joined.unshown,
    )


@contextlib.contextmanager
def _run(main: Path, root: Path, folder: Path, deadline: float) -> Iterator[Path]:
    """Run LilyPond on a modernised copy -> the folder of its output."""
    score = folder / "score"
    score.mkdir()
    copy = copy_modern(main, root, score, deadline)
    hook = score / "score_following_game.ily"
    hook.write_bytes(_HOOK.read_bytes())
    command = [
        "lilypond",
        "--loglevel=WARN",
        "-dbackend=svg",
        f"-dinclude-settings={SCORE}/{hook.name}",
        f"--include={SCORE}",
        f"--output={OUTPUT}/page",
        f"{SCORE}/{copy.relative_to(score)}",
    ]
    for attempt in ("first", "second"):
        output = folder / attempt
        output.mkdir()
        code, messages = run_contained(command, score, output, deadline - time.monotonic(), {"SFG_LOG": f"{OUTPUT}/log"})
        if code in range(128) or not take_out_crashing(copy):
            break
    if code or not any(output.glob("*.svg")):  # LilyPond goes on after errors, with music left out
        raise EngravingError("the engraver failed", _complaint(messages) or f"exit code {code}")
    yield output


def _complaint(messages: str) -> str:
    """LilyPond's first error."""
    errors = [line for line in messages.splitlines() if "error:" in line] or messages.splitlines()[-1:]
    told = errors[0].replace(f"{SCORE}/", "").strip()[-160:] if errors else ""
    return "".join(letter for letter in told if letter.isprintable())


def _in_order(file: Path) -> int:
    """page.midi, page-1.midi, page-2.midi ..."""
    number = file.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _sheet(pages: list[Page], style: Style) -> tuple[np.ndarray, list[int], dict[int, tuple[float, float]]]:
    """-> all systems side by side, x of each one's first column, (y, x) of each notehead by number. Pixels."""
    strips: list[np.ndarray] = []
    centres: dict[int, tuple[float, float]] = {}
    for page in pages:
        scale = style.page_width / page.view[2]
        image = draw_page(page, style.page_width)
        for system in page.systems:
            strip, top, left = _cut(image, page, system, scale, style.height)
            start = sum(strip.shape[1] for strip in strips) - left
            for number, (of, (y, x)) in page.heads.items():
                if of == system.number:
                    centres[number] = ((y - page.view[1]) * scale - 0.5 - top, (x - page.view[0]) * scale - 0.5 + start)
            strips.append(strip)
    starts = [0, *accumulate(strip.shape[1] for strip in strips)]
    return np.hstack(strips), starts[:-1], centres


def _cut(image: np.ndarray, page: Page, system: PageSystem, scale: float, height: int) -> tuple[np.ndarray, int, int]:
    """One system's strip, `height` rows round the middle of its staves, and the row and column of the page it begins at."""
    left, top, right, bottom = system.box
    first = round(((top + bottom) / 2 - page.view[1]) * scale - height / 2)
    begin = max(0, round((left - page.view[0]) * scale))
    end = min(image.shape[1], round((right - page.view[0]) * scale))
    if end <= begin:
        raise EngravingError("a system off the page", f"system {system.number}")
    above, below = max(0, -first), max(0, first + height - image.shape[0])
    rows = image[max(0, first) : max(0, first + height), begin:end]
    return np.pad(rows, ((above, below), (0, 0)), constant_values=255)[:height], first, begin


def _join(heads: list[Head], midis: list[ScoreMidi], drawn: set[int]) -> Joined:
    """Give each score of the file its MIDI, and each of its notes the heads that show it; scores follow one another.

    heads: without tied ones.  drawn: numbers of the heads that the sheet shows."""
    scores: dict[int, list[Head]] = defaultdict(list)
    for head in heads:
        scores[head.score].append(head)
    midis = list(midis)
    notes: list[MidiNote] = []
    events: list = []
    shown: dict[tuple[int, int], list[int]] = {}
    unheard = unshown = end = 0
    for _, own in sorted(scores.items()):
        visible = [head for head in own if head.number in drawn]
        if not visible:
            continue  # a score that is set aside: an incipit in a variable, a part that is not printed
        ticks = [head.tick for head in own]
        rows = [(number, _fitting(visible, midi, -min(0, *ticks))) for number, midi in enumerate(midis)]
        number, found = max(rows, key=lambda row: (len(row[1]), -row[0]), default=(0, {}))
        if not found and len(visible) <= _UNHEARD * len(heads):
            unheard += len(visible)  # an example within a text
            continue
        if not found:
            raise EngravingError("a score without sound", f"{len(visible)} noteheads")
        midi = midis.pop(number)
        unheard += len(visible) - len(found)
        by_note: dict[tuple[int, int], list[int]] = defaultdict(list)
        for head, key in found.items():
            by_note[key].append(head)
        kept = [note for note in midi.notes if (note.tick, note.pitch) in by_note]
        unshown += len(midi.notes) - len(kept)
        later = ScoreMidi(without_overlaps(kept), midi.events).clipped().later(end)
        for (tick, pitch), numbers in by_note.items():
            shown[tick + end, pitch] = numbers
        notes += later.notes
        events += later.events
        end = later.end + _GAP
    if not notes:
        raise EngravingError("no notes")
    if unheard > _UNHEARD * len(heads):
        raise EngravingError("a notehead that does not sound", f"{unheard} of {len(heads)}")
    return Joined(ScoreMidi(notes, events), shown, unshown)


def _fitting(heads: list[Head], midi: ScoreMidi, shift: int) -> dict[int, tuple[int, int]]:
    """Head number -> (tick, pitch) of the note it shows, within a tick. `shift`: grace notes before the beginning move it."""
    there = {(note.tick, note.pitch) for note in midi.notes}
    best: dict[int, tuple[int, int]] = {}
    for moved in {0, shift}:
        found = {}
        for head in heads:
            for off in (0, -1, 1):
                if (key := (head.tick + moved + off, head.pitch)) in there:
                    found[head.number] = key
                    break
        if len(found) > len(best):
            best = found
    return best
