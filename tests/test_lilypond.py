"""LilyPond scores: engraved by LilyPond itself, joined with its MIDI, contained."""

import io
import os
import socket
import time
from fractions import Fraction
from xml.etree import ElementTree

import cv2
import mido
import numpy as np
import pytest

from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.lilypond import contained
from score_following_game.data_preparation.engraving.lilypond.drawing import draw_page
from score_following_game.data_preparation.engraving.lilypond.midi import (
    MidiNote,
    ScoreMidi,
    TempoMap,
    read_midi_file,
    without_overlaps,
    write_midi,
)
from score_following_game.data_preparation.engraving.lilypond.pages import Page
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.lilypond.source import copy_modern, files_of
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.errors import UserError

try:
    contained.require_lilypond()
except UserError as missing:
    pytestmark = pytest.mark.skip(reason=str(missing))

PIANO = STYLES["msmd"]
MUSIC = r"""\version "2.24.0"
\header { title = "A test" copyright = "Public Domain" }
right = \relative c'' { \tempo 4 = 90 \repeat volta 2 { c8 d e f <e g>4 \grace { f16 } e4~ | e8 d c b c2 } }
left = \relative c { \clef bass c4 g' <c, e g>2 | << { g'4 g } \\ { g2 } >> c,2 }
"""
SCORE = MUSIC + r"""\score { \new PianoStaff << \new Staff \right \new Staff \left >> \layout { } \midi { } }"""


def write(folder, text, name="piece.ly"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def engrave(main, time_limit=60):
    return engrave_lilypond(main, PIANO, time_limit, main.parent)


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    return engrave(write(tmp_path_factory.mktemp("ly"), SCORE))


def test_the_notes_are_those_written_each_once(piece):
    sounding = [(note.onset, note.pitch) for note in piece.notes]
    grace = 3 - Fraction(9, 40) / 4  # played before its beat, at LilyPond's share of its written length
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


def test_an_example_within_a_text_is_no_music_of_the_piece(folder, piece):
    example = r"\markup { \score { \new Staff { c''8 } \layout { } } }"
    longer = SCORE[len(MUSIC) :] * 2
    with_example, without = (engrave(write(folder, MUSIC + text)) for text in (example + longer, longer))
    assert len(with_example.notes) == len(without.notes)


def test_a_score_with_errors_is_refused(folder):
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, SCORE.replace(r"c4 g'", r"\unknownCommand c4 g'")))
    assert error.value.reason == "the engraver failed" and "unknownCommand" in error.value.detail


def test_nothing_is_left_of_a_piece_that_is_given_up(folder):
    (folder / "work").mkdir()
    with pytest.raises(EngravingError):
        engrave_lilypond(write(folder, "#(let loop () (loop))\n" + SCORE), PIANO, 3, folder, folder / "work")
    assert list((folder / "work").iterdir()) == []


def test_old_syntax_and_included_files_are_brought_to_today(folder):
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
    assert piece.unshown == 2 and not any(note.pitch == 69 for note in piece.notes)
    with pytest.raises(EngravingError) as error:  # two of twenty is more than a few
        checks.check_noteheads(piece)
    assert error.value.reason == "a note without a notehead"


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


def test_a_score_that_never_ends_is_stopped(folder):
    began = time.monotonic()
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, '\\version "2.24.0"\n#(let loop () (loop))\n' + SCORE), 4)
    assert error.value.reason == "time limit" and time.monotonic() - began < 20


def test_a_score_that_takes_all_memory_is_stopped(folder, monkeypatch):
    monkeypatch.setattr(contained, "MEMORY", 10**9)
    greedy = '\\version "2.24.0"\n#(let loop ((all \'())) (loop (cons (make-vector 1000000 0) all)))\n'
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, greedy + SCORE))
    assert error.value.reason == "the engraver failed"


def test_a_score_that_fills_the_disk_is_stopped(folder, monkeypatch):
    monkeypatch.setattr(contained, "LARGEST_FILE", 10**7)
    flood = """\\version "2.24.0"
#(let file ((number 0))
  (with-output-to-file (format #f "/out/~a" number)
   (lambda () (let line ((left 9000)) (if (> left 0) (begin (display (make-string 1000 #\\x)) (line (1- left)))))))
  (file (1+ number)))
"""
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, flood + SCORE))
    assert error.value.reason == "the engraver failed" and "wrote" in error.value.detail


