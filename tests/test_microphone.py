"""--audio mic: samples from a device or a rehearsal arrive whole, in order, at the right rate."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from listening_tools import RATE, noise
from sound_tools import endless_device

from score_following_game import optional_libraries
from score_following_game.errors import UserError
from score_following_game.watching.listening import microphone as listening
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.recording import recording
from score_following_game.watching.listening.ring import RingBuffer
from score_following_game.watching.listening.sources import MicrophoneWish, Rehearsal, parse_audio


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
