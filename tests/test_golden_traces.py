"""The game replays its recorded traces on the bundled pieces exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from record_golden_traces import CONFIGS, GOLDEN, LOUDNESS_STEP, PIECES, RECORD, STARTS, golden_bank, play

from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import BUNDLED, load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank


@pytest.fixture(scope="module")
def traces() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module", params=CONFIGS)
def golden(request: pytest.FixtureRequest, traces, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ScoreBank]:
    """A config's name, and the bundled pieces as recorded."""
    loudness = {name: traces[f"loudness/{name}"] for name in PIECES}
    return request.param, golden_bank(request.param, loudness, tmp_path_factory.mktemp("golden"))


def replay(bank: ScoreBank, piece: str, episode: str, trace: np.ndarray) -> np.ndarray:
    actions = iter(trace["action"][1:])
    return play(bank, piece, episode, lambda game: next(actions))


@pytest.mark.parametrize("episode", STARTS)
@pytest.mark.parametrize("piece", PIECES)
def test_golden_trace(golden: tuple[str, ScoreBank], traces, piece: str, episode: str):
    config, bank = golden
    trace = traces[f"{config}/{piece}/{episode}"]
    again = replay(bank, piece, episode, trace)
    assert len(again) == len(trace)
    for field in RECORD.names:
        np.testing.assert_array_equal(again[field], trace[field], err_msg=field)


def test_the_traces_cover_both_ends_of_a_game_and_rewards_below_zero(traces):
    games = [trace for key, trace in traces.items() if not key.startswith("loudness/")]
    assert len(games) == len(CONFIGS) * len(PIECES) * len(STARTS)
    assert {bool(trace["lost"][-1]) for trace in games} == {False, True}
    assert all(trace["terminated"][-1] and not trace["terminated"][:-1].any() for trace in games)
    assert min(trace["reward"][1:].min() for trace in games) < 0


def test_a_change_of_the_rules_is_noticed(golden: tuple[str, ScoreBank], traces, monkeypatch: pytest.MonkeyPatch):
    """A rounding error in x, of a size that no tolerance on rewards would show."""
    config, bank = golden
    trace = traces[f"{config}/{PIECES[0]}/following"]
    monkeypatch.setattr(Game, "on_sheet", lambda game, x, piece, exact=Game.on_sheet: exact(game, x + 1e-9, piece))
    assert not np.array_equal(replay(bank, PIECES[0], "following", trace)["x"], trace["x"])


def test_the_synthesized_sound_is_close_to_the_recorded_one(traces, tmp_path: Path, config: GameConfig):
    """Synthesizers differ between machines, so this one comparison has a tolerance."""
    pieces = {piece.name: piece for piece in load_data_set(BUNDLED["test_sample"], config)}
    for name in PIECES:
        recorded = traces[f"loudness/{name}"] * LOUDNESS_STEP
        assert pieces[name].spectrogram.shape == recorded.shape
        assert np.abs(pieces[name].spectrogram - recorded).mean() < 0.02


def test_the_recorded_pieces_are_the_bundled_ones():
    assert {path.stem for path in BUNDLED["test_sample"].glob("*.mid")} == set(PIECES)
