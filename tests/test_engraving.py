"""Engraving: the sheet, noteheads and MIDI of a score agree, and the checks find faulty pieces."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from engraving_tools import ONE, TWO, engraved, engraved_melody, melody_of

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.abc.notation import Melody
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.comparing import compare
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.reading_order import hold_falling_x, out_of_order
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.engrave import _played
from score_following_game.data_preparation.engraving.verovio.layout import Layout
from score_following_game.data_preparation.engraving.verovio.timing import LaidOutNote
from score_following_game.data_preparation.errors import EngravingError

DATA = Path(__file__).parent / "data"
QUARTER = Fraction(1)


def melody() -> Melody:
    return melody_of((DATA / "tunes.abc").read_text())


@cache
def tune() -> EngravedPiece:
    """6/8 with a tie, accidentals, a duplet-like triplet and a second ending that is dropped."""
    return engraved_melody(melody(), 90.0)


@cache
def imported(name: str, style: str = "nottingham") -> EngravedPiece:
    return engraved(name, (DATA / name).read_text(), STYLES[style])


def onsets_and_pitches(piece: EngravedPiece) -> list[tuple[float, int]]:
    return [(float(note.onset), note.pitch) for note in piece.notes]


def assert_notes(piece: EngravedPiece, expected: list[tuple[float, int]]) -> None:
    assert [pitch for _, pitch in onsets_and_pitches(piece)] == [pitch for _, pitch in expected]
    assert [onset for onset, _ in onsets_and_pitches(piece)] == pytest.approx([onset for onset, _ in expected])


def test_sheet_is_at_the_published_scale() -> None:
    """Staff lines 3.5 px apart with the first on row 13, as in the published set; systems about 418 px wide."""
    sheet = tune().score.sheet
    assert sheet.dtype == np.uint8 and sheet.shape[0] == 40
    darkness = (255 - sheet[:, 50:-20].astype(float)).mean(axis=1)
    assert set(np.flatnonzero(darkness > 200)) == {13, 20, 27}  # lines on one row
    assert set(np.flatnonzero(darkness > 100)) == {13, 16, 17, 20, 23, 24, 27}  # and lines between two rows
    piece = engraved_melody(melody_of("X:1\nT:t\nL:1/8\nK:C\n" + "CDEF GABc|" * 40))
    widths = np.diff(piece.systems)
    assert len(widths) > 4 and (abs(widths - 418) <= 4).all()


def test_noteheads_stand_where_their_pitch_does() -> None:
    """A step is half a staff space, and the top line (F5) is row 13."""
    piece = tune()
    steps_below_f5 = {62: 9, 67: 6, 69: 5, 71: 4, 72: 3, 74: 2, 76: 1, 79: -1}
    seen = set()
    for coordinate, note in piece.score.coord2onset:
        pitch = piece.notes[note].pitch
        if pitch in steps_below_f5:
            seen.add(pitch)
            assert piece.score.coords[coordinate, 0] == pytest.approx(13 + 1.75 * steps_below_f5[pitch], abs=0.06), pitch
    assert seen == set(steps_below_f5)


def test_notehead_centres_are_on_ink() -> None:
    """The ink of quarter and eighth noteheads is centred on their coordinates to within half a pixel."""
    piece = tune()
    paper = np.median(piece.score.sheet[:, 60:300], axis=1)[:, None]  # staff lines only
    offsets = []
    for y, x in piece.score.coords[:8]:
        rows, columns = np.mgrid[round(float(y)) - 1 : round(float(y)) + 2, round(float(x)) - 3 : round(float(x)) + 4]
        ink = np.clip(paper[rows[:, 0]] - piece.score.sheet[rows, columns], 0, None)
        offsets.append((ink * columns).sum() / ink.sum() - x)
    assert abs(np.median(offsets)) < 0.5


def test_engraved_notes_are_those_of_the_tune() -> None:
    assert [(note.onset, note.pitch) for note in tune().notes] == [(onset, pitch) for onset, _, pitch in melody().notes()]
    checks.check_piece(tune(), ONE)


def test_coordinates_come_in_time_order() -> None:
    score = tune().score
    assert score.coord2onset.tolist() == [[index, index] for index in range(len(tune().notes))]
    assert (np.diff(score.coords[:, 1]) > 0).all()
    assert score.coords.dtype == np.float32 and score.coord2onset.dtype == np.int64


def test_midi() -> None:
    """One piano, velocity 80, each note at its second; the file's bytes are the same every time."""
    midi = pretty_midi.PrettyMIDI(io.BytesIO(tune().midi))
    assert len(midi.instruments) == 1 and midi.instruments[0].program == 0 and not midi.instruments[0].is_drum
    assert {note.velocity for note in midi.instruments[0].notes} == {80}
    assert [note.start for note in midi.instruments[0].notes] == pytest.approx(
        [float(note.onset) * 60 / 90 for note in tune().notes], abs=1e-3
    )
    assert tune().midi == engraved_melody(melody(), 90.0).midi


