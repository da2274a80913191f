"""Joins LilyPond's pages with its MIDI: finds the note that each notehead shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import mido

from score_following_game.data_preparation.engraving.lilypond.log import Head
from score_following_game.data_preparation.engraving.lilypond.midi import TICKS, MidiNote, ScoreMidi, without_overlaps
from score_following_game.data_preparation.engraving.silent import CUE
from score_following_game.data_preparation.errors import EngravingError

_UNHEARD = 0.05  # share of the noteheads that may have no note (e.g. small notes left to the player); they get no coordinate
_GAP = TICKS  # ticks of silence between two scores of one file

HIDDEN = "not on the sheet"

NoteKey = tuple[int, int]  # (tick, MIDI pitch)


@dataclass(frozen=True)
class Joined:
    """midi: the notes that are shown and played.  heads: note -> numbers of its heads.

    unshown: why a note of LilyPond's MIDI is not played -> number of such notes.  unheard: number of heads without a note.
    """

    midi: ScoreMidi
    heads: dict[NoteKey, list[int]]
    unshown: dict[str, int]
    unheard: int


def join(heads: list[Head], midis: list[ScoreMidi], drawn: set[int]) -> Joined:
    """Match each score of a file with its MIDI, and each of its notes with the heads that show it. Scores follow one another.

    heads: without tied ones.  drawn: numbers of the heads that the sheet shows. Notes of silent heads are
    left out. Raises EngravingError if there are no notes, if a score has no MIDI, or if too many heads have no note.
    """
    scores: dict[int, list[Head]] = defaultdict(list)
    for head in heads:
        scores[head.score].append(head)
    midis = list(midis)
    notes: list[MidiNote] = []
    events: list[tuple[int, int, mido.Message]] = []
    shown: dict[NoteKey, list[int]] = {}
    unshown: Counter[str] = Counter()
    unheard = silent = end = 0
    for _, score in sorted(scores.items()):
        visible = [head for head in score if head.number in drawn]
        if not visible:
            continue  # not printed: an incipit in a variable, an unused part
        grace_shift = -min(0, *(head.tick for head in score))
        matches = [_match(visible, midi, grace_shift) for midi in midis]
        best = max(range(len(matches)), key=lambda index: len(matches[index]), default=None)
        if best is None or not matches[best]:
            if len(visible) > _UNHEARD * len(heads):
                raise EngravingError("a score without sound", f"{len(visible)} noteheads")
            unheard += len(visible)  # an example within a text
            continue
        midi, match = midis.pop(best), matches[best]
        unheard += sum(head.number not in match for head in visible if not head.silent)
        silent += sum(head.silent != "" for head in visible)
        heads_of: dict[NoteKey, list[int]] = defaultdict(list)
        for head in visible:
            if head.number in match and not head.silent:
                heads_of[match[head.number]].append(head.number)
        kept = [note for note in midi.notes if (note.tick, note.pitch) in heads_of]
        unshown += _lost(midi, visible, match, heads_of)
        if not kept:
            continue
        later = ScoreMidi(without_overlaps(kept), midi.events).clipped().later(end)
        shown |= {(tick + end, pitch): numbers for (tick, pitch), numbers in heads_of.items()}
        notes += later.notes
        events += later.events
        end = later.end + _GAP
    if not notes:
        raise EngravingError("no notes")
    if unheard > _UNHEARD * len(heads):
        raise EngravingError("a notehead that does not sound", f"{unheard} of {len(heads)}")
    return Joined(ScoreMidi(notes, events), shown, dict(unshown), unheard + silent)


def _lost(midi: ScoreMidi, heads: Sequence[Head], match: Mapping[int, NoteKey], shown: Container[NoteKey]) -> Counter[str]:
    """Why notes of a score are not played -> how many. Cue notes are no loss. shown: those that are played."""
    silent = {match[head.number]: head.silent for head in heads if head.silent and head.number in match}
    lost = [key for note in midi.notes if (key := (note.tick, note.pitch)) not in shown]
    return Counter(reason for key in lost if (reason := silent.get(key, HIDDEN)) != CUE)


def _match(heads: list[Head], midi: ScoreMidi, grace_shift: int) -> dict[int, NoteKey]:
    """Number of a head -> the note it shows, which may be one tick off.

    grace_shift: ticks by which LilyPond moves all notes if grace notes precede the beginning.
    """
    played = {(note.tick, note.pitch) for note in midi.notes}
    best: dict[int, NoteKey] = {}
    for shift in {0, grace_shift}:
        found: dict[int, NoteKey] = {}
        for head in heads:
            for off in (0, -1, 1):
                if (key := (head.tick + shift + off, head.pitch)) in played:
                    found[head.number] = key
                    break
        if len(found) > len(best):
            best = found
    return best
