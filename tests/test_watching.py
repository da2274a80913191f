"""Watching: the loop, the film, the pictures and the plot."""

import shutil
import subprocess
import time

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from small_piece import write_small_piece
from watching_tools import CONTINUOUS, DISCRETE, HELD, LAST, streams

from score_following_game.agents.agents import OptimalAgent
from score_following_game.config import load_game_config
from score_following_game.environment.rendering.drawing import TARGET
from score_following_game.environment.rendering.names import clock
from score_following_game.environment.rendering.picture import render
from score_following_game.environment.rendering.video import film, picture_folder
from score_following_game.errors import UserError
from score_following_game.evaluation.plots import episode_picture, plot_episode
from score_following_game.watching.human import HumanAgent
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of, load_one_piece
from score_following_game.watching.stage import FINAL_SECONDS, Controls


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_small_piece(tmp_path_factory.mktemp("set"))


def new_game(folder, config, piece=None):
    loaded = load_game_config(config)
    return game_of(load_one_piece(folder, loaded, piece, seed=0), loaded)


# The loop


def test_keys_set_direction_target_and_leaving():
    controls = Controls()
    controls.press(["w", "s", "x"])
    assert (controls.direction, controls.show_target, controls.quit) == (-1, True, False)
    controls.press(["r"])
    assert (controls.direction, controls.show_target, controls.quit) == (0, False, False)
    controls.press(["r", "w", "\x1b"])
    assert (controls.direction, controls.show_target, controls.quit) == (1, True, True)


@pytest.mark.parametrize(("config", "expected"), [(DISCRETE, {1: 2, -1: 0, 0: 1}), (CONTINUOUS, {1: 0.5, -1: -0.5, 0: 0.0})])
def test_human_turns_directions_into_actions(config, expected, folder):
    game = new_game(folder, config)
    for direction, action in expected.items():
        taken = HumanAgent(Controls(direction)).perform_action(game)
        assert taken.tolist() == [action]
        game.step(taken)
    assert float(game.speed[0]) == 0.0


def test_watching_is_the_plain_game(folder):
    """Nobody looks, or a recorder does: the same episode as stepping by hand."""
    game, rewards, errors = new_game(folder, CONTINUOUS), [], []
    for _ in range(LAST):
        step = game.step(torch.tensor([0.07], dtype=torch.float64))
        rewards.append(float(step.reward))
        errors.append(float(step.error))
        if step.terminated:
            break

    class Slow:
        def perform_action(self, game):
            return torch.tensor([0.07], dtype=torch.float64)

    pictures = []
    for recorders in ((), (pictures.append,)):
        episode = watch(new_game(folder, CONTINUOUS), Slow(), recorders)
        assert episode.rewards == rewards and episode.errors == errors
        assert episode.frames == list(range(1, len(rewards) + 1))
        assert np.subtract(episode.x, episode.true_x) == pytest.approx(errors)
        assert episode.lost == bool(step.lost)
    assert len(pictures) == 1 + len(rewards) + HELD


def test_optimal_agent_is_followed_to_the_end(folder):
    episode = watch(new_game(folder, CONTINUOUS), OptimalAgent())
    assert episode.frames[-1] == LAST and episode.ending == "followed to the end"
    assert episode.score == pytest.approx(LAST)
    assert np.cumsum(episode.actions) == pytest.approx(episode.speeds)


class StubWindow:
    """A window whose drawing takes a while; keys come from a list, one entry per frame."""

    def __init__(self, seconds=0.0, keys=()):
        self.seconds, self.pictures, self.script = seconds, [], list(keys)

    def show(self, picture):
        time.sleep(self.seconds)
        self.pictures.append(picture)

    def keys(self, seconds=0.0):
        time.sleep(seconds)
        return self.script.pop(0) if self.script else []


def test_late_games_are_played_whole_and_still_seen(folder):
    """Drawing takes three frames' time: every frame is played, in about the music's time, and the end is drawn."""
    game, window = new_game(folder, CONTINUOUS), StubWindow(seconds=0.15)
    began = time.monotonic()
    episode = watch(game, OptimalAgent(), window=window)
    took = time.monotonic() - began - FINAL_SECONDS
    assert episode.frames == list(range(1, LAST + 1))
    assert LAST / 20 <= took < LAST / 20 + 1.5
    assert LAST / 10 <= len(window.pictures) < LAST / 2
    assert (window.pictures[-1] != window.pictures[0]).any()


def test_machine_too_slow_for_the_music_still_shows_it(tmp_path):
    class Thinker(OptimalAgent):
        def perform_action(self, game):
            time.sleep(0.06)
            return super().perform_action(game)

    window = StubWindow()
    episode = watch(new_game(write_small_piece(tmp_path, notes=6), CONTINUOUS), Thinker(), window=window)
    assert len(episode.frames) == 40
    # The first frame, each tenth, the end, and the few before the lateness has grown to a frame.
    assert 6 <= len(window.pictures) <= 14


