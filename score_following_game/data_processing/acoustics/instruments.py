"""Instruments: which program of which sound font plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIANOS = (0, 1, 2, 3)
KEYBOARDS = (*PIANOS, 4, 5, 6, 7)
# Weights of General MIDI's families of eight programs, pianos to pads; effects and percussion play no melodies.
FAMILIES = (4.0, 1.0, 2.0, 2.0, 0.5, 3.0, 1.5, 3.0, 3.0, 3.0, 1.0, 0.5)


@dataclass(frozen=True)
class Instrument:
    """font: a SoundFont file. program: General MIDI, from 0. vibrato: of the modulation wheel, 0 to 127."""

    font: Path
    program: int
    vibrato: int = 0


def draw_instrument(fonts: Sequence[Path], keyboards_only: bool, random: np.random.Generator) -> Instrument:
    """An instrument of one of the fonts; the piano is the likeliest. keyboards_only: pianos, mostly, and other keyboards."""
    font = fonts[int(random.integers(len(fonts)))]
    if keyboards_only:
        return Instrument(font, int(random.choice(PIANOS if random.random() < 0.8 else KEYBOARDS)))
    weights = np.array(FAMILIES) / sum(FAMILIES)
    program = 8 * int(random.choice(len(FAMILIES), p=weights)) + int(random.integers(8))
    vibrato = int(random.integers(0, 90)) if program >= 40 and random.random() < 0.5 else 0
    return Instrument(font, program, vibrato)
