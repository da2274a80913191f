"""Audio recordings, and the scaling of audio to one peak level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from score_following_game import limits
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError
from score_following_game.files import replacing
from score_following_game.optional_libraries import missing_library
from score_following_game.reading import reading

READ_BY_AV = (".m4a", ".aac", ".wma", ".mka", ".wv", ".ape")  # the others are read by soundfile
RECORDING_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".opus", *READ_BY_AV)
_UNREAD = (".mp4", ".m4b", ".mov", ".webm", ".caf", ".amr", ".ac3", ".mp2", ".au", ".ra", ".dsf")  # named in a message
_INAUDIBLE = 1e-4  # peak, 1 = full scale: three steps of 16-bit audio
_DEAFENING = 1e4
_OFFSET = 0.01  # of the peak; the mean of what is short and loud is less
_CANCELLED = 0.1  # power of the mix, relative to that of independent channels


_BLOCK = 2**16  # samples that are decoded at once
Block = tuple[np.ndarray, int]  # float32 (channels, n), full scale is 1; the sampling rate in Hz


@dataclass(frozen=True)
class Audio:
    """samples: float32 (n,), full scale is 1; rate: Hz."""

    samples: np.ndarray
    rate: int


@dataclass(frozen=True)
class Recording:
    """samples: float32 (n,), mono.  remarks: what is odd about the file, a phrase each."""

    samples: np.ndarray
    remarks: tuple[str, ...] = ()


def is_recording(path: Path) -> bool:
    """Whether the file name has the suffix of a recording, in upper or lower case."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def unread_sound(paths: Iterable[Path]) -> str:
    """A message about the files with sound of a kind that is not read, "" if there are none."""
    names = sorted(path.name for path in paths if path.suffix.lower() in _UNREAD)
    return f"{', '.join(names[:5])}{' ...' * (len(names) > 5)}: not read; convert recordings to .wav or .flac" if names else ""


def load_recording(path: Path, rate: int = SAMPLE_RATE) -> np.ndarray:
    """The samples of `read_recording`, which raises the same errors."""
    return read_recording(path, rate).samples


def read_recording(path: Path, rate: int = SAMPLE_RATE) -> Recording:
    """Read a recording, mixed to one channel and resampled to `rate` Hz by soxr where necessary, block by block.

    Channels that cancel each other are not mixed; the loudest is taken. A constant offset is no sound and is taken off. Raises
    UserError naming the file when it cannot be read, holds no samples, is silent or lasts too long.
    """
    if _needs_av(path) and (missing := missing_library(f"{path}: reading it", "sound", "av")):
        raise UserError(missing)
    with reading(path, "cannot be read as audio"):
        heard = _Heard()
        samples = _resampled(heard.mixed(_blocks(path)), rate)
        loudest = heard.loudest_of_cancelling()
        if loudest is not None:
            samples = _resampled(_one_channel(_blocks(path), loudest), rate)
    if not heard.samples:
        raise UserError(f"{path}: holds no audio")
    offset = float(samples.mean(dtype=np.float64)) if len(samples) else 0.0
    peak = heard.peak
    if abs(offset) >= max(_INAUDIBLE, _OFFSET * peak):
        samples -= np.float32(offset)
        peak = float(np.abs(samples).max())
    if not peak >= _INAUDIBLE:
        raise UserError(
            f"{path}: is silent (its peak is {peak:.2g} of full scale); replace it, or do without it: the score is played"
        )
    if heard.peak > _DEAFENING:
        raise UserError(f"{path}: its peak is {heard.peak:.2g} times full scale, so it is not sound; replace it")
    remarks = [] if loudest is None else [f"its channels cancel when they are mixed, so channel {loudest + 1} alone is heard"]
    return Recording(samples, (*remarks, *_delay(path)))


def _delay(path: Path) -> list[str]:
    """A remark about a recording whose beginning is known only roughly."""
    if not _needs_av(path):
        return []
    from score_following_game.data_processing.audio_av import is_raw_aac

    remark = "raw AAC does not state its encoder's delay, so it may be heard up to 0.05 s late; .m4a states it"
    return [remark] if is_raw_aac(path) else []


