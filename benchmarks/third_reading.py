"""Compare pieces made from MusicXML, MEI or Humdrum with a reading by music21 (pip install 'score_following_game[corpora]').

    python benchmarks/third_reading.py --source openscore_lieder --made DATA_ROOT/score_following_game_data/lieder --pieces 40

music21 shares no code with the engraver and with this project's readers, which agree in every piece that is made. Onset
(quarters) and pitch of each note of the MIDI files are compared with its reading of the score, bar by bar, and the lengths of
the bars. Each bar sounds once (`--repeats once`). Notes of one onset and pitch count once. Grace notes are left out. Strokes
through stems are written out here and not by music21: of a note with strokes the first is compared, the others are counted.

Prints each note that only one of the two has, with its bar, and the sums. Notes that the sheet does not show are not in the
MIDI: the manifest counts them as `unshown`. The measured values are in docs/data_sets.md.
"""

from __future__ import annotations

import argparse
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import mido
import music21
from music21.stream import Measure

from score_following_game.command_line import Parser, script
from score_following_game.data_processing.manifest import PieceEntry, read_manifest
from score_following_game.data_processing.sheet_map import Bar, map_path, read_map
from score_following_game.errors import UserError

_TICKS = 480  # per quarter, of the MIDI files
_OFF = 2  # ticks: times are rounded here and there
_FINEST = 10080  # music21 states some times as decimals; they are fractions with at most this denominator
_SHOWN = 20  # notes of a piece that are printed

Note = tuple[int, int]  # tick from the beginning of the piece, pitch


@dataclass(frozen=True)
class Written:
    """A written note. onset, end: quarters from the start of its bar.  held, holds: a tie ends or begins at it.

    repeated: by strokes through its stem, or alternating with another one, where both last as long as the two.  second: of
    these two.
    """

    onset: Fraction
    end: Fraction
    pitch: int
    held: bool
    holds: bool
    repeated: bool = False
    second: bool = False


@dataclass
class Difference:
    """What two readings share. ours, theirs: (bar, quarters from its start, pitch) of the notes that only one of them has.

    strokes: notes of ours that are repetitions of a written one.  lengths: (bar, quarters, quarters in music21).
    """

    both: int = 0
    ours: list[tuple[str, float, int]] = field(default_factory=list)
    theirs: list[tuple[str, float, int]] = field(default_factory=list)
    strokes: int = 0
    lengths: list[tuple[str, float, float]] = field(default_factory=list)

    def print(self) -> None:
        for whose, notes in (("here", self.ours), ("music21", self.theirs)):
            for bar, onset, pitch in notes[:_SHOWN]:
                print(f"    only {whose}: bar {bar}, quarter {onset:g}: {music21.pitch.Pitch(pitch).unicodeNameWithOctave}")
        for bar, length, own in self.lengths[:_SHOWN]:
            print(f"    bar {bar} lasts {length:g} quarters, in music21 {own:g}")


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, metavar="FOLDER", help="the scores")
    parser.add_argument("--made", type=Path, required=True, metavar="FOLDER", help="one or several sets that were made of them")
    parser.add_argument("--pieces", type=int, default=40, metavar="N", help="how many pieces, drawn at random (default 40)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw (default 0)")
    return parser.parse_args()


def read_bars(path: Path) -> list[tuple[list[Written], Fraction]]:
    """The notes of the pianist in each bar, and its length in quarters; of alternative endings the first.

    Raises ValueError if the parts have different numbers of bars or none is for piano.
    """
    score = music21.converter.parseFile(path, forceSource=True)
    columns = {part: list(part.getElementsByClass(Measure)) for part in score.parts}
    if len({len(bars) for bars in columns.values()}) > 1:
        raise ValueError(f"its parts have {[len(bars) for bars in columns.values()]} bars")
    own = [columns[part] for part in _of_piano(list(score.parts))]
    left_out = {index for part, bars in columns.items() for index in _other_endings(part, bars)}
    read = [
        (
            sorted((note for bars in own for note in _notes(bars[index])), key=lambda note: note.onset),
            max(_fraction(bars[index].highestTime) for bars in columns.values()),
        )
        for index in range(len(own[0]))
        if index not in left_out
    ]
    return read if any(read[-1]) else read[:-1]  # music21 may have an empty bar after the last bar line


def _of_piano(parts: list[music21.stream.Part]) -> list[music21.stream.Part]:
    staves = [part for part in parts if isinstance(part, music21.stream.PartStaff)]
    named = [part for part in parts if "piano" in (part.partName or "").lower()]
    chosen = next((some for some in (staves, parts, named) if len(some) == 2), named)
    if not chosen:
        raise ValueError(f"no piano among its {len(parts)} parts")
    return chosen


def _other_endings(part: music21.stream.Part, bars: list[Measure]) -> Iterator[int]:
    place = {id(bar): index for index, bar in enumerate(bars)}
    for bracket in part.recurse().getElementsByClass(music21.spanner.RepeatBracket):
        if 1 not in bracket.numberRange:
            yield from (place[id(bar)] for bar in bracket.getSpannedElements() if id(bar) in place)


