"""Reads MIDI files: the one place where the package decides what a file plays, and when.

Tempi count wherever they stand: programs write them to any track, and pretty_midi reads those of the first only. Percussion and
click tracks are left out, because no notehead shows them. What is left out is named in the remarks.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mido

from score_following_game import limits
from score_following_game.data_processing.midi_events import require_modest, without_broken_meta_events
from score_following_game.errors import counted
from score_following_game.reading import read_bytes, reading

if TYPE_CHECKING:  # imported where needed: it is slow to import
    import pretty_midi

_PERCUSSION = 9  # General MIDI's channel 10, counted from 0
_WOODBLOCK = 115  # the instrument of many click tracks
_CLICK_NAME = re.compile(r"(click|klick|clic|metronom[eo]?|métronome|klopfgeist)([ _-]?(track|spur))?[ _-]?\d*", re.IGNORECASE)
_NOTES = ("note_on", "note_off")
_OF_CHANNELS = (*_NOTES, "control_change", "program_change", "pitchwheel", "polytouch", "aftertouch")
_SECOND = 1_000_000  # microseconds
DEFAULT_TEMPO = 500_000  # microseconds per quarter in a file without a tempo

Event = tuple[int, mido.Message]  # (tick from the beginning, message)
Part = tuple[int, int]  # (track, channel)


@dataclass(frozen=True)
class PlayedMidi:
    """midi: what is played.  remarks: what is left out of it, a phrase for each kind."""

    midi: pretty_midi.PrettyMIDI
    remarks: tuple[str, ...] = ()


def read_midi(path: Path, tempo: float = 1.0) -> pretty_midi.PrettyMIDI:
    """What a MIDI file plays, without the remarks of `read_played`, which raises the same errors."""
    return read_played(path, tempo).midi


def read_played(path: Path, tempo: float = 1.0) -> PlayedMidi:
    """Read a MIDI file, `tempo` times as fast.

    Raises UserError naming the file: missing, no MIDI, nothing but percussion, or tempo out of range.
    """
    from score_following_game.data_processing.tempo import scale_tempo

    with reading(path, "cannot be read as MIDI"):
        data = read_bytes(path, limits.MIDI_FILE)
        played = played_midi(data if tempo == 1 else scale_tempo(data, tempo))
    return played


def played_midi(data: bytes) -> PlayedMidi:
    """What the bytes of a MIDI file play. Raises exceptions of many kinds for a file that cannot be read."""
    from score_following_game.data_processing.midi_library import pretty_midi

    content, broken = _parse(data)
    tracks = [_absolute(track) for track in content.tracks]
    limits.require_length(_seconds(tracks, content.ticks_per_beat))
    silenced = _silenced(tracks)
    begun = Counter(part for part, _ in _begun(tracks))
    kept = [[event for event in track if not _belongs(event[1], number, silenced)] for number, track in enumerate(tracks)]
    read = pretty_midi.PrettyMIDI(io.BytesIO(_bytes_for_pretty_midi(kept, content.ticks_per_beat)))
    left_out: Counter[str] = Counter()
    for part, name in silenced.items():
        left_out[name] += begun[part]
    remarks = [f"{counted(count, 'note')} of {name} left out" for name, count in left_out.items()]
    if endless := begun.total() - left_out.total() - sum(len(part.notes) for part in read.instruments):
        remarks.append(f"{counted(endless, 'note')} without an end left out")
    if broken:
        remarks.append(f"{counted(broken, 'broken meta event')} left out")
    return PlayedMidi(read, tuple(remarks))


def parse_midi(data: bytes) -> mido.MidiFile:
    """Parse the bytes of a MIDI file: everything in it but meta events that break the standard, timed in quarters.

    Raises exceptions of many kinds for a file that cannot be read.
    """
    return _parse(data)[0]


def _parse(data: bytes) -> tuple[mido.MidiFile, int]:
    """The file and the number of its broken meta events."""
    broken = 0
    require_modest(data)
    try:
        content = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # of many types
        mended = data
        with contextlib.suppress(ValueError):
            mended, broken = without_broken_meta_events(data)
        if mended == data:
            raise error
        content = mido.MidiFile(file=io.BytesIO(mended))
    if content.type == 2 and len(content.tracks) > 1:
        raise ValueError("its tracks are independent sequences, MIDI format 2; save it as format 1")
    if content.ticks_per_beat <= 0:
        _time_in_quarters(content)
    return content, broken


def _time_in_quarters(content: mido.MidiFile) -> None:
    """Express the times of a file that counts ticks of film frames, whatever its tempi: a quarter is a second then."""
    frames, ticks = -(content.ticks_per_beat >> 8), content.ticks_per_beat & 0xFF
    if frames <= 0 or ticks == 0:
        raise ValueError("its header names no resolution")
    seconds = 1.001 if frames == 29 else 1.0  # 29 stands for 30 / 1.001 frames per second
    content.ticks_per_beat = (30 if frames == 29 else frames) * ticks
    for track in content.tracks:
        timed = [event for event in _absolute(track) if event[1].type != "set_tempo"]
        track[:] = _relative(timed)
    content.tracks.insert(0, mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=round(seconds * _SECOND))]))


def _absolute(track: mido.MidiTrack) -> list[Event]:
    tick = 0
    events = []
    for message in track:
        tick += message.time
        events.append((tick, message))
    return events


def _relative(events: list[Event]) -> mido.MidiTrack:
    ticks = [0, *(tick for tick, _ in events)]
    return mido.MidiTrack(message.copy(time=tick - before) for before, (tick, message) in zip(ticks, events))


def _seconds(tracks: list[list[Event]], ticks_per_quarter: int) -> float:
    """The time of the last event that is played."""
    end = max((track_end for track in tracks for track_end, message in track if message.type in _OF_CHANNELS), default=0)
    tempi = sorted((tick, message.tempo) for track in tracks for tick, message in track if message.type == "set_tempo")
    microseconds, last, tempo = 0, 0, DEFAULT_TEMPO
    for tick, following in [*((tick, tempo) for tick, tempo in tempi if tick < end), (end, 0)]:
        microseconds += (tick - last) * tempo
        last, tempo = tick, following
    return microseconds / ticks_per_quarter / _SECOND


def _begun(tracks: list[list[Event]]) -> list[tuple[Part, int]]:
    """The part and the program of each note that begins."""
    found = []
    for number, track in enumerate(tracks):
        programs: dict[int, int] = {}
        for _, message in track:
            if message.type == "program_change":
                programs[message.channel] = message.program
            elif message.type == "note_on" and message.velocity:
                found.append(((number, message.channel), programs.get(message.channel, 0)))
    return found


def _silenced(tracks: list[list[Event]]) -> dict[Part, str]:
    """The parts that no notehead shows, and what each is. A click is one only beside other music."""
    begun = _begun(tracks)
    percussion = {part: "percussion (General MIDI channel 10)" for part, _ in begun if part[1] == _PERCUSSION}
    names = {
        number: message.name.strip()
        for number, track in enumerate(tracks)
        for _, message in track
        if message.type == "track_name"
    }
    blocks = {part for part, _ in begun} - {part for part, program in begun if program != _WOODBLOCK}
    clicks = {
        part: f"the click track {names.get(part[0], '')!r}"
        for part, _ in begun
        if part not in percussion and (part in blocks or _CLICK_NAME.fullmatch(names.get(part[0], "")))
    }
    music = {part for part, _ in begun} - percussion.keys()
    if percussion and not music:
        raise ValueError("it has nothing but percussion, General MIDI channel 10")
    return percussion | (clicks if music - clicks.keys() else {})


def _belongs(message: mido.Message, track: int, parts: dict[Part, str]) -> bool:
    return message.type in _OF_CHANNELS and (track, message.channel) in parts


def _bytes_for_pretty_midi(tracks: list[list[Event]], ticks_per_quarter: int) -> bytes:
    """A file with all tempi on its first track, and without the signatures, at some of which pretty_midi fails."""
    tempi = [event for track in tracks for event in track if event[1].type == "set_tempo"]
    tempi.sort(key=lambda event: event[0])  # at one tick those of later tracks come last and hold, as when tracks are merged
    content = mido.MidiFile(type=1, ticks_per_beat=ticks_per_quarter)
    for track in tracks:
        played = [event for event in track if event[1].type in (*_OF_CHANNELS, "track_name", "end_of_track")]
        if not content.tracks:
            played = sorted([*tempi, *played], key=lambda event: event[0])
        content.tracks.append(_relative(played))
    buffer = io.BytesIO()
    content.save(file=buffer)
    return buffer.getvalue()