def test_hidden_target_is_shown_at_the_end(folder):
    controls, window = Controls(show_target=False), StubWindow()
    watch(new_game(folder, DISCRETE), HumanAgent(controls), window=window, controls=controls)
    blue = [int((picture[92:404] == TARGET).all(axis=2).sum()) for picture in window.pictures]
    assert not any(blue[:-2]) and blue[-1] > 0


def test_leaving_ends_the_game_at_once(folder):
    controls = Controls()
    episode = watch(
        new_game(folder, CONTINUOUS),
        HumanAgent(controls),
        window=StubWindow(keys=[["w"], ["w", "r"], ["q"]]),
        controls=controls,
    )
    assert episode.speeds == [0.5, 1.0] and not controls.show_target
    assert not episode.over and episode.ending == f"left at {clock(episode.seconds)}"


# Film, pictures, plot


def test_film_is_whole_or_not_there(tmp_path, folder):
    picture = render(new_game(folder, CONTINUOUS))
    path = tmp_path / "new" / "film.mp4"
    with pytest.raises(KeyboardInterrupt), film(path, 20) as record:
        record(picture)
        raise KeyboardInterrupt
    assert list(path.parent.iterdir()) == []
    with film(path, 20) as record:
        for _ in range(5):
            record(picture)
    assert list(path.parent.iterdir()) == [path]
    reader = cv2.VideoCapture(str(path))
    read, frame = reader.read()
    assert read and reader.get(cv2.CAP_PROP_FRAME_COUNT) == 5 and reader.get(cv2.CAP_PROP_FPS) == 20
    assert np.abs(frame.astype(int) - picture).mean() < 2
    for row, column in ((100, 100), (175, 340), (710, 640)):  # panel, window's paper, background
        assert frame[row, column].astype(int) == pytest.approx(picture[row, column].astype(int), abs=2)


def test_film_keeps_colours(tmp_path):
    path = tmp_path / "film.mp4"
    with film(path, 20) as record:
        for _ in range(5):
            record(np.full((720, 1280, 3), TARGET, np.uint8))
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-loglevel",
        "error",
        "-i",
        str(path),
        "-frames:v",
        "1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "bgr24",
        "-",
    ]
    seen = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8).reshape(720, 1280, 3)
    assert seen[360, 640].astype(int) == pytest.approx(TARGET, abs=4)
    assert "bt709" in streams(path)[0] and "(tv" in streams(path)[0]


def test_film_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"), film(tmp_path / "file" / "film.mp4", 20):
        pass
    with pytest.raises(UserError, match="expected a name that ends in"), film(tmp_path / "film.txt", 20):
        pass
    for program, message in ((shutil.which("false"), "ffmpeg failed"), (str(tmp_path / "none"), "there is no ffmpeg")):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", program)
        with pytest.raises(UserError, match=message), film(tmp_path / "film.mp4", 20) as record:
            record(np.zeros((720, 1280, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_pictures_replace_those_of_an_earlier_run(tmp_path):
    for name in ("000007.png", "holiday.png"):
        (tmp_path / name).touch()
    with picture_folder(tmp_path) as record:
        for level in (10, 20):
            record(np.full((4, 4, 3), level, np.uint8))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000001.png", "holiday.png"]
    assert cv2.imread(str(tmp_path / "000001.png")).mean() == 20


def test_plot_shows_the_episode(tmp_path, folder):
    followed = watch(new_game(folder, CONTINUOUS), OptimalAgent())
    lost = watch(new_game(folder, DISCRETE), HumanAgent(Controls()))
    assert lost.lost and lost.over and lost.ending == f"lost at {clock(lost.frames[-1] / lost.fps)}"
    pictures = [episode_picture(episode) for episode in (followed, lost)]
    assert all(picture.shape == (720, 1280, 3) for picture in pictures)
    assert (pictures[0] != pictures[1]).mean() > 0.01
    plot_episode(lost, tmp_path / "plot.png")
    assert np.abs(cv2.imread(str(tmp_path / "plot.png")).astype(int) - pictures[1]).mean() < 1
    with pytest.raises(UserError, match="plot"):
        plot_episode(lost, tmp_path / "plot.nonsense")


def test_random_piece_passes_over_unusable_ones(tmp_path, caplog):
    for name in "abc":
        write_small_piece(tmp_path, name=name)
    config = load_game_config(DISCRETE)
    chosen = {load_one_piece(tmp_path, config, None, seed).name for seed in range(12)}
    assert chosen == {"a", "b", "c"}
    for name in "ab":
        (tmp_path / f"{name}.mid").unlink()
    assert {load_one_piece(tmp_path, config, None, seed).name for seed in range(6)} == {"c"}
    assert "unusable pieces skipped" in caplog.text
    (tmp_path / "c.mid").unlink()
    with pytest.raises(UserError, match="the first of 3: "):
        load_one_piece(tmp_path, config, None, 0)
