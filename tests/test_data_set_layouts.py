"""Sets in two folders, score and performance, and several performances of one score."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from small_piece import write_small_piece

from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import load_data_set, score_paths
from score_following_game.data_processing.score_npz import read_score
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.checkpoint import piece_digest


def add_tempo_variant(folder: Path, factor: float, score: str = "tune") -> None:
    """NAME_tempo_FACTOR.mid, `factor` times as fast as NAME.mid."""
    midi = pretty_midi.PrettyMIDI(str(folder / f"{score}.mid"))
    midi.adjust_times([0, midi.get_end_time()], [0, midi.get_end_time() / factor])
    midi.write(str(folder / f"{score}_tempo_{round(1000 * factor):04d}.mid"))


def in_two_folders(folder: Path) -> Path:
    """A set in the layout of 2019: what belongs to the score in score/, all else in performance/."""
    for place, files in (("score", folder.glob("*.npz")), ("performance", [*folder.glob("*.*")])):
        (folder / place).mkdir()
        for file in files:
            if place == "score" or file.suffix != ".npz":
                file.rename(folder / place / file.name)
    return folder


def test_the_layout_of_2019_loads_the_same_pieces(folder: Path, config: GameConfig, tmp_path: Path):
    write_small_piece(folder, "ready", notes=5)
    np.save(folder / "ready.spec.npy", np.full((78, 60), 0.25, np.float32))
    flat = load_data_set(folder, config)
    shutil.copytree(folder, tmp_path / "2019", ignore=shutil.ignore_patterns("*.cache.npz"))
    paired = load_data_set(in_two_folders(tmp_path / "2019"), config)
    assert [piece.name for piece in paired] == ["ready", "tune"]
    for piece, same in zip(paired, flat, strict=True):
        assert piece.source == tmp_path / "2019" / "performance" / same.source.name
        for key in ("sheet", "onset_frames", "onset_x", "spectrogram"):
            np.testing.assert_array_equal(getattr(piece, key), getattr(same, key))


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("score/tune.npz", r"performance/tune\.mid: its score \.\./score/tune\.npz is missing"),
        ("performance/tune.mid", r"score/tune\.npz: its performance \.\./performance/tune\.mid is missing"),
    ],
)
def test_a_partner_missing_in_the_layout_of_2019(folder: Path, config: GameConfig, lost: str, message: str):
    (in_two_folders(folder) / lost).unlink()
    with pytest.raises(UserError, match=message):
        load_data_set(folder, config)


def test_a_folder_named_performance_may_also_hold_whole_pieces(tmp_path: Path, config: GameConfig):
    for place, name in (("performance", "a"), ("score", "b"), ("x/performance", "c")):
        write_small_piece(tmp_path / place, name)
    assert [piece.name for piece in load_data_set(tmp_path, config)] == ["a", "b", "c"]


@pytest.mark.parametrize("paired", [False, True])
def test_performances_at_other_tempi_are_pieces_that_share_a_sheet(folder: Path, config: GameConfig, paired: bool):
    write_small_piece(folder, "other", notes=6)
    add_tempo_variant(folder, 0.5)
    add_tempo_variant(folder, 2.0)
    if paired:
        in_two_folders(folder)
    pieces = {piece.name: piece for piece in load_data_set(folder, config)}
    assert list(pieces) == ["other", "tune", "tune_tempo_0500", "tune_tempo_2000"]
    last = [int(piece.onset_frames[-1]) for piece in pieces.values()]
    assert last == [40, 56, 112, 28]
    assert pieces["tune"].sheet is pieces["tune_tempo_0500"].sheet is pieces["tune_tempo_2000"].sheet
    assert pieces["other"].sheet is not pieces["tune"].sheet
    (slow,) = load_data_set(folder, config, piece="tempo_0500")
    np.testing.assert_array_equal(slow.onset_frames, pieces["tune_tempo_0500"].onset_frames)


def test_a_shared_sheet_is_stored_once_and_seen_as_before(folder: Path, config: GameConfig):
    write_small_piece(folder, "a_first", notes=6)
    write_small_piece(folder, "z_last", notes=7)
    add_tempo_variant(folder, 0.5)
    pieces = load_data_set(folder, config)
    shared = ScoreBank(pieces, config)
    apart = ScoreBank([replace(piece, sheet=piece.sheet.copy()) for piece in pieces], config)
    assert len(apart.ink) - len(shared.ink) == apart.ink_offset[3] - apart.ink_offset[2]
    assert shared.ink_offset[1] == shared.ink_offset[2]
    assert len(set(shared.ink_offset.tolist())) == 3
    index = torch.arange(4)
    frame, x = torch.full((4,), 20), torch.full((4,), 280.25, dtype=torch.float64)
    position = Position(index, frame, x, frame - 1, x - 0.5)
    for seen, expected in zip(observe(shared, position), observe(apart, position), strict=True):
        assert torch.equal(seen, expected)
    assert [piece_digest(piece) for piece in shared.pieces] == [piece_digest(piece) for piece in apart.pieces]


def test_a_score_that_only_its_variants_play_lacks_nothing(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    add_tempo_variant(folder, 2.0)
    (folder / "tune.mid").unlink()
    assert [piece.name for piece in load_data_set(folder, config)] == ["tune_tempo_2000"]
    assert "left out" not in caplog.text


def test_a_variant_has_its_own_score_where_there_is_one_and_none_by_another_name(folder: Path, config: GameConfig):
    write_small_piece(folder, "tune_tempo_0900", notes=5)
    (folder / "tune_tempo_09.mid").write_bytes((folder / "tune.mid").read_bytes())
    (folder / "lost_tempo_0900.mid").write_bytes((folder / "tune.mid").read_bytes())
    assert [len(piece.onset_frames) for piece in load_data_set(folder, config)] == [8, 5]
    for name in ("tune_tempo_09", "lost_tempo_0900"):
        with pytest.raises(UserError, match=rf"{name}\.mid: its score {name}\.npz is missing"):
            load_data_set(folder, config, piece=name)


def test_a_broken_shared_score_leaves_all_its_performances_out(folder: Path, config: GameConfig):
    add_tempo_variant(folder, 0.5)
    (folder / "tune.npz").write_bytes(b"PK not really")
    with pytest.raises(UserError, match=r"no piece can be used; the first of 2: .*tune\.npz: corrupt"):
        load_data_set(folder, config)


def test_a_shared_score_is_read_once(folder: Path, config: GameConfig, monkeypatch: pytest.MonkeyPatch):
    for factor in (0.5, 0.8, 1.25, 2.0):
        add_tempo_variant(folder, factor)
    reads = []
    monkeypatch.setattr(
        "score_following_game.data_processing.piece.read_score",
        lambda path: reads.append(path) or time.sleep(0.05) or read_score(path),
    )
    assert len(load_data_set(folder, config)) == 5
    assert reads == [folder / "tune.npz"]


def test_linked_subfolders_are_searched_once_and_loops_end(folder: Path, tmp_path: Path, config: GameConfig):
    collection = tmp_path / "collection"
    (collection / "real").mkdir(parents=True)
    write_small_piece(collection / "real", "own")
    (collection / "all").symlink_to(folder, target_is_directory=True)
    (collection / "again").symlink_to(collection / "real", target_is_directory=True)
    (collection / "real" / "up").symlink_to(collection, target_is_directory=True)
    (collection / "out").symlink_to(tmp_path, target_is_directory=True)  # also a loop, though it begins above the set
    (collection / "broken").symlink_to(tmp_path / "nowhere")
    found = score_paths(collection)
    assert found == {"own": collection / "real" / "own.npz", "tune": collection / "all" / "tune.npz"}
    assert [piece.name for piece in load_data_set(collection, config)] == ["own", "tune"]
