"""--audio mic: samples from a device or a rehearsal, the first note, and the live game, equal to that of the recording."""

from __future__ import annotations

import csv
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
import torch
from conftest import Run
from pages_tools import write_pdf
from sound_tools import endless_device, sound_server
from watching_tools import press, start, start_code, wait_for_window, x_server

from score_following_game import optional_libraries
from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig, SpectrogramParams
from score_following_game.data_processing.acoustics.noises import with_noise
from score_following_game.data_processing.level import RunningGain
from score_following_game.data_processing.piece import Piece, load_piece
from score_following_game.data_processing.spectrogram import compute_spectrogram
from score_following_game.data_processing.streaming import StreamingSpectrogram
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.environment.live import LiveScore
from score_following_game.errors import UserError
from score_following_game.watching.listening import microphone as listening
from score_following_game.watching.listening.ears import Ears
from score_following_game.watching.listening.first_note import FirstNote
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.recording import recording
from score_following_game.watching.listening.ring import RingBuffer
from score_following_game.watching.listening.session import SILENT, LiveSession
from score_following_game.watching.listening.sources import MicrophoneWish, Rehearsal, parse_audio

RATE, SOUND = 22050, SpectrogramParams()
SCRIPT = "test_score_following.py"
SILENCE, LASTS = 0.7, 4.5  # seconds before the music, and in all


