"""MIDI files at another tempo."""

from __future__ import annotations

import io

import mido

from score_following_game.data_processing.midi_files import DEFAULT_TEMPO, parse_midi
from score_following_game.errors import UserError

SLOWEST, FASTEST = 0.25, 4.0
_LARGEST_TEMPO = 2**24 - 1  # microseconds per quarter: a file stores three bytes


def scale_tempo(midi: bytes, factor: float) -> bytes:
    """Make every tempo in a MIDI file, given as bytes, `factor` times as fast. Ticks, and so the order of notes, do not change.

    Raises UserError for a resulting tempo that a MIDI file cannot express.
    """
    content = parse_midi(midi)
    first = content.tracks[0]
    for track in content.tracks:
        for place, message in enumerate(track):
            if message.type == "set_tempo":
                track[place] = message.copy(tempo=_scaled(message.tempo, factor))
    if not any(message.type == "set_tempo" for message in first[: _first_later(first)]):
        first.insert(0, mido.MetaMessage("set_tempo", tempo=_scaled(DEFAULT_TEMPO, factor), time=0))
    buffer = io.BytesIO()
    content.save(file=buffer)
    return buffer.getvalue()


def parse_tempi(text: str) -> tuple[float, ...]:
    """Parse "0.5,1.0,1.25": in the order given, without duplicates, in thousandths. Raises UserError for anything else."""
    try:
        tempi = tuple(dict.fromkeys(round(float(part), 3) for part in text.split(",")))
    except ValueError:
        tempi = ()
    if not tempi or not all(SLOWEST <= tempo <= FASTEST for tempo in tempi):
        raise UserError(f"--tempo {text}: expected numbers from {SLOWEST:g} to {FASTEST:g}, like 0.9,1.0,1.1")
    return tempi


def tempo_suffix(factor: float) -> str:
    """Suffix of a performance's name: NAME_tempo_0900 is played at 0.9 times the score's tempo; "" for 1.0."""
    return "" if factor == 1.0 else f"_tempo_{round(factor * 1000):04d}"


def _scaled(tempo: int, factor: float) -> int:
    """A tempo made `factor` times as fast; both in microseconds per quarter."""
    scaled = round(tempo / factor)
    if not 1 <= scaled <= _LARGEST_TEMPO:
        raise UserError(f"tempo out of MIDI's range: {tempo} microseconds per quarter, {factor:g} times as fast")
    return scaled


def _first_later(track: mido.MidiTrack) -> int:
    """Index of the first message after the beginning of the track."""
    return next((place for place, message in enumerate(track) if message.time > 0), len(track))
