"""What a build does to what is there already: other builds, interrupts, locks; works kept together; files that are cut off."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from score_following_game.data_preparation.building import build as building
from score_following_game.data_preparation.building import make_piece as making
from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.records import Records
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.building.split import parse_split
from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.manifest import MANIFEST_NAME, read_manifest
from score_following_game.data_processing.score_npz import Score
from score_following_game.errors import UserError
from score_following_game.files import deferring_interrupts

DATA = Path(__file__).parent / "data"
TUNES = Path(__file__).parents[1] / "score_following_game" / "bundled" / "tunes" / "test.abc"


def sets(folder: Path) -> dict[str, int]:
    return {path.name: len(list(path.glob("*.npz"))) for path in sorted(folder.iterdir()) if list(path.glob("*.npz"))}


# --- works


def write_songs(folder: Path, *places: str) -> Path:
    """A song of another melody at each place."""
    lines = (DATA / "song.krn").read_text().splitlines()
    data = [row for row, line in enumerate(lines) if line[:1].isdigit()]
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        for row, letter in zip(data, "cdefga"[number:] + "bagfed"):
            lines[row] = f"{4 + 4 * ((row + number) % 2)}{letter}{letter}"
        (folder / f"{place}.krn").write_text("\n".join(lines) + "\n")
    return folder


def test_movements_go_to_one_set(tmp_path: Path) -> None:
    """Six songs, three of them movements of a work by their subfolder."""
    source = write_songs(tmp_path / "in", "suite/air", "suite/gigue", "suite/bourree", "one", "two", "three")
    for rule in ("3/1/2", "2/2/2", "1/1/4"):
        report = build(find_sources([source]), BuildOptions(tmp_path / rule[0], split=parse_split(rule), name="x"))
        assert len(report.folders) == 6
        assert len({report.folders[name] for name in ("air", "gigue", "bourree")}) == 1, rule


def test_a_composer_alone_is_no_work(tmp_path: Path) -> None:
    text = (DATA / "song.musicxml").read_text()
    creator = '<identification><creator type="composer">Trad.</creator></identification>'
    for name in ("reel", "jig"):
        (tmp_path / f"{name}.musicxml").write_text(
            text.replace("<part-list>", f"<movement-title>{name}</movement-title>{creator}<part-list>", 1)
        )
    assert [source.work for source in find_sources([tmp_path])] == ["", ""]


def test_an_empty_set_is_reported(tmp_path: Path) -> None:
    source = write_songs(tmp_path / "in", "sonata-1", "sonata-2")
    report = build(find_sources([source]), BuildOptions(tmp_path / "out", split=parse_split("0.5/0.5/0"), name="x"))
    assert set(report.folders.values()) == {"x_train"} and report.empty == ["x_valid"]
    assert "      0  x_valid: too few works to fill this set" in report.lines()


# --- checks


def test_noteheads_that_are_nowhere_in_particular_are_found_out() -> None:
    """Ink enough under each, but no more than beside them: a sheet of even grey pattern."""
    source = find_sources([TUNES])[0]
    piece, measured = engrave_source(source, making.STYLES["nottingham"])
    assert measured["ink"] > checks._CONTRAST * measured["ink_beside"]
    noise = np.where(np.random.default_rng(1).random(piece.score.sheet.shape) < 0.45, 0, 255).astype(np.uint8)
    noisy = replace(piece, score=Score(noise, piece.score.coords, piece.score.coord2onset))
    with pytest.raises(EngravingError) as error:
        checks.check_ink(noisy, making.STYLES["nottingham"])
    assert error.value.reason == "noteheads not where the ink is"


@pytest.mark.parametrize("name", ["song.musicxml", "song.krn", "piano.mei"])
def test_what_is_cut_off_is_not_engraved_in_part(name: str, tmp_path: Path) -> None:
    text = (DATA / name).read_text()
    (tmp_path / name).write_text(text[: len(text) * 2 // 3])
    with zipfile.ZipFile(tmp_path / "cut.mxl", "w") as archive:
        archive.writestr("song.xml", (DATA / "song.musicxml").read_text()[:-200])
    (tmp_path / "web.xml").write_text("<html><body>not found</body></html>")
    (tmp_path / "junk.mxl").write_bytes(b"no archive")
    for source in find_sources([tmp_path]):
        with pytest.raises(EngravingError) as error:
            engrave_source(source, making.STYLES["msmd" if "mei" in name else "nottingham"])
        assert error.value.reason == "unreadable", source.name


# --- what is there already


def test_an_interrupt_leaves_no_piece_in_two_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = BuildOptions(tmp_path, split=parse_split("3/0/0"), name="n")
    sources = find_sources([TUNES])
    build(sources, options)
    move, moves = Records.move, []

    def interrupted(self: Records, name: str, folder: str) -> None:
        moves.append(name)
        if len(moves) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        move(self, name, folder)

    monkeypatch.setattr(Records, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(sources, replace(options, split=parse_split("0/0/3")))
    assert sets(tmp_path) == {"n_test": 3}
    monkeypatch.setattr(Records, "move", move)
    build(sources, options)
    assert sets(tmp_path) == {"n_train": 3} and verify(tmp_path).problems == []


def test_another_set_in_the_same_folder_is_left_alone(tmp_path: Path) -> None:
    sources = find_sources([TUNES])
    build(sources[:3], BuildOptions(tmp_path, split=parse_split("3/0/0"), name="folk_2"))
    build(sources[3:6], BuildOptions(tmp_path, split=parse_split("2/1/0"), name="folk"))
    assert sets(tmp_path) == {"folk_2_train": 3, "folk_train": 2, "folk_valid": 1}
    assert verify(tmp_path).problems == []
    build(sources[:3], BuildOptions(tmp_path, split=parse_split("0/3/0"), name="other"))  # takes over the very same pieces
    assert sets(tmp_path) == {"folk_train": 2, "folk_valid": 1, "other_valid": 3} and verify(tmp_path).problems == []


def test_without_a_split_what_earlier_builds_made_stays_and_is_reported(tmp_path: Path) -> None:
    sources = find_sources([TUNES])
    build(sources[:3], BuildOptions(tmp_path))
    report = build(sources[3:5], BuildOptions(tmp_path))
    assert any(line.startswith("kept: 3 pieces of earlier builds") for line in report.lines())
    assert len(read_manifest(tmp_path / MANIFEST_NAME).pieces) == 5 and verify(tmp_path).problems == []


def test_two_builds_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another run is at work there"):
            build(find_sources([TUNES])[:1], BuildOptions(tmp_path))
    assert build(find_sources([TUNES])[:1], BuildOptions(tmp_path)).engraved == 1


def test_a_piece_that_was_given_up_for_time_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = find_sources([TUNES])[:2]
    build(sources, BuildOptions(tmp_path))
    records = Records.load(tmp_path)
    for reason, tried in (("time limit", 1), ("the engraver crashed", 1), ("too few notes", 0)):
        record = records.pieces[sources[0].name]
        records.move(sources[0].name, "")
        record.facts, record.reason, record.folder = None, reason, ""
        records.save()
        assert build(sources, BuildOptions(tmp_path)).engraved == tried, reason
        records = Records.load(tmp_path)


def test_a_build_computes_each_fingerprint_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fingerprint reads the whole recording of a piece."""
    sources = find_sources([TUNES])[:3]
    compute, computed = building.fingerprint, []
    monkeypatch.setattr(building, "fingerprint", lambda task: computed.append(task.source.name) or compute(task))
    build(sources[:2], BuildOptions(tmp_path))
    assert sorted(computed) == [source.name for source in sources[:2]]
    computed.clear()
    records = Records.load(tmp_path)
    records.files(sources[0].name)[0].unlink()
    assert build(sources, BuildOptions(tmp_path)).engraved == 2
    assert sorted(computed) == [source.name for source in sources]


