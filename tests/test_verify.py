"""What the check of data sets tells, and manifests and records that are not what they should be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_piece import write_small_piece

from score_following_game.config import GameConfig
from score_following_game.data_preparation.building.make_piece import PieceFacts
from score_following_game.data_preparation.building.manifests import manifests
from score_following_game.data_preparation.building.records import RECORD_NAME, Record, Records
from score_following_game.data_preparation.published.manifest import describe_published
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import (
    MANIFEST_NAME,
    Manifest,
    PieceEntry,
    is_manifest,
    read_manifest,
    remove_manifest,
    write_manifest,
)
from score_following_game.data_processing.score_npz import read_score, write_score
from score_following_game.errors import UserError
from score_following_game.files import file_digest

DEEP = "[" * 100_000 + "]" * 100_000


def write_set(folder: Path, **notes: int) -> Path:
    """A set of small pieces, name = number of notes, played with a font beside the set; with its manifest -> the folder."""
    font = folder.parent / "one.sf2"
    folder.mkdir(parents=True)
    font.write_bytes(b"sounds")
    for name, count in notes.items():
        write_small_piece(folder, name, notes=count)
    describe(folder, notes, {"one.sf2": {"path": str(font), "sha256": file_digest(font)}})
    return folder


def describe(folder: Path, names: Any, fonts: dict[str, dict[str, str]]) -> None:
    """Into the manifest, as if made here."""
    write_manifest(
        folder,
        Manifest(
            folder.name,
            {"style": "msmd"},
            {},
            {
                name: PieceEntry(
                    "tunes.abc",
                    "0" * 64,
                    {file: file_digest(folder / file) for file in (f"{name}.npz", f"{name}.mid")},
                    style="msmd",
                    checks={"ink": 0.5},
                    performances={f"{name}.mid": {"tempo": 1.0, "sound_font": "one.sf2"}},
                )
                for name in names
            },
            fonts,
        ),
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with a training and a test set."""
    write_set(tmp_path / "made" / "x_train", a=6, b=8)
    write_set(tmp_path / "made" / "x_test", c=10)
    return tmp_path / "made"


def problems(folder: Path) -> list[str]:
    return [problem.replace(f"{folder}/", "") for problem in verify(folder).problems]


# --- what a loader would take


def test_sets_without_a_problem(made: Path) -> None:
    report = verify(made)
    assert report.problems == [] and report.sets == {str(made / "x_test"): 1, str(made / "x_train"): 2}


@pytest.mark.parametrize(
    "stranger", ["a.spec.npy", "a.wav", "b.OGG", "new.mid", "new.npz", "deeper/still/new.npz", "score/new.npz"]
)
def test_a_file_that_the_loader_takes_is_reported(made: Path, stranger: str) -> None:
    (made / "x_train" / stranger).parent.mkdir(parents=True, exist_ok=True)
    (made / "x_train" / stranger).write_bytes(b"no silence")
    assert problems(made) == [f"x_train/{stranger}: not in the manifest"]


@pytest.mark.parametrize("other", ["a.wav", ".trash/new.npz", "a.1234abcd.cache.npz", "a.txt", "deeper/.new.mid"])
def test_a_file_that_the_loader_leaves_is_not_reported(made: Path, other: str) -> None:
    (made / "x_train" / other).parent.mkdir(exist_ok=True)
    (made / "x_train" / other).write_bytes(b"" if other == "a.wav" else b"anything")
    assert problems(made) == []


def test_a_set_inside_another_is_a_set_of_its_own(made: Path) -> None:
    (made / "x_test").rename(made / "x_train" / "inside")
    assert problems(made) == [] and len(verify(made).sets) == 2
    (made / "x_train" / "inside" / "new.mid").write_bytes(b"")
    assert problems(made) == ["x_train/inside/new.mid: not in the manifest"]


def test_published_sets_with_empty_recordings_beside_ready_spectrograms(tmp_path: Path) -> None:
    """As Nottingham was published; the same score in two of its sets is not ours to mend."""
    for part in ("train", "test"):
        folder = write_small_piece(tmp_path / f"n_{part}", "tune")
        np.save(folder / "tune.spec.npy", np.zeros((78, 100), np.float32))
        (folder / "tune.wav").write_bytes(b"")
        write_manifest(folder, describe_published(folder, f"n_{part}", "n.tar", "0" * 64))
    assert problems(tmp_path) == []
    np.save(folder / "tune.spec.npy", np.ones((78, 100), np.float32))
    assert problems(tmp_path) == ["n_test/tune: tune.spec.npy has changed since it was made"]


# --- between sets


