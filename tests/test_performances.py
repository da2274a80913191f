"""Human performances joined to engraved scores by match files."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise

import mido
import numpy as np
import pytest

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote
from score_following_game.data_preparation.engraving.musicxml.document import read_document
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.performances.joining import join, longest_rise
from score_following_game.data_preparation.performances.match_file import HeardNote, ScoreNote, read_match
from score_following_game.data_processing.score_npz import Score

HEAD = """info(matchFileVersion,1.0.0).
info(scoreFileName,a.musicxml).
info(midiFileName,a_p01.mid).
info(midiClockUnits,480).
info(midiClockRate,500000).
scoreprop(timeSignature,6/8,0:1,0,-1.0000).
"""
# A pickup; a spread chord of which the upper note comes first; a grace note; a note left out; one too many.
NOTES = """snote(n1,[C,n],4,0:1,0,1/8,-1.0000,0.0000,[v1,staff1])-note(n0,60,100,200,50,0,0).
snote(n2,[E,b],4,1:1,0,1/4,0.0000,2.0000,[v1,staff1])-note(n2,63,330,500,40,0,0).
snote(n3,[F,#],4,1:1,0,1/4,0.0000,2.0000,[v1,staff1])-note(n1,66,300,500,45,0,0).
snote(n4,[G,n],4,1:3,0,0,2.0000,2.0000,[v1,staff1,grace])-note(n3,67,560,590,30,0,0).
snote(n5,[A,n],4,1:3,0,1/8,2.0000,3.0000,[v1,staff1])-note(n4,69,600,700,60,0,0).
snote(n6,[B,n],4,2:1,0,1/8,3.0000,4.0000,[v1,staff1])-deletion.
insertion-note(n5,70,650,720,20,0,0).
sustain(90,64).
soft(91,3).
"""
HEARD = [(100, 60, 50), (300, 66, 45), (330, 63, 40), (560, 67, 30), (600, 69, 60), (650, 70, 20)]


def midi_of(notes: list[tuple[int, int, int]]) -> bytes:
    track = mido.MidiTrack()
    events = [(on, 1, pitch, velocity) for on, pitch, velocity in notes] + [(on + 20, 0, pitch, 0) for on, pitch, _ in notes]
    now = 0
    for at, on, pitch, velocity in sorted(events):
        track.append(mido.Message("note_on" if on else "note_off", note=pitch, velocity=velocity, time=at - now))
        now = at
    content = io.BytesIO()
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(file=content)
    return content.getvalue()


def engraved(xs: list[float]) -> EngravedPiece:
    """Heads at these columns: the pickup, the chord E flat and F sharp, A, B. The bar before the pickup has a rest of 1."""
    onsets = [(Fraction(1), 60), (Fraction(3, 2), 63), (Fraction(3, 2), 66), (Fraction(5, 2), 69), (Fraction(3), 71)]
    notes = [PlayedNote(onset, onset + 1, pitch, ("",)) for onset, pitch in onsets]
    coords = np.array([[20.0, x] for x in xs], dtype=np.float32)
    pairs = np.array([[head, head] for head in range(5)], dtype=np.int64)
    sheet = np.full((40, 200), 255, dtype=np.uint8)
    seconds = [float(onset) for onset, _ in onsets]
    midi = midi_of([(round(960 * at), pitch, 64) for at, (_, pitch) in zip(seconds, onsets)])
    return EngravedPiece(Score(sheet, coords, pairs), midi, notes, seconds, 4.0, 60.0, [0], [1])


def test_a_match_file_is_read() -> None:
    match = read_match(HEAD + NOTES)
    assert (match.score, match.midi, match.seconds) == ("a.musicxml", "a_p01.mid", Fraction(1, 960))
    assert match.pairs[0] == (ScoreNote("n1", Fraction(-1, 2), 60, False), HeardNote(100, 200, 60, 50))
    assert [score.pitch for score, _ in match.pairs if score] == [60, 63, 66, 67, 69, 71]
    assert [score.grace for score, _ in match.pairs if score] == [False, False, False, True, False, False]
    assert match.pairs[5][1] is None and match.pairs[6] == (None, HeardNote(650, 720, 70, 20))
    assert match.pedals == ((90, 64, 64), (91, 67, 3))


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (HEAD + "snote(n1,[H,n],4,0:1)-deletion.", "line 7"),
        (HEAD + NOTES.replace("-deletion", "-deleted"), "line 12"),
        (NOTES, "line 1: 0 time signatures"),
        (HEAD + "scoreprop(timeSignature,3/4,9:1,0,9.0000).\n" + NOTES, "line 8: 2 time signatures"),
        (HEAD.replace("midiClockRate", "rate") + NOTES, "midiClockRate"),
    ],
)
def test_a_match_file_that_cannot_be_read_is_refused(text: str, detail: str) -> None:
    with pytest.raises(EngravingError) as error:
        read_match(text)
    assert error.value.reason == "unreadable match file"
    assert detail in error.value.detail


def test_heads_are_joined_to_the_notes_heard() -> None:
    performed = join(engraved([10, 50, 50, 90, 110]), read_match(HEAD + NOTES), midi_of(HEARD))
    assert performed.piece.score.coord2onset.tolist() == [[0, 0], [1, 2], [2, 1], [3, 4]]
    assert performed.counts == {"joined": 4, "missing": 1, "unjoined": 0, "unmatched": 0, "extra": 2, "without_onset": 0}
    assert [(note.onset, note.pitch) for note in performed.piece.notes] == [(Fraction(on, 480), key) for on, key, _ in HEARD]
    assert performed.piece.seconds == 720 / 960 and performed.piece.onsets[-1] == 650 / 960
    assert performed.piece.midi == midi_of(HEARD)


def test_a_head_that_would_move_x_backwards_has_no_onset() -> None:
    """F sharp stands right of E flat and is heard before it."""
    performed = join(engraved([10, 50, 58, 90, 110]), read_match(HEAD + NOTES), midi_of(HEARD))
    pairs = performed.piece.score.coord2onset
    assert len(pairs) == 3 and performed.counts["without_onset"] == 1
    in_time = pairs[np.argsort(pairs[:, 1])]
    assert (np.diff(performed.piece.score.coords[in_time[:, 0], 1]) >= 0).all()


def test_notes_that_do_not_join_are_counted_and_refused() -> None:
    with pytest.raises(EngravingError, match="differ") as error:
        join(engraved([10, 50, 50, 90, 110]), read_match(HEAD + NOTES.replace("[A,n]", "[A,b]")), midi_of(HEARD))
    assert "1 of 6 notes of the match file" in error.value.detail


@pytest.mark.parametrize("changed", [(602, 69, 60), (600, 68, 60), (600, 69, 61)])
def test_a_midi_file_that_differs_is_refused(changed: tuple[int, int, int]) -> None:
    heard = [changed if note[0] == 600 else note for note in HEARD]
    with pytest.raises(EngravingError, match="MIDI differs"):
        join(engraved([10, 50, 50, 90, 110]), read_match(HEAD + NOTES), midi_of(heard))


@pytest.mark.parametrize(
    ("values", "length"), [([], 0), ([3], 1), ([1, 1, 1], 3), ([3, 2, 1], 1), ([1, 9, 2, 3, 8, 4], 4), ([5, 1, 2, 2, 0, 3], 4)]
)
def test_the_longest_rise(values: list[float], length: int) -> None:
    rise = longest_rise(values)
    assert len(rise) == length and rise == sorted(rise)
    assert all(values[a] <= values[b] for a, b in pairwise(rise))


def test_a_note_of_another_voice_after_a_backup_is_in_no_chord() -> None:
    """<chord/> there makes the engraver drop the note; a real chord, and a backup by another length, are left alone."""

    def note(step: str, voice: int, chord: bool = False) -> str:
        return (
            f"<note>{'<chord/>' * chord}<pitch><step>{step}</step><octave>4</octave></pitch><duration>8</duration>"
            f"<voice>{voice}</voice></note>"
        )

    def chords(back: int, voice: int) -> int:
        music = note("C", 1) + note("E", 1, True) + f"<backup><duration>{back}</duration></backup>" + note("A", voice, True)
        root, _ = read_document(
            '<score-partwise><part-list><score-part id="P"/></part-list>'
            f'<part id="P"><measure number="1">{music}</measure></part></score-partwise>'
        )
        return len(list(root.iter("chord")))

    assert (chords(8, 2), chords(8, 1), chords(4, 2)) == (1, 2, 2)
