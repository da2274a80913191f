"""Joins a human performance to an engraved score: each notehead with the moment at which its note is heard."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.performances.match_file import HeardNote, MatchFile, ScoreNote
from score_following_game.data_processing.midi_files import parse_midi, played_midi
from score_following_game.data_processing.score_npz import Score
from score_following_game.data_processing.written_score import as_written

UNJOINED = 0.05  # share of the notes of the match file, or of the engraved ones, that may be without a counterpart
_TICKS_OFF = 1
_TEMPO = 120  # quarters per minute in which the notes heard are counted
_SECONDS_OFF = 0.002

Key = tuple[Fraction, int]  # (quarter, MIDI pitch)


@dataclass(frozen=True)
class Performed:
    """A performance of an engraved piece.

    piece: the engraved piece with the MIDI and the notes of the performance. The player's tempo is unknown, so the notes count
    quarters of half a second, and they do not name their heads.  counts: see `join`.
    """

    piece: EngravedPiece
    counts: dict[str, float]


def join(piece: EngravedPiece, match: MatchFile, midi: bytes) -> Performed:
    """Join the notes of a match file to the engraved ones by onset and pitch, and the noteheads to the notes of the MIDI.

    Counts: joined: engraved notes that are heard; missing: engraved notes that the match file says are not played; unjoined:
    notes of the match file that are not engraved, without grace notes; unmatched: engraved notes that the match file does not
    have; extra: notes heard without a head; without_onset: heads whose own moment would move x backwards.

    Raises EngravingError if too many notes are unjoined or unmatched, and if the MIDI plays other notes than the match file.
    """
    heard = match.heard
    require_same(heard, midi, float(match.seconds))
    scored = [(note, played) for note, played in match.pairs if note is not None]
    engraved = {(note.onset, note.pitch): index for index, note in enumerate(piece.notes)}
    begin = _beginning(piece.notes, [note for note, _ in scored if not note.grace])
    moments, known, unjoined = _joined(scored, engraved, begin)
    unmatched = len(piece.notes) - len(known)
    for count, total, what in ((unjoined, len(scored), "the match file"), (unmatched, len(piece.notes), "the engraved score")):
        if count > UNJOINED * total:
            raise EngravingError("score and match file differ", f"{count} of {total} notes of {what} have no counterpart")
    score, dropped = _with_moments(piece.score, moments, heard)
    return Performed(
        _played(piece, score, heard, match.seconds, midi),
        {
            "joined": len(moments),
            "missing": len(known) - len(moments),
            "unjoined": unjoined,
            "unmatched": unmatched,
            "extra": len(heard) - len(moments),
            "without_onset": dropped,
        },
    )


def _played(piece: EngravedPiece, score: Score, heard: Sequence[HeardNote], tick: Fraction, midi: bytes) -> EngravedPiece:
    """The piece with the notes heard in place of the engraved ones. tick: seconds."""
    quarters = tick * _TEMPO / 60
    return replace(
        piece,
        score=score,
        midi=midi,
        notes=[PlayedNote(note.onset * quarters, note.end * quarters, note.pitch, ()) for note in heard],
        onsets=[float(note.onset * tick) for note in heard],
        seconds=float(max(note.end for note in heard) * tick),
        tempo=float(_TEMPO),
        bars=(),  # they are as long as in the score, not as in the performance
        written=as_written(
            played_midi(piece.midi).midi,
            [(piece.onsets[note], piece.score.coords[head, 1]) for head, note in piece.score.coord2onset],
        ),
    )


def require_same(heard: Sequence[HeardNote], midi: bytes, tick: float) -> None:
    """Raise EngravingError unless a MIDI file plays exactly these notes. tick: seconds."""
    played: list[tuple[int, int, int]] = []
    for track in parse_midi(midi).tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                played.append((now, message.note, message.velocity))
    played.sort()
    if [note.pitch for note in heard] != [pitch for _, pitch, _ in played]:
        raise EngravingError(
            "MIDI differs from the match file", f"{len(played)} notes, in the match file {len(heard)}; pitches"
        )
    off = max(abs(note.onset - onset) for note, (onset, _, _) in zip(heard, played))
    if off > _TICKS_OFF or [note.velocity for note in heard] != [velocity for _, _, velocity in played]:
        raise EngravingError("MIDI differs from the match file", f"onsets up to {off} ticks, or velocities")
    starts = sorted(note.start for part in played_midi(midi).midi.instruments for note in part.notes)
    if len(starts) != len(heard) or max(abs(a - b.onset * tick) for a, b in zip(starts, heard)) > _SECONDS_OFF:
        raise EngravingError("MIDI differs from the match file", "its seconds or the number of notes that end")


def _beginning(engraved: Sequence[PlayedNote], scored: Sequence[ScoreNote]) -> Fraction:
    """The engraved quarter at which the match file counts 0: that with which the most notes agree."""
    if not scored:
        raise EngravingError("unreadable match file", "no notes")
    first = min(scored, key=lambda note: (note.onset, note.pitch))
    keys = {(note.onset, note.pitch) for note in engraved}
    places = [note.onset - first.onset for note in engraved if note.pitch == first.pitch] or [-first.onset]
    return max(places, key=lambda place: sum((note.onset + place, note.pitch) in keys for note in scored))


def _joined(
    scored: Sequence[tuple[ScoreNote, HeardNote | None]], engraved: dict[Key, int], begin: Fraction
) -> tuple[dict[int, HeardNote], set[int], int]:
    """Engraved note -> the note heard, of a unison the first; the engraved notes that the match file has; how many it has that
    are not engraved. Grace notes are heard but not engraved."""
    moments: dict[int, HeardNote] = {}
    known: set[int] = set()
    unjoined = 0
    for note, heard in scored:
        index = None if note.grace else engraved.get((note.onset + begin, note.pitch))
        if index is None:
            unjoined += not note.grace
            continue
        known.add(index)
        if heard is not None and (index not in moments or heard.onset < moments[index].onset):
            moments[index] = heard
    return moments, known, unjoined


def _with_moments(score: Score, moments: dict[int, HeardNote], heard: Sequence[HeardNote]) -> tuple[Score, int]:
    """The score with a note of the MIDI for each head that is heard, and how many heads lost theirs.

    A player spreads chords, and a hand may come early. Where x would go backwards in time, the fewest heads that are in the way
    have no onset.
    """
    places = {id(note): index for index, note in enumerate(heard)}
    rows = [
        (moments[note].onset, float(score.coords[head, 1]), head, note) for head, note in score.coord2onset if note in moments
    ]
    rows.sort(key=lambda row: row[:2])
    kept = [rows[index] for index in longest_rise([x for _, x, _, _ in rows])]
    if not kept:
        raise EngravingError("score and match file differ", "no engraved note is heard")
    pairs = sorted((int(head), places[id(moments[note])]) for _, _, head, note in kept)
    return Score(score.sheet, score.coords, np.array(pairs, dtype=np.int64)), len(rows) - len(kept)


def longest_rise(values: Sequence[float]) -> list[int]:
    """Indices of a longest subsequence that never falls."""
    ends: list[float] = []  # smallest last value of a subsequence of each length
    at: list[int] = []  # and its index
    before: list[int] = []
    for index, value in enumerate(values):
        place = bisect_right(ends, value)
        before.append(at[place - 1] if place else -1)
        ends[place : place + 1] = [value]
        at[place : place + 1] = [index]
    rise = []
    index = at[-1] if at else -1
    while index >= 0:
        rise.append(index)
        index = before[index]
    return rise[::-1]
