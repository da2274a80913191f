"""LilyPond scores: engraved by LilyPond itself and joined with its MIDI."""

import io
import time
from fractions import Fraction

import mido
import numpy as np
import pytest
from lilypond_tools import MUSIC, PIANO, SCORE, engrave, write

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.lilypond.midi import (
    MidiNote,
    ScoreMidi,
    TempoMap,
    read_midi_file,
    without_overlaps,
    write_midi,
)
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.lilypond.source import copy_modern, files_of
from score_following_game.data_preparation.errors import EngravingError

pytestmark = pytest.mark.needs("lilypond")


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    return engrave(write(tmp_path_factory.mktemp("ly"), SCORE))


def test_bars_are_those_that_lilypond_counts(piece, tmp_path):
    assert [(bar.start, bar.name, bar.beat) for bar in piece.bars] == [(0, "1", 1), (4, "2", 1)]
    # An upbeat, quintuplets, whose times LilyPond rounds, a bar of rest, another time signature.
    music = r"""\relative c'' { \time 3/4 \partial 4 c4 | \tuplet 5/4 { c16 d e f g } c,4 c | R2. | c4 d e |
        \time 6/8 c8 d e f g a | c,2. }"""
    engraved = engrave(
        write(
            tmp_path,
            rf"""\version "2.24.0" \score {{ \new PianoStaff << \new Staff {music}
        \new Staff \relative c {{ \clef bass c4 c2. R2. c2. c2. c2. }} >> \layout {{}} \midi {{}} }}""",
        )
    )
    rows = [(round(bar.start, 2), bar.name, bar.beat) for bar in engraved.bars]
    assert rows == [(-2, "0", 1), (1, "1", 1), (4, "2", 1), (7, "3", 1), (10, "4", 0.5), (13, "5", 0.5)]


def test_the_notes_are_those_written_each_once(piece):
    sounding = [(note.onset, note.pitch) for note in piece.notes]
    grace = 3 - Fraction(9, 40) / 4  # played before its beat, for LilyPond's share of its written length
    quarters = Fraction(1, 2)
    melody = [(quarters * place, pitch) for place, pitch in enumerate((72, 74, 76, 77))]
    melody += [(Fraction(2), 76), (Fraction(2), 79), (Fraction(3), 76)]
    melody += [(4 + quarters * (place + 1), pitch) for place, pitch in enumerate((74, 72, 71))] + [(Fraction(6), 72)]
    bass = [
        (Fraction(0), 48),
        (Fraction(1), 55),
        *((Fraction(2), pitch) for pitch in (48, 52, 55)),
        (Fraction(4), 55),
        (Fraction(5), 55),
        (Fraction(6), 48),
    ]
    graces = [row for row in sounding if row not in melody + bass]
    assert sorted(melody + bass) == sorted(row for row in sounding if row not in graces)
    assert [pitch for _, pitch in graces] == [77] and abs(graces[0][0] - grace) < Fraction(1, 100)


def test_the_tied_head_has_no_coordinate_and_the_unison_has_two(piece):
    heads = {(note.onset, note.pitch): len(note.heads) for note in piece.notes}
    assert heads[Fraction(3), 76] == 1  # tied to the next bar's first head
    assert heads[Fraction(4), 55] == 2  # two voices on one note
    assert len(piece.score.coords) == sum(heads.values())


def test_it_passes_every_check_and_looks_like_the_published_pages(piece):
    measured = checks.check_piece(piece, PIANO)
    assert measured["unshown"] == 0 and measured["ink"] > 3 * measured["ink_beside"]
    assert piece.score.sheet.shape[0] == 200 and piece.staves == [2] * len(piece.systems)
    lines = np.flatnonzero(np.median(piece.score.sheet[:, 100:400], axis=1) < 128)
    tops = lines[np.flatnonzero(np.diff(lines, prepend=-9) > 1)]
    assert len(tops) == 10 and abs(np.diff(tops)[:4].mean() - 7.0) < 0.2  # published: 7 px between lines
    assert abs(tops[[0, -1]].mean() - 99.5) < 1.5  # the window is centred on the staves


