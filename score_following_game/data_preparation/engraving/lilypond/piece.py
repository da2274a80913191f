"""Makes game data from a LilyPond file: its printed pages joined with the MIDI that LilyPond plays."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.checks import inside
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.engraving.isolation import allowed
from score_following_game.data_preparation.engraving.lilypond.contained import OUTPUT, SCORE, own_file, run_contained
from score_following_game.data_preparation.engraving.lilypond.drawing import draw_page
from score_following_game.data_preparation.engraving.lilypond.joining import Joined, join
from score_following_game.data_preparation.engraving.lilypond.log import BarPlace, read_log, read_places, uneven_repeats
from score_following_game.data_preparation.engraving.lilypond.midi import (
    TICKS,
    TempoMap,
    read_midi_file,
    write_midi,
)
from score_following_game.data_preparation.engraving.lilypond.pages import Page, PageSystem, read_pages
from score_following_game.data_preparation.engraving.lilypond.source import copy_modern, files_of, read_ly, take_out_risks
from score_following_game.data_preparation.engraving.lilypond.syntax import jump_in_words
from score_following_game.data_preparation.engraving.lilypond.tempi import with_played_tempi
from score_following_game.data_preparation.engraving.playing import PIANO, WHOLE, WRITTEN, Playing
from score_following_game.data_preparation.engraving.reading_order import first_coordinates, out_of_order
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.score_npz import Score
from score_following_game.data_processing.sheet_map import Bar

_HOOK = Path(__file__).with_name("hook.ily")
_LILYPOND_SHARE = 0.9  # of the time limit; the rest lets us report that LilyPond exceeded it
WORK_PREFIX = "lilypond-"
_SAME_BAR = Fraction(1, 16)  # quarters: LilyPond rounds the times of notes to its ticks
_DISORDERED = "printed right of a later note"  # a reason for leaving notes out


def engrave_lilypond(
    main: Path, style: Style, time_limit: float, root: Path, work: Path | None = None, playing: Playing = WHOLE
) -> EngravedPiece:
    """Engrave a LilyPond file as it is printed, with its own page breaks and tempi, and put its systems side by side.

    time_limit: seconds.  root: the folder that included files must be in.  work: the folder for temporary files, which go to
    a subfolder named WORK_PREFIX...  playing: its repeats are unfolded in print and sound; a part or bars cannot be chosen.
    Raises EngravingError if LilyPond fails or if the sound and the sheet do not match.
    """
    if playing.bars or playing.part not in ("", PIANO):
        option = "--order" if playing.bars else f"--part {playing.part}"
        raise EngravingError("not for LilyPond", f"{option}: a LilyPond score is played whole; --repeats works")
    if playing.repeats == WRITTEN:
        _require_no_jump_in_words(main, root)
    deadline = time.monotonic() + _LILYPOND_SHARE * allowed(time_limit)
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=work, ignore_cleanup_errors=True) as name:
        output = _run(main, root, Path(name), deadline, playing.repeats)
        if uneven := uneven_repeats(own_file(output / "log")):
            raise EngravingError("a repeat in some voices only", f"at quarter {float(uneven[0]):g}; --repeats once works")
        heads = read_log(own_file(output / "log"))
        places = read_places(own_file(output / "log"))
        pages = read_pages(own_file(file) for file in sorted(output.glob("*.svg")))
        midi_files = sorted(output.glob("*.mid*"), key=_file_number)
        midis = [midi for file in midi_files if (midi := read_midi_file(own_file(file))) is not None]
    if not pages:
        raise EngravingError("no music on the pages")
    sheet, sharp, systems, centres = _sheet(pages, style)
    # The sheet cuts off very high and very low notes. They are treated as if they were not printed.
    centres = {number: centre for number, centre in centres.items() if inside(np.array(centre[0]), style)}
    joined = join([head for head in heads if not head.tied], with_played_tempi(midis), set(centres))
    joined, disordered = _in_order(joined, centres, style)
    notes = _played_notes(joined)
    tempo = TempoMap(joined.midi)
    return EngravedPiece(
        score=Score(sheet, *coordinates(notes, {str(number): centre for number, centre in centres.items()})),
        midi=write_midi(joined.midi),
        notes=notes,
        onsets=[tempo.seconds(note.tick) for note in joined.midi.notes],
        seconds=tempo.seconds(joined.midi.end),
        tempo=60.0 / (tempo.seconds(TICKS) - tempo.seconds(0)),
        systems=systems,
        staves=[len(system.staves) for page in pages for system in page.systems],
        unshown=joined.unshown | ({_DISORDERED: disordered} if disordered else {}),
        unheard=joined.unheard,
        sharp=sharp,
        bars=_bars(notes, places),
    )


def _require_no_jump_in_words(main: Path, root: Path) -> None:
    """Raise EngravingError for a da capo or dal segno that is only printed: LilyPond plays those of \\repeat segno."""
    for path in files_of(main, root):
        if words := jump_in_words(read_ly(path)):
            why = f"{path.name}: LilyPond does not play the words {words!r}; write \\repeat segno, or play each bar once"
            raise EngravingError("no clear order of the bars", why)


def _bars(notes: list[PlayedNote], places: dict[int, BarPlace]) -> tuple[Bar, ...]:
    """The bars in which notes begin, and the empty ones between them."""
    found: list[tuple[Fraction, BarPlace]] = []
    for note in notes:
        for place in filter(None, (places.get(int(head)) for head in note.heads)):
            found.append((note.onset - place.after, place))
    begun: list[tuple[Fraction, BarPlace]] = []
    for start, place in sorted(found, key=lambda row: row[0]):
        if not begun or start - begun[-1][0] > _SAME_BAR:
            begun.append((start, place))
    bars: list[Bar] = []
    for (start, place), (following, next_place) in pairwise([*begun, *begun[-1:]]):
        empty = max(next_place.bar - place.bar, 1)
        starts = [start, *(start + number * place.length for number in range(1, empty))]
        bars += [
            Bar(float(begins), str(place.bar + number), place.beat)
            for number, begins in enumerate(starts)
            if not number or begins < following - _SAME_BAR
        ]
    return tuple(bars)


def _played_notes(joined: Joined) -> list[PlayedNote]:
    notes = []
    for note in joined.midi.notes:
        heads = tuple(map(str, joined.heads[note.tick, note.pitch]))
        notes.append(PlayedNote(Fraction(note.tick, TICKS), Fraction(note.end, TICKS), note.pitch, heads))
    return notes


def _in_order(joined: Joined, centres: dict[int, tuple[float, float]], style: Style) -> tuple[Joined, int]:
    """Leave out notes that are printed a notehead or more right of later ones, such as grace notes between two staves.

    Returns the rest and the number of notes left out.
    """
    notes = _played_notes(joined)
    coords, coord2onset = coordinates(notes, {str(number): centre for number, centre in centres.items()})
    first = first_coordinates(notes, coord2onset)
    xs = [float(coords[coordinate, 1]) for _, coordinate in first]
    sizes = Counter(note.onset for note in notes)
    left_out = {first[place][0] * TICKS for place in out_of_order(xs, [sizes[onset] for onset, _ in first], style)}
    kept = [note for note in joined.midi.notes if note.tick not in left_out]
    return replace(joined, midi=replace(joined.midi, notes=kept)), len(notes) - len(kept)


def _run(main: Path, root: Path, folder: Path, deadline: float, repeats: str) -> Path:
    """Run LilyPond on a copy in current syntax. Returns the folder of its output."""
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
    errors: list[str] = []
    for attempt in ("first", "second"):
        output = folder / attempt
        output.mkdir()
        variables = {"SFG_LOG": f"{OUTPUT}/log", "SFG_REPEATS": repeats}
        code, messages = run_contained(command, score, output, deadline - time.monotonic(), variables)
        errors.append(_first_error(messages))
        if not code or not take_out_risks(score):
            break
    if code:  # LilyPond continues after errors but leaves out music
        raise EngravingError("the engraver failed", errors[0] or f"exit code {code}")
    if not any(output.glob("*.svg")):
        raise EngravingError("no music on the pages")
    return output


def _first_error(messages: str) -> str:
    """LilyPond's first error message."""
    errors = [line for line in messages.splitlines() if "error:" in line] or messages.splitlines()[-1:]
    message = errors[0].replace(f"{SCORE}/", "").strip()[-160:] if errors else ""
    return "".join(letter for letter in message if letter.isprintable())