def test_a_repeated_pitch_never_overlaps_itself() -> None:
    piece = engraved_melody(melody_of("X:1\nT:t\nL:1/8\nK:C\nCCCC CCCC|C/C/C/C/ CC CCCC|"), 117.3)
    assert all(a.end < b.onset for a, b in zip(piece.notes, piece.notes[1:]))
    checks.check_midi(piece, piece.midi)


def test_musicxml() -> None:
    """Tempo, tie and triplet are read; C sharp applies to its bar. Grace note, trill, repeat and second ending are dropped."""
    piece = imported("song.musicxml")
    assert piece.tempo == pytest.approx(84)
    third = 1 / 3
    assert_notes(
        piece,
        [
            (0, 67),
            (1, 69),
            (1 + third, 71),
            (1 + 2 * third, 72),
            (2, 74),
            (5, 73),
            (6, 73),
            (7, 71),
            (8, 69),
            (13, 64),
            (14, 66),
            (16, 67),
        ],
    )
    assert piece.notes[4].end == 5
    checks.check_piece(piece, ONE)


def test_humdrum() -> None:
    """Tempo, tie and triplet are read, as is an accidental that is cancelled and set again. A grace note is dropped."""
    piece = imported("song.krn")
    assert piece.tempo == pytest.approx(96)
    third = 1 / 3
    assert_notes(
        piece,
        [
            (0, 62),
            (1, 67),
            (2, 69),
            (3, 71),
            (3.5, 72),
            (4, 74),
            (6.5, 72),
            (7, 71),
            (7 + third, 69),
            (7 + 2 * third, 67),
            (8, 66),
            (9, 62),
            (10, 61),
            (11, 60),
            (12, 61),
            (13, 67),
        ],
    )
    checks.check_piece(piece, ONE)


def test_piano() -> None:
    """Two staves; a unison is one note with two noteheads; the head nearest the chord's median x comes first."""
    piece = imported("piano.mei", "msmd")
    assert piece.tempo == pytest.approx(72) and piece.staves == [2] and piece.score.sheet.shape[0] == 200
    assert onsets_and_pitches(piece) == [
        (0, 53),
        (0, 55),
        (0, 60),
        (0, 72),
        (1, 41),
        (1, 69),
        (1, 77),
        (1.5, 41),
        (2, 58),
        (2, 77),
        (3, 59),
    ]
    assert [len(note.heads) for note in piece.notes][:4] == [1, 1, 1, 2]
    first = piece.score.coords[:5, 1]
    assert abs(first[0] - np.median(first)) <= abs(first - np.median(first)).min() + 1e-3
    assert first[-1] == first.min()  # F3, displaced to the left by the second beside it
    checks.check_piece(piece, TWO)


def test_very_short_notes() -> None:
    """They last a twentieth of a quarter, but never overlap the next note of their pitch."""
    music = "(5C////D////E////F////G////ABc|(5c////c////c////c////c////BAG|"
    piece = engraved_melody(melody_of(f"X:1\nT:t\nL:1/4\nK:C\n{music}"))
    assert [note.end - note.onset for note in piece.notes[:5]] == [Fraction(1, 20)] * 5
    assert all(a.end < b.onset for a, b in zip(piece.notes, piece.notes[1:]) if a.pitch == b.pitch)
    checks.check_midi(piece, piece.midi)


def changed(coords: np.ndarray | None = None, sheet: np.ndarray | None = None, **others: object) -> EngravedPiece:
    score = tune().score
    score = replace(score, coords=score.coords if coords is None else coords, sheet=score.sheet if sheet is None else sheet)
    piece = replace(tune(), score=score, **others)
    return replace(piece, onsets=[float(note.onset) * 60.0 / piece.tempo for note in piece.notes])


def moved(row: int, dy: float = 0.0, dx: float = 0.0) -> np.ndarray:
    coords = tune().score.coords.copy()
    coords[row] += (dy, dx)
    return coords