def test_a_score_sees_neither_the_users_files_nor_the_network_and_writes_nowhere(folder):
    secret = write(folder, "secret", "secret.txt")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe = f"""\\version "2.24.0"
#(define (attempt name thunk) (catch #t (lambda () (thunk) (format (current-error-port) "DONE ~a\\n" name)) (lambda e #f)))
#(attempt "control" (lambda () (open-input-file "/score/piece.ly")))
#(attempt "read" (lambda () (open-input-file "{secret}")))
#(attempt "read the machine's" (lambda () (open-input-file "/etc/passwd")))
#(attempt "write beside" (lambda () (open-output-file "/score/new")))
#(attempt "write over the program" (lambda () (open-output-file "/usr/bin/new")))
#(attempt "write into memory" (lambda () (open-output-file "/dev/shm/new")))
#(attempt "write at the top" (lambda () (open-output-file "/new")))
#(attempt "connect" (lambda () (connect (socket PF_INET SOCK_STREAM 0) AF_INET INADDR_LOOPBACK {port})))
#(attempt "signal" (lambda () (kill {os.getpid()} 0)))
{SCORE[len(MUSIC.splitlines()[0]) :]}"""
        (folder / "score").mkdir()
        (folder / "out").mkdir()
        write(folder / "score", probe)
        code, messages = contained.run_contained(
            ["lilypond", "--output=/out/page", "/score/piece.ly"], folder / "score", folder / "out", 60
        )
    assert code == 0 and [line for line in messages.splitlines() if line.startswith("DONE")] == ["DONE control"]


def test_nothing_of_our_environment_is_to_be_read(folder, monkeypatch):
    monkeypatch.setenv("MY_SECRET_TOKEN", "hunter2")
    (folder / "out").mkdir()
    contained.run_contained(["sh", "-c", "cat /proc/*/environ > /out/seen"], None, folder / "out", 20)
    assert "LANG" in (folder / "out" / "seen").read_text() and "hunter2" not in (folder / "out" / "seen").read_text()


def test_only_files_below_the_sources_folder_are_included(folder):
    (folder / "scores").mkdir()
    write(folder, "secret = 1", "key.ily")
    write(folder / "scores", "mine = 1", "mine.ily")
    (folder / "scores" / "link.ily").symlink_to(folder / "key.ily")
    (folder / "scores" / "circle.ily").symlink_to("circle.ily")
    names = ("../key.ily", "link.ily", "circle.ily", "mine.ily", "../../../../../../proc/self/environ", "x" * 300, "a\0b", ".")
    main = write(folder / "scores", "".join(f'\\include "{name}"\n' for name in names))
    assert [file.name for file in files_of(main, folder / "scores")] == ["piece.ly", "mine.ily"]
    assert [file.name for file in files_of(main, folder)] == ["piece.ly", "key.ily", "mine.ily"]


def test_a_lilypond_that_is_a_script_elsewhere_is_not_trusted(folder, monkeypatch):
    (folder / "bin").mkdir()
    script = write(folder / "bin", '#!/bin/sh\nexec /usr/bin/lilypond "$@"\n', "lilypond")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(UserError, match="own folder"):
        contained.require_lilypond()


def test_a_page_shows_no_file_of_this_machine(folder):
    black = folder / "private.png"
    black.write_bytes(cv2.imencode(".png", np.zeros((20, 20), np.uint8))[1].tobytes())
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    svg = (
        f'<svg {space} viewBox="0 0 20 20"><filter id="f"><feImage xlink:href="{black}"/></filter>'
        f'<image xlink:href="{black}" width="20" height="20"/><g><image href="{black}" width="20" height="20"/>'
        '<rect width="20" height="20" fill="none" filter="url(#f)"/></g></svg>'
    )
    page = Page(ElementTree.fromstring(svg), (0.0, 0.0, 20.0, 20.0), [], {})
    assert draw_page(page, 20)[5:15, 5:15].min() == 255


def test_a_link_that_a_score_leaves_is_not_followed(folder):
    secret = write(folder, SCORE, "secret.txt")
    hostile = f'\\version "2.24.0"\n#(delete-file "/out/log")\n#(symlink "{secret}" "/out/log")\n'
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, hostile + SCORE))
    assert error.value.reason == "the engraver failed" and "not a regular file" in error.value.detail


def test_without_bubblewrap_nothing_is_run(monkeypatch, folder):
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(UserError, match=r"bwrap.* are missing.*apt install lilypond bubblewrap"):
        contained.require_lilypond()
    with pytest.raises(UserError, match=r"lilypond.* are missing"):
        build(find_sources([write(folder, SCORE)]), BuildOptions(folder / "out"))


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
