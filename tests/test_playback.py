"""Sound and the clock: the sound leads where there is any, and nothing ever waits for a device that does not answer."""

import logging
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from small_piece import write_small_piece

from score_following_game.config import load_game_config
from score_following_game.data_processing.audio import Audio
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.watching.playback import Clock, MonotonicTime, SoundOutput, open_time_source, piece_audio

RATE = 1000


class Device:
    """Stands for a sound card: what sounddevice.OutputStream offers, asked for blocks by the test."""

    latency = 0.1

    def __init__(self, **settings):
        self.settings, self.running = settings, False

    def start(self):
        self.running = True

    def close(self):
        self.running = False


def sound_output(samples):
    return SoundOutput(Audio(np.asarray(samples, np.float32), RATE), SimpleNamespace(OutputStream=Device))


def take(sound, length):
    block = np.full((length, 1), 9, np.float32)
    sound.fill(block, length, None, None)
    return block[:, 0]


def test_blocks_are_the_samples_in_order_then_silence():
    sound = sound_output(np.arange(1, 26))
    sound.start()
    played = np.concatenate([take(sound, 10) for _ in range(4)])
    assert played.tolist() == [*range(1, 26), *[0] * 15]


def test_time_is_what_is_heard_not_what_the_wall_says():
    """A device at half the speed it claims."""
    sound = sound_output(np.zeros(10_000))
    sound.start()
    for _ in range(8):
        take(sound, 50)
        time.sleep(0.1)
    take(sound, 50)
    assert sound.seconds() == pytest.approx(0.4 - Device.latency, abs=0.05)


def test_null_device_does_not_rush_the_music():
    sound = sound_output(np.zeros(10_000))
    sound.start()
    for _ in range(90):
        take(sound, 100)
    assert sound.seconds() < 1


def test_time_goes_on_when_the_device_stalls_and_never_back():
    sound = sound_output(np.zeros(10_000))
    sound.start()
    take(sound, 100)
    before = sound.seconds()
    time.sleep(0.25)
    stalled = sound.seconds()
    assert stalled - before > 0.1
    take(sound, 100)  # the device wakes up 150 ms behind
    assert sound.seconds() >= stalled


def test_clock_follows_the_sound():
    sound = sound_output(np.zeros(10_000))
    clock = Clock(20, sound, first=100)
    clock.start()
    for _ in range(5):
        take(sound, 100)
    assert clock.until(100) == pytest.approx(-0.3, abs=0.05)  # the block from 0.4 s on, less the latency
    assert clock.until(118) == pytest.approx(0.6, abs=0.05)


def test_silent_clock_is_the_machine_s():
    clock = Clock(20)
    clock.start()
    time.sleep(0.1)
    assert 0.1 <= -clock.until(0) < 0.4
    assert clock.until(20) - clock.until(0) == pytest.approx(1.0, abs=0.01)


def test_a_pause_takes_no_time_and_no_samples():
    sound, silent = sound_output(np.arange(1, 10_000)), MonotonicTime()
    for source in (sound, silent):
        source.start()
    take(sound, 100)
    time.sleep(0.2)
    before = []
    for source in (sound, silent):
        source.pause()
        before.append(source.seconds())
    assert take(sound, 50).tolist() == [0] * 50
    time.sleep(0.3)
    assert [sound.seconds(), silent.seconds()] == before
    for source in (sound, silent):
        source.resume()
    assert take(sound, 2).tolist() == [101, 102]
    time.sleep(0.3)
    assert all(0 < source.seconds() - then < 0.6 for source, then in zip((sound, silent), before))


def test_no_sound_package_is_one_notice_and_a_silent_clock(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_time_source(Audio(np.zeros(10, np.float32), RATE)), MonotonicTime)
    assert len(caplog.records) == 1 and "without sound" in caplog.text


def test_no_sound_device_is_one_notice_and_a_silent_clock(monkeypatch, caplog):
    def refuse(**_):
        raise RuntimeError("Error querying device -1")

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(OutputStream=refuse))
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_time_source(Audio(np.zeros(10, np.float32), RATE)), MonotonicTime)
    assert len(caplog.records) == 1 and "Error querying device -1" in caplog.text


def test_no_audio_asked_for_is_silent_without_a_notice(caplog):
    assert isinstance(open_time_source(None), MonotonicTime)
    assert not caplog.records


def test_piece_audio_begins_at_the_frame_and_is_loud(tmp_path):
    config = load_game_config("game_configs/nottingham.yaml")
    piece = load_data_set(write_small_piece(tmp_path), config)[0]
    whole, later = piece_audio(piece, config), piece_audio(piece, config, first_frame=16)
    assert np.abs(whole.samples).max() == pytest.approx(0.7, abs=0.01) and whole.rate == 22050
    assert len(whole.samples) - len(later.samples) == round(16 * 22050 / 20)
    match = whole.samples[-len(later.samples) :]
    assert np.corrcoef(match, later.samples)[0, 1] > 0.999


def test_practice_is_slower_at_the_same_pitch(tmp_path):
    config = load_game_config("game_configs/nottingham.yaml")
    piece = load_data_set(write_small_piece(tmp_path), config)[0]
    whole, slow = piece_audio(piece, config).samples, piece_audio(piece, config, speed=0.5).samples
    assert len(slow) == pytest.approx(2 * len(whole), rel=0.01)

    def pitch(samples, first):
        spectrum = np.abs(np.fft.rfft(samples[first : first + 4096] * np.hanning(4096)))
        return int(np.flatnonzero(spectrum > 0.2 * spectrum.max())[0])  # the lowest partial; the strongest may be another

    third = round(22050 * (2 * 0.4 + 0.1))  # within the third note
    assert pitch(slow, 2 * third) == pytest.approx(pitch(whole, third), abs=1)


def test_piece_that_cannot_be_heard_is_one_notice(tmp_path, caplog):
    config = load_game_config("game_configs/nottingham.yaml")
    piece = load_data_set(write_small_piece(tmp_path), config)[0]
    piece.midi_path.write_bytes(b"no midi")
    with caplog.at_level(logging.WARNING):
        assert piece_audio(piece, config) is None
    assert len(caplog.records) == 1 and "tune.mid" in caplog.text
