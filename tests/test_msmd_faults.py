"""Raw MSMD pieces that are broken or hostile are refused with a reason."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pretty_midi
import pytest
from msmd_distribution import NAME, PLAYED, edit, make_distribution

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.files import read_picture
from score_following_game.data_preparation.msmd.mung import read_mung
from score_following_game.data_preparation.msmd.piece import read_msmd_piece


def score_file(name: str) -> Callable[[Path], Path]:
    return lambda folder: folder / "scores" / f"{NAME}_ly" / name


def huge_picture(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 30000, 30000)
    path.write_bytes(data)


def prepend(path: Path, text: str) -> None:
    path.write_text(text + path.read_text().split("?>", 1)[1])


class Trap:
    """Ends the test run when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os._exit, (1,)


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
FAULTS = {
    "no mung": ("missing file", "mung/02.xml", Path.unlink),
    "no pages": ("missing file", "img", shutil.rmtree),
    "broken xml": ("broken XML", "mung/01.xml", lambda path: path.write_text(path.read_text()[:900])),
    "entities": ("broken XML", "mung/01.xml", lambda path: prepend(path, BOMB)),
    "doctype": ("broken XML", "mung/01.xml", lambda path: prepend(path, '<!DOCTYPE b SYSTEM "file:///etc/passwd">')),
    "no box": ("broken XML", "mung/01.xml", lambda path: edit(path, ("<Top>", "<Top>high"))),
    "negative size": ("broken XML", "mung/01.xml", lambda path: edit(path, ("<Width>9<", "<Width>-9<"))),
    "encoding": ("broken XML", "mung/01.xml", lambda path: prepend(path, '<?xml version="1.0" encoding="klingon"?>')),
    "cut-off png": ("broken PNG", "img/02.png", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    "damaged png": (
        "broken PNG",
        "img/02.png",
        lambda path: path.write_bytes(path.read_bytes()[:60] + bytes(200) + path.read_bytes()[260:]),
    ),
    "no png": ("broken PNG", "img/02.png", lambda path: path.write_text("GIF89a")),
    "huge png": ("page too large", "img/02.png", huge_picture),
    "no systems": (
        "page without systems",
        "img/02.png",
        lambda path: np.save(path.parents[1] / "coords" / "systems_02.npy", np.zeros((0, 4, 2))),
    ),
    "blank page": ("no staff lines", "img/02.png", lambda path: cv2.imwrite(str(path), np.full((1181, 835), 255, np.uint8))),
    "uneven lines": (
        "no staff lines",
        "img/02.png",
        lambda path: cv2.imwrite(str(path), np.where(np.arange(1181)[:, None] == 123, 0, read_picture(path)).astype(np.uint8)),
    ),
    "odd corners": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.zeros((4, 4)))),
    "pickle": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.array([Trap()] * 8, dtype=object))),
    "infinite corners": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.full((2, 4, 2), np.nan))),
    "index": ("note index out of range", "mung/01.xml", lambda path: edit(path, ('idx" type="int">6<', 'idx" type="">11<'))),
    "negative": ("note index out of range", "mung/01.xml", lambda path: edit(path, ('idx" type="int">6<', 'idx" type="">-1<'))),
    "fraction": (
        "note index out of range",
        "mung/01.xml",
        lambda path: edit(path, ('idx" type="int">6<', 'idx" type="int">6.5<')),
    ),
    "folder": ("unreadable file", "mung/01.xml", lambda path: (path.unlink(), path.mkdir())),
    "head": ("noteheads outside their system", "mung/01.xml", lambda path: edit(path, ("<Left>296<", "<Left>796<"))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_score(tmp_path: Path, fault: str) -> None:
    reason, name, spoil = FAULTS[fault]
    folder = make_distribution(tmp_path)
    spoil(score_file(name)(folder))
    with pytest.raises(EngravingError) as error:
        read_msmd_piece(folder)
    assert error.value.reason == reason
    where = Path(name).name if reason not in ("note index out of range", "noteheads outside their system") else "page 01"
    assert where in error.value.detail


def test_faults_of_alignment_and_performance(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path, "csv")
    played = folder / "performances" / PLAYED

    def reason() -> str:
        with pytest.raises(EngravingError) as error:
            read_msmd_piece(folder)
        return error.value.reason

    good = (played / "alignment.csv").read_text()
    (played / "alignment.csv").write_text("a,0\nb,1\n")
    assert reason() == "no aligned noteheads"
    (played / "alignment.csv").write_text(good + "0,x\n")
    assert reason() == "broken alignment"
    (played / "alignment.csv").unlink()
    np.save(played / "alignment.npy", np.zeros(3))
    assert reason() == "broken array"
    (played / "alignment.npy").unlink()
    (played / "alignment.csv").write_text(good)
    np.save(played / "features" / "x_note_events.npy", np.zeros(4))
    assert reason() == "broken array"
    (played / "features" / "x_note_events.npy").unlink()
    (played / f"{PLAYED}.mid").write_bytes(b"MThd no")
    assert reason() == "broken MIDI"
    pretty_midi.PrettyMIDI().write(str(played / f"{PLAYED}.mid"))
    assert reason() == "no notes"
    (played / f"{PLAYED}.mid").unlink()
    assert reason() == "missing file"
    shutil.rmtree(folder / "performances")
    assert reason() == "missing performance"
    shutil.rmtree(folder / "scores")
    (folder / "scores").mkdir()
    assert reason() == "missing file"


def test_too_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "01.xml"
    with path.open("wb") as stream:
        stream.truncate(2**26)
    with pytest.raises(EngravingError, match="file too large"):
        read_mung(path)
