"""Makes game data from MEI: the sheet, its noteheads, the note that each one shows, and the MIDI."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.layout import Layout, SoundingNote, lay_out
from score_following_game.data_preparation.engraving.verovio.raster import DrawnSystem, draw
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.midi_library import pretty_midi
from score_following_game.data_processing.score_npz import Score

_RESOLUTION = 480  # MIDI ticks per quarter
_VELOCITY = 80
SHORTEST = Fraction(1, 20)  # quarters; shortest playing time of a note, unless its own pitch begins again sooner


def engrave(mei: str, style: Style, tempo: float) -> EngravedPiece:
    """Lay out, draw and time one score. tempo: quarters per minute, for the whole piece.

    Raises EngravingError for a score without notes, for a note without a notehead and for a notehead without a note.
    """
    layout = lay_out(mei, style)
    drawn = [draw(system, style) for system in layout.systems]
    starts = np.cumsum([0] + [system.image.shape[1] for system in drawn]).tolist()
    heads = _heads_in_sheet(drawn, starts)
    notes = _played(layout, heads)
    tempo = 60e6 / round(60e6 / tempo)  # MIDI stores whole microseconds per quarter
    seconds = 60.0 / tempo  # per quarter
    return EngravedPiece(
        score=Score(np.hstack([system.image for system in drawn]), *coordinates(notes, heads)),
        midi=_midi(notes, tempo),
        notes=notes,
        onsets=[float(note.onset) * seconds for note in notes],
        seconds=float(max(note.end for note in notes)) * seconds,
        tempo=tempo,
        systems=starts[:-1],
        staves=[len(system.staff_lines) for system in layout.systems],
    )


def _heads_in_sheet(drawn: list[DrawnSystem], starts: list[int]) -> dict[str, tuple[float, float]]:
    """Note id -> (y, x) in pixels of the whole sheet."""
    heads: dict[str, tuple[float, float]] = {}
    for system, start in zip(drawn, starts):
        for note, (y, x) in system.heads.items():
            heads.setdefault(note, (y, x + start))
    return heads


def _played(layout: Layout, heads: dict[str, tuple[float, float]]) -> list[PlayedNote]:
    """Notes as played: tied notes and unisons are merged, and no pitch overlaps itself."""
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
            # One tick of silence before the pitch is repeated keeps note-off and note-on in order.
            end = min(end, next_onset[pitch] - Fraction(1, _RESOLUTION))
        next_onset[pitch] = onset
        played.append(PlayedNote(onset, end, pitch, tuple(note.id for note in written)))
    return played[::-1]


def _midi(notes: list[PlayedNote], tempo: float) -> bytes:
    """A MIDI file with one piano, one velocity and one tempo."""
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
