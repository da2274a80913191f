"""The raw MSMD distribution (Dorfer et al., TISMIR 2018): pages, MuNG and alignment of a piece -> a piece of game data.

Written from what is published of the format, and tolerant where that is not exact.
Certain: the folders PIECE/scores/PIECE_ly/{img,mung,coords} and PIECE/performances/PIECE_tempo-NNNN_INSTRUMENT with features/;
noteheads with midi_pitch_code; the index of a notehead's note event as a data item whose key ends in note_event_idx.
Guessed: that such a key begins with the performance's name; that an index counts the rows of *_note_events.npy (onset in
seconds, pitch, ...) and, without that file, the MIDI's notes by onset and pitch; the name and columns of alignment files
(*align*.csv or .npy in the performance's folder, or in the score's with the performance in its name: [page,] notehead,
note event); where the MIDI lies (in the performance's folder, else PIECE.midi for tempo-1000). A wrong guess shows: every
notehead's pitch is compared with its note's.
"""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.mung import Notehead, number, read_array, read_bytes, read_page
from score_following_game.data_processing.midi_library import pretty_midi
from score_following_game.data_processing.score_npz import Score
from score_following_game.errors import UserError

_TEMPO = "tempo-1000"  # a performance at the score's own tempo
_FRAME = 1 / 20  # seconds by which an alignment may miss a note
_LARGEST_MISFIT = 0.25  # share of aligned noteheads
_UNISON = 1.5  # notehead widths; a head of the same note farther right is the continuation of a tie
_INDEX, _ONSET = "note_event_idx", "onset_seconds"

Target = tuple[float, int]  # onset in seconds and pitch of the note that a notehead is said to show


@dataclass(frozen=True)
class RawPiece(EngravedPiece):
    """An imported piece; `midi` is the performance's file, unchanged, and notes without a notehead have no heads.

    staff_space: pixels.  noteheads: on the pages; of these `tied` continue a tie and `misfits` are aligned with a note that is
    not there. Neither have a coordinate, nor have noteheads without alignment.
    """

    performance: str
    staff_space: float
    pages: int
    noteheads: int
    tied: int
    misfits: int


def find_msmd(root: Path) -> list[Path]:
    """Folders of the pieces in a distribution, by name. `root` may also be one piece, or hold the distribution's folder.

    Raises UserError when there is none.
    """
    for candidates in ([root], root.glob("*"), root.glob("*/*")):
        folders = [path for path in candidates if (path / "scores").is_dir() or (path / "performances").is_dir()]
        if folders:
            return sorted(folders)
    raise UserError(
        f"{root}: no MSMD pieces found; wanted the folder of the unpacked distribution, in which each piece has a "
        "folder that holds the folders scores and performances"
    )


def read_msmd_piece(folder: Path, performance: str | None = None) -> RawPiece:
    """One piece and one of its performances: by its name or the end of it ("tempo-1000_ElectricPiano"); or at score tempo.

    Raises EngravingError when it cannot be used: a file missing or broken, a page without systems, no aligned notehead, a note
    index out of range, an alignment that does not fit the MIDI.
    """
    score, played = _score_folder(folder), _performance_folder(folder, performance)
    midi = read_bytes(_midi_file(folder, played))
    timing, notes = _parse(midi, played)
    pages = _pages(score)
    strips = [strip for page in pages for strip in read_page(score, page)]
    starts = np.cumsum([0] + [strip.image.shape[1] for strip in strips]).tolist()
    heads = [replace(head, x=head.x + start) for strip, start in zip(strips, starts) for head in strip.heads]
    shown, tied, misfits = _shown(heads, _targets(heads, _note_events(played, notes), score, played), notes)
    if not any(shown):
        raise EngravingError("no aligned noteheads", f"{played.name}: {len(heads)} noteheads")
    written = [
        PlayedNote(
            *(Fraction(timing.time_to_tick(time), timing.resolution) for time in (note.start, note.end)),
            note.pitch,
            tuple(map(str, shown_by)),
        )
        for note, shown_by in zip(notes, shown)
    ]
    return RawPiece(
        score=_score(np.hstack([strip.image for strip in strips]), written, heads),
        midi=midi,
        notes=written,
        onsets=[note.start for note in notes],
        seconds=max(note.end for note in notes),
        tempo=float(timing.get_tempo_changes()[1][0]),
        systems=starts[:-1],
        staves=[strip.staves for strip in strips],
        performance=played.name,
        staff_space=float(np.median([strip.staff_space for strip in strips])),
        pages=len(pages),
        noteheads=len(heads),
        tied=tied,
        misfits=misfits,
    )


