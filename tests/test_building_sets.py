"""Building sets of scores: split, repeated, second copies, records."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pretty_midi
import pytest
from source_tools import DATA, SONG, abc_tune

from score_following_game.data_preparation.building import fingerprint as fingerprints
from score_following_game.data_preparation.building.build import LEFT_OUT_NAME, BuildOptions, build
from score_following_game.data_preparation.building.check_pictures import check_picture
from score_following_game.data_preparation.building.fingerprint import fingerprint
from score_following_game.data_preparation.building.make_piece import PieceTask
from score_following_game.data_preparation.building.records import RECORD_NAME, Records
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.building.split import parse_split
from score_following_game.data_processing.manifest import MANIFEST_NAME
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.errors import UserError


def test_build(book: Path, tmp_path: Path) -> None:
    book.write_text(
        book.read_text()
        + abc_tune(9, "Same, in D", key="D", unit="4/16").replace(SONG.format("c"), "DEFG|ABcd|ddcB|AGFE|D4|]")
        + "X:21\nT:Short\nK:C\nCDE|\n\n"
    )
    report = build(find_sources([book]), BuildOptions(tmp_path / "out", check=True, jobs=2))
    assert len(report.folders) == 9 and set(report.folders.values()) == {"."}
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("book_21_Short", "too few notes", "3 of at least 8"),
    ]
    rows = list(csv.DictReader((tmp_path / "out" / LEFT_OUT_NAME).open()))
    assert [row["name"] for row in rows] == ["book_21_Short"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        ".lock",
        RECORD_NAME,
        LEFT_OUT_NAME,
        MANIFEST_NAME,
        "check",
        *(f"{name}{end}" for name in report.folders for end in (".npz", ".mid", ".sheet.png", ".map.json")),
    }
    score = read_score(tmp_path / "out" / "book_4_Tune_4.npz")
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "out" / "book_4_Tune_4.mid"))
    assert len(score.coords) == len(midi.instruments[0].notes) == 17
    picture = cv2.imread(str(tmp_path / "out" / "check" / "book_4_Tune_4.png"))
    assert picture.shape[0] == 3 * 44 and (picture[..., 2] > picture[..., 1] + 100).any()
    assert report.lines()[0] == "9 pieces from 10 sources (9 engraved in this run), 1.6 minutes of music, 0.1 MB"


def test_building_again_repeats_nothing(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = BuildOptions(tmp_path / "out")
    build(find_sources([book]), options)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").glob("book*")}
    assert build(find_sources([book]), options).engraved == 0
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before}
    (tmp_path / "out" / "book_2_Tune_2.mid").unlink()
    assert build(find_sources([book]), options).engraved == 1
    book.write_text(book.read_text().replace("T:Tune 3", "T:Tune 3\nQ:1/4=66"))
    assert build(find_sources([book]), options).engraved == 1
    monkeypatch.setattr(fingerprints, "_code_version", lambda *modules: "newer")
    assert build(find_sources([book]), options).engraved == 8
    # Made again from nothing, the files are the same to the byte.
    shutil.rmtree(tmp_path / "out")
    build(find_sources([book]), options)
    same = [path for path in before if "Tune_3" not in path.name]
    assert len(same) == 28 and all(path.read_bytes() == before[path][1] for path in same)


def test_split_build(book: Path, tmp_path: Path) -> None:
    """Sets are made, changed and shrunk; what belongs to no set lies nowhere; a piece is engraved once."""
    options = BuildOptions(tmp_path / "out", split=parse_split("4/2/1"), name="tunes")

    def contents() -> dict[str, int]:
        return {part: len(list((tmp_path / "out" / f"tunes_{part}").glob("*.npz"))) for part in ("train", "valid", "test")}

    first = build(find_sources([book]), options)
    assert contents() == {"train": 4, "valid": 2, "test": 1} and first.engraved == 8
    assert [row.reason for row in first.left_out] == ["not needed by --split"]
    renamed = tmp_path / "renamed.abc"
    renamed.write_text("".join(reversed(book.read_text().split("\n\n"))).replace("C4|]", "C4|]\n\n"))
    other = build(find_sources([renamed]), replace(options, destination=tmp_path / "other"))
    assert {name.split("_")[-1]: folder for name, folder in other.folders.items()} == {
        name.split("_")[-1]: folder for name, folder in first.folders.items()
    }
    assert build(find_sources([book]), replace(options, split=parse_split("2/4/1"))).engraved == 0
    assert contents() == {"train": 2, "valid": 4, "test": 1}
    assert build(find_sources([book]), replace(options, split=parse_split("4/2/2"))).engraved == 1  # the one left out before
    last = build(find_sources([book])[:3], replace(options, split=parse_split("1/1/1")))
    assert contents() == {"train": 1, "valid": 1, "test": 1} and last.removed == 5
    assert not (tmp_path / "out" / ".engraved").exists()


def test_a_second_copy_of_a_melody_is_left_out_of_splits_only(tmp_path: Path) -> None:
    """A musician who gives one tune twice gets it twice."""
    songs = [abc_tune(1, "One"), abc_tune(2, "Two")]
    books = [tmp_path / "a.abc", tmp_path / "b.abc"]
    for path, text in zip(books, songs):
        path.write_text(text)
    report = build(find_sources(books), BuildOptions(tmp_path / "out"))
    assert (len(report.folders), report.left_out) == (2, [])
    report = build(find_sources(books), BuildOptions(tmp_path / "split", split=parse_split("1/0/0"), name="x"))
    assert [(row.name, row.reason) for row in report.left_out] == [("b_2_Two", "same melody as another piece")]


def test_variants_are_left_out_of_splits_only(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(abc_tune(1) + abc_tune(2, first="e") + abc_tune(3, unit="1/8"))
    assert len(build(find_sources([tmp_path / "a.abc"]), BuildOptions(tmp_path / "all")).folders) == 3
    report = build(find_sources([tmp_path / "a.abc"]), BuildOptions(tmp_path / "split", split=parse_split("1/1/0"), name="s"))
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("a_2_Tune_2", "variant of another piece", "a_1_Tune_1")
    ]


def test_duration_limits(book: Path, tmp_path: Path) -> None:
    report = build(find_sources([book]), BuildOptions(tmp_path / "out", min_seconds=5, max_seconds=15))
    reasons = {row.name: row.reason for row in report.left_out}
    assert reasons["book_1_Tune_1"] == "shorter than 5 s" and reasons["book_6_Tune_6"] == "longer than 15 s"
    seconds = [pretty_midi.PrettyMIDI(str(path)).get_end_time() for path in (tmp_path / "out").glob("*.mid")]
    assert seconds and all(4.99 <= length <= 15.01 for length in seconds)


def test_no_piece_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"the source did not become a piece: wrong number of staves \(1; the score has 2 staves: --style msmd"
    ):
        build(find_sources([DATA / "piano.mei"]), BuildOptions(tmp_path))
    with pytest.raises(UserError, match="split needs 3 pieces, found: 1"):
        build(find_sources([DATA / "song.krn"]), BuildOptions(tmp_path, split=parse_split("1/1/1"), name="x"))


def test_files_of_the_users_are_neither_replaced_nor_removed(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MIDI of the score's name, as notation programs export it; a MIDI that was changed after it was made."""
    out = tmp_path / "out"
    out.mkdir()
    theirs, edited = out / "book_1_Tune_1.mid", out / "book_2_Tune_2.mid"
    theirs.write_bytes(b"my own")
    report = build(find_sources([book]), BuildOptions(out))
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("book_1_Tune_1", "a file of yours is in the way", str(theirs))
    ]
    assert theirs.read_bytes() == b"my own" and not (out / "book_1_Tune_1.npz").exists()
    edited.write_bytes(b"my timing")
    again = build(find_sources([book]), BuildOptions(out))
    assert again.changed == ["book_2_Tune_2"] and "remove such a file" in again.lines()[1]
    monkeypatch.setattr(fingerprints, "_code_version", lambda *modules: "newer")
    build(find_sources([book]), BuildOptions(out))
    assert (theirs.read_bytes(), edited.read_bytes()) == (b"my own", b"my timing")
    # What changed since may be removed, but not the sheet that the edited MIDI belongs to.
    book.write_text(book.read_text().replace("T:Tune 2\n", "T:Tune 2\nQ:1/4=77\n"))
    build(find_sources([book]), BuildOptions(out))
    assert edited.with_suffix(".npz").is_file() and edited.read_bytes() == b"my timing"


