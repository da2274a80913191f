"""Reads the MIDI files that LilyPond writes for the scores of a file, and writes one MIDI of the notes on the sheet."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import mido

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.midi_files import DEFAULT_TEMPO, parse_midi

TICKS = 384  # per quarter in all of LilyPond's MIDI files
_RESET = 121  # the MIDI controller that resets all controllers
_ONLY_PLAYED = "sfg-played"  # the title that hook.ily gives to the MIDI of a score that is only played
_KEPT = ("set_tempo", "program_change", "control_change")


@dataclass(frozen=True)
class MidiNote:
    """A note. tick, end: in ticks from the beginning of the file.  track, channel: as in the file."""

    tick: int
    end: int
    pitch: int
    velocity: int
    track: int
    channel: int


@dataclass(frozen=True)
class ScoreMidi:
    """The sound of one score.

    notes: sorted by tick and pitch.  events: (tick, track, message) of everything else.  ticks: per quarter.
    printed: false for a score that is only played.
    """

    notes: list[MidiNote]
    events: list[tuple[int, int, mido.Message]]
    ticks: int = TICKS
    printed: bool = True

    @property
    def end(self) -> int:
        return max(note.end for note in self.notes)

    def clipped(self) -> ScoreMidi:
        """A copy that ends with the last note, where pedals and the like are released. Another score may then follow."""
        channels = sorted({(note.track, note.channel) for note in self.notes})
        release = [
            (self.end, track, mido.Message("control_change", channel=channel, control=_RESET)) for track, channel in channels
        ]
        return replace(self, events=[event for event in self.events if event[0] < self.end] + release)

    def later(self, ticks: int) -> ScoreMidi:
        """A copy that begins `ticks` later."""
        return replace(
            self,
            notes=[replace(note, tick=note.tick + ticks, end=note.end + ticks) for note in self.notes],
            events=[(tick + ticks, track, message) for tick, track, message in self.events],
        )


def read_midi_file(path: Path) -> ScoreMidi | None:
    """Read a file. Returns None if it holds no notes; raises EngravingError if it cannot be read."""
    try:
        content = parse_midi(path.read_bytes())
    except Exception as error:  # mido raises many types, and a hostile score may have written the file
        raise EngravingError("the engraver failed", f"{path.name}: {error}") from None
    if content.ticks_per_beat != TICKS:
        raise EngravingError(
            "the engraver failed", f"{path.name}: {content.ticks_per_beat} ticks per quarter, expected {TICKS}"
        )
    notes: list[MidiNote] = []
    events: list[tuple[int, int, mido.Message]] = [(0, 0, mido.MetaMessage("set_tempo", tempo=DEFAULT_TEMPO))]
    for number, track in enumerate(content.tracks):
        sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
        now = 0
        for message in track:
            now += message.time
            if message.type in _KEPT:
                events.append((now, number, message))
            elif message.type in ("note_on", "note_off"):
                begun = sounding.setdefault((message.channel, message.note), [])
                if message.type == "note_on" and message.velocity:
                    begun.append((now, message.velocity))
                elif begun:  # of two sounding notes the earlier one ends, as LilyPond's voices do
                    tick, velocity = begun.pop(0)
                    notes.append(MidiNote(tick, now, message.note, velocity, number, message.channel))
    notes.sort(key=lambda note: (note.tick, note.pitch, note.end))
    titles = {message.name for track in content.tracks[:1] for message in track if message.type == "track_name"}
    return ScoreMidi(notes, events, printed=_ONLY_PLAYED not in titles) if notes else None


def without_overlaps(notes: Iterable[MidiNote]) -> list[MidiNote]:
    """Merge unisons into their longest note. A note ends at least one tick before its pitch begins again."""
    longest: dict[tuple[int, int], MidiNote] = {}
    for note in notes:
        held = longest.get((note.tick, note.pitch))
        if held is None or note.end > held.end:
            longest[note.tick, note.pitch] = note
    result = []
    again: dict[int, int] = {}
    for (tick, pitch), note in sorted(longest.items(), reverse=True):
        end = min(max(note.end, tick + 2), again.get(pitch, note.end + 3) - 1)
        again[pitch] = tick
        result.append(replace(note, end=max(end, tick + 1)))
    return result[::-1]


def write_midi(score: ScoreMidi) -> bytes:
    """A MIDI file with a track of tempi and time signatures, then one per track of the score.

    Its bytes depend only on the notes and events.
    """
    content = mido.MidiFile(type=1, ticks_per_beat=score.ticks)
    tracks: dict[int, list[tuple[int, int, mido.Message]]] = {-1: []}  # track -> (tick, order within a tick, message)
    for tick, track, message in score.events:
        tracks.setdefault(-1 if message.type in ("set_tempo", "time_signature") else track, []).append((tick, 1, message))
    for note in score.notes:
        own = tracks.setdefault(note.track, [])
        own.append((note.tick, 2, mido.Message("note_on", channel=note.channel, note=note.pitch, velocity=note.velocity)))
        own.append((note.end, 0, mido.Message("note_off", channel=note.channel, note=note.pitch, velocity=0)))
    for _, rows in sorted(tracks.items()):
        now = 0
        content.tracks.append(mido.MidiTrack())
        for tick, _, message in sorted(rows, key=lambda row: row[:2]):
            content.tracks[-1].append(message.copy(time=tick - now))
            now = tick
    buffer = io.BytesIO()
    content.save(file=buffer)
    return buffer.getvalue()


class TempoMap:
    """Converts ticks to seconds."""

    def __init__(self, score: ScoreMidi) -> None:
        changes = {
            tick: message.tempo
            for tick, _, message in sorted(
                (event for event in score.events if event[2].type == "set_tempo"), key=lambda event: event[0]
            )
        }
        self.per_quarter = score.ticks
        self.ticks, self.tempi, self.starts = [0], [DEFAULT_TEMPO], [0.0]
        for tick, tempo in changes.items():
            self.starts.append(self.seconds(tick))
            self.ticks.append(tick)
            self.tempi.append(tempo)

    def seconds(self, tick: int) -> float:
        place = bisect_right(self.ticks, tick) - 1
        return self.starts[place] + (tick - self.ticks[place]) * self.tempi[place] / self.per_quarter / 1e6
