"""Data sets written as the code of 2018 and 2019 reads them."""

from __future__ import annotations

import pickletools
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from small_piece import write_small_piece
from test_data_set_layouts import add_tempo_variant, in_two_folders
from test_verify import write_set

from score_following_game.config import GameConfig
from score_following_game.data_preparation.published.export import by_time, to_published, write_published_score
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import merge_onsets
from score_following_game.data_processing.score_npz import Score, read_score, write_score
from score_following_game.errors import UserError


def as_2018_reads(path: Path) -> tuple[np.ndarray, np.ndarray, dict]:
    """sheet, coords, coord2onset of an npz, by numpy alone."""
    with np.load(path, allow_pickle=True) as content:
        assert content["coord2onset"].shape == (1,)
        return content["sheet"], content["coords"], content["coord2onset"][0]


def walked(coords: np.ndarray, coord2onset: dict, note_frames: np.ndarray) -> dict[int, float]:
    """Frame -> x as the spec has it: in key order, kept the first time a frame occurs."""
    onsets: dict[int, float] = {}
    for coordinate, note in coord2onset.items():
        onsets.setdefault(int(note_frames[note]), float(coords[coordinate, 1]))
    return onsets


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def mixed(folder: Path) -> Path:
    """A set with a tempo variant, a recording, a ready spectrogram, a subfolder, and a file that is none of a piece's."""
    add_tempo_variant(folder, 0.5)
    for name in ("recorded", "ready", "part/inner"):
        write_small_piece((folder / name).parent, Path(name).name, notes=5)
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (3 * 16000, 2))
    soundfile.write(folder / "recorded.wav", samples, 16000, subtype="PCM_16")
    np.save(folder / "ready.spec.npy", np.full((78, 60), 0.25, np.float32))
    (folder / "part" / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("layout", ["2018", "2019"])
def test_a_round_trip_gives_equal_pieces(mixed: Path, tmp_path: Path, config: GameConfig, layout: str, paired: bool):
    if paired:
        in_two_folders(mixed)
    expected = load_data_set(mixed, config)
    report = to_published(mixed, tmp_path / "out", layout)
    assert (report.pieces, report.recorded, report.left_out, report.own_font) == (5, 1, [], 0)
    scores, performances = ("", "") if layout == "2018" else ("score/", "performance/")
    names = ("ready", "recorded", "tune", "tune_tempo_0500")
    assert set(tree(tmp_path / "out")) == {
        f"part/{scores}inner.npz",
        f"part/{performances}inner.mid",
        f"{performances}ready.spec.npy",
        f"{performances}recorded.wav",
        *(f"{scores}{name}.npz" for name in names),
        *(f"{performances}{name}.mid" for name in names),
    }
    pieces = load_data_set(tmp_path / "out", config)
    assert [piece.name for piece in pieces] == [piece.name for piece in expected] == ["inner", *names]
    for piece, other in zip(pieces, expected):
        for key in ("sheet", "onset_frames", "onset_x", "spectrogram"):
            np.testing.assert_array_equal(getattr(piece, key), getattr(other, key))


def test_plain_numpy_reads_what_was_published(folder: Path, tmp_path: Path):
    to_published(folder, tmp_path / "out")
    own = read_score(folder / "tune.npz")
    sheet, coords, coord2onset = as_2018_reads(tmp_path / "out" / "tune.npz")
    assert (sheet.dtype, coords.dtype) == (np.uint8, np.float32)
    assert isinstance(coord2onset, dict)
    assert {type(value) for pair in coord2onset.items() for value in pair} == {int}
    np.testing.assert_array_equal(sheet, own.sheet)
    np.testing.assert_array_equal(coords, own.coords)
    assert list(coord2onset.items()) == [tuple(pair) for pair in own.coord2onset.tolist()]


def test_the_pickle_asks_for_nothing_newer_than_numpy_1(folder: Path, tmp_path: Path):
    to_published(folder, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / "tune.npz") as archive, archive.open("coord2onset.npy") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        codes = [(code.name, argument) for code, argument, _ in pickletools.genops(stream.read())]
    assert codes[0] == ("PROTO", 2)
    assert {argument for name, argument in codes if name == "GLOBAL"} == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
    }
    assert not any(name == "STACK_GLOBAL" for name, _ in codes)


def test_the_published_piece_stays_as_it_is(shared: Path, tmp_path: Path):
    sample = shared / "data" / "published_sample"
    to_published(sample, tmp_path / "out")
    name = "ashover_simple_chords_41"
    for ours, theirs in zip(as_2018_reads(tmp_path / "out" / f"{name}.npz"), as_2018_reads(sample / f"{name}.npz")):
        np.testing.assert_equal(ours, theirs)
    for suffix in (".mid", ".spec.npy"):
        assert (tmp_path / "out" / f"{name}{suffix}").read_bytes() == (sample / f"{name}{suffix}").read_bytes()


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n_heads=st.integers(1, 12), n_notes=st.integers(1, 8), n_pairs=st.integers(1, 20))
def test_any_order_of_noteheads_keeps_the_true_positions(
    seed: int, n_heads: int, n_notes: int, n_pairs: int, tmp_path_factory: pytest.TempPathFactory
):
    """Noteheads out of time, of several notes, of none; notes of one frame."""
    rng = np.random.default_rng(seed)
    note_frames = np.sort(rng.integers(0, 6, n_notes))
    coords = rng.uniform(0, 50, (n_heads, 2)).astype(np.float32)
    pairs = np.stack([rng.integers(0, n_heads, n_pairs), rng.integers(0, n_notes, n_pairs)], axis=1)
    score = Score(np.zeros((50, 50), np.uint8), coords, pairs)
    path = tmp_path_factory.mktemp("any") / "any.npz"
    write_published_score(path, by_time(score, note_frames))
    frames, x = merge_onsets(score, note_frames, path)
    again_frames, again_x = merge_onsets(read_score(path), note_frames, path)
    np.testing.assert_array_equal(again_frames, frames)
    np.testing.assert_array_equal(again_x, x)
    _, published, coord2onset = as_2018_reads(path)
    onsets = walked(published, coord2onset, note_frames)
    assert list(onsets) == frames.tolist()  # in the order of time: the last one is the end, as the code of 2018 has it
    np.testing.assert_array_equal(list(onsets.values()), x)
    assert sorted(map(tuple, coords.tolist())) == sorted(set(map(tuple, published.tolist())))