def test_names_of_tempo_variants_are_not_taken(tmp_path: Path) -> None:
    shutil.copy(DATA / "song.krn", tmp_path / "song.krn")
    shutil.copy(DATA / "song.krn", tmp_path / "song_tempo_0900.krn")
    assert [source.name for source in find_sources([tmp_path])] == ["song", "song_tempo_0900_score"]


def test_pictures_of_what_is_left_out_go(tmp_path: Path) -> None:
    sources = find_sources([TUNES])[:3]
    build(sources, BuildOptions(tmp_path, check=True))
    assert len(list((tmp_path / "check").iterdir())) == 3
    report = build(sources, BuildOptions(tmp_path, check=True, min_seconds=18))
    assert {path.stem for path in (tmp_path / "check").iterdir()} == set(report.folders)


def test_interrupts_wait_for_the_end_of_a_block_and_only_there() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferring_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append(1)
    assert done == [1] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    thread = threading.Thread(target=lambda: done.append(deferring_interrupts().__enter__()))
    thread.start()
    thread.join()
    assert len(done) == 2
    assert building.deferring_interrupts is deferring_interrupts


def test_a_missing_library_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("score_following_game.optional_libraries.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "verovio", raising=False)
    monkeypatch.delitem(sys.modules, "pypdfium2", raising=False)
    (tmp_path / "pages.pdf").write_bytes(b"%PDF-1.4")
    for source, need in ((TUNES, "engraving needs verovio"), (tmp_path / "pages.pdf", "reading a PDF needs pypdfium2")):
        with pytest.raises(UserError, match=rf"{need}, .* pip install 'score_following_game\[prepare\]'"):
            build(find_sources([source]), BuildOptions(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
