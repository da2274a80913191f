"""Observations: the compiled windows are those of torch's indexing to the bit, in both precisions, on any number of threads."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from score_following_game import compiled
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.piece import Piece
from score_following_game.environment import gather
from score_following_game.environment.observation import Position, indexed_windows, observe
from score_following_game.environment.score_bank import ScoreBank

CONFIGS = {"nottingham": (0.5, 1.0), "nottingham_ls1": (1.0, 1.0), "mutopia": (0.5, 0.5), "mutopia_lchs1": (1.0, 0.5)}


def noise_bank(config: GameConfig, pieces: int = 3) -> ScoreBank:
    """Pieces of noise; of every grey, and of louder and quieter sound than any audio's."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(pieces):
        sheet = rng.integers(0, 256, (config.staff_height, 300 + 7 * index), dtype=np.uint8)
        sound = rng.normal(0, 10, (78, 60 + index)).astype(np.float32)
        onsets = np.array([0, 20, 55])
        made.append(Piece(f"noise{index}", sheet, onsets, onsets.astype(np.float32) * 5, sound, Path("a.mid"), Path("a.mid")))
    return ScoreBank(made, config)


def edges_and_phases(bank: ScoreBank, more: int = 0) -> Position:
    """In every piece: the leftmost and the rightmost window, both phases of frame and column before and now, and some more."""
    rng = np.random.default_rng(1)
    half = bank.config.sheet_context / 2
    rows = []
    for piece in range(len(bank)):
        frames, width = int(bank.last_onset[piece]), int(bank.width[piece])
        right = width - half - 1
        rows += [(piece, 0, half, 0, half), (piece, frames, right, frames - 1, right - 0.5)]
        rows += [(piece, 10 + a, half + 40 + a, 10 + b, half + 40.75 + b) for a in (0, 1) for b in (0, 1)]
        rows += [(piece, *_somewhere(rng, frames, half, right), *_somewhere(rng, frames, half, right)) for _ in range(more)]
    piece, frame, x, previous_frame, previous_x = (np.array(values) for values in zip(*rows))
    return Position(*(torch.from_numpy(v) for v in (piece, frame, x, previous_frame, previous_x)))


def _somewhere(rng: np.random.Generator, frames: int, left: float, right: float) -> tuple[int, float]:
    return int(rng.integers(0, frames + 1)), float(rng.uniform(left, right))


def by_index(bank: ScoreBank, position: Position, monkeypatch: pytest.MonkeyPatch) -> tuple[torch.Tensor, torch.Tensor]:
    with monkeypatch.context() as patch:
        patch.setattr(gather, "compiled_windows", indexed_windows)
        return observe(bank, position)


@pytest.mark.parametrize("target", ["right_most", "center"])
@pytest.mark.parametrize("name", CONFIGS)
def test_compiled_windows_are_the_indexed_ones(name: str, target: str, monkeypatch: pytest.MonkeyPatch):
    config = replace(load_game_config(f"game_configs/{name}.yaml"), target_frame=target)
    assert (config.spec_factor, config.sheet_factor) == CONFIGS[name]
    bank = noise_bank(config)
    position = edges_and_phases(bank, more=6)
    expected = by_index(bank, position, monkeypatch)
    exact, rounded = observe(bank, position), observe(bank, position, torch.bfloat16)
    for right, full, half, shape in zip(expected, exact, rounded, (config.spec_shape, config.sheet_shape)):
        assert right.dtype == full.dtype == torch.float32
        assert half.dtype == torch.bfloat16
        assert full.shape == half.shape == right.shape == (len(position.piece), *shape)
        assert full.stride() == half.stride() == right.stride()
        assert full.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(full.view(torch.int32), right.view(torch.int32))
        assert torch.equal(half.view(torch.int16), right.to(torch.bfloat16).view(torch.int16))
        assert right[:, 1].any()


def test_indexed_windows_round_too(config: GameConfig):
    bank = noise_bank(config)
    arguments = bank.ink, bank.ink_offset, bank.ink_offset + 3, 150, 1, 255
    half = indexed_windows(*arguments, torch.bfloat16)
    assert torch.equal(half, indexed_windows(*arguments, torch.float32).to(torch.bfloat16))


