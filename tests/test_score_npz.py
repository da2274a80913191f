"""NAME.npz: the published format and ours, and files that mean harm."""

import os
import pickle
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from score_following_game.data_processing.score_npz import Score, read_score, write_score
from score_following_game.errors import UserError


def write_published(path: Path, score: Score, mapping: object) -> None:
    """As the published sets are: coord2onset a pickled object array."""
    content = np.empty(1, dtype=object)
    content[0] = mapping
    np.savez(path, sheet=score.sheet, coords=score.coords, coord2onset=content)


def test_score_round_trip_is_bytewise_repeatable(folder: Path, tmp_path: Path):
    score = read_score(folder / "tune.npz")
    write_score(tmp_path / "again.npz", score)
    assert (tmp_path / "again.npz").read_bytes() == (folder / "tune.npz").read_bytes()
    assert not list(tmp_path.glob(".again*"))


def test_published_pickle_reads_as_ours(folder: Path):
    score = read_score(folder / "tune.npz")
    write_published(folder / "tune.npz", score, {np.int64(k): int(v) for k, v in score.coord2onset})
    np.testing.assert_array_equal(read_score(folder / "tune.npz").coord2onset, score.coord2onset)


def test_numpy_ints_as_python_2_pickled_them_are_read(folder: Path):
    """The data of a scalar came as text there; hand-written, as no Python 3 writes it."""
    number = (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"S'\\x%02x\\x00\\x00\\x00\\x00\\x00\\x00\\x00'\ntR"
    )
    mapping = b"(dp0\n" + number % 0 + number % 3 + b"s" + number % 1 + number % 2 + b"s"
    pickled = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n"
        b"(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntbI00\n(l" + mapping + b"atb."
    )
    data = BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    old, whole = folder / "tune.npz", BytesIO()
    with zipfile.ZipFile(old) as archive, zipfile.ZipFile(whole, "w") as new:
        for name in ("sheet.npy", "coords.npy"):
            new.writestr(name, archive.read(name))
        new.writestr("coord2onset.npy", data.getvalue() + pickled)
    old.write_bytes(whole.getvalue())
    assert read_score(old).coord2onset.tolist() == [[0, 3], [1, 2]]


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("hacked",)


def test_a_hostile_pickle_is_refused_unrun(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_published(folder / "tune.npz", read_score(folder / "tune.npz"), Bomb())
    with pytest.raises(UserError, match=r"tune.npz: corrupt score npz .*mkdir' is not allowed"):
        read_score(folder / "tune.npz")
    assert not Path("hacked").exists()
    assert pickle.loads(pickle.dumps(1)) == 1  # the strict unpickler is ours alone


class ForgedDtype:
    """Object arrays whose dtype says that they hold none: numpy would take the bytes for pointers."""

    def __reduce__(self):
        return np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0)


class ForgedArray:
    def __reduce__(self):
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), (1, (1,), ForgedDtype(), False, b"A" * 8)


def test_a_forged_array_reaches_no_numpy(folder: Path):
    """It would crash the process: hence one of its own."""
    write_published(folder / "tune.npz", read_score(folder / "tune.npz"), ForgedArray())
    code = "import sys; from score_following_game.data_processing.score_npz import read_score as r; r(sys.argv[1])"
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder / "tune.npz")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, "coord2onset holds no dict" in result.stderr) == (1, True)


def test_an_array_beyond_all_measure_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("score_following_game.limits.ARRAYS", 1000)
    with pytest.raises(UserError, match=r"tune.npz: too large: [\d,]+ bytes in sheet.npy, and at most 1,000 are read"):
        read_score(folder / "tune.npz")