@pytest.mark.parametrize(
    ("xs", "notes", "left_out"),
    [
        ([10, 20, 30], [1, 1, 1], set()),
        ([1362, 1411, 1388, 1419, 1403, 1427], [1, 1, 2, 1, 1, 1], {1, 3}),  # Chopin, op. 28 no. 9: grace notes
        ([10, 30, 29, 40], [1, 1, 1, 1], set()),  # less than a notehead
        ([50, 10, 20, 30], [1, 1, 1, 1], {0}),
        ([10, 20, 30, 5], [1, 1, 1, 1], {3}),
    ],
)
def test_the_fewest_notes_are_left_out_for_the_reading_order(xs: list[float], notes: list[int], left_out: set[int]) -> None:
    assert out_of_order(xs, notes, ONE) == left_out


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (lambda: changed(notes=tune().notes[:7]), "too few notes"),
        (lambda: changed(staves=[1, 2]), "wrong number of staves"),
        (lambda: changed(coords=moved(3, dy=-30)), "noteheads outside the sheet"),
        (lambda: changed(coords=moved(3, dy=30)), "noteheads outside the sheet"),
        (lambda: changed(coords=moved(5, dx=-40)), "x falls with time"),
        (lambda: changed(coords=moved(5, dx=6, dy=8)), "no ink under a notehead"),
        (
            lambda: changed(
                sheet=np.where(np.arange(tune().score.sheet.shape[1]) > 200, 255, tune().score.sheet).astype(np.uint8)
            ),
            "no ink under a notehead",
        ),
        (lambda: changed(notes=[*tune().notes, replace(tune().notes[-1], onset=QUARTER * 30)]), "MIDI differs from the score"),
        (lambda: changed(notes=[replace(tune().notes[0], pitch=61), *tune().notes[1:]]), "MIDI differs from the score"),
        (
            lambda: changed(notes=[*tune().notes[:-1], replace(tune().notes[-1], onset=tune().notes[-1].onset + QUARTER / 8)]),
            "MIDI differs from the score",
        ),
    ],
)
def test_checks_find(piece, reason: str) -> None:
    with pytest.raises(EngravingError) as caught:
        checks.check_piece(piece(), ONE)
    assert caught.value.reason == reason


def test_an_x_that_falls_by_less_than_a_notehead_is_held() -> None:
    """Onsets 3 and 4 lie 4 and 2 px left of onset 2; a fall by more is left for the checks to find."""
    coords = moved(3)
    coords[3:5, 1] = coords[2, 1] - np.array([4, 2], np.float32)
    held = hold_falling_x(changed(coords=coords), ONE)
    assert held.held == (3, 4) and (held.score.coords[2:5, 1] == coords[2, 1]).all()
    assert (held.score.coords[5:] == coords[5:]).all() and (held.score.coords[:, 0] == coords[:, 0]).all()
    checks.check_reading_order(held)
    checks.check_ink(replace(changed(coords=moved(5, dx=6, dy=8)), held=(5,)), ONE)  # a moved head need not be on ink
    assert hold_falling_x(tune(), ONE) is tune()
    assert not hold_falling_x(changed(coords=moved(5, dx=-40)), ONE).held


def test_readings_that_differ_in_a_pitch_onset_length_or_number_of_notes() -> None:
    reading = reading_of(melody(), None)
    order = range(len(reading.bars))
    played = [PlayedNote(note.onset, note.end, note.pitch, ()) for note in reading.sounding(order)]
    engraved_in = {(note.onset, note.pitch): "bar 9, staff 9" for note in played}
    assert len(compare(played, reading.sounding(order), reading, engraved_in)) == len(played)

    def with_note(**changes: object) -> Reading:
        bar = reading.bars[1]
        notes = (replace(bar.notes[0], **changes), *bar.notes[1:])
        return replace(reading, bars=(reading.bars[0], replace(bar, notes=notes), *reading.bars[2:]))

    first = reading.bars[1].notes[0]
    for changed in ({"pitch": 99}, {"onset": first.onset + QUARTER / 8}, {"duration": first.duration * 3}, {"pitch": None}):
        wrong = with_note(**changed)
        with pytest.raises(EngravingError, match=r"two readings differ.*bar \d, staff \d"):
            compare(played, wrong.sounding(order), wrong, engraved_in)
    with pytest.raises(EngravingError, match=r"bar 9, staff 9: .* is not in the file"):
        compare(played, with_note(pitch=99).sounding(order), with_note(pitch=99), engraved_in)


def test_a_notehead_without_a_note_and_a_hidden_note() -> None:
    note = LaidOutNote("a", QUARTER, QUARTER * 2, 60, False)
    assert _played(Layout([], [note]), {"a": (0.0, 0.0)}) == [PlayedNote(QUARTER, QUARTER * 2, 60, ("a",))]
    assert _played(Layout([], [note]), {}) == [PlayedNote(QUARTER, QUARTER * 2, 60, ())]
    with pytest.raises(EngravingError, match="does not sound"):
        _played(Layout([], [note]), {"a": (0.0, 0.0), "b": (0.0, 9.0)})
    with pytest.raises(EngravingError, match="no notes"):
        _played(Layout([], []), {})


def test_text_that_is_not_a_score() -> None:
    for name in ("x.musicxml", "x.mei", "x.krn"):
        for text in ("", "no score at all", "<html><body/></html>"):
            with pytest.raises(EngravingError, match=r"unreadable|no notes"):
                engraved(name, text)
