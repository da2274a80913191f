"""The same performance, faster or slower."""

from __future__ import annotations

import io

import mido

from score_following_game.errors import UserError

SLOWEST, FASTEST = 0.25, 4.0
DEFAULT_TEMPO = 500_000  # microseconds per quarter where a MIDI file names none
_LARGEST_TEMPO = 2**24 - 1  # microseconds per quarter: a file has three bytes for it


def scale_tempo(midi: bytes, factor: float) -> bytes:
    """A MIDI file's bytes with every tempo `factor` times as fast: ticks, and so the order of notes, stay as they are.

    Raises UserError where a tempo would be slower or faster than a MIDI file can name.
    """
    content = mido.MidiFile(file=io.BytesIO(midi))
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
    """ "0.5,1.0,1.25" -> the numbers in the order given, each once, to thousandths. Raises UserError for what is none."""
    try:
        tempi = tuple(dict.fromkeys(round(float(part), 3) for part in text.split(",")))
    except ValueError:
        tempi = ()
    if not tempi or not all(SLOWEST <= tempo <= FASTEST for tempo in tempi):
        raise UserError(f"--tempo {text}: wanted numbers from {SLOWEST:g} to {FASTEST:g}, like 0.9,1.0,1.1")
    return tempi


def tempo_suffix(factor: float) -> str:
    """What the name of a performance ends in: NAME_tempo_0900 is at 0.9 times the score's speed; at 1.0 nothing."""
    return "" if factor == 1.0 else f"_tempo_{round(factor * 1000):04d}"


def _scaled(tempo: int, factor: float) -> int:
    """Microseconds per quarter."""
    scaled = round(tempo / factor)
    if not 1 <= scaled <= _LARGEST_TEMPO:
        raise UserError(f"tempo out of MIDI's range: {tempo} microseconds per quarter, {factor:g} times as fast")
    return scaled


def _first_later(track: mido.MidiTrack) -> int:
    """The place of the first message that is not at the track's beginning."""
    return next((place for place, message in enumerate(track) if message.time > 0), len(track))
