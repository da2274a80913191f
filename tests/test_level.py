"""The level of music: equal to the peak where nothing disturbs, and unchanged by what is not music."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.level import MEMORY, RISE, RunningGain, equivalent_peak, frame_levels, gain_for
from score_following_game.data_processing.performance import load_performance
from score_following_game.data_processing.spectrogram import band_magnitudes, compress
from score_following_game.data_processing.streaming import StreamingSpectrogram
from score_following_game.data_processing.synthesis import synthesise

RATE, FPS, LEVEL = 22050, 20, 0.13
HOP = RATE / FPS


def melody(seconds: float = 12.0, program: int = 0, chords: bool = False) -> pretty_midi.PrettyMIDI:
    midi = pretty_midi.PrettyMIDI()
    part = pretty_midi.Instrument(program)
    for number in range(int(seconds / 0.4)):
        pitches = [60 + 7 * number % 24, *([48, 55, 64] if chords else [])]
        part.notes += [pretty_midi.Note(70 + 5 * number % 40, pitch, 0.4 * number, 0.4 * number + 0.38) for pitch in pitches]
    midi.instruments.append(part)
    return midi


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return synthesise(melody())


def level(samples: np.ndarray) -> float:
    return equivalent_peak(frame_levels(samples, band_magnitudes(samples), HOP))


def decibels(ratio: float) -> float:
    return 20 * np.log10(ratio)


@pytest.mark.parametrize("program", [0, 19, 24, 40, 56, 73])
@pytest.mark.parametrize("chords", [False, True])
def test_level_of_undisturbed_music_is_its_peak(program: int, chords: bool):
    samples = synthesise(melody(program=program, chords=chords))
    assert abs(decibels(level(samples) / np.abs(samples).max())) < (1 if program == 0 else 1.5)


def click(music: np.ndarray) -> np.ndarray:
    return at(music, len(music) // 2, 10 * np.abs(music).max() * np.ones(1))


def clicks(music: np.ndarray) -> np.ndarray:
    peak = np.abs(music).max()
    for start in range(0, len(music) - 200, RATE // 2):
        music = at(music, start, 10 * peak * noise(60) / 4)
    return music


def cough(music: np.ndarray) -> np.ndarray:
    return at(music, len(music) // 3, 3 * np.abs(music).max() * noise(RATE // 3) * np.hanning(RATE // 3))


def drums(music: np.ndarray) -> np.ndarray:
    seconds = np.arange(RATE // 4) / RATE
    drum = np.sin(2 * np.pi * 80 * seconds) * np.exp(-18 * seconds) + 0.3 * noise(len(seconds)) * np.exp(-40 * seconds)
    drum *= 2 * np.abs(music).max() / np.abs(drum).max()
    for start in range(0, len(music) - len(drum), RATE // 2):
        music = at(music, start, drum)
    return music


def hiss(music: np.ndarray) -> np.ndarray:
    return music + noise(len(music)) * music.std() * 10 ** (-15 / 20)


def silence_around(music: np.ndarray) -> np.ndarray:
    return np.pad(music, (10 * RATE, 60 * RATE))


def at(music: np.ndarray, start: int, sound: np.ndarray) -> np.ndarray:
    result = music.copy()
    result[start : start + len(sound)] += sound.astype(np.float32)
    return result


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=n).astype(np.float32)


@pytest.mark.parametrize("disturb", [click, clicks, cough, drums, hiss, silence_around])
def test_disturbances_do_not_change_the_level(music: np.ndarray, disturb: Callable[[np.ndarray], np.ndarray]):
    disturbed = disturb(music)
    assert abs(decibels(level(disturbed) / level(music))) < 1
    if disturb in (click, clicks, cough, drums):  # the peak is no measure of these
        assert np.abs(disturbed).max() > 1.9 * np.abs(music).max()


def test_gain_is_inverse_to_the_level_and_1_for_silence(music: np.ndarray):
    magnitudes = band_magnitudes(music)
    gain = gain_for(LEVEL, music, magnitudes, HOP)
    assert gain == pytest.approx(LEVEL / np.abs(music).max(), rel=0.12)
    assert gain_for(LEVEL, music / 8, magnitudes / 8, HOP) == pytest.approx(8 * gain)
    for n in (0, 1, 500, 30000):
        silence = np.zeros(n, np.float32)
        assert gain_for(LEVEL, silence, band_magnitudes(silence), HOP) == 1


def streamed(samples: np.ndarray, gain: float | RunningGain) -> np.ndarray:
    stream = StreamingSpectrogram(gain=gain)
    pushed = [stream.push(samples[start : start + 1500]) for start in range(0, len(samples), 1500)]
    return np.concatenate([*pushed, stream.finish()], axis=1)


def test_a_fixed_gain_of_a_stream(music: np.ndarray):
    np.testing.assert_allclose(streamed(music, 2.5), compress(2.5 * band_magnitudes(music)), atol=1e-5)


def test_running_gain_hears_faint_music_as_it_hears_loud_music(music: np.ndarray):
    loud = streamed(music, RunningGain(LEVEL, FPS))
    faint = streamed(music / 8, RunningGain(LEVEL, FPS))
    np.testing.assert_allclose(faint, loud, atol=0.02)
    whole = compress(band_magnitudes(music) * np.float32(gain_for(LEVEL, music, band_magnitudes(music), HOP)))
    assert np.abs(loud - whole)[:, 2 * FPS :].max() < 0.1  # powers of ten, 2 dB
    assert np.abs(streamed((32767 * music).astype(np.int16), RunningGain(LEVEL, FPS)) - loud).max() < 0.02


def test_running_gain_is_unchanged_by_a_click_falls_at_once_and_rises_slowly(music: np.ndarray):
    def gains(samples: np.ndarray) -> np.ndarray:
        return RunningGain(LEVEL, FPS).push(frame_levels(samples, band_magnitudes(samples), HOP))

    steady = gains(music)
    np.testing.assert_allclose(gains(click(music)), steady, rtol=0.05)
    louder = gains(np.concatenate([music, 4 * music]))
    change = len(steady)
    assert decibels(louder[change + 2 * FPS] / steady[-1]) == pytest.approx(decibels(1 / 4), abs=2)
    quieter = gains(np.concatenate([music, np.tile(music / 4, 5)]))
    assert quieter[change + int(MEMORY / 2 * FPS)] == pytest.approx(steady[-1], rel=0.1)
    assert decibels(quieter[-1] / steady[-1]) == pytest.approx(decibels(4), abs=1)
    assert np.diff(20 * np.log10(quieter[FPS:])).max() <= RISE / FPS + 1e-6


def test_running_gain_waits_for_sound():
    silence = RunningGain(LEVEL, FPS).push(frame_levels(np.zeros(RATE), np.zeros((78, FPS)), HOP))
    assert (silence == 1).all()


def test_recording_with_a_click_is_heard_like_one_without(tmp_path: Path, music: np.ndarray):
    config: GameConfig = load_game_config("nottingham")
    heard = []
    for name, samples in (("clean", music), ("disturbed", click(music))):
        melody().write(str(tmp_path / f"{name}.mid"))
        soundfile.write(tmp_path / f"{name}.wav", samples / 2, RATE, subtype="FLOAT")
        heard.append(load_performance(tmp_path / f"{name}.mid", config).spectrogram)
    assert np.percentile(np.abs(heard[0] - heard[1]).max(axis=0), 95) < 1e-3
    assert 1 < heard[0].max() < 1.6  # the published spectrograms reach 1.23 to 1.25