def _file_number(file: Path) -> int:
    """The place of a MIDI file in the order page.midi, page-1.midi, page-2.midi ..."""
    number = file.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _sheet(pages: list[Page], style: Style) -> tuple[np.ndarray, np.ndarray, list[int], dict[int, tuple[float, float]]]:
    """Returns the systems side by side, the same sharp, the x of each one's first column, and each notehead's (y, x) by number.

    The places are in pixels of the first.
    """
    strips: list[np.ndarray] = []
    sharp: list[np.ndarray] = []
    centres: dict[int, tuple[float, float]] = {}
    for page in pages:
        scale = style.page_width / page.view[2]
        image, enlarged = draw_page(page, style.page_width, style.sharp)
        for system in page.systems:
            strip, top, left = _cut(image, page, system, scale, style.height)
            start = sum(strip.shape[1] for strip in strips) - left
            for number, (of, (y, x)) in page.heads.items():
                if of == system.number:
                    centres[number] = ((y - page.view[1]) * scale - 0.5 - top, (x - page.view[0]) * scale - 0.5 + start)
            strips.append(strip)
            sharp.append(_cut(enlarged, page, system, scale, style.height, style.sharp)[0])
    starts = [0, *accumulate(strip.shape[1] for strip in strips)]
    return np.hstack(strips), np.hstack(sharp), starts[:-1], centres


def _cut(
    image: np.ndarray, page: Page, system: PageSystem, scale: float, height: int, factor: int = 1
) -> tuple[np.ndarray, int, int]:
    """Crop a system to `height` rows around the middle of its staves. Returns the image and its first row and column.

    factor: how many times as many pixels each way the image has as these numbers are for.
    """
    rows_of_page, columns_of_page = image.shape[0] // factor, image.shape[1] // factor
    left, top, right, bottom = system.box
    first = round(((top + bottom) / 2 - page.view[1]) * scale - height / 2)
    begin = max(0, round((left - page.view[0]) * scale))
    end = min(columns_of_page, round((right - page.view[0]) * scale))
    if end <= begin:
        raise EngravingError("a system off the page", f"system {system.number}")
    above, below = max(0, -first), max(0, first + height - rows_of_page)
    rows = image[factor * max(0, first) : factor * max(0, first + height), factor * begin : factor * end]
    return np.pad(rows, ((factor * above, factor * below), (0, 0)), constant_values=255)[: factor * height], first, begin
