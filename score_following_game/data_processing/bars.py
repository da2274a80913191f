"""Bars and beats of a performance, where its MIDI file states time signatures."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from score_following_game.data_processing.midi_files import DEFAULT_TEMPO, parse_midi


@dataclass(frozen=True)
class BarCounter:
    """Converts seconds of a performance to bars and beats.

    seconds, quarters: float64 (n,), the tempo map: the same n moments on both scales, with the last tempo in `pace` (seconds
    per quarter). signatures: (quarter it starts at, bars before it, quarters per bar, quarters per beat), by start.
    """

    seconds: np.ndarray
    quarters: np.ndarray
    pace: float
    signatures: tuple[tuple[float, int, float, float], ...]

    @classmethod
    def of(cls, midi_path: Path) -> BarCounter | None:
        """The counter of a MIDI file; None where it states no time signature at its beginning."""
        midi = parse_midi(midi_path.read_bytes())
        tempi, signatures, tick = [(0, DEFAULT_TEMPO)], [], 0
        for message in mido.merge_tracks(midi.tracks):
            tick += message.time
            if message.type == "set_tempo":
                tempi.append((tick, message.tempo))
            elif message.type == "time_signature" and message.numerator:
                signatures.append((tick / midi.ticks_per_beat, message.numerator, message.denominator))
        if not signatures or signatures[0][0] > 0:
            return None
        quarters = np.array([tick / midi.ticks_per_beat for tick, _ in tempi])
        paces = np.array([tempo / 1e6 for _, tempo in tempi])
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(quarters) * paces[:-1])])
        return cls(seconds, quarters, float(paces[-1]), _counted(signatures))

    def quarter(self, seconds: np.ndarray) -> np.ndarray:
        """Quarters from the beginning at times in seconds, float64, both (n,)."""
        beyond = np.maximum(0.0, seconds - self.seconds[-1]) / self.pace
        return np.interp(seconds, self.seconds, self.quarters) + beyond

    def bars(self, last: float) -> Iterator[tuple[float, int, float]]:
        """(start in quarters, number from 1, quarters per beat) of each bar that begins at or before the quarter `last`."""
        ends = [begin for begin, *_ in self.signatures[1:]] + [last + 1e-9]
        for (begin, before, length, beat), end in zip(self.signatures, ends):
            for place in range(math.ceil((min(end, last + 1e-9) - begin) / length - 1e-9)):
                yield begin + place * length, before + place + 1, beat

    def at(self, seconds: float) -> tuple[int, float]:
        """Bar and beat, both from 1, at a time in seconds."""
        quarter = float(self.quarter(np.array([seconds]))[0])
        start, bars, bar_length, beat_length = self.signatures[
            bisect.bisect_right([begin for begin, *_ in self.signatures], quarter + 1e-9) - 1
        ]
        bar, rest = divmod(quarter - start + 1e-9, bar_length)
        return bars + int(bar) + 1, max(0.0, rest - 1e-9) / beat_length + 1


def _counted(signatures: list[tuple[float, int, int]]) -> tuple[tuple[float, int, float, float], ...]:
    """With the number of bars before each; a bar that a new signature cuts short counts as one."""
    counted: list[tuple[float, int, float, float]] = []
    for start, numerator, denominator in signatures:
        bars = 0
        if counted:
            begin, before, length, _ = counted[-1]
            bars = before + int(np.ceil((start - begin) / length - 1e-9))
        counted.append((start, bars, numerator * 4 / denominator, 4 / denominator))
    return tuple(counted)
