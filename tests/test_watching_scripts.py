"""environment_test.py and test_score_following.py as a user runs them, in a real window where Xvfb is installed."""

import re
import signal
import time

import cv2
import pytest
import torch
from small_piece import write_small_piece
from watching_tools import (
    CONTINUOUS,
    DISCRETE,
    HELD,
    LAST,
    loudness,
    press,
    run,
    start,
    start_code,
    streams,
    wait_for_window,
    x_server,
)

from score_following_game.agents.networks import get_network
from score_following_game.watching.stage import FINAL_SECONDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_small_piece(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("params") / "network.pt"
    torch.save(get_network("ScoreFollowingNet", 3).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def display():
    """A display of our own -> its name."""
    with x_server() as name:
        yield name


def test_optimal_agent_as_a_film_with_sound(tmp_path, folder):
    path = tmp_path / "film.mp4"
    code, out, err = run(
        "environment_test.py", "--data_set", folder, "--agent_type", "optimal", "--game_config", CONTINUOUS, "--video", path
    )
    assert code == 0, err
    assert out == f"Episode finished after {LAST} time steps (avg 1.0)\nEpisode reward {LAST}\n\n"
    reader = cv2.VideoCapture(str(path))
    size = [reader.get(what) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT)]
    assert size == [1280, 720, 1 + LAST + HELD]
    video, audio = streams(path)
    assert "h264" in video and "yuv420p" in video and "20 fps" in video
    assert "aac" in audio
    first, last = loudness(path)
    assert first > 0.03 and last < first / 10


def test_trained_agent_as_film_pictures_and_plot(tmp_path, folder, params):
    path = tmp_path / "film.mp4"
    code, out, err = run(
        "test_score_following.py",
        "--params",
        params,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        DISCRETE,
        "--data_set",
        folder,
        "--video",
        path,
        "--dump_images",
        "--no_sound",
        cwd=tmp_path,
    )
    assert code == 0, err
    assert re.fullmatch(r"Tracking piece: tune\nTotal reward \d+\n", out)
    assert len(streams(path)) == 1
    frames = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    assert len(list((tmp_path / "video_frames").glob("*.png"))) == frames > 1 + HELD
    assert cv2.imread(str(tmp_path / "film.png")).shape == (720, 1280, 3)


@pytest.mark.parametrize(("plot", "message"), [("plot.xyz", ".png, .jpg, .pdf, .svg"), ("folder.png", "is a folder")])
def test_a_plot_that_cannot_be_written_is_reported_before_the_game(tmp_path, folder, params, plot, message):
    (tmp_path / "folder.png").mkdir()
    code, out, err = run(
        "test_score_following.py",
        "--params",
        params,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        DISCRETE,
        "--data_set",
        folder,
        "--plot",
        tmp_path / plot,
    )
    assert (code, out) == (2, "") and err.startswith("error: --plot ") and message in err and err.count("\n") == 1


def test_a_plot_needs_no_display(tmp_path, folder, params):
    code, out, err = run(
        "test_score_following.py",
        "--params",
        params,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        DISCRETE,
        "--data_set",
        folder,
        "--plot",
        tmp_path / "plot.png",
    )
    assert code == 0 and "Total reward" in out
    assert re.fullmatch(r"(Lost at|Followed to the end).* \(R_on \d\.\d\d\), .*\nWritten: .*plot\.png\n", err), err
    assert cv2.imread(str(tmp_path / "plot.png")).shape == (720, 1280, 3)


def test_interrupted_film_leaves_nothing(tmp_path):
    folder = write_small_piece(tmp_path / "set", notes=200)
    target = tmp_path / "out"
    process = start(
        "environment_test.py",
        "--data_set",
        folder,
        "--agent_type",
        "optimal",
        "--game_config",
        CONTINUOUS,
        "--video",
        target / "film.mp4",
        "--no_sound",
    )
    for _ in range(600):
        if target.is_dir() and any(target.iterdir()):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None and any(target.iterdir())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err and list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "args", "message"),
    [
        ("environment_test.py", ["--agent_type", "human"], ["neither DISPLAY", "--agent_type optimal"]),
        (
            "environment_test.py",
            ["--agent_type", "optimal", "--game_config", CONTINUOUS],
            ["neither DISPLAY", "--video FILE.mp4"],
        ),
        ("environment_test.py", ["--agent_type", "optimal"], ["continuous"]),
        ("test_score_following.py", [], ["--params"]),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(script, args, message, folder):
    code, out, err = run(script, "--data_set", folder, *args)
    assert code == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert all(words in err for words in message)


def test_options_without_effect_are_reported(run_here, folder, monkeypatch, tmp_path):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    optimal = ("--agent_type", "optimal", "--game_config", CONTINUOUS, "--keys", "pynput", "--piece", "tune", "--seed", 1)
    result = run_here("environment_test.py", "--data_set", folder, *optimal)
    assert result.stderr.splitlines()[:-1] == [
        "warning: --keys pynput has no effect with --agent_type optimal",
        "warning: --seed has no effect with --piece: it only chooses a random piece",
    ]
    watch = ("--params", "localisation", "--deterministic", "--plot", tmp_path / "plot.png")
    result = run_here("test_score_following.py", "--data_set", folder, *watch)
    assert result.returncode == 0, result.stderr
    warning = "warning: --deterministic has no effect on a localisation agent, which is always deterministic"
    assert result.stderr.splitlines()[0] == warning


@pytest.mark.needs("linux")  # displays have names
def test_display_that_does_not_answer_is_one_line(folder):
    code, _, err = run("environment_test.py", "--data_set", folder, "--no_sound", display=":4711")
    assert code == 2
    assert err.startswith("error: no window can be opened here (") and err.count("\n") == 1


# A real window


def test_leaving_before_the_beginning_keeps_an_earlier_film(tmp_path, folder, display):
    (tmp_path / "film.mp4").write_bytes(b"an earlier film")
    process = start(
        "environment_test.py", "--data_set", folder, "--no_sound", "--video", tmp_path / "film.mp4", display=display
    )
    wait_for_window(display, process)
    while process.poll() is None:
        press(display, "q")
        time.sleep(0.1)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "Episode finished after 0 time steps (avg 0.0)\nEpisode reward 0\n\n"), err
    assert (tmp_path / "film.mp4").read_bytes() == b"an earlier film"