def test_pieces_without_a_manifest_are_reported_where_others_have_one(made: Path) -> None:
    (made / "x_test" / MANIFEST_NAME).unlink()
    write_small_piece(made / "y" / "score", "d")
    (made / "y" / "performance").mkdir()
    (made / "y" / "score" / "d.mid").rename(made / "y" / "performance" / "d.mid")
    for other in (".engraved", "downloads", "check"):
        write_small_piece(made / other, "e")
    (made / "lone").mkdir()
    shutil.copy(made / "x_train" / "a.npz", made / "lone")
    assert problems(made) == [f"x_test: 1 piece but no {MANIFEST_NAME}", f"y: 1 piece but no {MANIFEST_NAME}"]


def test_a_score_in_two_sets_is_reported(made: Path) -> None:
    write_small_piece(made / "x_test", "other_name", notes=8)
    describe(made / "x_test", ("c", "other_name"), read_manifest(made / "x_test" / MANIFEST_NAME).sound_fonts)
    assert problems(made) == ["x_train/b.npz: the same score as x_test/other_name.npz, in another set"]
    write_set(made / "elsewhere" / "z", c=10)  # another build
    assert len(problems(made)) == 1


def test_fonts_that_are_gone_or_changed_are_reported(made: Path) -> None:
    (made / "one.sf2").write_bytes(b"other sounds")
    changed = f"sound font {made}/one.sf2 has changed since it was chosen"
    assert verify(made).problems == [f"{made}/x_test: {changed}", f"{made}/x_train: {changed}"]
    (made / "one.sf2").unlink()
    assert problems(made) == ["x_test: sound font one.sf2 is missing", "x_train: sound font one.sf2 is missing"]


def test_only_fonts_that_are_heard_are_in_the_manifest(tmp_path: Path) -> None:
    facts = PieceFacts("", "", 1.0, 1, 120.0, [0], {".npz": "0", ".mid": "0"})
    described = {"source": "", "source_sha256": "", "performances": {"a.mid": {"tempo": 1.0, "sound_font": "one.sf2"}}}
    fonts = {name: {"path": f"/{name}", "sha256": "0"} for name in ("one.sf2", "two.sf2")}
    records = Records(tmp_path, {"a": Record("", "a.abc", facts, folder=".", described=described)}, fonts)
    assert set(manifests(records, {})["."].sound_fonts) == {"one.sf2"}


def test_a_notehead_outside_the_rows_is_reported(made: Path) -> None:
    folder = made / "x_test"
    score = read_score(folder / "c.npz")
    for row in (-3, 41):
        coords = score.coords.copy()
        coords[2, 0] = row
        write_score(folder / "c.npz", replace(score, coords=coords))
        describe(folder, ("c",), read_manifest(folder / MANIFEST_NAME).sound_fonts)
        assert problems(made) == [f"x_test/c: a notehead is at row {row} of 40"]


def test_a_file_is_no_folder(made: Path) -> None:
    with pytest.raises(UserError, match=rf"^--verify {made / 'one.sf2'}: is a file, expected a folder$"):
        verify(made / "one.sf2")


# --- files that are not what they should be


WRONG = (
    lambda content: content["pieces"]["c"].update(files=5),
    lambda content: content["pieces"]["c"].update(files={"c.npz": 5}),
    lambda content: content["pieces"]["c"].update(files={"\ud800.npz": ""}),
    lambda content: content["pieces"]["c"].update(performances=["c.mid"]),
    lambda content: content["pieces"]["c"].update(performances={"c.mid": 5}),
    lambda content: content["pieces"]["c"].update(checks=[0.5]),
    lambda content: content["pieces"]["c"].update(checks={"ink": "much"}),
    lambda content: content["pieces"]["c"].update({"two\nlines": 1}),
    lambda content: content.update(sound_fonts=5),
    lambda content: content.update(sound_fonts={"one.sf2": {"path": "/one.sf2"}}),
    lambda content: content.update(sound_fonts={}),
    lambda content: content.update(tools=[]),
)


@pytest.mark.parametrize("change", WRONG)
def test_values_of_the_wrong_type_in_a_manifest(made: Path, change: Callable[[dict], None]) -> None:
    path = made / "x_test" / MANIFEST_NAME
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=MANIFEST_NAME) as caught:
        verify(made)
    assert str(caught.value).startswith(f"{path}: not a manifest this version wrote (") and "\n" not in str(caught.value)


