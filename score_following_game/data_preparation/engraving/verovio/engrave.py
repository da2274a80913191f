"""MEI -> a piece of game data: the sheet, its noteheads, which note each shows, and the MIDI."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.layout import Layout, SoundingNote, lay_out
from score_following_game.data_preparation.engraving.verovio.raster import Strip, draw
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.midi_library import pretty_midi
from score_following_game.data_processing.score_npz import Score

_RESOLUTION = 480  # MIDI ticks per quarter
_VELOCITY = 80
SHORTEST = Fraction(1, 20)  # quarters; a note is played no shorter, save before its own pitch sounds again


def engrave(mei: str, style: Style, tempo: float) -> EngravedPiece:
    """Lay out, draw and time one score. `tempo` in quarters per minute holds throughout.

    Raises EngravingError for a score without notes or with notes that have no notehead.
    """
    layout = lay_out(mei, style)
    strips = [draw(system, style) for system in layout.systems]
    starts = np.cumsum([0] + [strip.image.shape[1] for strip in strips]).tolist()
    heads = _heads_in_sheet(strips, starts)
    notes = _played(layout, heads)
    tempo = 60e6 / round(60e6 / tempo)  # MIDI's resolution: whole microseconds per quarter
    score = Score(np.hstack([strip.image for strip in strips]), *coordinates(notes, heads))
    staves = [len(system.staff_lines) for system in layout.systems]
    second = 60.0 / tempo
    return EngravedPiece(
        score,
        _midi(notes, tempo),
        notes,
        [float(note.onset) * second for note in notes],
        float(max(note.end for note in notes)) * second,
        tempo,
        starts[:-1],
        staves,
    )


def _heads_in_sheet(strips: list[Strip], starts: list[int]) -> dict[str, tuple[float, float]]:
    """Note id -> (y, x) in the whole sheet."""
    heads: dict[str, tuple[float, float]] = {}
    for strip, start in zip(strips, starts):
        for note, (y, x) in strip.heads.items():
            heads.setdefault(note, (y, x + start))
    return heads


def _played(layout: Layout, heads: dict[str, tuple[float, float]]) -> list[PlayedNote]:
    """Notes as played: tied continuations belong to their first note, unisons are one, no pitch overlaps itself."""
    if silent := heads.keys() - {note.id for note in layout.notes}:
        raise EngravingError("a notehead that does not sound", f"{len(silent)} of them")
    together: dict[tuple[Fraction, int], list[SoundingNote]] = {}
    for note in layout.notes:
        if note.id not in heads:
            raise EngravingError("a note without a notehead", f"at quarter {float(note.onset):g}, pitch {note.pitch}")
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
            # One tick of silence before the same pitch again: note-off and note-on cannot change places.
            end = min(end, next_onset[pitch] - Fraction(1, _RESOLUTION))
        next_onset[pitch] = onset
        played.append(PlayedNote(onset, end, pitch, tuple(note.id for note in written)))
    return played[::-1]


def _midi(notes: list[PlayedNote], tempo: float) -> bytes:
    """A MIDI file: one piano, one velocity, one tempo."""
    midi = pretty_midi.PrettyMIDI(resolution=_RESOLUTION, initial_tempo=tempo)
    piano = pretty_midi.Instrument(program=0, name="Piano")
    seconds = 60.0 / tempo
    piano.notes = [
        pretty_midi.Note(_VELOCITY, note.pitch, float(note.onset) * seconds, float(note.end) * seconds) for note in notes
    ]
    midi.instruments.append(piano)
    buffer = io.BytesIO()
    midi.write(buffer)
    return buffer.getvalue()