class _Heard:
    """What is measured while the blocks of a recording are mixed: samples, peak, sums and energy of channels and mix."""

    def __init__(self) -> None:
        self.samples = 0
        self.peak = 0.0
        self._sums = np.zeros(1)  # of each channel, then of the mix
        self._energy = np.zeros(1)  # the same

    def mixed(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The mean of the channels, float32 (1, n)."""
        for block, rate in blocks:
            if not np.isfinite(block).all():
                raise ValueError("it has samples that are no numbers")
            mix = block.mean(axis=0, keepdims=True)
            self.samples += block.shape[1]
            self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
            together = np.vstack([block, mix]).astype(np.float64)
            self._sums = self._sums + together.sum(axis=1)
            self._energy = self._energy + (together**2).sum(axis=1)
            yield mix, rate

    def loudest_of_cancelling(self) -> int | None:
        """The loudest channel where the channels nearly cancel in their mean, else None."""
        *energy, mixed = self._energy - self._sums**2 / max(1, self.samples)  # without a constant offset
        if len(energy) < 2 or mixed >= _CANCELLED * sum(energy) / len(energy) ** 2:
            return None
        return int(np.argmax(energy))


def _one_channel(blocks: Iterable[Block], channel: int) -> Iterator[Block]:
    for block, rate in blocks:
        yield block[channel : channel + 1], rate


def _resampled(blocks: Iterable[Block], rate: int) -> np.ndarray:
    """The only channel of blocks at `rate` Hz: float32 (n,). The blocks are resampled as if they were one."""
    parts: list[np.ndarray] = []
    stream, length, own_rate = None, 0, rate
    for block, own_rate in blocks:
        length += block.shape[1]
        if own_rate != rate:
            stream = stream or soxr.ResampleStream(own_rate, rate, 1, dtype="float32", quality="HQ")
        parts.append(stream.resample_chunk(block[0]) if stream else block[0])
    if stream:
        parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    expected = math.ceil(length * rate / own_rate)
    return whole[:expected] if len(whole) >= expected else np.pad(whole, (0, expected - len(whole)))


def _blocks(path: Path) -> Iterator[Block]:
    """The decoded blocks of a file: float32 (channels, n), and the rate. Raises TooLarge where the limits of limits.py end."""
    samples = 0
    for block, rate in _decoded(path):
        if not (0 < len(block) <= limits.CHANNELS and 0 < rate <= limits.SAMPLE_RATE):
            raise limits.TooLarge(f"it has {len(block)} channels at {rate} Hz, which is no recording of music")
        samples += block.shape[1]
        limits.require_length(samples / rate)
        yield block, rate


def _decoded(path: Path) -> Iterator[Block]:
    import soundfile

    if _needs_av(path):
        from score_following_game.data_processing.audio_av import decode

        yield from decode(path)
        return
    with path.open("rb"):  # what cannot be opened is not the decoder's fault
        pass
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:  # its message may be that there is no such file
        raise ValueError("no decoder knows it") from None
    with file:
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            yield block.T, file.samplerate


def _needs_av(path: Path) -> bool:
    return path.suffix.lower() in READ_BY_AV


def recording_seconds(path: Path) -> float | None:
    """The length of a recording as its header states it, without decoding it; None where that is not known."""
    import soundfile

    if _needs_av(path):
        if missing_library("", "sound", "av"):
            return None
        from score_following_game.data_processing.audio_av import stated_seconds

        return stated_seconds(path)
    try:
        return float(soundfile.info(path).duration)
    except Exception:  # whatever is wrong with it
        return None


def write_recording(path: Path, samples: np.ndarray) -> None:
    """Write float samples (n,), mono, 22 050 Hz, as 16-bit wav, whatever the path's suffix; quieter where they exceed 1."""
    import soundfile

    with replacing(path) as temporary:
        soundfile.write(temporary, samples / max(1.0, np.abs(samples).max()), SAMPLE_RATE, format="WAV", subtype="PCM_16")


def set_peak(samples: np.ndarray, peak: float) -> np.ndarray:
    """Scale float samples to a peak of `peak` (1 = full scale), for listeners; silence is returned unchanged."""
    loudest = np.abs(samples).max(initial=0.0)
    return samples * np.float32(peak / loudest) if loudest > 0 else samples