def test_noteheads_lie_on_their_staff_lines(piece):
    lines = np.flatnonzero(np.median(piece.score.sheet[:, 100:400], axis=1) < 128)
    tops = lines[np.flatnonzero(np.diff(lines, prepend=-9) > 1)]
    space = (tops[4] - tops[0]) / 4
    row = {
        (note.onset, note.pitch): piece.score.coords[piece.score.coord2onset[piece.score.coord2onset[:, 1] == index, 0], 0]
        for index, note in enumerate(piece.notes)
    }
    for pitch, spaces_below_top_line in ((72, 1.5), (74, 1.0), (76, 0.5), (77, 0.0)):  # c'' d'' e'' f''
        onset = Fraction(pitch in (76, 77), 1) + Fraction(pitch in (74, 77), 2)
        assert abs(row[onset, pitch][0] - (tops[0] + spaces_below_top_line * space)) < 1.0


def test_the_midi_has_the_tempo_and_reads_back(piece):
    assert piece.tempo == pytest.approx(90, abs=0.01)
    assert piece.onsets[0] == 0 and piece.onsets[-1] == pytest.approx(6 * 60 / 90, abs=0.01)
    checks.check_midi(piece, piece.midi)


def test_the_same_file_gives_the_same_bytes(piece, folder):
    again = engrave(write(folder, SCORE))
    assert again.midi == piece.midi and (again.score.sheet == piece.score.sheet).all()
    assert (again.score.coords == piece.score.coords).all()


def test_a_score_for_sound_alone_gives_its_tempo_to_the_printed_one(folder):
    text = (
        MUSIC.replace(r"\tempo 4 = 90 ", "")
        + r"""
\score { \new PianoStaff << \new Staff \right \new Staff \left >> \layout { } }
\score { \unfoldRepeats \new PianoStaff << \new Staff \right \new Staff \left >>
         \midi { \tempo 4 = 150 } }"""
    )
    piece = engrave(write(folder, text))
    assert piece.tempo == pytest.approx(150, abs=0.01)
    assert piece.notes[-1].onset == 6  # the repeat is not played


def test_two_scores_of_a_file_follow_one_another(folder):
    piece = engrave(write(folder, SCORE + SCORE[len(MUSIC) :]))
    half = len(piece.notes) // 2
    first, second = piece.notes[:half], piece.notes[half:]
    assert [note.pitch for note in first] == [note.pitch for note in second]
    assert second[0].onset >= max(note.end for note in first)
    checks.check_piece(piece, PIANO)


def test_tempo_and_pedal_of_one_score_are_not_the_next_ones(folder):
    first = SCORE[len(MUSIC) :].replace(r"\new Staff \left", r"\new Staff { \left \tempo 4 = 30 s1 s1\sustainOn }")
    piece = engrave(write(folder, MUSIC + first + SCORE[len(MUSIC) :].replace(r"\right", r"\left", 1)))
    half = next(index for index, note in enumerate(piece.notes) if index and note.onset - piece.notes[index - 1].onset > 2)
    second = piece.notes[half:]
    rate = (piece.onsets[-1] - piece.onsets[half]) / float(second[-1].onset - second[0].onset)
    assert rate == pytest.approx(60 / 60, abs=0.01)  # LilyPond's own default, not 4 = 30
    assert 121 in [
        message.control
        for track in mido.MidiFile(file=io.BytesIO(piece.midi)).tracks
        for message in track
        if message.type == "control_change"
    ]


def test_music_without_a_score_block_sounds(folder):
    music = SCORE[len(MUSIC) :].replace(r"\score { ", "").replace(r" \layout { } \midi { } }", "")
    assert len(engrave(write(folder, MUSIC + music)).notes) > 15


