"""A person's games: title, countdown, pause, result, again and next; best scores; the players a person is compared with."""

import json
import logging
import time

import numpy as np
import pytest
from small_piece import write_small_piece
from watching_tools import CONTINUOUS, DISCRETE, LAST, press, screen, start, start_code, wait_until_shown, x_server

from score_following_game.config import load_game_config
from score_following_game.environment.rendering.drawing import AGENT
from score_following_game.environment.rendering.window import DOWN, ENTER, ESCAPE, LEFT, RIGHT, SPACE, UP, key_of
from score_following_game.watching import games as module
from score_following_game.watching import screens
from score_following_game.watching.best_scores import BestScores, game_key
from score_following_game.watching.games import Games
from score_following_game.watching.outcome import Outcome
from score_following_game.watching.rivals import Rivals, Stopped
from score_following_game.watching.setup import load_one_piece, pieces_in_turn
from score_following_game.watching.stage import Controls

LOST = Outcome(36.4, 15, 64, 5.2, finished=False, lost=True)
WHOLE = Outcome(448.0, 64, 64, 22.5, finished=True, lost=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    for name in ("a_tune", "b_tune", "c_tune"):
        write_small_piece(root, name=name)
    return root


@pytest.fixture(scope="module")
def piece(folder):
    return load_one_piece(folder, load_game_config(DISCRETE), "a_tune", seed=0)


@pytest.fixture(scope="module")
def display():
    with x_server() as name:
        yield name


# Keys


@pytest.mark.parametrize(
    ("codes", "key"),
    [
        ((0xFF52, 0xFF97, 0x10FF52, 0x260000, 0xF700), UP),
        ((0xFF54, 0xFF99, 0x280000, 0xF701), DOWN),
        ((0xFF51, 0xFF96, 0x250000, 0xF702), LEFT),
        ((0xFF53, 0xFF98, 0x270000, 0xF703), RIGHT),
        ((ord("w"), ord("W"), 0x100000 | ord("w")), "w"),
        ((13,), ENTER),
        ((-1, 0, 0xFFBE, 0xFFE1, 0xFF7F), ""),  # none, none, F1, Shift, Num Lock
    ],
)
def test_keys_of_every_toolkit(codes, key):
    """The lowest byte of an arrow is a letter: with `code & 0xFF` the left arrow was a q and left the game."""
    assert {key_of(code) for code in codes} == {key}


def test_arrows_play_and_space_pauses():
    controls = Controls()
    controls.press([UP])
    assert controls.direction == 1
    controls.press(["w", DOWN, SPACE])
    assert (controls.direction, controls.paused, controls.quit) == (-1, True, False)
    controls.press([SPACE, LEFT, RIGHT])
    assert (controls.direction, controls.paused, controls.quit) == (0, False, False)


# The course of the games, with keys from a script


class ScriptedWindow:
    """Gives one entry of the script at each look at the keys, then leaves; keeps the pictures."""

    def __init__(self, *script):
        self.script, self.pictures, self.is_closed = list(script), [], False

    def show(self, picture):
        self.pictures.append(picture)

    def keys(self, seconds=0.0):
        time.sleep(min(seconds, 0.01))
        return list(self.script.pop(0)) if self.script else ["q"]

    def closed(self):
        return self.is_closed

    def close(self):
        self.is_closed = True


@pytest.fixture
def sitting(folder, tmp_path, monkeypatch):
    """Plays with the keys of a script. -> window, games, episodes"""
    monkeypatch.setattr(module, "COUNT_SECONDS", 0.02)

    def sit(*script, config=DISCRETE, **options):
        window, loaded = ScriptedWindow(*script), load_game_config(config)
        pieces = pieces_in_turn(folder, loaded, "b_tune", seed=0)
        scores = BestScores(tmp_path / "best.json")
        games = Games(pieces, loaded, sound=False, scores=scores, window=window, **options)
        return window, games, [episode for _, episode in games.play()]

    return sit


NO_KEY = ((),) * 9  # more than the looks of a countdown


def test_leaving_at_the_title_plays_no_game(sitting):
    window, _, episodes = sitting(["q"])
    assert not episodes and len(window.pictures) == 1 and window.is_closed


def test_practice_speed_and_target_are_chosen_at_the_title(sitting):
    window, games, _ = sitting([LEFT], [RIGHT], [RIGHT], [LEFT, LEFT], ["r"], [LEFT], [ESCAPE])
    assert (games.speed, games.show_target) == (0.5, False)
    first, slower, back, stays, half, hidden, last = window.pictures
    assert (first == back).all() and (back == stays).all() and (hidden == last).all()
    assert (first != slower).any() and (slower != half).any() and (half != hidden).any()


def test_another_piece_follows_in_the_order_of_names(sitting, monkeypatch):
    names = []
    monkeypatch.setattr(screens, "title", lambda game, name, *_: names.append(name) or game)
    sitting(["n"], ["n"], ["n"], ["q"])
    assert names == ["b_tune", "c_tune", "a_tune", "b_tune"]


def test_a_game_can_be_left_paused_and_played_again(sitting, tmp_path):
    """A pause lasts for two looks; the music stands meanwhile. After q nothing is asked."""
    window, _, episodes = sitting([SPACE], *NO_KEY, [UP], [SPACE], [], [], [SPACE], [], [DOWN], ["q"])
    assert len(episodes) == 1 and window.is_closed
    assert 1 <= len(episodes[0].frames) <= 12 and not episodes[0].over
    assert episodes[0].player == "you" and not (tmp_path / "best.json").exists()


def test_pause_stops_the_music(folder, sitting):
    began = time.monotonic()
    _, _, episodes = sitting([SPACE], *NO_KEY, [SPACE], *[()] * 100, [SPACE], [], ["q"])
    assert time.monotonic() - began > 1  # a hundred looks
    assert len(episodes[0].frames) <= 12


def test_result_again_and_best_score(sitting, tmp_path):
    """Without keys the small piece is lost; again is the same piece at once, and only a better game is a new best."""
    lost = ((),) * 60
    _, _, episodes = sitting([SPACE], *NO_KEY, *lost, *[()] * 40, ["a"], *NO_KEY, *lost, *[()] * 40, ["q"])
    assert [episode.lost for episode in episodes] == [True, True]
    best = json.loads((tmp_path / "best.json").read_text())["best"]
    assert [(entry["piece"], entry["finished"]) for entry in best.values()] == [("b_tune", False)]
    assert next(iter(best.values()))["score"] == pytest.approx(episodes[0].score)


# Best scores


def test_best_scores_are_kept_per_piece_rules_speed_and_sight(tmp_path, piece, folder):
    path = tmp_path / "folder" / "best.json"
    discrete, continuous = load_game_config(DISCRETE), load_game_config(CONTINUOUS)
    other = load_one_piece(folder, discrete, "b_tune", seed=0)
    keys = [
        game_key(piece, config, *rest) for config in (discrete, continuous) for rest in ((1, True), (1, False), (0.5, True))
    ]
    assert len(set(keys)) == 6
    assert game_key(other, discrete, 1, True) == keys[0]  # the same music under another name
    scores = BestScores(path)
    assert scores.best(keys[0]) is None
    assert scores.note(keys[0], "a", LOST) and scores.note(keys[0], "a", WHOLE) and not scores.note(keys[0], "a", LOST)
    kept = BestScores(path)
    assert kept.best(keys[0]).score == 448 and kept.best(keys[0]).finished and kept.best(keys[1]) is None
    assert list(path.parent.iterdir()) == [path]


def test_two_windows_keep_each_other_s_best_scores(tmp_path):
    first, second = BestScores(tmp_path / "best.json"), BestScores(tmp_path / "best.json")
    first.note("one", "x", LOST)
    second.note("two", "x", WHOLE)
    assert {key: best.score for key, best in BestScores(tmp_path / "best.json")._best.items()} == {"one": 36.4, "two": 448.0}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{",
        '{"version": 2, "best": {}}',
        '{"version": 1}',
        '{"version": 1, "best": {"a": 3}}',
        '{"version": 1, "best": {"a": {"piece": "x", "score": NaN, "onsets": 1, "of": 2, "finished": true}}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path, caplog, content):
    path = tmp_path / "best.json"
    path.write_bytes(content.encode("latin-1"))
    with caplog.at_level(logging.WARNING):
        scores = BestScores(path)
        assert scores.note("one", "x", WHOLE) and scores.best("one").score == 448
    assert path.read_bytes() == content.encode("latin-1")
    assert len(caplog.records) == 1 and str(path) in caplog.text and "remove it" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_notice(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    scores = BestScores(tmp_path / "file" / "best.json")
    with caplog.at_level(logging.WARNING):
        assert scores.note("one", "x", LOST) and scores.note("one", "x", WHOLE)
    assert len(caplog.records) == 1 and "not kept" in caplog.text


# The other players


def test_the_optimal_and_the_shipped_agent_play_the_same_piece(piece):
    outcomes = Rivals().play(piece, load_game_config(DISCRETE))
    assert list(outcomes) == ["the optimal agent", "the agent nottingham"]
    optimal, shipped = outcomes.values()
    assert optimal.finished and optimal.score == pytest.approx(LAST) and optimal.onsets == optimal.of == 8
    assert shipped.score < optimal.score and shipped.of == 8
    assert list(Rivals().play(piece, load_game_config(CONTINUOUS))) == list(outcomes)


def test_a_game_has_the_agent_that_has_learnt_to_play_it_and_the_optimal_one(tmp_path, monkeypatch):
    config = load_game_config("game_configs/mutopia_lchs1.yaml")
    piece = load_one_piece(write_small_piece(tmp_path, height=200), config, None, seed=0)
    assert list(Rivals().play(piece, config)) == ["the optimal agent", "the agent piano"]
    monkeypatch.setattr("score_following_game.agents.shipped.FOLDERS", ())
    assert list(Rivals().play(piece, config)) == ["the optimal agent"]


def test_rivals_can_be_stopped(piece):
    rivals = Rivals()
    rivals.stop()
    with pytest.raises(Stopped):
        rivals.play(piece, load_game_config(DISCRETE))


# What is shown


def test_result_in_words():
    assert screens.headline(LOST) == "You were lost at 0:05.2" and LOST.reached == "15 of 64 onsets (23 %)"
    assert screens.headline(WHOLE) == "You followed the piece to its end" and WHOLE.ending == "followed to the end"
    assert screens.headline(Outcome(1, 1, 2, 3.0, False, False)) == "You left at 0:03.0"


def test_result_shows_the_others_when_they_have_ended():
    plot = np.full((720, 1280, 3), 200, np.uint8)
    alone = screens.result("x", LOST, 1.0, None, None, False, plot)
    beside = screens.result("x", LOST, 0.5, {"the optimal agent": WHOLE}, None, True, plot)
    assert alone.shape == beside.shape == (720, 1280, 3) and (alone[110:200] != beside[110:200]).any()
    assert (alone[300:, 300:900] == 200).all()
    share = (beside[115:125, 330:550] == AGENT).all(axis=2).any(axis=0).mean()
    assert share == pytest.approx(36.4 / 448, abs=0.01)


# A real window


def is_title(picture):
    """White in the card, not in the corner. The window stands at the corner of the screen: nobody manages it."""
    return picture[100, 300].tolist() == [255] * 3 and not is_result(picture)


def is_result(picture):
    return picture[2, 2].tolist() == [255] * 3


def test_a_person_plays_two_games_with_real_keys(tmp_path, display):
    """The music stands still, so that without keys it would be followed to the end: arrows move on, and lose it."""
    write_small_piece(tmp_path / "set", notes=30, spacing=0)
    process = start("environment_test.py", "--data_set", tmp_path / "set", "--no_sound", display=display)
    for begin in ("space", "a"):
        wait_until_shown(display, is_title if begin == "space" else is_result, process)
        press(display, begin)
        time.sleep(1)
        while not is_result(screen(display)):
            press(display, "Up")
            time.sleep(0.1)
            assert process.poll() is None
    wait_until_shown(display, is_result, process)
    press(display, "q")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    lines = [line for line in out.splitlines() if line]
    assert [line.split()[0:2] for line in lines] == [["Episode", "finished"], ["Episode", "reward"]] * 2
    assert all(8 <= int(line.split()[3]) < 29 * 8 for line in lines[::2])


START = """
import numpy as np, sys
from score_following_game.environment.rendering import window
window.require_display = lambda advice: None  # tried once is enough
shown = window.Window()
picture = np.full((720, 1280, 3), (0, 200, 0), np.uint8)
picture[:10] = 255
shown.show(picture)
for _ in range(25):
    shown.keys(0.02)
print("shown", flush=True)
input()
"""


@pytest.mark.parametrize("starts", [3])
def test_the_window_is_never_black_at_the_start(starts, display):
    """The picture is shown once, as a title is."""
    black = 0
    for _ in range(starts):
        process = start_code(START, display)
        assert process.stdout.readline() == "shown\n", process.stderr.read()
        black += (screen(display)[:, :, 1] == 200).mean() < 0.5
        process.communicate("\n", timeout=30)
    assert black == 0


RESIZED = """
import sys
import cv2
import numpy as np
from score_following_game.environment.rendering import window
window.require_display = lambda advice: None  # tried once is enough
shown = window.Window()
picture = np.full((720, 1280, 3), 255, np.uint8)
picture[::4] = 0  # fine lines, of which none may be lost
shown.show(picture)
cv2.resizeWindow(shown.title, 960, 540)
for _ in range(25):
    shown.keys(0.02)
print("shown", flush=True)
input()
"""


def test_a_smaller_window_loses_no_line(display):
    """At 75 % a row of ink of four becomes grey; if rows were dropped instead, thin lines would vanish."""
    process = start_code(RESIZED, display)
    assert process.stdout.readline() == "shown\n", process.stderr.read()
    rows = screen(display)[:, 400, 0].astype(int)
    process.communicate("\n", timeout=30)
    inside = rows[np.flatnonzero(rows == 255)[0] :][30:500]
    for phase in range(3):  # four rows became three, equally bright all over the window
        assert np.ptp(inside[phase::3]) <= 2
    assert 60 < inside[:3].min() < 200 and abs(inside.mean() - 0.75 * 255) < 6