def test_window_tells_keys_and_is_paced_by_the_music(folder, display):
    began = time.monotonic()
    process = start(
        "environment_test.py", "--data_set", folder, "--agent_type", "optimal", "--game_config", CONTINUOUS, display=display
    )
    wait_for_window(display, process)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert f"after {LAST} time steps" in out
    assert time.monotonic() - began > LAST / 20 + FINAL_SECONDS


def test_q_leaves_and_the_plot_waits_for_a_key(tmp_path, folder, params, display):
    """q ends the game itself; what the window shows afterwards goes at the next key."""
    process = start(
        "test_score_following.py",
        "--params",
        params,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        DISCRETE,
        "--data_set",
        folder,
        "--plot",
        tmp_path / "plot.png",
        "--no_sound",
        display=display,
    )
    wait_for_window(display, process)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 15:
        press(display, "q")
        time.sleep(0.2)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Total reward" in out
    assert time.monotonic() - began < 12  # the plot alone would stay for 20 seconds


def test_pynput_hears_held_keys(display):
    """In a process of its own, since pynput holds the display it was imported with."""
    code = """if True:
        import time
        from score_following_game.environment.rendering.window import GlobalKeys
        keys = GlobalKeys()
        keys._listener.wait()
        print('ready', flush=True)
        for word in iter(input, 'end'):
            time.sleep(0.3)
            print(keys.take(), flush=True)
        keys.close()
    """
    process = start_code(code, display)

    def heard():
        process.stdin.write("now\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    assert process.stdout.readline().strip() == "ready", process.stderr.read()
    press(display, "w", action="keydown")
    assert heard() == "['w', 'w']"  # pressed, and still held
    assert heard() == "['w']"
    time.sleep(0.5)
    assert heard() == "['w']"
    press(display, "w", action="keyup")
    press(display, "r")
    press(display, "q")
    assert heard() == "['r']"
    assert heard() == "[]"
    process.communicate("end\n", timeout=20)
    assert process.returncode == 0
