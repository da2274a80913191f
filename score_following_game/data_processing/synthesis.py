"""Synthesis of MIDI files by FluidSynth."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_processing.long_sound import SampleFile
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError

if TYPE_CHECKING:
    import fluidsynth
    import pretty_midi

LONG = 10.0  # minutes
_TAIL = 1.0  # seconds after the last event
_PIECE = 2**20  # samples
Event = tuple[float, bool, str, tuple[int, ...]]  # time, whether it ends no note, method of the synthesiser, arguments
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
    return synthesised(midi, sound_font, rate)[:]


def synthesised(
    midi: pretty_midi.PrettyMIDI, sound_font: Path | None = None, rate: int = SAMPLE_RATE
) -> np.ndarray | SampleFile:
    """What `synthesise` returns, which has the same arguments and errors; music longer than LONG minutes is kept on disk."""
    font = Path(sound_font) if sound_font else default_sound_font()
    require_sound_font(font)
    with _synthesiser(font, rate) as (synthesiser, loaded):
        if midi.get_end_time() <= 60 * LONG:
            return midi.fluidsynth(fs=rate, synthesizer=synthesiser, sfid=loaded).astype(np.float32)
        played = [part for part in midi.instruments if part.notes]
        events = [_events(part) for part in played]
        sound = SampleFile(max(math.ceil(rate * (moments[0][0] + np.sum(_durations(moments)))) for moments in events))
        for part, moments in zip(played, events):
            _choose_program(part, synthesiser, loaded)
            _play(moments, 9 if part.is_drum else 0, synthesiser, sound, rate)
    return sound


def _choose_program(part: pretty_midi.Instrument, synthesiser: fluidsynth.Synth, font: int) -> None:
    if not part.is_drum:
        synthesiser.program_select(0, font, 0, part.program)
    elif synthesiser.program_select(9, font, 128, part.program) == -1:
        synthesiser.program_select(9, font, 128, 0)


def _events(part: pretty_midi.Instrument) -> list[Event]:
    """In the order of playing."""
    found: list[Event] = []
    for note in part.notes:
        found += [(note.start, True, "noteon", (note.pitch, note.velocity)), (note.end, False, "noteoff", (note.pitch,))]
    found += [(bend.time, True, "pitch_bend", (bend.pitch,)) for bend in part.pitch_bends]
    found += [(change.time, True, "cc", (change.number, change.value)) for change in part.control_changes]
    return sorted(found, key=lambda event: event[:2])


def _durations(events: list[Event]) -> list[float]:
    """Seconds from each event to the next; a second after the last one."""
    return [after[0] - event[0] for event, after in pairwise(events)] + [_TAIL]


def _play(
    events: list[Event],
    channel: int,
    synthesiser: fluidsynth.Synth,
    sound: SampleFile,
    rate: int,
) -> None:
    """Add the sound of one part, as PrettyMIDI.fluidsynth makes it, a piece at a time."""
    now, pieces, begin, size = events[0][0], [], int(rate * events[0][0]), 0
    for (_, _, method, arguments), duration in zip(events, _durations(events)):
        getattr(synthesiser, method)(channel, *arguments)
        place, now = int(rate * now), now + duration
        last = int(rate * now)
        while place < last:
            count = min(last - place, _PIECE)
            pieces.append(synthesiser.get_samples(count)[::2])
            place, size = place + count, size + count
            if size >= _PIECE:
                sound.add(begin, np.concatenate(pieces))
                pieces, begin, size = [], begin + size, 0
    if pieces:
        sound.add(begin, np.concatenate(pieces))


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
