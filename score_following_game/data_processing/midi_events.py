"""The bytes of a MIDI file without what mido cannot read: meta events such as a key of nine sharps, chunks of other kinds."""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass

from mido.midifiles.meta import build_meta_message

from score_following_game import limits

_HEADER = struct.Struct(">4sL")  # name and length of a chunk
_META, _SYSEX = 0xFF, (0xF0, 0xF7)
_NEEDED = {0x2F: "end of track", 0x51: "tempo"}  # without them a file cannot be timed
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # by the upper half of the status byte


@dataclass
class _Place:
    """A place in the bytes of a track. `take` and `number` read there and move on."""

    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("a track ends within an event")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """A number of variable length: seven bits a byte, the upper bit set in all but the last."""
        value = 0
        while True:
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value


def without_broken_meta_events(midi: bytes) -> tuple[bytes, int]:
    """Leave out the meta events that mido cannot decode. Returns the bytes and the number of events left out.

    Chunks that the standard does not know (Yamaha's XFIH) are left out, too, and not counted: they hold no music that is timed
    by the tracks. Raises ValueError for a file that is broken otherwise, and for a broken tempo.
    """
    result = bytearray()
    place, left_out = _Place(midi), 0
    while place.at < len(midi):
        name, size = _HEADER.unpack(place.take(_HEADER.size))
        content = place.take(size)
        if name == b"MTrk":
            content, broken = _clean_track(content)
            left_out += broken
        elif name != b"MThd":
            continue
        result += _HEADER.pack(name, len(content)) + content
    return bytes(result), left_out


def _count_events(midi: bytes) -> int:
    """The number of events, as far as the bytes can be read; events of all tracks count."""
    place, count = _Place(midi), 0
    with contextlib.suppress(ValueError):
        while place.at < len(midi):
            name, size = _HEADER.unpack(place.take(_HEADER.size))
            track, status = _Place(place.take(size)), 0
            while name == b"MTrk" and track.at < size:
                track.number()
                _, _, status = _next_event(track, status)
                count += 1
    return count


def _clean_track(track: bytes) -> tuple[bytes, int]:
    result = bytearray()
    place, left_out, waited, status = _Place(track), 0, 0, 0
    while place.at < len(track):
        waited += place.number()
        start = place.at
        kind, content, status = _next_event(place, status)
        if kind is not None and not _is_readable(kind, content):
            left_out += 1
            continue  # the next event takes over its time
        result += _encoded(waited) + track[start : place.at]
        waited = 0
    return bytes(result), left_out


def _next_event(place: _Place, status: int) -> tuple[int | None, bytes, int]:
    """Move behind an event. Returns the kind of a meta event, else None, its content, and the status byte in force after it."""
    first = place.take(1)[0]
    if first == _META:
        return place.take(1)[0], place.take(place.number()), status
    if first in _SYSEX:
        return None, place.take(place.number()), first
    running = first < 0x80
    status = status if running else first
    if status >> 4 not in _DATA_BYTES:
        raise ValueError(f"undefined status byte 0x{status:02x}")
    return None, place.take(_DATA_BYTES[status >> 4] - running), status


def require_modest(midi: bytes) -> None:
    """Raise TooLarge for a file that would take too much memory or time to parse.

    A number goes on while the upper bits of its bytes are set, and the time that a parser needs grows with its square.
    """
    limits.require_at_most(len(midi), limits.MIDI_FILE, "bytes")
    longest = max(map(len, re.findall(rb"[\x80-\xff]+", midi)), default=0)
    limits.require_at_most(longest, limits.MIDI_NUMBER, "bytes in a row with the upper bit set")
    if len(midi) > 2 * limits.MIDI_EVENTS:  # an event has two bytes or more
        limits.require_at_most(_count_events(midi), limits.MIDI_EVENTS, "events")


def _is_readable(kind: int, content: bytes) -> bool:
    try:
        build_meta_message(kind, list(content))
    except Exception as error:  # mido raises many types
        if kind in _NEEDED:
            raise ValueError(f"a broken {_NEEDED[kind]} event") from error
        return False
    return True


def _encoded(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