def _pages(score: Path) -> list[str]:
    """Names of the pages, in the order of their numbers."""
    names = [path.stem for path in (score / "img").glob("*.png")]
    if not names:
        raise EngravingError("missing file", f"{score / 'img'}: no page")
    return sorted(names, key=lambda name: (int(name) if name.isdecimal() else np.inf, name))


def _score_folder(folder: Path) -> Path:
    """The engraved score; a piece may have others, such as scans."""
    usable = [path for path in sorted((folder / "scores").glob("*")) if (path / "mung").is_dir() and (path / "img").is_dir()]
    if not usable:
        raise EngravingError("missing file", f"{folder / 'scores'}: no score with the folders img and mung")
    return next((path for path in usable if path.name.endswith("_ly")), usable[0])


def _performance_folder(folder: Path, wanted: str | None) -> Path:
    folders = [path for path in sorted((folder / "performances").glob("*")) if path.is_dir()]
    chosen = [path for path in folders if f"_{wanted or _TEMPO}_" in f"_{path.name}_"]
    if not folders or (wanted and not chosen):
        raise EngravingError("missing performance", f"{folder / 'performances'}: {wanted or 'none at all'}")
    return (chosen or folders)[0]


def _midi_file(folder: Path, played: Path) -> Path:
    beside = sorted(path for path in played.glob("*") if path.suffix.lower() in (".mid", ".midi"))
    if not beside and f"_{_TEMPO}" in played.name:
        beside = [path for path in (folder / f"{folder.name}.midi", folder / f"{folder.name}.mid") if path.is_file()]
    if not beside:
        raise EngravingError("missing file", f"{played}: no MIDI")
    return beside[0]


def _parse(midi: bytes, where: Path) -> tuple[pretty_midi.PrettyMIDI, list[pretty_midi.Note]]:
    """-> the file and its notes by onset, then pitch."""
    try:
        timing = pretty_midi.PrettyMIDI(io.BytesIO(midi))
    except Exception as error:  # mido and pretty_midi raise many kinds on broken files
        raise EngravingError("broken MIDI", f"{where}: {' '.join(str(error).split()) or type(error).__name__}") from None
    notes = sorted((note for part in timing.instruments for note in part.notes), key=lambda note: (note.start, note.pitch))
    if not notes:
        raise EngravingError("no notes", f"{where}: its MIDI is empty")
    return timing, notes


def _note_events(played: Path, notes: Sequence[pretty_midi.Note]) -> np.ndarray:
    """float (n, 2): onset in seconds and pitch of what note indices count."""
    files = sorted(played.glob("features/*note_events.npy"))
    if not files:
        return np.array([(note.start, note.pitch) for note in notes])
    events = read_array(files[0])
    if events.dtype.kind not in "iuf" or events.ndim != 2 or events.shape[1] < 2 or not np.isfinite(events[:, :2]).all():
        raise EngravingError("broken array", f"{files[0]}: {events.dtype} {events.shape}, wanted rows of onset, pitch, ...")
    return events[:, :2].astype(np.float64)


