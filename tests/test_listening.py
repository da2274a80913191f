"""--audio mic: the live game, equal to that of the recording, and the hands of the person who plays."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from listening_tools import RATE, SILENCE, SOUND, agent, noise
from watching_tools import press, start_code, wait_for_window, x_server

from score_following_game.agents.agents import TrainedAgent
from score_following_game.config import GameConfig
from score_following_game.data_processing.level import RunningGain
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.spectrogram import compute_spectrogram
from score_following_game.data_processing.streaming import StreamingSpectrogram
from score_following_game.environment.live import LiveScore
from score_following_game.environment.rendering.picture import render
from score_following_game.errors import UserError
from score_following_game.watching.listening.ears import Ears
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.session import SILENT, LiveSession
from score_following_game.watching.listening.sources import Rehearsal
from score_following_game.watching.stage import FINAL_SECONDS


def test_ears_hear_what_the_recording_holds(heard: np.ndarray, tune_piece: Piece, config: GameConfig):
    live = LiveScore.of_piece(tune_piece, config, minutes=1)
    ears = Ears(live, gain=-6.0)
    for begin in range(0, len(heard), 333):
        ears.push(heard[begin : begin + 333])
        assert ears.waiting == (ears.begins is None)
    ears.finish()
    assert ears.begins == pytest.approx(SILENCE, abs=0.02)
    expected = compute_spectrogram(heard[round(ears.begins * RATE) :] * np.float32(10 ** (-6 / 20)))
    np.testing.assert_allclose(live.piece.spectrogram[:, : live.heard], expected, atol=1e-5)
    assert ears.gain == pytest.approx(-6) and 0.1 < ears.quiet < 1.5


def offline(samples: np.ndarray, piece: Piece, config: GameConfig, player: TrainedAgent) -> list[float]:
    """Positions over a recording whose running level is measured, but that is there from the beginning."""
    live = LiveScore.of_piece(piece, config, minutes=1)
    stream = StreamingSpectrogram(SOUND, RunningGain(config.audio_peak, SOUND.fps))
    live.hear(stream.push(samples))
    live.hear(stream.finish())
    x = []
    while live.ready:
        live.step(player.perform_action(live.game))
        x.append(live.x)
    return x


def session(tune: Path, piece: Piece, config: GameConfig, **outputs) -> LiveSession:
    source = Microphone(Rehearsal(tune.with_name("heard.wav")), RATE)
    return LiveSession(LiveScore.of_piece(piece, config, minutes=1), agent(config), source, notes=piece.onset_x, **outputs)


def test_a_rehearsal_is_followed_as_its_recording(tune: Path, tune_piece: Piece, heard: np.ndarray, config: GameConfig):
    kept: list[np.ndarray] = []
    live = session(tune, tune_piece, config, keep=kept.append)
    episode = live.run()
    expected = offline(heard[round(live.ears.begins * RATE) :], tune_piece, config, agent(config))
    n = len(episode.x)
    assert n >= 3.2 * 20 and len(set(episode.x)) > 20
    assert episode.x == pytest.approx(expected[:n], abs=1e-6)
    assert episode.finished and episode.ending == "the music has ended" and episode.frames == list(range(1, n + 1))
    np.testing.assert_array_equal(np.concatenate(kept), heard[: sum(map(len, kept))])
    assert n - 10 < len(episode.latencies) < n and 0 < np.median(episode.latencies) < 1


def test_the_agent_is_ready_before_it_listens(
    tune: Path, tune_piece: Piece, config: GameConfig, monkeypatch: pytest.MonkeyPatch
):
    """What takes long at first (compiling, reading the sheet) would delay the first notes."""
    order: list[str] = []
    live = session(tune, tune_piece, config)
    acts, starts = live.player.perform_action, live.microphone.start
    monkeypatch.setattr(live.player, "perform_action", lambda game: (order.append("acts"), acts(game))[1])
    monkeypatch.setattr(live.microphone, "start", lambda: (order.append("listens"), starts())[1])
    episode = live.run()
    assert order[:2] == ["acts", "listens"] and order.count("acts") == len(episode.frames) + 1


class Hands:
    """Stands for a window: keys and clicks by the frame that has been played, and the pictures are kept."""

    def __init__(self, keys: dict[int, list[str]], clicks: dict[int, tuple[float, float]] | None = None) -> None:
        self.script, self.points, self.pictures, self.game = dict(keys), dict(clicks or {}), [], None

    def show(self, picture: np.ndarray) -> None:
        self.pictures.append(picture)

    def _due(self, script: dict) -> list:
        return [script.pop(frame) for frame in list(script) if frame <= int(self.game.frame[0])]

    def keys(self, seconds: float = 0.0) -> list[str]:
        time.sleep(min(seconds, 0.05))
        return [key for keys in self._due(self.script) for key in keys]

    def clicks(self) -> list[tuple[float, float]]:
        return self._due(self.points)


def played_by(hands: Hands, live: LiveSession):
    hands.game = live.live.game
    return live.run()


def test_the_agent_waits_while_the_person_pauses(tune: Path, tune_piece: Piece, config: GameConfig):
    hands = Hands({20: [" "], 40: [" "], 55: ["q"]})
    episode = played_by(hands, session(tune, tune_piece, config, window=hands))
    still = 20 + np.flatnonzero(np.diff(episode.x[20:45]) == 0)  # on a busy machine keys are seen some frames late
    pause = max(
        np.split(still, np.flatnonzero(np.diff(still) > 1) + 1), key=len
    )  # not a frame in which the agent stands by itself
    assert len(pause) >= 5 and not any(episode.speeds[pause[1] : pause[-1]]) and any(episode.speeds[pause[-1] + 1 :])
    assert episode.frames[-1] >= 55 and not episode.finished and episode.ending.startswith("left at")


def test_arrows_and_clicks_move_the_cursor(tune: Path, tune_piece: Piece, config: GameConfig):
    hands = Hands({1: [" "], 10: ["right", "right"], 25: ["left"], 50: ["q"]}, {40: (640 - 200, 200)})
    episode = played_by(hands, session(tune, tune_piece, config, window=hands))
    x = np.array(episode.x)
    assert x[16:22] == pytest.approx(tune_piece.onset_x[2]) and x[30:36] == pytest.approx(tune_piece.onset_x[1])
    scale = 1240 / (2 * config.sheet_context)  # the picture shows twice the window
    assert x[46:] == pytest.approx(tune_piece.onset_x[1] - 200 / scale, abs=1)


def test_the_picture_tells_level_latency_and_what_is_waited_for(tune: Path, tune_piece: Piece, config: GameConfig):
    hands = Hands({30: ["q"]})
    live = session(tune, tune_piece, config, window=hands)
    played_by(hands, live)
    labels = {meter.label: meter for meter in live._stage.meters}
    assert set(labels) == {"input level", "latency, ms"} and "dB" in labels["input level"].number
    assert (hands.pictures[0] != hands.pictures[-1]).any()


def test_a_film_does_not_make_the_agent_late(tune: Path, tune_piece: Piece, config: GameConfig):
    pictures: list[np.ndarray] = []

    def slowly(*shown) -> np.ndarray:
        time.sleep(0.3)  # six frames
        return render(*shown)

    live = session(tune, tune_piece, config, recorders=[pictures.append], draw=slowly)
    episode = live.run()
    assert len(episode.frames) > 60 and max(episode.latencies) < 0.3 * len(episode.frames) / 2
    assert len(pictures) == 1 + len(episode.frames) + round(FINAL_SECONDS * episode.fps)
    assert len({picture.tobytes() for picture in pictures}) >= 3


def test_enter_begins_at_once_and_silence_is_told_once(
    tmp_path: Path, tune_piece: Piece, config: GameConfig, caplog, monkeypatch
):
    soundfile.write(tmp_path / "silent.wav", noise(3.0, 2e-4), RATE)
    monkeypatch.setattr("score_following_game.watching.listening.session.SILENT", 0.2)
    hands = Hands({})
    live = LiveSession(
        LiveScore.of_piece(tune_piece, config, minutes=1),
        agent(config),
        Microphone(Rehearsal(tmp_path / "silent.wav"), RATE),
        window=hands,
    )
    hands.game = live.live.game
    keys = iter([["\r"]])
    hands.keys = lambda seconds=0.0: (time.sleep(0.01), next(keys, []) if live.ears.seconds_waited > 1 else [])[1]
    episode = live.run()
    assert SILENT > 1 and live.ears.begins > 0.3 and len(episode.frames) > 5
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1 and "silent for" in caplog.text


def test_a_recording_without_a_note_is_one_line(tmp_path: Path, tune_piece: Piece, config: GameConfig):
    soundfile.write(tmp_path / "empty.wav", noise(0.7), RATE)
    live = LiveScore.of_piece(tune_piece, config, minutes=1)
    with pytest.raises(UserError, match=r"mic:.*empty.wav: no note was heard"):
        LiveSession(live, agent(config), Microphone(Rehearsal(tmp_path / "empty.wav"), RATE)).run()


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as name:
        yield name


def test_a_window_tells_clicks_in_pixels_of_the_picture(display: str):
    code = """
import time
import numpy as np
from score_following_game.environment.rendering.window import ESCAPE, Window
window, picture = Window(), np.full((720, 1280, 3), 255, np.uint8)
picture[100:200, 100:300] = 0
window.show(picture)
end = time.monotonic() + 60
while time.monotonic() < end:
    keys = window.keys(0.02)
    for x, y in window.clicks():
        print(round(x), round(y), flush=True)
    if ESCAPE in keys:
        break
"""
    process = start_code(code, display)
    wait_for_window(display, process)
    time.sleep(1)
    press(display, "900", "300", "click", "1", action="mousemove")
    time.sleep(0.5)
    press(display, "Escape")
    out, err = process.communicate(timeout=60)
    assert [int(number) for number in out.split()] == pytest.approx([900, 300], abs=2), err
