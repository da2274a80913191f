"""Noteheads that a particle has passed against notes that have been heard, and where an agent without tempo counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.counting import Counting, faded
from score_following_game.agents.reading.network import reading_network
from score_following_game.agents.reading.silence import Silence
from score_following_game.agents.reading.view import View
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start

GOES_ON = torch.tensor([True, True])


@pytest.fixture
def game(bank: ScoreBank) -> Game:
    game = Game(bank, 2)
    game.reset(Start.from_beginning(torch.zeros(2, dtype=torch.int64)))
    return game


def heard(game: Game, *frames: float) -> Counting:
    """What has been counted after frames in which a note has just begun with these probabilities, in both games."""
    counting = Counting()
    for began in frames:
        counting.hear(game, GOES_ON, torch.full((2,), began))
    return counting


def best(counting: Counting) -> float:
    """The number of noteheads that fits best what the first game has heard."""
    numbers = torch.linspace(0, 10, 1001).double()
    return float(numbers[counting.log_likelihood(numbers.expand(2, -1))[0].argmax()])


def test_as_many_noteheads_as_notes_fit_best(game: Game):
    """A note is heard as just begun in two frames; earlier ones count less."""
    assert best(heard(game, 0, 0, 0)) == 0
    assert best(heard(game, 1, 1)) == pytest.approx(1, abs=0.05)
    assert best(heard(game, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1)) == pytest.approx(2.35, abs=0.15)
    assert best(heard(game, 1, 1, *[0] * 200)) == 0


def test_doubtful_notes_say_less(game: Game):
    sure, doubtful = (heard(game, *[began] * n) for began, n in ((1.0, 4), (0.5, 8)))
    assert best(sure) == pytest.approx(best(doubtful), abs=0.2)
    numbers = torch.tensor([[0.0, 2.0]]).double().expand(2, -1)
    of_sure, of_doubtful = (counting.log_likelihood(numbers)[0].diff() for counting in (sure, doubtful))
    assert of_sure > 2 * of_doubtful > 0


def test_a_quarter_of_many_notes_may_be_missed(game: Game):
    """As in a figure that is repeated. Of a few notes each counts."""
    few, many = heard(game, 1, 1), heard(game, *[1.0] * 200)
    assert best(many) > 9

    def price(counting: Counting) -> float:
        of = torch.tensor([[1.0, 4 / 3]]).double() * best(counting)
        return float(-counting.log_likelihood(of.expand(2, -1))[0].diff())

    assert price(many) < 0.4
    assert float(-few.log_likelihood(torch.tensor([[1.0, 3.0]]).double().expand(2, -1))[0].diff()) > 3 * price(many)


def test_a_game_that_begins_has_heard_nothing_and_kept_games_keep_their_counts(game: Game, bank: ScoreBank):
    counting = heard(game, 1, 1, 1, 1)
    counting.hear(game, torch.tensor([False, True]), torch.tensor([1.0, 1.0]))
    first, second = counting.log_likelihood(torch.tensor([[0.5], [0.5]]).double())[:, 0]
    assert first > second  # half a note in the first, two and a half in the second
    counting.keep(torch.tensor([False, True]))
    assert counting.log_likelihood(torch.tensor([[0.5]]).double())[0, 0] == second
    alone = Game(bank, 1)
    alone.reset(Start.from_beginning(torch.zeros(1, dtype=torch.int64)))
    counting.hear(alone, torch.tensor([True]), torch.tensor([0.0]))
    assert second < counting.log_likelihood(torch.tensor([[0.5]]).double())[0, 0] < second + 1  # a little has faded


class Counter(ReadingAgent):
    """Hears one pitch only, as in repeated notes: a note every eight frames, and a notehead every 20 pixels. Nothing else is
    known, so a place fits as well as another."""

    def view(self, game: Game) -> View:
        view = super().view(game)
        places = torch.arange(view.heard.shape[1])
        left = view.first * 8 + 32
        began = ((game.frame % 8) < 2).float()
        return view._replace(
            log_likelihood=torch.zeros_like(view.heard),
            log_pace=torch.zeros_like(view.heard),
            noteheads=((left + 8 * places - 300) / 20).float(),
            began=began,
        )


def test_the_number_of_notes_tells_the_tempo(bank: ScoreBank, config: GameConfig, monkeypatch: pytest.MonkeyPatch):
    """20 pixels per note and eight frames: 2.5 pixels per frame, from the counting alone."""
    torch.manual_seed(0)
    agent = Counter(reading_network("ReadingNet", config), torch.Generator().manual_seed(1))
    monkeypatch.setattr(Silence, "heard", lambda _self, game, _continues: torch.zeros(len(game), dtype=torch.bool))
    games = 16
    game = Game(bank, games)
    game.reset(Start.from_beginning(torch.zeros(games, dtype=torch.int64)))
    speeds: list[Tensor] = []
    with torch.inference_mode():
        for _ in range(80):
            game.step(agent.perform_action(game))
            speeds.append(game.speed.clone())
    assert torch.cat(speeds)[40:].mean() == pytest.approx(2.5, abs=0.4)


def test_what_fades_is_counted_as_often_per_second_at_any_rate():
    for fps in (20, 40):
        config = SimpleNamespace(spectrogram_params=SimpleNamespace(fps=fps))
        number = torch.ones(1)
        for _ in range(fps):
            number = faded(number, SimpleNamespace(config=config))  # type: ignore[arg-type]
        assert float(number) == pytest.approx(0.3679, abs=1e-3)