def _targets(heads: list[Notehead], events: np.ndarray, score: Path, played: Path) -> list[Target | None]:
    """What each notehead is said to show, by the first way that says it of any."""
    known = {key for head in heads for key in head.data}
    short = played.name.removeprefix(f"{score.parents[1].name}_")
    index_keys, onset_keys = (
        [key for name in (f"{played.name}_", f"{short}_", "") if (key := name + ending) in known] for ending in (_INDEX, _ONSET)
    )
    # Performances differ in tempo and sound, not in their notes: the index of another one counts the same.
    index_keys += sorted(key for key in known if key.endswith(_INDEX))
    ways = [[number(head.data.get(key)) for head in heads] for key in index_keys[:1]]
    ways += [_indices_in(file, heads) for file in _alignment_files(score, played)[:1]]
    for indices in ways:
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
    """The note index of each head by a file of rows [page,] notehead, note event."""
    indices: dict[tuple[str, str], float] = {}
    for row in _rows(path):
        index = number(row[-1])
        if len(row) not in (2, 3) or index is None:
            raise EngravingError("broken alignment", f"{path}: {','.join(row)}, wanted [page,] notehead, note event")
        indices.setdefault((row[0].lstrip("0") if len(row) == 3 else "", row[-2]), index)
    names = Counter(name for head in heads for name in head.ids)
    if twice := sorted(name for page, name in indices if not page and names[name] > 1):
        raise EngravingError("broken alignment", f"{path}: several noteheads are called {twice[0]}, and no page is given")
    keys = [[(page, name) for name in head.ids for page in (head.page.lstrip("0"), "")] for head in heads]
    return [next((indices[key] for key in candidates if key in indices), None) for candidates in keys]


def _rows(path: Path) -> list[list[str]]:
    if path.suffix.lower() == ".npy":
        array = read_array(path)
        if array.ndim != 2 or array.dtype.kind not in "iufSU":
            raise EngravingError("broken array", f"{path}: {array.dtype} {array.shape}, wanted pairs")
        array = np.nan_to_num(array, nan=-1).astype(np.int64) if array.dtype.kind == "f" else array
        return array.astype(str).tolist()
    lines = read_bytes(path).decode("utf-8-sig", "replace").splitlines()
    rows = [[cell.strip(' "') for cell in re.split("[,;\t]", line)] for line in lines if line.strip()]
    return rows[1:] if rows and number(rows[0][-1]) is None else rows  # without the header


def _shown(
    heads: list[Notehead],
    targets: list[Target | None],
    notes: Sequence[pretty_midi.Note],
) -> tuple[list[list[int]], int, int]:
    """-> for each note the heads that show it; how many heads continue a tie; how many fit no note."""
    of_pitch: dict[int, list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        of_pitch[note.pitch].append(index)
    shown: list[list[int]] = [[] for _ in notes]
    tied = misfits = 0
    for head, target in enumerate(targets):
        if target is None:
            continue
        onset, pitch = target
        written = _pitch(heads[head])  # which also finds its note in a chord that is counted in another order
        candidates = of_pitch[pitch if written is None else written]
        distances = {index: abs(notes[index].start - onset) for index in candidates}
        nearest = min(distances, key=distances.__getitem__, default=-1)
        if distances.get(nearest, np.inf) <= _FRAME:
            shown[nearest].append(head)
        elif any(notes[index].start < onset < notes[index].end for index in candidates):
            tied += 1
        else:
            misfits += 1
    aligned = sum(target is not None for target in targets)
    if misfits > _LARGEST_MISFIT * aligned:
        raise EngravingError("alignment does not fit the MIDI", f"{misfits} of {aligned} aligned noteheads")
    for index, together in enumerate(shown):
        first = min((heads[head].x for head in together), default=0.0)
        shown[index] = [head for head in together if heads[head].x <= first + _UNISON * heads[head].width]
        tied += len(together) - len(shown[index])
    return shown, tied, misfits


def _score(sheet: np.ndarray, notes: list[PlayedNote], heads: list[Notehead]) -> Score:
    indices = np.array([index for index, note in enumerate(notes) if note.heads])
    centres = {str(index): (head.y, head.x) for index, head in enumerate(heads)}
    coords, pairs = coordinates([notes[index] for index in indices], centres)
    pairs[:, 1] = indices[pairs[:, 1]]
    return Score(sheet, coords, pairs)
