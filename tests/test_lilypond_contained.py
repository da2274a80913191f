"""LilyPond scores are programs: a hostile one can neither read, write nor use more than it is allowed to."""

import os
import socket
import time
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from lilypond_tools import MUSIC, SCORE, engrave, write

from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.lilypond import contained
from score_following_game.data_preparation.engraving.lilypond.drawing import draw_page
from score_following_game.data_preparation.engraving.lilypond.pages import Page
from score_following_game.data_preparation.engraving.lilypond.source import files_of
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.errors import UserError

pytestmark = pytest.mark.needs("lilypond")


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


def test_our_environment_cannot_be_read(folder, monkeypatch):
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


def test_a_lilypond_that_is_a_script_elsewhere_is_refused(folder, monkeypatch):
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
    assert draw_page(page, 20, 2)[0][5:15, 5:15].min() == 255


def test_a_link_that_a_score_leaves_is_not_followed(folder):
    secret = write(folder, SCORE, "secret.txt")
    hostile = f'\\version "2.24.0"\n#(delete-file "/out/log")\n#(symlink "{secret}" "/out/log")\n'
    with pytest.raises(EngravingError) as error:
        engrave(write(folder, hostile + SCORE))
    assert error.value.reason == "the engraver failed" and "not a regular file" in error.value.detail


def test_without_bubblewrap_nothing_runs(monkeypatch, folder):
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(UserError, match=r"bwrap.* are missing.*apt install lilypond bubblewrap"):
        contained.require_lilypond()
    with pytest.raises(UserError, match=r"lilypond.* are missing"):
        build(find_sources([write(folder, SCORE)]), BuildOptions(folder / "out"))
