"""When and how high the engraver plays the notes it has laid out."""

from __future__ import annotations

import base64
import io
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import mido

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.read_bar import DIFFER
from score_following_game.data_preparation.engraving.silent import MARK
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, sounding_alter, written_pitch
from score_following_game.data_preparation.errors import EngravingError

if TYPE_CHECKING:  # optional: the extra [prepare]
    import verovio


@dataclass(frozen=True)
class LaidOutNote:
    """A written note that is played.

    onset, end: quarters; a tie extends the end.  pitch: MIDI.  tied: it continues an earlier note.  place: bar and staff.
    """

    id: str
    onset: Fraction
    end: Fraction
    pitch: int
    tied: bool
    place: str = ""


def laid_out_notes(toolkit: verovio.toolkit, mei: str) -> list[LaidOutNote]:
    """The notes of the MEI that the toolkit has loaded, with the times of its timemap and the pitches of the MEI.

    Raises EngravingError if the MIDI that the engraver makes of the same MEI has other pitches at some time.
    """
    root = ElementTree.fromstring(mei)
    times = _times(toolkit)
    tied_to = {tie.get("endid", "").lstrip("#"): tie.get("startid", "").lstrip("#") for tie in root.iter(f"{MEI}tie")}
    places = _places(root)
    written = [note for note in root.iter(f"{MEI}note") if note.get(ID, "") in times and note.get("type") != MARK]
    ends = {id_: end for id_, (_, end) in times.items()}
    for note in sorted(written, key=lambda note: times[note.get(ID, "")], reverse=True):  # a chain of ties from its end
        id_ = note.get(ID, "")
        if (first := tied_to.get(id_)) in ends:
            ends[first] = max(ends[first], ends[id_])
    notes = [
        LaidOutNote(id_, times[id_][0], ends[id_], _pitch(note), tied=tied_to.get(id_) in times, place=places.get(id_, ""))
        for note in written
        for id_ in [note.get(ID, "")]
    ]
    _require_pitches(toolkit, [note for note in notes if not note.tied])
    return sorted(notes, key=lambda note: note.onset)


def silent_notes(mei: str) -> set[str]:
    """Ids of the notes that are drawn and not played."""
    return {note.get(ID, "") for note in ElementTree.fromstring(mei).iter(f"{MEI}note") if note.get("type") == MARK}


def _places(root: ElementTree.Element) -> dict[str, str]:
    """Id of a note -> its bar and staff."""
    return {
        note.get(ID, ""): f"bar {measure.get('n') or number}, staff {staff.get('n')}"
        for number, measure in enumerate(root.iter(f"{MEI}measure"), 1)
        for staff in measure.iter(f"{MEI}staff")
        for note in staff.iter(f"{MEI}note")
    }


def _times(toolkit: verovio.toolkit) -> dict[str, tuple[Fraction, Fraction]]:
    """Note id -> onset and end in quarters, without ties."""
    timemap: str | list[dict[str, Any]] = toolkit.renderToTimemap({"useFractions": True})
    entries = json.loads(timemap) if isinstance(timemap, str) else timemap  # verovio's versions differ in the type
    begins: dict[str, Fraction] = {}
    ends: dict[str, Fraction] = {}
    for entry in entries:
        now = Fraction(*entry["qfrac"])
        for id_ in entry.get("on", []):
            begins.setdefault(id_, now)
        for id_ in entry.get("off", []):
            ends[id_] = now
    return {id_: (onset, ends[id_]) for id_, onset in begins.items() if id_ in ends}


def _pitch(note: ElementTree.Element) -> int:
    if (pitch := note.get("pnum")) is not None:
        return int(pitch)
    return written_pitch(note, sounding_alter(note))


def _require_pitches(toolkit: verovio.toolkit, notes: Iterable[LaidOutNote]) -> None:
    """Compare with the engraver's MIDI, in which times are rounded."""
    midi = mido.MidiFile(file=io.BytesIO(base64.b64decode(toolkit.renderToMIDI())))
    played: dict[int, list[int]] = defaultdict(list)  # pitch -> ticks
    for track in midi.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                played[message.note].append(now)
    for ticks in played.values():
        ticks.sort()
    for note in notes:
        tick = float(note.onset * midi.ticks_per_beat)
        ticks = played.get(note.pitch, [])
        place = bisect_left(ticks, tick - 1.0)
        if place == len(ticks) or ticks[place] > tick + 1.0:
            raise EngravingError(
                DIFFER, f"{note.place}: the engraver does not play pitch {note.pitch} at quarter {float(note.onset):g}"
            )