def _notes(bar: Measure) -> Iterator[Written]:
    """The notes of a bar, without grace notes and chord symbols."""
    for element in bar.recurse().notes:
        if element.duration.isGrace or isinstance(element, music21.harmony.ChordSymbol):
            continue
        first, last = _alternating(element)
        onset, end = _begin(first, bar), _begin(last, bar) + _fraction(last.duration.quarterLength)
        strokes = any(isinstance(mark, music21.expressions.Tremolo) for mark in element.expressions)
        for note in element.notes if isinstance(element, music21.chord.Chord) else [element]:
            if isinstance(note, music21.note.Note):
                tie = note.tie.type if note.tie else ""
                held, holds = tie in ("stop", "continue"), tie in ("start", "continue")
                yield Written(onset, end, note.pitch.midi, held, holds, strokes or first is not last, element is not first)


def _alternating(element: music21.note.GeneralNote) -> tuple[music21.note.GeneralNote, music21.note.GeneralNote]:
    """The two notes or chords that a tremolo joins; twice `element` if it is in none."""
    for tremolo in element.getSpannerSites(music21.expressions.TremoloSpanner):
        return tremolo.getFirst(), tremolo.getLast()
    return element, element


def _begin(element: music21.note.GeneralNote, bar: Measure) -> Fraction:
    return _fraction(element.getOffsetInHierarchy(bar))


def _fraction(quarters: float | Fraction) -> Fraction:
    return Fraction(quarters).limit_denominator(_FINEST)


def compare(ours: set[Note], bars: Sequence[Bar], theirs: list[tuple[list[Written], Fraction]]) -> Difference:
    """ours: the notes of a MIDI file.  bars: of that piece.  Raises ValueError if the numbers of bars differ."""
    if len(bars) != len(theirs):
        raise ValueError(f"{len(bars)} bars, in music21 {len(theirs)}")
    found, rest = Difference(), set(ours)
    for (tick, pitch), bar in _struck(bars, theirs).items():
        near = [(tick + off, pitch) for off in sorted(range(-_OFF, _OFF + 1), key=abs) if (tick + off, pitch) in rest]
        if near:
            found.both += 1
            rest.remove(near[0])
        else:
            found.theirs.append((bar.name, tick / _TICKS - bar.start, pitch))
    stroke = [
        (round((bar.start + note.onset) * _TICKS), round((bar.start + note.end) * _TICKS), note.pitch)
        for bar, (notes, _) in zip(bars, theirs)
        for note in notes
        if note.repeated
    ]
    for tick, pitch in sorted(rest):
        if any(begin < tick < end and pitch == own for begin, end, own in stroke):
            found.strokes += 1
        else:
            bar = [bar for bar in bars if bar.start * _TICKS <= tick + _OFF][-1]
            found.ours.append((bar.name, tick / _TICKS - bar.start, pitch))
    for bar, after, (_, length) in zip(bars, bars[1:], theirs):
        if abs(after.start - bar.start - length) > _OFF / _TICKS:
            found.lengths.append((bar.name, after.start - bar.start, float(length)))
    return found


def _struck(bars: Sequence[Bar], theirs: list[tuple[list[Written], Fraction]]) -> dict[Note, Bar]:
    """The notes that begin, which are all that no tie holds."""
    struck: dict[Note, Bar] = {}
    now = Fraction(0)
    holding: set[tuple[Fraction, int]] = set()  # end and pitch
    for bar, (notes, length) in zip(bars, theirs):
        for note in notes:
            if not note.second and not (note.held and (now + note.onset, note.pitch) in holding):
                struck[round((bar.start + float(note.onset)) * _TICKS), note.pitch] = bar
            if note.holds:
                holding.add((now + note.end, note.pitch))
        now += length
    return dict(sorted(struck.items(), key=lambda item: item[0]))


def midi_notes(path: Path) -> set[Note]:
    """The notes of a MIDI file made here."""
    notes = set()
    for track in mido.MidiFile(path).tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                notes.add((now, message.note))
    return notes


def _found(folder: Path) -> dict[Path, PieceEntry]:
    """NAME.npz -> its entry in the manifest, for the pieces of all sets in a folder. Raises UserError if there are none."""
    found = {
        manifest.with_name(f"{name}.npz"): entry
        for manifest in sorted(folder.rglob("manifest.json"))
        for name, entry in read_manifest(manifest).pieces.items()
    }
    if not found:
        raise UserError(f"{folder}: no manifest.json with pieces in this folder; name one that prepare_game_data.py made")
    return found


def main() -> None:
    arguments = parse_arguments()
    warnings.simplefilter("ignore", music21.musicxml.xmlToM21.MusicXMLWarning)
    found = _found(arguments.made)
    sums: Counter[str] = Counter()
    for score in random.Random(arguments.seed).sample(sorted(found), min(arguments.pieces, len(found))):
        file, unshown = Path(found[score].source).name, int(found[score].checks.get("unshown", 0))
        try:
            theirs = read_bars(arguments.source / file)
            difference = compare(midi_notes(score.with_suffix(".mid")), read_map(map_path(score)).bars, theirs)
        except (ValueError, music21.exceptions21.Music21Exception) as error:
            sums["pieces that are not compared"] += 1
            print(f"{file} {score.stem}: {error}", flush=True)
            continue
        counts = {
            "notes in both": difference.both,
            "only here": len(difference.ours),
            "only in music21": len(difference.theirs),
            "unshown": unshown,
            "strokes": difference.strokes,
            "bars of other lengths": len(difference.lengths),
        }
        sums.update({"pieces": 1, **counts})
        print(f"{file} {score.stem}: {_listed(counts)}", flush=True)
        difference.print()
    print(_listed(sums))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


if __name__ == "__main__":
    with script():
        main()