def test_every_difference_of_greys_is_exact_in_both_precisions():
    """511 differences divided by 255, and what bfloat16 makes of them."""
    grey = torch.arange(256, dtype=torch.uint8)
    rows = torch.stack([grey.repeat_interleave(256), grey.repeat(256)])
    now, before = torch.tensor([0]), torch.tensor([1])
    expected = (rows[0].float() - rows[1].float()) / 255
    full = gather.compiled_windows(rows, now, before, 1, 1, 255, torch.float32)
    half = gather.compiled_windows(rows, now, before, 1, 1, 255, torch.bfloat16)
    assert len(expected.unique()) == 511
    assert torch.equal(full[0, 1, :, 0], expected)
    assert torch.equal(half[0, 1, :, 0], expected.to(torch.bfloat16))


def test_ties_of_bfloat16_go_to_the_even_neighbour():
    bits = torch.tensor([[0x3F808000, 0x3F818000, 0x3F808001, 0x3F817FFF, 0x7F7FFFFF, -0x7FFFFFFF]], dtype=torch.int64)
    rows = bits.to(torch.int32).view(torch.float32)
    start = torch.tensor([0])
    half = gather.compiled_windows(rows, start, start, 1, 1, 1, torch.bfloat16)[0, 0, :, 0]
    assert half.view(torch.int16).tolist() == [0x3F80, 0x3F82, 0x3F81, 0x3F81, 0x7F80, -0x8000]
    assert torch.equal(half, rows[0].to(torch.bfloat16))


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "RUN_VALUES", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)


def test_threads_share_the_games(config: GameConfig, monkeypatch: pytest.MonkeyPatch, three_threads: None):
    runs = []
    compiled.in_threads(lambda run: runs.extend(range(40)[run]), 40, 1)
    assert sorted(runs) == list(range(40))
    bank = noise_bank(config)
    position = edges_and_phases(bank, more=5)
    for seen, expected in zip(observe(bank, position), by_index(bank, position, monkeypatch)):
        assert torch.equal(seen, expected)


@pytest.mark.needs("linux")  # fork
def test_a_forked_process_has_threads_of_its_own(three_threads: None):
    compiled.in_threads(lambda run: None, 40, 1)
    child = multiprocessing.get_context("fork").Process(target=compiled.in_threads, args=(lambda run: None, 40, 1))
    child.start()
    child.join(20)
    code = child.exitcode
    child.kill()
    assert code == 0


def test_an_observation_is_the_callers_own(bank: ScoreBank):
    position = edges_and_phases(bank)
    first = observe(bank, position)
    kept = [values.clone() for values in first]
    observe(bank, position._replace(frame=position.frame * 0, x=position.x * 0 + 200))
    assert all(torch.equal(values, copy) for values, copy in zip(first, kept))


def test_no_games_are_seen_as_none(bank: ScoreBank, config: GameConfig):
    spec, sheet = observe(bank, edges_and_phases(bank).at(slice(0, 0)))
    assert spec.shape == (0, *config.spec_shape)
    assert sheet.shape == (0, *config.sheet_shape)


@pytest.mark.parametrize(
    "change",
    [{"frame": -500}, {"frame": 10**6}, {"previous_frame": 10**6}, {"x": 1e9}, {"x": -1e9}, {"previous_x": float("nan")}],
)
def test_positions_outside_the_bank_are_refused(bank: ScoreBank, change: dict[str, float]):
    position = edges_and_phases(bank)
    wrong = {key: torch.full_like(getattr(position, key), value) for key, value in change.items()}
    with pytest.raises(IndexError):
        observe(bank, position._replace(**wrong))


def test_the_last_row_is_still_inside():
    rows = torch.arange(10, dtype=torch.float32)[:, None]
    seen = gather.compiled_windows(rows, torch.tensor([5]), torch.tensor([0]), 3, 2, 1, torch.float32)
    assert seen[0, 0, 0].tolist() == [5, 7, 9]
    with pytest.raises(IndexError, match="a window of 3 rows, every 2, is not within the 10 rows"):
        gather.compiled_windows(rows, torch.tensor([6]), torch.tensor([0]), 3, 2, 1, torch.float32)


def test_numba_is_imported_only_to_look():
    code = (
        "import sys, score_following_game.environment.observation, score_following_game.environment.game\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_compiles_where_no_place_can_be_written():
    """As an installed package of another user's, with no home: numba finds no place for its cache."""
    code = (
        "import torch; from score_following_game.environment import gather\n"
        "rows = torch.arange(6.0).view(6, 1)\n"
        "print(gather.compiled_windows(rows, torch.tensor([2]), torch.tensor([1]), 2, 1, 1, torch.float32).tolist(),"
        " type(gather._fill._cache).__name__)"
    )
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}  # which wants a package in a zip file
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60, text=True, capture_output=True
    )
    assert result.stdout == "[[[[2.0, 3.0]], [[1.0, 1.0]]]] NullCache\n"