def noise(seconds: float, level: float = 1e-3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small piece of 3.2 s: its npz; beside it its MIDI and, as heard.wav, its sound after SILENCE, before some more."""
    from small_piece import write_small_piece

    folder = write_small_piece(tmp_path_factory.mktemp("tune"), "tune")
    samples = synthesise(pretty_midi.PrettyMIDI(str(folder / "tune.mid"))).astype(np.float32)
    samples *= 0.5 / np.abs(samples).max()
    heard = np.concatenate([np.zeros(round(SILENCE * RATE)), samples, np.zeros(RATE)])[: round(LASTS * RATE)]
    soundfile.write(folder / "heard.wav", heard + noise(LASTS), RATE)
    return folder / "tune.npz"


@pytest.fixture(scope="module")
def piece(tune: Path, config: GameConfig) -> Piece:
    return load_piece(tune, config, silent=True)


@pytest.fixture(scope="module")
def heard(tune: Path) -> np.ndarray:
    return soundfile.read(tune.with_name("heard.wav"), dtype="float32")[0]


def agent(config: GameConfig) -> TrainedAgent:
    torch.manual_seed(3)
    return TrainedAgent(network_for("ScoreFollowingNet", config), deterministic=True)


def listened(source: Microphone, seconds: float) -> np.ndarray:
    """What a microphone hears until its source ends, at most for some seconds."""
    parts, end = [np.zeros(0, np.float32)], time.monotonic() + seconds
    while time.monotonic() < end:
        ended, blocks = source.ended, source.read()
        parts += [block.samples for block in blocks]
        if ended and not blocks:
            break
        time.sleep(0.002)
    return np.concatenate(parts)


# The way of the samples


def test_blocks_arrive_whole_in_order_and_what_found_no_room_is_a_gap():
    ring = RingBuffer(10, 4)
    for begin in range(0, 60, 6):  # across the edge at every position
        ring.write(np.arange(begin, begin + 6, dtype=np.float32), begin / 10)
        (block,) = ring.read()
        assert block.samples.tolist() == list(range(begin, begin + 6)) and block.arrival == begin / 10 and not block.gap
    assert ring.read() == []
    for size in (6, 4, 3, 2):  # the third and the fourth find no room for their samples
        ring.write(np.full(size, size, np.float32), size, gap=1)
    assert [(len(block.samples), block.gap) for block in ring.read()] == [(6, 1), (4, 1)] and ring.overruns == 2
    for _ in range(5):  # the fifth finds no room for a block
        ring.write(np.zeros(1, np.float32), 0)
    assert [block.gap for block in ring.read()] == [7, 0, 0, 0] and ring.overruns == 3


def test_nothing_is_mixed_up_between_two_threads():
    ring, n, got = RingBuffer(997, 16), 200_000, []
    samples = np.arange(n, dtype=np.float32)

    def write() -> None:
        for first in range(0, n, 37):
            ring.write(samples[first : first + 37], float(first))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive() or (blocks := ring.read()):
        blocks = ring.read() if writer.is_alive() else blocks
        got += [sample for block in blocks for sample in [*[-1.0] * block.gap, *block.samples]]
    missing = n - len(got)  # dropped at the very end
    known = np.array(got)
    assert ((known == samples[: len(got)]) | (known == -1)).all() and (known != -1).any() and missing < n


def test_a_rehearsal_comes_in_real_time_and_whole(tmp_path: Path):
    samples = noise(0.8, 0.1)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    source = Microphone(Rehearsal(tmp_path / "a.wav"), RATE)
    began = time.monotonic()
    source.start()
    np.testing.assert_array_equal(listened(source, 10), samples)
    assert 0.8 <= time.monotonic() - began < 3
    assert source.overruns == 0 and source.latency is None
    source.close()


def test_another_rate_is_resampled_as_it_arrives(tmp_path: Path):
    samples = noise(0.6, 0.1)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    source = Microphone(Rehearsal(tmp_path / "a.wav"), RATE // 2)
    source.start()
    got = listened(source, 10)
    import soxr

    expected = soxr.resample(samples, RATE, RATE // 2, quality="HQ")
    assert len(got) > 0.5 * RATE / 2
    np.testing.assert_allclose(got, expected[: len(got)], atol=1e-3)
    source.close()


def test_a_lost_device_is_found_again_and_time_goes_on(tmp_path: Path, monkeypatch, caplog):
    monkeypatch.setattr(listening, "LOST", 0.3)
    monkeypatch.setattr(listening, "RETRY", 0.1)
    samples = noise(2.5, 0.1)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    source = Microphone(Rehearsal(tmp_path / "a.wav"), RATE)
    source.start()
    before = listened(source, 0.5)
    source._stream.close()  # the plug is pulled
    got = np.concatenate([before, listened(source, 10)])
    source.close()
    assert abs(len(got) - len(samples)) < 0.1 * RATE
    silent = np.flatnonzero(got == 0)
    assert 0.3 * RATE < len(silent) < 1.5 * RATE and silent[-1] - silent[0] < len(silent) + 5
    after = got[silent[-1] + 1 :][:4000]
    shift = int(np.argmax(np.correlate(samples, after))) - silent[-1] - 1
    assert abs(shift) < 0.1 * RATE  # what is heard then is where it would have been
    lost, found = (record.getMessage() for record in caplog.records)
    assert "gives no sound any more" in lost and "is back after" in found


def test_what_is_heard_is_kept_however_it_ends(tmp_path: Path):
    path = tmp_path / "kept.wav"
    with pytest.raises(KeyboardInterrupt), recording(path, RATE) as keep:
        keep(noise(0.1, 0.1))
        keep(np.full(10, 3.0, np.float32))
        raise KeyboardInterrupt
    samples, rate = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(samples[:2205], noise(0.1, 0.1), atol=1e-4)
    assert rate == RATE and len(samples) == 2215 and samples[-1] == pytest.approx(1, abs=1e-4)
    assert list(tmp_path.iterdir()) == [path]


# The first note


def first_note(samples: np.ndarray) -> float | None:
    """Seconds at which the music begins."""
    ear = FirstNote(SOUND)
    for begin in range(0, len(samples), 220):
        if (found := ear.push(samples[begin : begin + 220])) is not None:
            return (ear.dropped + found) / RATE
    return None


@pytest.mark.parametrize("lead", [0.0, 0.3, 2.0, 15.0])
@pytest.mark.parametrize("kind, decibels", [("", 0), ("white", 10), ("pink", 15), ("hum", 35)])
def test_the_music_begins_with_its_first_note(heard: np.ndarray, lead: float, kind: str, decibels: float):
    music = heard[round(SILENCE * RATE) : -RATE]
    samples = np.concatenate([np.zeros(round(lead * RATE), np.float32), music])
    if kind:
        samples = with_noise(samples, kind, decibels, RATE, np.random.default_rng(1))
    assert first_note(samples) == pytest.approx(lead, abs=0.035)


def test_rooms_clicks_and_coughs_are_no_music():
    for seed, (kind, decibels) in enumerate([("white", 0), ("pink", -20), ("hum", 0), ("clicks", 30), ("coughs", 20)]):
        samples = with_noise(noise(20, 0.003, seed), kind, decibels, RATE, np.random.default_rng(seed))
        assert first_note(samples) is None, kind


def test_waiting_takes_no_memory_and_knows_the_room():
    ear = FirstNote(SOUND)
    for seed in range(40):
        ear.push(noise(1, 0.01, seed))
    assert ear.seconds == pytest.approx(40) and len(ear.samples) < 10 * RATE and ear._frames.shape[1] < 200
    assert 0.01 < ear.room < 0.04


# The game


def test_ears_hear_what_the_recording_holds(heard: np.ndarray, piece: Piece, config: GameConfig):
    live = LiveScore.of_piece(piece, config, minutes=1)
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


def test_a_rehearsal_is_followed_as_its_recording(tune: Path, piece: Piece, heard: np.ndarray, config: GameConfig):
    kept: list[np.ndarray] = []
    live = session(tune, piece, config, keep=kept.append)
    episode = live.run()
    expected = offline(heard[round(live.ears.begins * RATE) :], piece, config, agent(config))
    n = len(episode.x)
    assert n >= 3.2 * 20 and len(set(episode.x)) > 20
    assert episode.x == pytest.approx(expected[:n], abs=1e-6)
    assert episode.finished and episode.ending == "the music has ended" and episode.frames == list(range(1, n + 1))
    np.testing.assert_array_equal(np.concatenate(kept), heard[: sum(map(len, kept))])
    assert n - 10 < len(episode.latencies) < n and 0 < np.median(episode.latencies) < 1


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


def test_the_agent_waits_while_the_person_pauses(tune: Path, piece: Piece, config: GameConfig):
    hands = Hands({20: [" "], 40: [" "], 55: ["q"]})
    episode = played_by(hands, session(tune, piece, config, window=hands))
    still = 20 + np.flatnonzero(np.diff(episode.x[20:45]) == 0)  # on a busy machine keys are seen some frames late
    assert len(still) >= 5 and not any(episode.speeds[still[1] : still[-1]]) and any(episode.speeds[still[-1] + 1 :])
    assert episode.frames[-1] >= 55 and not episode.finished and episode.ending.startswith("left at")


def test_arrows_and_clicks_move_the_cursor(tune: Path, piece: Piece, config: GameConfig):
    hands = Hands({1: [" "], 10: ["right", "right"], 25: ["left"], 50: ["q"]}, {40: (640 - 200, 200)})
    episode = played_by(hands, session(tune, piece, config, window=hands))
    x = np.array(episode.x)
    assert x[16:22] == pytest.approx(piece.onset_x[2]) and x[30:36] == pytest.approx(piece.onset_x[1])
    scale = 1240 / (2 * config.sheet_context)  # the picture shows twice the window
    assert x[46:] == pytest.approx(piece.onset_x[1] - 200 / scale, abs=1)


def test_the_picture_tells_level_latency_and_what_is_waited_for(tune: Path, piece: Piece, config: GameConfig):
    hands = Hands({30: ["q"]})
    live = session(tune, piece, config, window=hands)
    played_by(hands, live)
    labels = {meter.label: meter for meter in live._stage.meters}
    assert set(labels) == {"input level", "latency, ms"} and "dB" in labels["input level"].number
    assert (hands.pictures[0] != hands.pictures[-1]).any()


def test_enter_begins_at_once_and_silence_is_told_once(tmp_path: Path, piece: Piece, config: GameConfig, caplog, monkeypatch):
    soundfile.write(tmp_path / "silent.wav", noise(3.0, 2e-4), RATE)
    monkeypatch.setattr("score_following_game.watching.listening.session.SILENT", 0.2)
    hands = Hands({})
    live = LiveSession(
        LiveScore.of_piece(piece, config, minutes=1),
        agent(config),
        Microphone(Rehearsal(tmp_path / "silent.wav"), RATE),
        window=hands,
    )
    hands.game = live.live.game
    keys = iter([[]] * 60 + [["\r"]])
    hands.keys = lambda seconds=0.0: (time.sleep(0.01), next(keys, []))[1]
    episode = live.run()
    assert SILENT > 1 and live.ears.begins > 0.3 and len(episode.frames) > 5
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1 and "silent for" in caplog.text


def test_a_recording_without_a_note_is_one_line(tmp_path: Path, piece: Piece, config: GameConfig):
    soundfile.write(tmp_path / "empty.wav", noise(0.7), RATE)
    live = LiveScore.of_piece(piece, config, minutes=1)
    with pytest.raises(UserError, match=r"mic:.*empty.wav: no note was heard"):
        LiveSession(live, agent(config), Microphone(Rehearsal(tmp_path / "empty.wav"), RATE)).run()


# The command


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_command_rehearses(tune: Path, tmp_path: Path, run_here: Run, monkeypatch, caplog):
    monkeypatch.delenv("DISPLAY", raising=False)
    caplog.set_level(logging.INFO)
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    done = run_here(
        SCRIPT,
        *("--params", "nottingham", "--deterministic", "--data_set", tune.parent, "--piece", "tune"),
        *("--audio", f"mic:{tune.with_name('heard.wav')}", "--gain", "-10", "--csv", positions, "--record", kept),
    )
    assert done.returncode == 0, done.stderr
    assert "the music begins after 0.7 s" in caplog.text and "The music has ended" in done.stderr
    assert "Latency from the sample to the agent's step: median" in done.stderr and str(kept) in done.stderr
    rows = table(positions)
    assert float(rows[0]["time"]) == pytest.approx(SILENCE, abs=0.02) and len(rows) > 3.2 * 20
    assert float(rows[0]["x"]) == 100 and (tmp_path / "positions_onsets.csv").is_file()
    assert soundfile.info(kept).duration > SILENCE + 3.2


def test_ctrl_c_ends_the_music_and_keeps_everything(tune: Path, tmp_path: Path):
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    process = start(
        SCRIPT,
        *("--params", "nottingham", "--data_set", tune.parent, "--piece", "tune", "--audio"),
        *(f"mic:{tune.with_name('heard.wav')}", "--csv", positions, "--record", kept),
    )
    for line in process.stderr:
        if "the music begins" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "Left at 0:0" in err and "Traceback" not in err
    assert len(table(positions)) > 3
    kept_samples, _ = soundfile.read(kept, dtype="float32")
    expected = soundfile.read(tune.with_name("heard.wav"), dtype="float32")[0]
    np.testing.assert_allclose(kept_samples, expected[: len(kept_samples)], atol=1e-4)
    assert len(kept_samples) > SILENCE * RATE


def test_pages_are_followed_live(tune: Path, tmp_path: Path, run_here: Run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pdf, positions = write_pdf(tmp_path / "page.pdf"), tmp_path / "positions.csv"
    done = run_here(SCRIPT, "--score", pdf, "--audio", f"mic:{tune.with_name('heard.wav')}", "--csv", positions, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "the agent was on page 1" in done.stderr and {row["page"] for row in table(positions)} == {"1"}


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--gain", "3"], "--gain goes with --audio mic"),
        (["--record", "a.wav"], "--record goes with --audio mic"),
        (["--audio", "mic:HEARD", "--record", "a.mp3"], "ends in .wav"),
        (["--audio", "mic:HEARD", "--record", "HEARD"], "name the same file"),
        (["--audio", "mic:HEARD", "--tempo", "2"], "leave --tempo out"),
        (["--audio", "mic:HEARD", "--gain", "nan"], "--gain nan"),
        (["--audio", "mic:HEARD", "--saliency", "a.mp4"], "--saliency goes with a recording"),
        (["--audio", "mic:missing.wav"], "missing.wav"),
    ],
)
def test_mistakes_are_one_line(tune: Path, run_here: Run, arguments: list[str], told: str):
    arguments = [value.replace("HEARD", str(tune.with_name("heard.wav"))) for value in arguments]
    done = run_here(SCRIPT, "--params", "nottingham", "--data_set", tune.parent, *arguments)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_without_sounddevice_or_its_library_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # as where PortAudio is missing
    with pytest.raises(UserError, match=r"no sound input here .*PortAudio"):
        MicrophoneWish().source()
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(optional_libraries, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"--audio mic needs sounddevice.*\[sound\]"):
        MicrophoneWish().source()


def test_values_of_audio():
    assert parse_audio("mic") == MicrophoneWish() and parse_audio("mic:USB 2") == MicrophoneWish("USB 2")
    assert parse_audio("./mic") == Path("mic") and parse_audio("mic.wav") == Path("mic.wav")
    assert [str(parse_audio(text)) for text in ("mic", "mic:3", "a.wav")] == ["mic", "mic:3", "a.wav"]


# Devices


@pytest.mark.needs("alsa")
def test_a_device_by_sounddevice(tmp_path: Path):
    """Samples as the device gives them, by name, number or default; a device that is too fast loses some, told once."""
    samples = (noise(2, 0.2) * 32767).astype(np.int16)
    code = """
import logging, sys, time
import numpy as np
logging.basicConfig(level=logging.WARNING, format="%(message)s")
from score_following_game.errors import UserError
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.sources import MicrophoneWish
for which in ("", "room", "0"):
    microphone = Microphone(MicrophoneWish(which).source(), 22050)
    print(microphone.source.name)
microphone = Microphone(MicrophoneWish("room").source(), 22050)
microphone.start()
blocks = []
while sum(len(block.samples) for block in blocks) < 1000:
    blocks += microphone.read()
np.save(sys.argv[1], np.concatenate([block.samples for block in blocks]))
time.sleep(1)
microphone.read(); microphone.read()
print(microphone.overruns > 0, 0 < microphone.latency < 1)
microphone.close()
for which in ("nothing like this", "99", "?"):
    try:
        MicrophoneWish(which).source()
    except UserError as error:
        print(error)
"""
    done = endless_device(code, samples, tmp_path)
    assert done.returncode == 0, done.stderr
    *names, state, unknown, number, question = done.stdout.splitlines()
    assert names[0] == "default" and names[1] == "room" and state == "True True"
    assert unknown.startswith("--audio mic:nothing like this: no such input device; there are ") and "room" in unknown
    assert "mic:99: no such" in number and "mic:?: no such" in question
    got = np.load(tmp_path / "got.npy")
    np.testing.assert_allclose(got[:1000], samples[:1000] / 32768, atol=1e-4)
    assert done.stderr.count("samples were lost") == 1


@pytest.mark.needs("pulseaudio")
def test_a_microphone_of_a_sound_server(tune: Path, tmp_path: Path):
    """The whole way: a sound server's virtual microphone, ALSA, PortAudio, sounddevice, the agent."""
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    with sound_server(tmp_path) as server:
        process = server.start(
            SCRIPT,
            *("--params", "nottingham", "--deterministic", "--data_set", tune.parent, "--piece", "tune"),
            *("--audio", "mic", "--gain", "-10", "--csv", positions, "--record", kept),
        )
        for line in process.stderr:
            if "listening to" in line:
                break
        time.sleep(2.5)  # the server's stream takes a while to begin
        server.play(tune.with_name("heard.wav"))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "The music has ended" in err, err
    assert "in the device" in err
    got, expected = (soundfile.read(path, dtype="float32")[0] for path in (kept, tune.with_name("heard.wav")))
    music = expected[round(SILENCE * RATE) :][: 2 * RATE]
    products = np.fft.irfft(np.fft.rfft(got, 2**18) * np.conj(np.fft.rfft(music, 2**18)))
    at = int(np.argmax(products))
    assert np.corrcoef(got[at : at + len(music)], music)[0, 1] > 0.9
    assert float(table(positions)[0]["time"]) == pytest.approx(at / RATE, abs=0.03)


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