def test_why_a_split_is_impossible_can_be_read(book: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="split needs 9 pieces, found: 1"):
        build(find_sources([book]), BuildOptions(tmp_path / "out", split=parse_split("3/3/3"), name="x", max_seconds=5))
    assert (tmp_path / "out" / LEFT_OUT_NAME).read_text().count("longer than 5 s") == 7


def test_a_broken_record_is_named(tmp_path: Path, book: Path) -> None:
    (tmp_path / RECORD_NAME).write_text('{"pieces": {"a": 1}}')
    with pytest.raises(UserError, match=RECORD_NAME):
        build(find_sources([book]), BuildOptions(tmp_path))


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path, book: Path) -> None:
    build(find_sources([book]), BuildOptions(tmp_path / "out"))
    path = tmp_path / "out" / RECORD_NAME
    path.write_text(path.read_text().replace('"folder": "."', '"folder": ".."', 1))
    with pytest.raises(UserError, match=RECORD_NAME):
        build(find_sources([book]), BuildOptions(tmp_path / "out"))


def test_records_survive(tmp_path: Path, book: Path) -> None:
    build(find_sources([book]), BuildOptions(tmp_path / "out"))
    records = Records.load(tmp_path / "out")
    text = (tmp_path / "out" / RECORD_NAME).read_text()
    records.save()
    assert (tmp_path / "out" / RECORD_NAME).read_text() == text
    assert json.loads(text)["pieces"]["book_2_Tune_2"]["facts"]["notes"] == 17
    task = PieceTask(find_sources([book])[0], "nottingham", tmp_path)
    others = replace(task, style="msmd"), replace(task, tempi=(1.0, 1.1)), replace(task, recording=book)
    assert len({fingerprint(other) for other in (task, *others)}) == 4
    assert fingerprint(replace(task, folder=tmp_path / "elsewhere", time_limit=9)) == fingerprint(task)


def test_check_pictures_wrap_at_systems() -> None:
    sheet = np.full((40, 100), 255, np.uint8)
    score = Score(sheet, np.array([[20, 10], [20, 70]], np.float32), np.array([[0, 0], [1, 1]]))
    picture = check_picture(score, [0, 60])
    assert picture.shape == (2 * 44 * 3, 180, 3)
    rows, columns = np.nonzero((picture != picture[..., :1]).any(axis=2))
    assert set(rows // 132) == {0, 1}
    for line in (0, 1):
        assert columns[rows // 132 == line].mean() == pytest.approx(3 * 10.5, abs=0.6)
        assert rows[rows // 132 == line].mean() == pytest.approx(132 * line + 3 * 20.5, abs=0.6)
