"""Finds the note that each notehead of a raw MSMD score shows in a performance."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.files import read_array, read_bytes
from score_following_game.data_preparation.msmd.mung import number
from score_following_game.data_preparation.msmd.page import Notehead
from score_following_game.data_processing.midi_library import pretty_midi

_TOLERANCE = 1 / 20  # seconds between a note and the onset that its alignment gives
_LARGEST_MISFIT = 0.25  # share of the aligned noteheads
_UNISON = 1.5  # notehead widths; a head of the same note farther to the right continues a tie
_INDEX, _ONSET = "note_event_idx", "onset_seconds"

Target = tuple[float, int]  # onset in seconds and pitch of the note to which the alignment assigns a notehead


def note_events(played: Path, notes: Sequence[pretty_midi.Note]) -> np.ndarray:
    """Onset in seconds and pitch of each note event, float (n, 2). Note indices refer to its rows."""
    files = sorted(played.glob("features/*note_events.npy"))
    if not files:
        return np.array([(note.start, note.pitch) for note in notes])
    events = read_array(files[0])
    if events.dtype.kind not in "iuf" or events.ndim != 2 or events.shape[1] < 2 or not np.isfinite(events[:, :2]).all():
        raise EngravingError("broken array", f"{files[0]}: {events.dtype} {events.shape}, expected rows of onset, pitch, ...")
    return events[:, :2].astype(np.float64)


def read_targets(heads: list[Notehead], events: np.ndarray, score: Path, played: Path) -> list[Target | None]:
    """The note to which the alignment assigns each notehead, None if it assigns none.

    Alignments come in several forms. The first one that applies to any notehead is used for all.
    """
    known = {key for head in heads for key in head.data}
    short = played.name.removeprefix(f"{score.parents[1].name}_")
    index_keys, onset_keys = (
        [key for name in (f"{played.name}_", f"{short}_", "") if (key := name + ending) in known] for ending in (_INDEX, _ONSET)
    )
    # Performances have different tempi and sounds but the same notes, so indices of another one are valid too.
    index_keys += sorted(key for key in known if key.endswith(_INDEX))
    candidates = [[number(head.data.get(key)) for head in heads] for key in index_keys[:1]]
    candidates += [_indices_in(file, heads) for file in _alignment_files(score, played)[:1]]
    for indices in candidates:
        if any(index is not None for index in indices):
            return [None if index is None else _event(events, index, head) for index, head in zip(indices, heads)]
    pairs = [(number(head.data.get(onset_keys[0])) if onset_keys else None, _pitch(head)) for head in heads]
    return [None if onset is None or pitch is None else (onset, pitch) for onset, pitch in pairs]


def _event(events: np.ndarray, index: float, head: Notehead) -> Target:
    if index % 1 or not 0 <= index < len(events):
        raise EngravingError(
            "note index out of range",
            f"page {head.page}, notehead {'/'.join(head.ids)}: {index:g} of {len(events)} note events",
        )
    onset, pitch = events[int(index)]
    return float(onset), int(pitch)


def _pitch(head: Notehead) -> int | None:
    pitch = number(head.data.get("midi_pitch_code"))
    return None if pitch is None else int(pitch)


def _alignment_files(score: Path, played: Path) -> list[Path]:
    own = [*played.rglob("*align*"), *(path for path in score.rglob("*align*") if played.name in path.name)]
    return sorted(path for path in own if path.suffix.lower() in (".csv", ".npy"))


def _indices_in(path: Path, heads: list[Notehead]) -> list[float | None]:
    """Read the note index of each head from a file with the rows [page,] notehead, note event."""
    indices: dict[tuple[str, str], float] = {}
    for row in _rows(path):
        index = number(row[-1])
        if len(row) not in (2, 3) or index is None:
            raise EngravingError("broken alignment", f"{path}: {','.join(row)}, expected [page,] notehead, note event")
        indices.setdefault((row[0].lstrip("0") if len(row) == 3 else "", row[-2]), index)
    names = Counter(name for head in heads for name in head.ids)
    if twice := sorted(name for page, name in indices if not page and names[name] > 1):
        raise EngravingError("broken alignment", f"{path}: several noteheads are called {twice[0]}, but the row gives no page")
    found: list[float | None] = []
    for head in heads:
        keys = [(page, name) for name in head.ids for page in (head.page.lstrip("0"), "")]
        found.append(next((indices[key] for key in keys if key in indices), None))
    return found


def _rows(path: Path) -> list[list[str]]:
    if path.suffix.lower() == ".npy":
        array = read_array(path)
        if array.ndim != 2 or array.dtype.kind not in "iufSU":
            raise EngravingError("broken array", f"{path}: {array.dtype} {array.shape}, expected pairs")
        array = np.nan_to_num(array, nan=-1).astype(np.int64) if array.dtype.kind == "f" else array
        return array.astype(str).tolist()
    lines = read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    rows = [[cell.strip(' "') for cell in re.split("[,;\t]", line)] for line in lines if line.strip()]
    return rows[1:] if rows and number(rows[0][-1]) is None else rows  # drop the header


@dataclass(frozen=True)
class Match:
    """shown: per note the indices of its heads.  tied, misfits: number of heads that continue a tie, or that have no note."""

    shown: list[list[int]]
    tied: int
    misfits: int


def match_notes(heads: list[Notehead], targets: list[Target | None], notes: Sequence[pretty_midi.Note]) -> Match:
    """Find the note of each aligned notehead. Raises EngravingError if too many have none."""
    of_pitch: dict[int, list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        of_pitch[note.pitch].append(index)
    shown: list[list[int]] = [[] for _ in notes]
    tied = misfits = 0
    for head, target in enumerate(targets):
        if target is None:
            continue
        onset, pitch = target
        written = _pitch(heads[head])  # it also finds the right note in a chord whose notes are counted in another order
        candidates = of_pitch[pitch if written is None else written]
        distances = {index: abs(notes[index].start - onset) for index in candidates}
        nearest = min(distances, key=distances.__getitem__, default=-1)
        if distances.get(nearest, np.inf) <= _TOLERANCE:
            shown[nearest].append(head)
        elif any(notes[index].start < onset < notes[index].end for index in candidates):
            tied += 1
        else:
            misfits += 1
    aligned = sum(target is not None for target in targets)
    if misfits > _LARGEST_MISFIT * aligned:
        raise EngravingError("alignment does not fit the MIDI", f"{misfits} of {aligned} aligned noteheads")
    unisons = [_without_tied(together, heads) for together in shown]
    tied += sum(map(len, shown)) - sum(map(len, unisons))
    return Match(unisons, tied, misfits)


def _without_tied(together: list[int], heads: list[Notehead]) -> list[int]:
    """Those of the heads of one note that stand near the leftmost one. The others continue a tie."""
    left = min((heads[head].x for head in together), default=0.0)
    return [head for head in together if heads[head].x <= left + _UNISON * heads[head].width]