def test_an_example_within_a_text_is_not_part_of_the_piece(folder, piece):
    example = r"\markup { \score { \new Staff { c''8 } \layout { } } }"
    longer = SCORE[len(MUSIC) :] * 2
    with_example, without = (engrave(write(folder, MUSIC + text)) for text in (example + longer, longer))
    assert len(with_example.notes) == len(without.notes)


def test_a_score_with_errors_is_refused(folder):
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, SCORE.replace(r"c4 g'", r"\unknownCommand c4 g'")))
    assert error.value.reason == "the engraver failed" and "unknownCommand" in error.value.detail


def test_no_temporary_files_are_left_after_a_failure(folder):
    (folder / "work").mkdir()
    with pytest.raises(EngravingError):
        engrave_lilypond(write(folder, "#(let loop () (loop))\n" + SCORE), PIANO, 3, folder, folder / "work")
    assert list((folder / "work").iterdir()) == []


def test_old_syntax_and_included_files_are_updated(folder):
    (folder / "parts").mkdir()
    write(folder / "parts", "melody = \\relative c'' { c8 d e f g4 \\times 2/3 { e8[ f g] } a4 }\n", "melody.ily")
    main = write(
        folder,
        '\\version "2.2.0"\n\\include "parts/melody.ily"\n\\score { \\new PianoStaff << \\new Staff \\melody '
        "\\new Staff { \\clef bass c4 c c c c } >> \\paper { } \\midi { } }",
    )
    assert [file.name for file in files_of(main, folder)] == ["piece.ly", "melody.ily"]
    copy = copy_modern(main, folder, folder / "copy", time.monotonic() + 60)
    assert "\\layout" in copy.read_text() and (folder / "copy" / "parts" / "melody.ily").is_file()
    assert len(engrave(main).notes) == 14


def test_a_hidden_voice_is_not_played(folder):
    hidden = r"<< { e8 d c b } \\ { \hideNotes a4 a \unHideNotes } >> c2"
    piece = engrave(write(folder, SCORE.replace("e8 d c b c2", hidden)))
    assert piece.unshown == {"not on the sheet": 2} and not any(note.pitch == 69 for note in piece.notes)
    with pytest.raises(EngravingError) as error:  # two of twenty is more than a few
        checks.check_noteheads(piece)
    assert error.value.reason == "notes that the sheet does not show"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\\version \"2.24.0\" { c'4 d' e' f' } }", "the engraver failed"),
        ('\\version "2.24.0" \\markup { words }', "no music on the pages"),
        ("nonsense", "the engraver failed"),
    ],
)
def test_what_lilypond_cannot_engrave_is_reported(folder, text, reason):
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, text))
    assert error.value.reason == reason


def note(tick, end, pitch, channel=0):
    return MidiNote(tick, end, pitch, 80, 0, channel)


def test_unisons_become_one_note_and_no_pitch_overlaps_itself():
    notes = [note(0, 384, 60), note(0, 768, 60, 1), note(384, 768, 60), note(384, 500, 62)]
    assert [(n.tick, n.end, n.pitch) for n in without_overlaps(notes)] == [(0, 383, 60), (384, 768, 60), (384, 500, 62)]


def test_a_midi_is_written_and_read_back_with_its_tempi(folder):
    tempi = [(0, 0, mido.MetaMessage("set_tempo", tempo=500_000)), (768, 0, mido.MetaMessage("set_tempo", tempo=1_000_000))]
    score = ScoreMidi([note(0, 384, 60), note(768, 1152, 62), note(1152, 1536, 64)], tempi)
    (folder / "x.mid").write_bytes(write_midi(score))
    again = read_midi_file(folder / "x.mid")
    assert again.notes == [MidiNote(n.tick, n.end, n.pitch, 80, 1, 0) for n in score.notes]
    assert [TempoMap(again).seconds(n.tick) for n in again.notes] == [0.0, 1.0, 2.0]
    assert mido.MidiFile(file=io.BytesIO(write_midi(score))).length == pytest.approx(3.0)
