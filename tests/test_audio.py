"""Recordings beside a piece: the formats that are read, silence, and channels that cancel."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile

from score_following_game.config import GameConfig
from score_following_game.data_preparation.recordings.pairing import find_recordings
from score_following_game.data_processing.audio import load_recording, read_recording, recording_seconds
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.errors import UserError
from tests.small_piece import write_small_piece

RATE = 44100
SECONDS = 2.0
CODECS = {".m4a": "aac", ".aac": "aac", ".wma": "wmav2", ".mka": "aac", ".wv": "wavpack", ".opus": "libopus"}


def tone(rate: int = RATE, seconds: float = SECONDS) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def encode(path: Path, samples: np.ndarray, rate: int) -> Path:
    """Write mono samples, float32 (n,), as a telephone would."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix.lower()], rate=rate, layout="mono")
        stream.bit_rate = 128_000
        form = stream.codec_context.codec.audio_formats[0].name
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate = rate
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=form, layout="mono", rate=rate, frame_size=size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [*CODECS, ".M4A"])
def test_formats_of_telephones_are_read(suffix: str, tmp_path: Path) -> None:
    rate = 48000 if suffix == ".opus" else RATE
    path = encode(tmp_path / f"tune{suffix}", tone(rate), rate)
    samples = load_recording(path)
    assert samples.dtype == np.float32 and abs(len(samples) / 22050 - SECONDS) < 0.15
    second = samples[10000:32050]
    assert np.argmax(np.abs(np.fft.rfft(second))) == pytest.approx(440, abs=2)  # Hz
    assert np.abs(second).max() == pytest.approx(0.3, abs=0.05)
    assert recording_seconds(path) == pytest.approx(SECONDS, abs=0.2)


def test_raw_aac_begins_when_its_music_does(tmp_path: Path) -> None:
    """Its first frame only prepares the decoder. What another encoder adds is not known, and said."""
    silence = np.zeros(RATE, np.float32)
    recording = read_recording(encode(tmp_path / "tune.aac", np.concatenate([silence, tone(seconds=1)]), RATE))
    loud = np.flatnonzero(np.abs(recording.samples) > 0.1)
    assert loud[0] / 22050 == pytest.approx(1, abs=0.005)
    assert "delay" in recording.remarks[0]
    named = encode(tmp_path / "tune.m4a", tone(), RATE).rename(tmp_path / "named.aac")
    assert not read_recording(named).remarks


@pytest.mark.parametrize("suffix", [".aiff", ".aif"])
def test_aiff_is_read(suffix: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / f"tune{suffix}", tone(), RATE, format="AIFF")
    assert load_recording(tmp_path / f"tune{suffix}").size == 44100


def test_a_recording_from_a_telephone_is_heard_and_paired(tmp_path: Path, config: GameConfig) -> None:
    write_small_piece(tmp_path)
    path = encode(tmp_path / "tune.m4a", tone(seconds=4), RATE)
    assert load_data_set(tmp_path, config)[0].source == path
    assert find_recordings(tmp_path) == {"tune": path}


