"""Looking for the music over the whole sheet, and the performances on which that is judged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.features import Features
from score_following_game.agents.reading.finding import LOOKS, MARGIN, STRIDE, Finder, _peaks
from score_following_game.agents.reading.network import CELL, PLACE_COLUMNS, reading_network
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import SheetMap, System, map_path, write_map
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.light import calibration, plot_calibration
from score_following_game.evaluation.recovery import INTERRUPTIONS, OTHER_PIECE, RESTART, Followed, follow, interrupted

FPS = 20


@pytest.fixture
def agent(config: GameConfig) -> ReadingAgent:
    torch.manual_seed(0)
    return ReadingAgent(reading_network("ReadingNet", config), torch.Generator().manual_seed(1))


class Knowing(Finder):
    """Hears that the music is at `place`, or anywhere where that is None."""

    place: float | None = None

    def _likelihood(self, game: Game) -> Tensor:
        numbers = torch.arange(160)
        if self.place is None:
            return torch.zeros(len(numbers))
        return 3 * torch.exp(-(numbers - self.place).square() / 2) - 1


def looks(finder: Finder, game: Game, n: int) -> list[tuple[int, float]]:
    """Frames in which the music was found elsewhere, and where; the game goes on at its speed."""
    found = []
    for _ in range(n):
        if (place := finder.look(game)) is not None:
            found.append((int(game.frame[0]), float(place)))
        game.move(torch.ones(1, dtype=torch.int64))
    return found


def test_music_that_is_elsewhere_for_some_time_is_found(bank: ScoreBank, agent: ReadingAgent):
    game, finder = Game(bank, 1), Knowing(agent)
    here = (float(game.x[0]) - PLACE_COLUMNS // 2) / CELL
    finder.place = here
    assert looks(finder, game, 120) == [] and agent.elsewhere < 0
    finder.place = here + 40
    found = looks(finder, game, 240)
    frame, x = found[0]
    assert abs(x - (CELL * (here + 40) + PLACE_COLUMNS // 2)) < CELL
    assert frame > 120 + STRIDE * (MARGIN / 3 + LOOKS - 2)  # it is ahead by 3 nats more after each look
    game.put(torch.tensor([x], dtype=torch.float64))
    assert looks(finder, game, 120) == []


def test_of_passages_nearly_as_good_the_nearest_is_taken_at_its_peak(bank: ScoreBank, agent: ReadingAgent):
    class Repeated(Knowing):
        def _likelihood(self, game: Game) -> Tensor:
            once, again = (torch.exp(-(torch.arange(160) - here - places).square() / 18) for places in (30, 60))
            return torch.maximum(3.0 * once, 3.1 * again) - 1

    game, finder = Game(bank, 1), Repeated(agent)
    here = (float(game.x[0]) - PLACE_COLUMNS // 2) / CELL
    assert abs(looks(finder, game, 240)[0][1] - (CELL * (here + 30) + PLACE_COLUMNS // 2)) < CELL


def test_silence_and_neighbouring_places_move_nothing(bank: ScoreBank, agent: ReadingAgent):
    game, finder = Game(bank, 1), Knowing(agent)
    assert looks(finder, game, 200) == []
    finder.place = (float(game.x[0]) - PLACE_COLUMNS // 2) / CELL + 5  # the agent itself goes there
    assert looks(finder, game, 200) == []


def test_the_music_of_other_pieces_in_the_bank_is_not_looked_at(bank: ScoreBank, agent: ReadingAgent):
    """Of each piece the whole sheet is read, and its own sound is heard."""
    for index in (0, 2, 1):
        alone = Features(agent.network, ScoreBank([bank.pieces[index]], bank.config), torch.float32)
        frame, first = torch.tensor([7]), torch.tensor([0])
        cells, query = alone.whole(first, frame)
        ours, ours_query = agent.features(bank).whole(torch.tensor([index]), frame)
        for read, expected in zip(ours, cells):
            torch.testing.assert_close(read, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(ours_query, query, atol=1e-5, rtol=0)
        part, _ = agent.features(bank).at(torch.tensor([index]), frame, torch.tensor([3]), 5)
        assert all(torch.equal(read, whole[:, 3:8]) for read, whole in zip(part, ours))


def test_a_game_that_is_put_elsewhere_stands_there_and_its_belief_begins_anew(bank: ScoreBank, agent: ReadingAgent):
    game = Game(bank, 1)
    for _ in range(30):
        game.step(agent.perform_action(game))
    x = game.x + 200
    game.put(x)
    assert torch.equal(game.x, x) and float(game.speed) == 0 and int(game.frame) == 30
    agent.perform_action(game)
    assert (agent._drawn[..., 0] - x).abs().max() < 10
    game.put(torch.tensor([1e9], dtype=torch.float64))
    assert float(game.x) == float(game.on_sheet(torch.tensor([1e9]), game.piece))


@pytest.fixture
def long_piece(bank: ScoreBank) -> Piece:
    """A minute of music: random sound, notes of unequal distance."""
    random = np.random.default_rng(0)
    frames = np.arange(0, 1201, 10)
    x = 100 + np.cumsum(random.integers(4, 12, len(frames))).astype(np.float32)
    sheet = np.full((bank.pieces[0].sheet.shape[0], int(x[-1]) + 100), 255, np.uint8)
    sound = random.random((78, 1301), np.float32)
    return replace(bank.pieces[0], name="long", sheet=sheet, onset_frames=frames, onset_x=x, spectrogram=sound)


@pytest.mark.parametrize("how", [how for how in INTERRUPTIONS if how not in (RESTART, OTHER_PIECE)])
def test_what_is_heard_of_an_interrupted_performance_is_known(long_piece: Piece, bank: ScoreBank, how: str):
    found = interrupted(long_piece, bank.pieces[1], how, FPS, np.random.default_rng(3))
    known = np.isfinite(found.heard)
    at = found.heard[known].astype(int)
    assert len(found.heard) == found.spectrogram.shape[1] and found.spectrogram.dtype == np.float32
    assert np.array_equal(found.spectrogram[:, known], long_piece.spectrogram[:, at])
    jumps = np.flatnonzero(np.diff(at) != 1)
    step = 0 if not len(jumps) else at[jumps[0] + 1] - at[jumps[0]] - 1
    assert {"jump forward": step >= 100, "jump back": step <= -100}.get(how.split(", ")[-1], step == 0)
    assert (~known).sum() == (100 if "stop" in how or "other" in how else 0)
    assert found.sounds[known].all() and found.sounds[~known].any() == ("other" in how)
    assert known[found.again :].all() and len(found.heard) - found.again >= 15 * FPS
    assert interrupted(bank.pieces[0], bank.pieces[1], how, FPS, np.random.default_rng(3)) is None  # it is too short


@pytest.mark.parametrize("seed", range(5))
def test_a_player_goes_back_to_the_beginning_of_the_line(long_piece: Piece, bank: ScoreBank, tmp_path: Path, seed: int):
    """The second line begins between two notes, and the first notehead of the third is at its very beginning."""
    x, path = long_piece.onset_x, tmp_path / "long.mid"
    columns = (0.0, float(x[50] - 1), float(x[80]))
    write_map(map_path(path.with_suffix(".npz")), SheetMap(tuple(System(column) for column in columns)))
    piece = replace(long_piece, midi_path=path)
    found = interrupted(piece, bank.pieces[1], RESTART, FPS, np.random.default_rng(seed))
    (jump,) = np.flatnonzero(np.diff(found.heard) != 1)
    assert found.again == jump + 1 and found.heard[jump] - found.heard[jump + 1] >= 2 * FPS - 1
    line = np.searchsorted([500, 800], found.heard[jump], side="right")  # a note is ten frames long
    assert found.heard[jump + 1] == (0, 500, 800)[line]


def test_under_another_piece_no_place_is_right(long_piece: Piece, bank: ScoreBank):
    found = interrupted(long_piece, bank.pieces[1], OTHER_PIECE, FPS, np.random.default_rng(3))
    assert np.array_equal(found.spectrogram, bank.pieces[1].spectrogram) and np.isnan(found.heard).all()
    assert np.array_equal(found.sounds, found.spectrogram.mean(axis=0) > 0.05 * found.spectrogram.mean(axis=0).max())


def test_how_often_the_light_is_right(tmp_path: Path):
    """Four frames beside the music, one of them at another piece; and a sure one in silence, which does not count."""
    distance = np.array([0.1, -0.5, 0.7, np.nan, np.nan, 0.0])
    confidence = np.array([0.99, 1.0, 0.99, 0.96, 0.99, 0.1])
    sounds = np.array([True, True, True, True, False, True])
    classes = calibration([Followed(distance[part], confidence[part], sounds[part], 0, ()) for part in (slice(2), slice(2, 6))])
    shares = {(one.low, one.high): (one.share, one.right) for one in classes}
    assert shares[0.98, 1.0] == pytest.approx((3 / 5, 2 / 3))
    assert shares[0.95, 0.98] == pytest.approx((1 / 5, 0)) and shares[0.0, 0.25] == pytest.approx((1 / 5, 1))
    assert shares[0.5, 0.75] == pytest.approx((0, np.nan), nan_ok=True) and sum(one.share for one in classes) == 1
    plot_calibration(classes, tmp_path / "light.png")
    assert (tmp_path / "light.png").read_bytes().startswith(b"\x89PNG")


def test_distances_are_seconds_of_the_music(long_piece: Piece, config: GameConfig, agent: ReadingAgent):
    """An agent that stands still is behind by as much as has been played; one that stands in the gap is nowhere."""

    class Standing(ReadingAgent):
        def perform_action(self, game: Game) -> Tensor:
            return torch.ones(1, dtype=torch.int64)

    standing = Standing(agent.network, agent.generator)
    performance = interrupted(long_piece, long_piece, "stop", FPS, np.random.default_rng(3))
    followed = follow(performance, standing, config, finds=False)
    at = performance.heard
    np.testing.assert_allclose(followed.distance, -at / FPS, atol=1e-6)
    assert followed.found == () and followed.seconds_until_found(FPS) == math.inf


def test_a_follower_is_found_when_it_stays_with_the_music():
    distance = np.full(400, -3.0)
    distance[250:253] = 0.1  # it only passes by
    distance[300:] = -0.4
    seconds = Followed(distance, distance, distance > 0, 200, ()).seconds_until_found(FPS)
    assert seconds == pytest.approx((300 - 4 - 200) / FPS)  # a tenth of the two seconds may be outside


@pytest.mark.parametrize(
    ("scores", "peaks"),
    [
        ([0.0, 3.0, 1.0], [1]),  # fewer places than a peak is wide
        ([2.0] * 3 + [0.0] * 20, [0, 1, 2, *range(9, 23)]),  # equal ones, and what is out of their reach
        ([-torch.inf] * 8 + [1.0] + [-torch.inf] * 8, [8, *range(2), *range(15, 17)]),
    ],
)
def test_peaks_are_what_no_place_nearby_exceeds(scores: list[float], peaks: list[int]):
    assert _peaks(torch.tensor(scores)).nonzero()[:, 0].tolist() == sorted(peaks)


def test_where_every_place_is_the_agents_own_nothing_is_found(bank: ScoreBank, agent: ReadingAgent):
    class Short(Knowing):
        def _likelihood(self, game: Game) -> Tensor:
            return torch.full((3,), 2.0)

    game, finder = Game(bank, 1), Short(agent)
    game.put(torch.tensor([PLACE_COLUMNS / 2 + CELL], dtype=torch.float64))  # in the middle of the three
    for _ in range(20):
        assert finder.look(game) is None
        game.frame += 1
