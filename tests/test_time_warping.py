"""Online time warping: the path against the paper's loop written plainly, what it may hear, and whether it follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_piece import write_small_piece

from score_following_game.agents.time_warping import TimeWarpingAgent, newest_row, rises
from score_following_game.agents.warping_path import HEARD, LONGEST_RUN, READ, Paths, best_places, hear
from score_following_game.config import GameConfig, freely_moving
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.renditions import score_renditions
from score_following_game.data_processing.tempo import scale_tempo, tempo_suffix
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import alignment_stats

WINDOW = 6


class PlainPath:
    """The loop of the paper with all costs in one table; where it asks for a frame, `hear` gives one."""

    def __init__(self, score: np.ndarray, performance: np.ndarray):
        self.score, self.performance = score, performance
        self.cost = {}
        self.t = self.j = 0
        self.latest, self.run = "", 1
        self.evaluate(0, 0)

    def evaluate(self, t: int, j: int):
        before = [self.cost.get(place, np.inf) for place in ((t - 1, j), (t, j - 1), (t - 1, j - 1))]
        self.cost[t, j] = float(np.linalg.norm(self.performance[t] - self.score[j])) + (min(before) if self.cost else 0)

    def normalised(self, t: int, j: int) -> float:
        return self.cost[t, j] / (t + j + 1)

    def row(self) -> Sequence[int]:
        return range(max(0, self.j - WINDOW + 1), self.j + 1)

    def column(self) -> Sequence[int]:
        return range(max(0, self.t - WINDOW + 1), self.t + 1)

    def next(self) -> str:
        if self.j == len(self.score) - 1:
            return "row"
        if self.run > LONGEST_RUN:
            return "column" if self.latest == "row" else "row"
        edge = [(self.t, j) for j in self.row()] + [(t, self.j) for t in self.column()]
        best = min(edge, key=lambda place: self.normalised(*place))
        return "column" if best[0] < self.t else "row" if best[1] < self.j else "both"

    def until_a_frame_is_needed(self) -> tuple[int, int]:
        """-> the latest frame read, and the best place."""
        while (move := self.next()) == "column":
            self.advance(move)
        return self.j, min(self.row(), key=lambda j: self.normalised(self.t, j))

    def advance(self, move: str):
        if move != "column":
            self.t += 1
            self.forget(lambda t, j: t <= self.t - WINDOW)
            for j in self.row():
                self.evaluate(self.t, j)
        if move != "row":
            self.j += 1
            self.forget(lambda t, j: j <= self.j - WINDOW)
            for t in self.column():
                self.evaluate(t, self.j)
        self.run = self.run + 1 if move == self.latest else 1
        self.latest = self.latest if move == "both" else move

    def forget(self, is_outside: Callable[[int, int], bool]):
        self.cost = {place: cost for place, cost in self.cost.items() if not is_outside(*place)}


def test_the_path_is_that_of_the_papers_loop():
    random = np.random.default_rng(0)
    score = random.random((40, 5), np.float32)
    course = np.concatenate([np.arange(0, 12), np.arange(12, 20, 0.4), np.full(9, 20), np.arange(20, 39, 1.9)]).astype(int)
    performance = score[course] + 0.3 * random.random((len(course), 5), np.float32)
    plain, paths = PlainPath(score, performance), Paths.none(2, 5, WINDOW)
    one, zero = np.array([1]), np.array([0])  # the second of two games
    moves = set()
    for frame in range(len(course)):
        hear(paths, one, performance[frame : frame + 1], score, zero, np.array([len(score)]))
        was = plain.j
        assert (paths.state[1, HEARD], paths.state[1, READ], best_places(paths)[1]) == (frame, *plain.until_a_frame_is_needed())
        if frame < len(course) - 1:
            moves |= {plain.next()} | ({"column"} if plain.j > was else set())
            plain.advance(plain.next())
    assert moves == {"row", "column", "both"}
    assert best_places(paths)[1] > 30
    assert paths.state[0].tolist() == Paths.none(1, 5, WINDOW).state[0].tolist()


@pytest.fixture(scope="module")
def free(config: GameConfig) -> GameConfig:
    return freely_moving(config)


@pytest.fixture(scope="module")
def played(free: GameConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[float, list[Piece]]:
    """By tempo."""
    folder = tmp_path_factory.mktemp("tempi")
    for name, notes in (("a_short", 14), ("b_long", 40), ("c_middle", 25)):
        write_small_piece(folder, name, notes=notes)
        for factor in (0.75, 1.3):
            midi = scale_tempo((folder / f"{name}.mid").read_bytes(), factor)
            (folder / f"{name}{tempo_suffix(factor)}.mid").write_bytes(midi)
    pieces = load_data_set(folder, free)
    return {
        1.0: [piece for piece in pieces if "tempo" not in piece.name],
        **{factor: [piece for piece in pieces if piece.name.endswith(tempo_suffix(factor))] for factor in (0.75, 1.3)},
    }


@pytest.fixture(scope="module")
def mixed(played: dict[float, list[Piece]]) -> list[Piece]:
    """Three tempi and lengths (the tunes are alike)."""
    return [played[0.75][0], played[1.3][1], played[1.0][2]]


def agent_and_bank(pieces: Sequence[Piece], config: GameConfig) -> tuple[TimeWarpingAgent, ScoreBank]:
    return TimeWarpingAgent(ScoreBank(score_renditions(pieces, config), config)), ScoreBank(pieces, config)


@pytest.mark.parametrize(("tempo", "most"), [(1.0, 2.0), (0.75, 8.0), (1.3, 8.0)])
def test_it_follows_at_other_tempi(played: dict[float, list[Piece]], free: GameConfig, tempo: float, most: float):
    agent, bank = agent_and_bank(played[tempo], free)
    stats = alignment_stats(play_data_set(agent, bank)[0])
    assert stats.global_tracking_ratio == 1
    assert stats.alignment_errors_mean < most


def test_nothing_is_heard_before_it_is_played(played: dict[float, list[Piece]], free: GameConfig):
    agent, bank = agent_and_bank(played[1.3], free)
    other = ScoreBank(played[1.3], free)
    piece = torch.tensor([1])
    frames = torch.full((1,), 60)
    newest = int(newest_row(bank, piece, frames))
    changed = torch.rand(other.spec[newest + 1 :].shape, generator=torch.Generator().manual_seed(0))
    other.spec[newest + 1 :] = changed
    games = [Game(each, 1) for each in (bank, other)]
    agents = [agent, TimeWarpingAgent(agent.scores)]
    for game in games:
        game.reset(Start.from_beginning(piece))
    for frame in range(70):
        actions = [agent.perform_action(game) for agent, game in zip(agents, games)]
        assert torch.equal(*actions) or frame > 60
        for game, action in zip(games, actions):
            game.move(action)
    assert not torch.equal(games[0].x, games[1].x)


def test_what_rises_is_compared():
    assert rises(torch.tensor([[1.0, 5.0, 2.0]]), torch.tensor([[3.0, 2.0, 2.0]])).tolist() == [[0, 3, 0]]


def test_the_newest_row_is_the_last_that_an_observation_shows(played: dict[float, list[Piece]], free: GameConfig):
    for config in (free, replace(free, target_frame="center"), replace(free, spec_factor=1.0, spec_shape=(2, 78, 40))):
        bank = ScoreBank(played[1.0], config)
        game = Game(bank, 1)
        game.reset(Start(torch.tensor([1]), torch.tensor([50]), torch.tensor([False]), torch.zeros(1, dtype=torch.float64)))
        shown = game.observe()[0][0, 0, :, -1]
        assert torch.equal(shown, bank.spec[newest_row(bank, game.piece, game.frame)[0]])


def test_games_are_followed_each_by_itself(mixed: list[Piece], free: GameConfig):
    agent, bank = agent_and_bank(mixed, free)
    (together,) = play_data_set(agent, bank)
    for index, piece in enumerate(bank.pieces):
        ((alone,),) = play_data_set(*agent_and_bank([piece], free))
        assert alone.last_frame == together[index].last_frame
        np.testing.assert_array_equal(alone.errors, together[index].errors)


def test_what_was_heard_is_remembered_of_the_games_kept(mixed: list[Piece], free: GameConfig):
    agent, bank = agent_and_bank(mixed, free)
    game = Game(bank, 3)
    game.reset(Start.from_beginning(torch.arange(3)))
    for _ in range(40):
        game.move(agent.perform_action(game))
    expected = agent.score_frames(game)
    kept = torch.tensor([False, True, True])
    game.keep(kept)
    agent.keep(kept)
    bank.spec.zero_()
    assert agent.score_frames(game).tolist() == expected[1:].tolist()
    assert TimeWarpingAgent(agent.scores).score_frames(game).tolist() != expected[1:].tolist()


def test_a_game_begun_anew_or_in_the_middle(played: dict[float, list[Piece]], free: GameConfig):
    agent, bank = agent_and_bank(played[1.3], free)
    game = Game(bank, 2)
    begin = Start.from_beginning(torch.tensor([0, 1]))
    game.reset(begin)
    first = []
    for _ in range(30):
        first.append(agent.score_frames(game).tolist())
        game.move(agent.perform_action(game))
    game.reset(begin, ended=torch.tensor([True, False]))
    assert agent.score_frames(game)[0] == first[0][0]
    game.reset(Start(torch.tensor([1, 1]), torch.tensor([12, 20]), torch.tensor([True, True]), torch.zeros(2).double()))
    assert agent.score_frames(game).tolist() == [first[12][1], first[20][1]]


def test_a_rendition_is_the_score_as_written(folder: Path, free: GameConfig):
    (plain,) = load_data_set(folder, free)
    (folder / "tune_tempo_0500.mid").write_bytes(scale_tempo((folder / "tune.mid").read_bytes(), 0.5))
    soundfile.write(folder / "tune.wav", np.random.default_rng(0).normal(0, 0.1, 5 * 22050), 22050)
    pieces = load_data_set(folder, free)
    assert [piece.name for piece in pieces] == ["tune", "tune_tempo_0500"]
    for piece, rendition in zip(pieces, score_renditions(pieces, free), strict=True):
        assert rendition.name == piece.name
        assert not np.array_equal(piece.spectrogram, plain.spectrogram)
        for key in ("spectrogram", "onset_frames", "onset_x"):
            np.testing.assert_array_equal(getattr(rendition, key), getattr(plain, key))
    (folder / "tune.mid").unlink()
    (folder / "tune.wav").unlink()
    with pytest.raises(UserError, match=r"tune\.mid: is missing"):
        score_renditions(load_data_set(folder, free), free)


def test_what_it_cannot_play(played: dict[float, list[Piece]], free: GameConfig, config: GameConfig):
    agent = agent_and_bank(played[1.0], free)[0]
    assert agent.rules(config) == free
    with pytest.raises(UserError, match="use a continuous game config"):
        agent.perform_action(Game(ScoreBank(played[1.0], config), 1))
    with pytest.raises(ValueError, match="other pieces"):
        agent.perform_action(Game(ScoreBank(played[1.3], free), 1))