@pytest.mark.parametrize(("suffix", "channels"), [(".wav", 1), (".wav", 2), (".flac", 2), (".mp3", 2), (".ogg", 1)])
def test_what_was_read_before_gives_the_same_samples(suffix: str, channels: int, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(1).normal(size=(RATE, channels))
    path = tmp_path / f"x{suffix}"
    soundfile.write(path, noise + tone(seconds=1)[:, None], RATE)
    before, _ = librosa.load(path, sr=22050, mono=True)
    assert np.array_equal(load_recording(path), before)


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "tune.m4a", tone(), RATE)
    monkeypatch.delitem(sys.modules, "av")
    monkeypatch.setattr("score_following_game.optional_libraries.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"tune\.m4a.*needs av.*score_following_game\[sound\]"):
        load_recording(path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.m4a").write_bytes(b"no sound" * 50)
    with pytest.raises(UserError, match=r"x\.m4a: cannot be read as audio"):
        load_recording(tmp_path / "x.m4a")
    assert recording_seconds(tmp_path / "x.m4a") is None


@pytest.mark.parametrize("level", [0.0, 2e-5])
def test_silence_is_told(level: float, tmp_path: Path, config: GameConfig, caplog: pytest.LogCaptureFixture) -> None:
    write_small_piece(tmp_path)
    write_small_piece(tmp_path, "other")
    soundfile.write(tmp_path / "tune.wav", level * tone(seconds=4), RATE, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        assert [piece.name for piece in load_data_set(tmp_path, config)] == ["other"]
    assert "tune.wav: is silent" in caplog.text


def test_a_constant_offset_is_no_sound(tmp_path: Path) -> None:
    left = tone(22050, 4)
    soundfile.write(tmp_path / "silent.wav", np.full(4 * 22050, 0.4), 22050, subtype="FLOAT")
    with pytest.raises(UserError, match=r"silent\.wav: is silent"):
        read_recording(tmp_path / "silent.wav")
    soundfile.write(tmp_path / "x.wav", left + np.float32(0.4), 22050, subtype="FLOAT")
    assert np.abs(load_recording(tmp_path / "x.wav") - left).max() < 1e-4  # else the level would be that of the offset
    soundfile.write(tmp_path / "two.wav", np.stack([left, -left], axis=1) + 0.4, 22050, subtype="FLOAT")
    assert "its channels cancel" in read_recording(tmp_path / "two.wav").remarks[0]


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_told(odd: float, tmp_path: Path) -> None:
    samples = tone(seconds=1)
    samples[100] = odd
    soundfile.write(tmp_path / "tune.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match=r"tune\.wav: .*samples that are no numbers"):
        read_recording(tmp_path / "tune.wav")


def test_recordings_that_are_not_heard_are_named(tmp_path: Path, config: GameConfig, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("two", "odd", "empty", "published"):
        write_small_piece(tmp_path, name)
    for name, form in (("two.wav", "WAV"), ("two.flac", "FLAC"), ("odd.Wav", "WAV")):
        soundfile.write(tmp_path / name, tone(seconds=4), RATE, format=form)
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "published.wav").touch()  # as in the published sets, beside a spectrogram
    np.save(tmp_path / "published.spec.npy", np.zeros((78, 80), np.float32))
    with caplog.at_level(logging.WARNING):
        load_data_set(tmp_path, config)
    (named,) = [line for line in caplog.messages if "not heard" in line]
    listed = named.partition("not heard: ")[2].split("; ")
    assert sorted(listed) == ["empty.mp3 (it is empty)", "odd.Wav (odd.mid is)", "two.flac (two.wav is)"]


@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_channels_that_cancel_are_not_mixed(
    leak: float, tmp_path: Path, config: GameConfig, caplog: pytest.LogCaptureFixture
) -> None:
    write_small_piece(tmp_path)
    left = tone(22050, 4)
    soundfile.write(tmp_path / "tune.wav", np.stack([left, (leak - 1) * left], axis=1), 22050, subtype="FLOAT")
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            load_data_set(tmp_path, config)
        assert "tune.wav: its channels cancel when they are mixed, so channel 1 alone is heard" in caplog.text
    assert np.array_equal(load_recording(tmp_path / "tune.wav"), left)


def test_one_silent_channel_does_not_cancel(tmp_path: Path) -> None:
    left = tone(22050)
    soundfile.write(tmp_path / "x.wav", np.stack([left, 0 * left], axis=1), 22050, subtype="FLOAT")
    assert not read_recording(tmp_path / "x.wav").remarks


def test_sound_of_other_kinds_is_named(tmp_path: Path, config: GameConfig, caplog: pytest.LogCaptureFixture) -> None:
    write_small_piece(tmp_path)
    shutil.copy(tmp_path / "tune.mid", tmp_path / "tune.mp4")
    with caplog.at_level(logging.WARNING):
        load_data_set(tmp_path, config)
    assert "tune.mp4: not read; convert recordings to .wav or .flac" in caplog.text
    caplog.clear()
    with pytest.raises(UserError, match=r"expected .*\.m4a"):
        find_recordings(tmp_path)
    assert "tune.mp4" in caplog.text