def test_a_manifest_that_is_no_json_of_ours(made: Path, config: GameConfig) -> None:
    path = made / "x_test" / MANIFEST_NAME
    path.write_text(path.read_text().replace('"pieces": {', f'"pieces": {DEEP}, "more": {{'))
    for reader in (read_manifest, lambda path: verify(path.parent)):
        with pytest.raises(UserError, match=f"{path}: not a manifest this version wrote .maximum recursion"):
            reader(path)
    assert load_data_set(path.parent, config)  # it costs only what it says
    path.write_text(DEEP)
    with pytest.raises(UserError, match=f"no {MANIFEST_NAME} below it except {path}, which does not belong to a data set"):
        verify(path.parent)
    assert problems(made) == [f"x_test: 1 piece but no {MANIFEST_NAME}"]


def stopped_build(folder: Path) -> None:
    """Leave a piece that an earlier build would have moved to its set."""
    (folder / ".engraved").mkdir()
    (folder / ".engraved" / "d.npz").write_bytes(b"")


def test_after_a_stopped_build_the_report_says_how_to_continue(made: Path) -> None:
    hint = f"{made}: a build was stopped here; run its command again to continue, finished pieces are kept"
    assert hint not in verify(made).lines()
    stopped_build(made)
    assert hint in verify(made).lines() and problems(made) == []
    for path in made.glob(f"*/{MANIFEST_NAME}"):
        path.unlink()
    with pytest.raises(UserError, match=f"no {MANIFEST_NAME} below it; {hint}"):
        verify(made)


@pytest.mark.parametrize(
    "foreign",
    ['{"name": "my app", "icons": []}', "// not even json", "[]", '{"version": 1}', DEEP, ""],
    ids=lambda content: content[:20],
)
def test_another_programs_manifest_is_left_alone(tmp_path: Path, config: GameConfig, foreign: str) -> None:
    path = write_small_piece(tmp_path / "web", "tune") / MANIFEST_NAME
    path.write_text(foreign)
    assert not is_manifest(path)
    assert len(load_data_set(path.parent, config)) == 1
    remove_manifest(path.parent)
    with pytest.raises(UserError, match="this file is not a manifest of this program"):
        write_manifest(path.parent, Manifest("web", {}, {}, {}))
    assert path.read_text() == foreign


def test_a_broken_manifest_of_ours_is_reported_and_may_be_replaced(
    made: Path, config: GameConfig, caplog: pytest.LogCaptureFixture
) -> None:
    path = made / "x_test" / MANIFEST_NAME
    good = path.read_text()
    for broken in (good[: len(good) // 2], good.replace('"version": 1', '"version": 2')):
        path.write_text(broken)
        assert is_manifest(path)
        assert load_data_set(path.parent, config)  # the manifest costs only what it says
        assert f"{path}: not a manifest this version wrote" in caplog.text
        caplog.clear()
    write_manifest(path.parent, Manifest("x", {}, {}, {}))
    assert read_manifest(path).pieces == {}
    remove_manifest(path.parent)
    assert not path.exists()
    path.mkdir()
    assert not is_manifest(path)
    remove_manifest(path.parent)
    with pytest.raises(UserError, match="this file is not a manifest"):
        write_manifest(path.parent, Manifest("x", {}, {}, {}))


PIECE = {"fingerprint": "", "origin": "", "facts": None}


@pytest.mark.parametrize(
    "content",
    [
        '{"pieces": {}}',
        DEEP,
        f'{{"pieces": {DEEP}, "sound_fonts": {{}}}}',
        "[]",
        "5",
        "",
        "{",
        "\0",
        '{"pieces": [], "sound_fonts": {}}',
        '{"pieces": {}, "sound_fonts": 5}',
        '{"pieces": {}, "sound_fonts": {"one.sf2": 5}}',
        '{"pieces": {}, "sound_fonts": {"one.sf2": {"path": "/one.sf2"}}}',
        *(
            json.dumps({"pieces": {"a": PIECE | wrong}, "sound_fonts": {}})
            for wrong in (
                {"origin": 5},
                {"folder": None},
                {"facts": 5},
                {"facts": {"files": 5}},
                {"described": 5},
                {"described": {}},
                {"described": {"source": "", "source_sha256": "", "performances": 5}},
                {"more": 1},
            )
        ),
    ],
    ids=lambda content: content[:40],
)
def test_a_record_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD_NAME).write_text(content)
    with pytest.raises(UserError, match=f"^{tmp_path / RECORD_NAME}: not a record of this version"):
        Records.load(tmp_path)


def test_a_record_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path / RECORD_NAME}: cannot be read"):
        Records.load(tmp_path)


def test_a_record_that_is_one(tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).write_text(json.dumps({"pieces": {"a": PIECE}, "sound_fonts": {}}))
    records = Records.load(tmp_path)
    assert list(records.pieces) == ["a"] and not records.is_there("a")
