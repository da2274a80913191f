"""Makes game data from MEI: the sheet, its noteheads, the note that each one shows, and the MIDI."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import mido
import numpy as np

from score_following_game.data_preparation.engraving.checks import inside
from score_following_game.data_preparation.engraving.comparing import Places, compare
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.engraving.lilypond.midi import MidiNote, ScoreMidi, TempoMap, write_midi
from score_following_game.data_preparation.engraving.reading import PLAUSIBLE_TEMPO, SHORTEST, Reading
from score_following_game.data_preparation.engraving.silent import too_many
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.layout import STAFF_DISTANCES, Layout, bar_order, lay_out
from score_following_game.data_preparation.engraving.verovio.print_reading import misprints
from score_following_game.data_preparation.engraving.verovio.raster import DrawnSystem, draw, head_rows
from score_following_game.data_preparation.engraving.verovio.timing import LaidOutNote, silent_notes
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.score_npz import Score

_TICKS = 480  # MIDI ticks per quarter
_VELOCITY = 80
_USUAL_NOTE = 0.25, 1.5  # quarters
_FINEST = 24  # lengths are rounded to this part of a quarter: a repeated pitch ends a tick early
HIDDEN, OUTSIDE = "hidden in print", "outside the sheet"
MISPRINTED = "drawn as another note"

Heads = dict[str, tuple[float, float]]


def engrave(mei: str, style: Style, reading: Reading, default_tempo: float) -> EngravedPiece:
    """Lay out, draw and time one score.

    reading: what the file says; its bars are those whose ids the measures have.  default_tempo: quarters per minute, if the
    file states no tempo and its notes are of usual length (see `guessed_tempo`). Notes without a head on the sheet, and those
    that cannot be played, are left out and counted as unshown. Cue notes are drawn, not played, and not counted.

    Raises EngravingError for a score without notes, for a notehead without a note, where the engraver's notes differ from the
    reading, and if the sheet shows many other notes than are played.
    """
    layout = _best_layout(mei, style)
    drawn = [draw(system, style) for system in layout.systems]
    starts = np.cumsum([0] + [system.image.shape[1] for system in drawn]).tolist()
    every_head = _heads_in_sheet(drawn, starts)
    silent = every_head.keys() & silent_notes(mei)
    heads = {note: place for note, place in every_head.items() if note not in silent}
    order = bar_order(mei)
    played = _played(layout, heads)
    engraved_in = {(note.onset, note.pitch): note.place for note in layout.notes if not note.tied}
    places = compare(played, reading.sounding(order), reading, engraved_in)
    notes, unshown = shown_notes(played, heads, style, _in_bars(misprints(layout, mei), reading))
    unplayed = reading.unplayed(order)
    midi = _midi(notes, reading, order, default_tempo)
    tempo = TempoMap(midi)
    return EngravedPiece(
        score=Score(np.hstack([system.image for system in drawn]), *coordinates(notes, heads)),
        midi=write_midi(midi),
        notes=notes,
        onsets=[tempo.seconds(_tick(note.onset)) for note in notes],
        seconds=tempo.seconds(midi.end),
        tempo=60.0 / tempo.seconds(_TICKS),
        systems=starts[:-1],
        staves=[len(system.staff_lines) for system in layout.systems],
        unshown=dict(Counter(unshown) + Counter(reason for reason, _ in unplayed)),
        first_unshown=_first_unshown(played, notes, places) or next((place for _, place in unplayed), ""),
        unheard=len(silent),
        mended=reading.mended_in(order),
        sharp=np.hstack([system.sharp for system in drawn]),
        bars=reading.printed(order),
    )


def _best_layout(mei: str, style: Style) -> Layout:
    """The layout with the widest distance between staves in which all heads are on the sheet, else with the most heads."""
    best: tuple[int, Layout] | None = None
    for distance in STAFF_DISTANCES if style.staves > 1 else STAFF_DISTANCES[:1]:
        layout = lay_out(mei, style, distance, best[1].notes if best else None)
        outside = sum(int(np.sum(~inside(head_rows(system, style), style))) for system in layout.systems)
        if best is None or outside < best[0]:
            best = outside, layout
        if not outside:
            break
    assert best is not None
    return best[1]


def _heads_in_sheet(drawn: list[DrawnSystem], starts: list[int]) -> Heads:
    """Note id -> (y, x) in pixels of the whole sheet."""
    heads: Heads = {}
    for system, start in zip(drawn, starts):
        for note, (y, x) in system.heads.items():
            heads.setdefault(note, (y, x + start))
    return heads


def _played(layout: Layout, heads: Heads) -> list[PlayedNote]:
    """Notes as played: tied notes and unisons are merged, and no pitch overlaps itself. Hidden notes have no heads."""
    if silent := heads.keys() - {note.id for note in layout.notes}:
        raise EngravingError("a notehead that does not sound", f"{len(silent)} of them")
    together: dict[tuple[Fraction, int], list[LaidOutNote]] = {}
    for note in layout.notes:
        if not note.tied:
            together.setdefault((note.onset, note.pitch), []).append(note)
    if not together:
        raise EngravingError("no notes")
    next_onset: dict[int, Fraction] = {}
    played: list[PlayedNote] = []
    for onset, pitch in sorted(together, reverse=True):
        written = together[onset, pitch]
        end = max(onset + SHORTEST, *(note.end for note in written))
        if pitch in next_onset:
            # One tick of silence before the pitch is repeated keeps note-off and note-on in order.
            end = min(end, next_onset[pitch] - Fraction(1, _TICKS))
        next_onset[pitch] = onset
        played.append(PlayedNote(onset, end, pitch, tuple(note.id for note in written if note.id in heads)))
    return played[::-1]


def shown_notes(
    played: list[PlayedNote], heads: Heads, style: Style, misprinted: Mapping[str, str]
) -> tuple[list[PlayedNote], dict[str, int]]:
    """The notes with a head that lies on the sheet and shows them, and how many others there are, by reason."""
    shown: list[PlayedNote] = []
    unshown: Counter[str] = Counter()
    for note in played:
        on_sheet = tuple(head for head in note.heads if inside(np.array(heads[head][0]), style))
        right = tuple(head for head in on_sheet if head not in misprinted)
        if right:
            shown.append(PlayedNote(note.onset, note.end, note.pitch, right))
        else:
            unshown[MISPRINTED if on_sheet else OUTSIDE if note.heads else HIDDEN] += 1
    if too_many(unshown[MISPRINTED], len(played)):
        first = next(iter(misprinted.values()))
        raise EngravingError("the sheet shows another note", f"{unshown[MISPRINTED]} of {len(played)}, the first in {first}")
    if not shown:
        raise EngravingError("no notes", f"none of {len(played)} is shown")
    return shown, dict(unshown)


def _in_bars(misprinted: Mapping[str, str], reading: Reading) -> dict[str, str]:
    """The same with the names of the bars in the score instead of their ids."""
    return {
        head: re.sub(r"^bar-(\d+)[^,]*", lambda found: f"bar {reading.bars[int(found[1])].name}", text)
        for head, text in misprinted.items()
    }


def _first_unshown(played: Sequence[PlayedNote], shown: Sequence[PlayedNote], places: Places) -> str:
    kept = {(note.onset, note.pitch) for note in shown}
    return next((places[key] for note in played if (key := (note.onset, note.pitch)) not in kept), "")


def guessed_tempo(notes: Sequence[PlayedNote], usual: float) -> float:
    """Quarters per minute of a score that states no tempo.

    usual: where the median note has between a sixteenth and a dotted quarter. Where it is longer or shorter, it lasts as long
    as a quarter or a sixteenth at the usual tempo.
    """
    median = round(float(np.median([float(note.end - note.onset) for note in notes])) * _FINEST) / _FINEST
    shortest, longest = _USUAL_NOTE
    factor = median if median > longest else min(median / shortest, 1.0)
    return min(max(usual * factor, PLAUSIBLE_TEMPO[0]), PLAUSIBLE_TEMPO[1])


def _tick(quarters: Fraction) -> int:
    return round(quarters * _TICKS)


def _midi(notes: list[PlayedNote], reading: Reading, order: Sequence[int], default_tempo: float) -> ScoreMidi:
    """One piano at one velocity, with the tempi and time signatures of the bars."""
    events = [(0, 0, mido.Message("program_change", program=0))]
    for quarter, tempo in reading.tempo_map(order) or [(Fraction(0), guessed_tempo(notes, default_tempo))]:
        events.append((_tick(quarter), 0, mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo))))
    for quarter, (beats, unit) in reading.signatures(order):
        events.append((_tick(quarter), 0, mido.MetaMessage("time_signature", numerator=beats, denominator=unit)))
    piano = [MidiNote(_tick(note.onset), _tick(note.end), note.pitch, _VELOCITY, 0, 0) for note in notes]
    return ScoreMidi(piano, events, _TICKS)
