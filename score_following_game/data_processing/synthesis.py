"""Synthesis of MIDI files by FluidSynth."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError

if TYPE_CHECKING:
    import fluidsynth
    import pretty_midi

FLUID_WARN = 2  # a level of fluidsynth/log.h
NO_FLUIDSYNTH = (
    "the FluidSynth library, which turns MIDI into audio, is missing; install it: Debian/Ubuntu `apt install libfluidsynth3`,"
    " Fedora `dnf install fluidsynth-libs`, macOS `brew install fluid-synth`, conda `conda install -c conda-forge fluidsynth`, "
    "Windows `choco install fluidsynth`"
)


def default_sound_font() -> Path:
    """The small General MIDI font that comes with pretty_midi."""
    package = find_spec("pretty_midi")
    if package is None or package.origin is None:
        raise UserError("pretty_midi is missing; install the requirements: pip install -r requirements.txt")
    return Path(package.origin).with_name("TimGM6mb.sf2")


def synthesise(midi: pretty_midi.PrettyMIDI, sound_font: Path | None = None, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Play a MIDI file with a sound font. Returns float32 (n,), mono at `rate` Hz, with a second after the last note.

    The level is FluidSynth's. Raises UserError when the font or the FluidSynth library is missing.
    """
    font = Path(sound_font) if sound_font else default_sound_font()
    require_sound_font(font)
    with _synthesiser(font, rate) as (synthesiser, loaded):
        return midi.fluidsynth(fs=rate, synthesizer=synthesiser, sfid=loaded).astype(np.float32)


_exchange = threading.Lock()
_latest: dict[
    Path, fluidsynth.Synth
] = {}  # the last one for each font: FluidSynth keeps a font's samples while a synthesiser uses them


@contextlib.contextmanager
def _synthesiser(font: Path, rate: int) -> Iterator[tuple[fluidsynth.Synth, int]]:
    """Yield a new synthesiser and the id of its font.

    Each piece has its own, so that the reverberation of one does not reach the next. It reads only the instruments in use,
    since reading a whole font can take many seconds.
    """
    from score_following_game.data_processing.midi_library import fluidsynth

    synthesiser = fluidsynth.Synth(samplerate=rate)
    synthesiser.setting("synth.dynamic-sample-loading", 1)
    try:
        yield synthesiser, synthesiser.sfload(str(font))
    finally:
        with _exchange:  # pieces are loaded in several threads
            before, _latest[font] = _latest.get(font), synthesiser
        if before is not None:
            before.delete()


@lru_cache
def require_sound_font(font: Path) -> None:
    """Raise UserError for a font that cannot be loaded; FluidSynth itself would continue without it and play noise."""
    from score_following_game.data_processing.midi_library import fluidsynth

    if fluidsynth is None:
        raise UserError(NO_FLUIDSYNTH)
    if not font.is_file():
        raise UserError(f"{font}: no such sound font")
    with font.open("rb") as stream:
        header = stream.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise UserError(f"{font}: not a SoundFont 2 file")
    with contextlib.suppress(AttributeError):  # its warnings are about details of fonts and appear for every note
        fluidsynth._fl.fluid_set_log_function(FLUID_WARN, None, None)
    synthesiser = fluidsynth.Synth()
    synthesiser.setting("synth.dynamic-sample-loading", 1)
    try:
        if synthesiser.sfload(str(font)) < 0:
            raise UserError(f"{font}: FluidSynth cannot read this sound font")
    finally:
        synthesiser.delete()
