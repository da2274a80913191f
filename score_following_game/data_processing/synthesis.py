"""MIDI -> audio by FluidSynth."""

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
    "FluidSynth's library is missing, which turns MIDI into audio; install it: Debian/Ubuntu `apt install libfluidsynth3`,"
    " Fedora `dnf install fluidsynth-libs`, macOS `brew install fluid-synth`, conda `conda install -c conda-forge fluidsynth`, "
    "Windows `choco install fluidsynth`"
)


def default_sound_font() -> Path:
    """The small General MIDI font that pretty_midi carries."""
    return Path(find_spec("pretty_midi").origin).with_name("TimGM6mb.sf2")


def synthesise(midi: pretty_midi.PrettyMIDI, sound_font: Path | None = None, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Play a MIDI with a sound font -> float32 (n,) mono at `rate` Hz, a second of tail included; level as it comes.

    Raises UserError when the font or FluidSynth's library is missing.
    """
    font = Path(sound_font) if sound_font else default_sound_font()
    require_sound_font(font)
    with _synthesiser(font, rate) as (synthesiser, loaded):
        return midi.fluidsynth(fs=rate, synthesizer=synthesiser, sfid=loaded).astype(np.float32)


_exchange = threading.Lock()
_latest: dict[Path, fluidsynth.Synth] = {}  # FluidSynth keeps samples while a synthesiser has them: of each font the latest


@contextlib.contextmanager
def _synthesiser(font: Path, rate: int) -> Iterator[tuple[fluidsynth.Synth, int]]:
    """A new synthesiser, so that no piece hears another's echo, and the number of its font, of which it reads only the
    instruments that play: some fonts take many seconds to read whole, and every piece would."""
    from score_following_game.data_processing.midi_library import fluidsynth

    synthesiser = fluidsynth.Synth(samplerate=rate)
    synthesiser.setting("synth.dynamic-sample-loading", 1)
    try:
        yield synthesiser, synthesiser.sfload(str(font))
    finally:
        with _exchange:  # pieces are prepared in several threads
            before, _latest[font] = _latest.get(font), synthesiser
        if before is not None:
            before.delete()


@lru_cache
def require_sound_font(font: Path) -> None:
    """Load it once: FluidSynth itself goes on without a font, and plays noise."""
    from score_following_game.data_processing.midi_library import fluidsynth

    if fluidsynth is None:
        raise UserError(NO_FLUIDSYNTH)
    if not font.is_file():
        raise UserError(f"{font}: no such sound font")
    with font.open("rb") as stream:
        header = stream.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise UserError(f"{font}: not a SoundFont 2 file")
    with contextlib.suppress(AttributeError):  # its warnings are about the fonts' finer points and come once per note
        fluidsynth._fl.fluid_set_log_function(FLUID_WARN, None, None)
    synthesiser = fluidsynth.Synth()
    synthesiser.setting("synth.dynamic-sample-loading", 1)
    try:
        if synthesiser.sfload(str(font)) < 0:
            raise UserError(f"{font}: FluidSynth cannot read this sound font")
    finally:
        synthesiser.delete()
