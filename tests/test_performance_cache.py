"""The cache of onsets and spectrograms: used while nothing it was made from has changed, replaced otherwise."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from conftest import ROOT
from small_piece import write_small_piece

from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing import performance, performance_cache
from score_following_game.data_processing.piece import load_piece


def test_cache_is_used_and_follows_what_it_was_made_from(folder: Path, config: GameConfig, monkeypatch: pytest.MonkeyPatch):
    made = []
    synthesised = performance.synthesised
    monkeypatch.setattr(performance, "synthesised", lambda *a: made.append(1) or synthesised(*a))
    first = load_piece(folder / "tune.npz", config)
    again = load_piece(folder / "tune.npz", config)
    assert len(made) == 1
    np.testing.assert_array_equal(first.spectrogram, again.spectrogram)
    assert first.spectrogram.max() > 0.5
    # Another tempo, another MIDI: made again. The old cache is replaced, not kept beside it.
    midi = pretty_midi.PrettyMIDI(str(folder / "tune.mid"))
    midi.adjust_times([0, midi.get_end_time()], [0, 2 * midi.get_end_time()])
    midi.write(str(folder / "tune.mid"))
    slower = load_piece(folder / "tune.npz", config)
    assert slower.onset_frames[-1] == 2 * first.onset_frames[-1]
    assert len(made) == 2
    assert len(list(folder.glob("*.cache.npz"))) == 1
    # A broken cache is no error.
    next(folder.glob("*.cache.npz")).write_bytes(b"")
    load_piece(folder / "tune.npz", config)
    assert len(made) == 3


def test_a_user_without_a_home_has_the_caches_beside_the_pieces(
    folder: Path, config: GameConfig, monkeypatch: pytest.MonkeyPatch
):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    load_piece(folder / "tune.npz", config)
    assert list(folder.glob("*.cache.npz"))


def test_an_unwritable_folder_caches_in_the_users_own(
    folder: Path, config: GameConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    replacing = performance_cache.replacing

    def refuse_beside(path: Path):
        if path.parent == folder:
            raise PermissionError(13, "read-only")
        return replacing(path)

    monkeypatch.setattr(performance_cache, "replacing", refuse_beside)
    load_piece(folder / "tune.npz", config)
    assert not list(folder.glob("*.cache.npz"))
    assert len(list((tmp_path / "cache" / "score_following_game").glob("*.cache.npz"))) == 1
    monkeypatch.setattr(performance, "synthesised", None)  # a second synthesis would fail
    load_piece(folder / "tune.npz", config)


def test_several_processes_may_prepare_one_folder(tmp_path: Path):
    for name in "abcd":
        write_small_piece(tmp_path, name)
    code = (
        "import sys; from score_following_game.config import load_game_config as c;"
        "from score_following_game.data_processing.dataset import load_data_set as d;"
        "print(sum(p.spectrogram.sum() for p in d(sys.argv[1], c('nottingham.yaml'))))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = {process.communicate(timeout=120)[0] for process in processes}
    assert len(outputs) == 1
    assert all(process.returncode == 0 for process in processes)
    assert len(list(tmp_path.glob("*.cache.npz"))) == 4
    assert not list(tmp_path.glob(".*"))


def test_two_configs_do_not_undo_each_others_cache(folder: Path, config: GameConfig):
    for peak in (0.13, 0.5, 0.13):
        load_piece(folder / "tune.npz", replace(config, audio_peak=peak))
    assert len(list(folder.glob("*.cache.npz"))) == 2
    assert load_game_config("nottingham.yaml") == config


def made_by(folder: Path) -> dict[str, str]:
    """What the only cache of a folder says of the code and libraries it was made by."""
    (cache,) = folder.glob("*.cache.npz")
    with np.load(cache) as content:
        return json.loads(str(content["fingerprint"]))["made_by"]


@pytest.mark.parametrize(
    ("library", "source"), [("pyfluidsynth", ""), ("numpy", ""), ("librosa", ".wav"), ("pretty_midi", ".spec.npy")]
)
def test_another_version_of_a_library_replaces_the_cache(
    library: str,
    source: str,
    folder: Path,
    config: GameConfig,
    monkeypatch: pytest.MonkeyPatch,
):
    if source == ".wav":
        soundfile.write(folder / "tune.wav", 0.1 * np.sin(0.1 * np.arange(22050)), 22050)
    elif source:
        np.save(folder / "tune.spec.npy", np.zeros((78, 90), np.float32))
    load_piece(folder / "tune.npz", config)
    before = made_by(folder)
    monkeypatch.setattr(performance_cache, "_library_version", lambda name: "0.0.1" if name == library else before[name])
    load_piece(folder / "tune.npz", config)
    assert made_by(folder) == {**before, library: "0.0.1"}


def test_a_library_that_is_not_used_does_not_count(folder: Path, config: GameConfig):
    load_piece(folder / "tune.npz", config)
    assert not {"librosa", "soxr", "soundfile"} & made_by(folder).keys()


@pytest.mark.parametrize("module", ["spectrogram", "synthesis", "audio", "performance"])
def test_another_version_of_our_code_replaces_the_cache(module: str, folder: Path, config: GameConfig, tmp_path: Path):
    shutil.copytree(ROOT / "score_following_game", tmp_path / "score_following_game")
    load = (
        "import sys; from score_following_game.config import load_game_config as c;"
        "from score_following_game.data_processing.dataset import load_data_set as d;"
        f"d({str(folder)!r}, c({str(ROOT / 'game_configs' / 'nottingham.yaml')!r}))"
    )
    digests = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", load], cwd=tmp_path, check=True)
        digests.append(made_by(folder)["code"])
        with (tmp_path / f"score_following_game/data_processing/{module}.py").open("a") as stream:
            stream.write("# changed\n")
    assert digests[0] != digests[1]


def test_the_name_of_a_cache_is_that_of_earlier_versions(folder: Path, config: GameConfig):
    """So that a stale cache is replaced and not kept beside the new one."""
    np.save(folder / "tune.spec.npy", np.full((78, 90), 0.5, np.float32))
    old = folder / "tune.c3aa9744.cache.npz"
    fingerprint = {"version": 1, "midi": "of an earlier version", "source": "spectrogram", "audio": "too"}
    np.savez(old, onsets=np.zeros(1), spectrogram=np.zeros((78, 1)), fingerprint=json.dumps(fingerprint))
    assert load_piece(folder / "tune.npz", config).spectrogram.max() == 0.5
    assert list(folder.glob("*.cache.npz")) == [old] and made_by(folder)