def test_other_recordings_become_16_bit_wav(folder: Path, tmp_path: Path, config: GameConfig):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * 22050).astype(np.float32)
    soundfile.write(folder / "tune.flac", samples, 22050, subtype="PCM_24")
    write_small_piece(folder, "loud", notes=5)
    soundfile.write(folder / "loud.wav", 3 * samples, 22050, subtype="FLOAT")
    expected = load_data_set(folder, config)
    assert to_published(folder, tmp_path / "out").recorded == 2
    for piece, other in zip(load_data_set(tmp_path / "out", config), expected, strict=True):
        assert soundfile.info(piece.source).subtype == "PCM_16"
        np.testing.assert_allclose(piece.spectrogram, other.spectrogram, atol=1e-3)


def test_the_same_set_gives_the_same_bytes(mixed: Path, tmp_path: Path):
    for name in ("one", "two"):
        to_published(mixed, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_what_cannot_be_played_is_left_out_and_reported(mixed: Path, tmp_path: Path):
    (mixed / "ready.npz").unlink()
    (mixed / "part" / "inner.mid").write_bytes(b"MThd")
    soundfile.write(mixed / "recorded.wav", np.zeros(100), 22050)
    (mixed / "recorded.wav").write_bytes((mixed / "recorded.wav").read_bytes()[:40] + b"broken" * 20)
    score = read_score(mixed / "tune.npz")
    write_score(mixed / "other.npz", Score(score.sheet, score.coords, score.coord2onset + [0, 1]))
    shutil.copy(mixed / "tune.mid", mixed / "other.mid")
    report = to_published(mixed, tmp_path / "out")
    assert {line.partition(":")[0].rpartition("/")[2] for line in report.left_out} >= {"ready.npz", "inner.mid", "other.npz"}
    assert report.lines()[1].endswith(" left out:")
    left = {Path(name).stem for name in tree(tmp_path / "out")}
    assert {"tune", "tune_tempo_0500"} <= left
    assert not left & {"ready.spec", "ready", "inner", "other"}


def test_fonts_of_a_manifest_are_reported(tmp_path: Path):
    write_set(tmp_path / "set", a=5, b=6)
    report = to_published(tmp_path / "set", tmp_path / "out")
    assert report.own_font == 2
    assert "2 pieces with one of their own" in "\n".join(report.lines())


def test_nothing_is_replaced(folder: Path, tmp_path: Path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tune.npz").write_text("mine")
    for destination, message in (
        (mine, "mine: is in use"),
        (mine / "tune.npz", "is a file, expected a folder"),
        (folder / "inside", "is inside .*outside it"),
        (folder, "is in use"),
    ):
        before = tree(tmp_path)
        with pytest.raises(UserError, match=message):
            to_published(folder, destination)
        assert tree(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert to_published(folder, tmp_path / "empty").pieces == 1
    assert (tmp_path / "empty").stat().st_mode & 0o777 == mine.stat().st_mode & 0o777


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_what_is_interrupted_is_not_there(mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type):
    written = []

    def fail_at_the_third(path: Path, score: Score) -> None:
        written.append(path)
        if len(written) == 3:
            assert not (tmp_path / "out").exists()
            raise failure
        write_published_score(path, score)

    monkeypatch.setattr("score_following_game.data_preparation.published.export.write_published_score", fail_at_the_third)
    with pytest.raises(failure):
        to_published(mixed, tmp_path / "out")
    assert len(written) == 3
    assert [path.name for path in tmp_path.iterdir()] == [mixed.name]


@pytest.mark.parametrize("part", ["score", "performance"])
def test_one_folder_of_a_pair(folder: Path, tmp_path: Path, part: str):
    to_published(in_two_folders(folder) / part, tmp_path / "out")
    assert set(tree(tmp_path / "out")) == {"tune.npz", "tune.mid"}


def test_two_pieces_for_one_place(folder: Path, tmp_path: Path):
    in_two_folders(folder)
    write_small_piece(folder, "tune", notes=5)
    report = to_published(folder, tmp_path / "out")
    assert report.pieces == 1
    assert "another piece of this name goes to the same folder" in report.left_out[0]


def test_the_script(run_here, folder: Path, tmp_path: Path):
    done = run_here("prepare_game_data.py", "--to-published", folder, "--destination", tmp_path / "out", "--layout", "2019")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"1 piece in {tmp_path / 'out'}, 0 of them with a recording\n"
    assert set(tree(tmp_path / "out")) == {"score/tune.npz", "performance/tune.mid"}
    for arguments, message in (
        ((folder, "--destination", tmp_path / "out"), "is in use"),
        ((folder,), "is in use"),
        ((tmp_path / "none", "--destination", tmp_path / "x"), "none: no such folder"),
        ((tmp_path / "out", "--destination", tmp_path / "x"), "no piece can be exported; the first of 1: "),
    ):
        (tmp_path / "out" / "score" / "tune.npz").write_bytes(b"")
        done = run_here("prepare_game_data.py", "--to-published", *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert message in done.stderr
