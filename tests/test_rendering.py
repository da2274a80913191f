"""The picture shows what is the case: measured in its pixels."""

import dataclasses

import numpy as np
import pytest
import torch
from small_piece import FIRST_X, write_small_piece

from score_following_game.config import find_game_config, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering import picture as rendering
from score_following_game.environment.rendering.picture import Overlay, render
from score_following_game.environment.score_bank import ScoreBank

CONFIGS = sorted(path.name for path in find_game_config("nottingham.yaml").parent.glob("*.yaml"))
NOTTINGHAM = "game_configs/nottingham_continuous.yaml"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Sheet height -> folder with one piece."""
    root = tmp_path_factory.mktemp("pieces")
    return {height: write_small_piece(root / str(height), height=height) for height in (40, 200)}


@pytest.fixture(scope="module")
def nottingham(folders):
    return load_data_set(folders[40], load_game_config(NOTTINGHAM))[0]


def new_game(piece, config=NOTTINGHAM, n=1):
    return Game(ScoreBank([piece], load_game_config(config)), n)


def columns_of(picture, colour, top=rendering.SHEET[1], height=rendering.SHEET[3]):
    """Columns of the sheet's panel that hold pixels of exactly this colour."""
    panel = picture[top : top + height]
    return np.flatnonzero((panel == colour).all(axis=2).any(axis=0))


@pytest.mark.parametrize("config", CONFIGS)
def test_renders_under_every_config(config, folders):
    loaded = load_game_config(config)
    game = new_game(load_data_set(folders[40 if loaded.staff_height == 40 else 200], loaded)[0], config)
    first = render(game)
    game.step(torch.zeros(1, dtype=torch.float64 if loaded.continuous else torch.int64))
    second = render(game)
    assert first.shape == (720, 1280, 3) and first.dtype == np.uint8
    assert (first != second).any()


def test_agent_and_target_stand_as_far_apart_as_they_are(nottingham):
    game = new_game(nottingham)
    for _ in range(10):
        game.step(torch.tensor([0.2], dtype=torch.float64))  # 55 * 0.2 = 11 px moved
    picture = render(game)
    scale = 1240 / 300
    agent, target = columns_of(picture, drawing.AGENT), columns_of(picture, drawing.TARGET)
    centre = 20 + 1240 / 2
    assert agent.mean() == pytest.approx(centre, abs=1)
    assert target.mean() == pytest.approx(centre - float(game.tracking_error()[0]) * scale, abs=1.5)
    assert abs(float(game.tracking_error()[0])) > 10


def test_hidden_target_is_nowhere(nottingham):
    game = new_game(nottingham)
    for _ in range(10):
        game.step(torch.zeros(1, dtype=torch.float64))
    shown, hidden = render(game), render(game, Overlay(show_target=False))
    assert len(columns_of(shown, drawing.TARGET)) > 0
    assert len(columns_of(hidden, drawing.TARGET)) == 0
    left, top, width = rendering.BARS
    error_bar = (slice(top + rendering.BAR_PITCH, top + rendering.BAR_PITCH + rendering.BAR_HEIGHT), slice(left, left + width))
    assert (shown[error_bar] == drawing.VALUE).all(axis=2).any()
    assert not (hidden[error_bar] == drawing.VALUE).all(axis=2).any()


def test_sheet_is_where_the_agent_is(nottingham):
    """The first note's dot is under the agent at reset, and as far left of it as the agent goes."""
    game = new_game(nottingham)
    scale = 1240 / 300
    for moved in (0.0, 12.0):
        game.x += moved
        picture = render(game)
        row = rendering.SHEET[1] + rendering.SHEET[3] // 2 - round(2 * scale)  # just between two staff lines
        dark = np.flatnonzero(picture[row, :, 0] < 60)
        dots = dark[np.abs(dark - (640 - moved * scale)) < 4 * scale]
        assert dots.mean() == pytest.approx(640 - moved * scale, abs=2.5)
    assert float(game.x[0]) - game.config.sheet_pad == FIRST_X + 12


def test_spectrogram_has_low_bands_at_the_bottom_and_the_present_at_the_right(nottingham):
    heard = np.zeros_like(nottingham.spectrogram)
    heard[3, 19] = 1.0  # one low tone in the last frame heard at frame 20
    game = new_game(dataclasses.replace(nottingham, spectrogram=heard))
    game.frame += 20
    left, top, width, height = rendering.SPECTROGRAM
    panel = render(game)[top : top + height, left : left + width].astype(int).sum(axis=2)
    rows, columns = np.nonzero(panel > panel.max() * 0.9)
    assert rows.mean() > 0.93 * height and columns.min() > 0.97 * width - 2


def test_bars_are_as_long_as_their_values(nottingham):
    game = new_game(nottingham)
    game.step(torch.tensor([7.5], dtype=torch.float64))
    picture = render(game, Overlay(reward=-0.25, score=14.0, value=12.5))
    left, top, width = rendering.BARS
    share = {}
    for row, name in enumerate(("speed", "error", "reward", "score", "value")):
        line = picture[top + row * rendering.BAR_PITCH + 2, left : left + width]
        share[name] = np.mean((line == drawing.VALUE).all(axis=1)), np.mean((line == drawing.NEGATIVE).all(axis=1))
    assert share["speed"] == pytest.approx((0.5, 0), abs=0.01)
    assert share["error"][0] == pytest.approx(abs(float(game.tracking_error()[0])) / 75, abs=0.01)
    assert share["reward"] == pytest.approx((0, 0.25), abs=0.01)
    assert share["score"] == pytest.approx((14 / 56, 0), abs=0.01)
    assert share["value"] == pytest.approx((0.5, 0), abs=0.01)
    # A critic that has not been asked yet has an empty bar, a player without one none.
    for value, colour in ((float("nan"), drawing.RULE), (None, drawing.BACKGROUND)):
        picture = render(game, Overlay(value=value))
        assert (picture[top + 4 * rendering.BAR_PITCH + 2, left : left + width] == colour).all()


def test_a_person_is_called_you(nottingham):
    game = new_game(nottingham)
    agent, person = render(game), render(game, Overlay(person=True))
    assert (agent[412:432, :120] != person[412:432, :120]).any() and (agent[450:470] != person[450:470]).any()
    assert (agent[92:404] == person[92:404]).all()


def test_renders_the_game_asked_for(nottingham):
    game = new_game(nottingham, n=2)
    game.step(torch.tensor([0.0, 5.0], dtype=torch.float64))
    alone = new_game(nottingham)
    alone.step(torch.tensor([5.0], dtype=torch.float64))
    assert (render(game, index=1) == render(alone)).all()
    assert (render(game, index=0) != render(alone)).any()


def test_message_takes_the_place_of_the_hint(nottingham):
    game = new_game(nottingham)
    hint, both, message, neither = (
        render(game, overlay)
        for overlay in (Overlay(hint="q leave"), Overlay(hint="q leave", message="lost"), Overlay(message="lost"), Overlay())
    )
    assert (both == message).all() and (hint != neither).any() and (message != hint).any()


def test_a_long_name_leaves_the_time_readable(nottingham):
    short, long = (render(new_game(dataclasses.replace(nottingham, name=name))) for name in ("a", "W" * 300))
    assert (short[:60, 1000:] == long[:60, 1000:]).all()
    assert (short[:60, :600] != long[:60, :600]).any()
