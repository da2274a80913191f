"""Makes game data from a piece of the raw MSMD distribution (Dorfer et al., TISMIR 2018): pages, MuNG and alignment.

The code follows what is published about the format and is tolerant where that is vague.
Certain: the folders PIECE/scores/PIECE_ly/{img,mung,coords} and PIECE/performances/PIECE_tempo-NNNN_INSTRUMENT with features/;
noteheads with midi_pitch_code; the index of a notehead's note event in a data item whose key ends in note_event_idx.
Guessed: that such a key begins with the name of the performance; that the index refers to the rows of *_note_events.npy (onset
in seconds, pitch, ...) or, without that file, to the MIDI's notes sorted by onset and pitch; the name and columns of alignment
files (*align*.csv or .npy in the performance's folder, or in the score's with the performance in its name: [page,] notehead,
note event); the place of the MIDI (in the performance's folder, else PIECE.midi for tempo-1000). Wrong guesses do not go
unnoticed, because the pitch of every notehead is compared with that of its note.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote, coordinates
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.alignment import match_notes, note_events, read_targets
from score_following_game.data_preparation.msmd.files import read_bytes
from score_following_game.data_preparation.msmd.page import Notehead, read_page
from score_following_game.data_processing.midi_files import played_midi
from score_following_game.data_processing.midi_library import pretty_midi
from score_following_game.data_processing.score_npz import Score
from score_following_game.errors import UserError, cause

_TEMPO = "tempo-1000"  # a performance at the score's own tempo


@dataclass(frozen=True)
class RawPiece(EngravedPiece):
    """An imported piece. `midi` is the performance's file, unchanged. `notes` includes those without a notehead.

    staff_space: pixels.  noteheads: number on the pages.  tied: number of those that continue a tie.  misfits: number of
    those aligned with a note that does not exist. Tied, misfit and unaligned noteheads have no coordinate.
    """

    performance: str
    staff_space: float
    pages: int
    noteheads: int
    tied: int
    misfits: int


def find_msmd(root: Path) -> list[Path]:
    """Folders of the pieces of a distribution, sorted by name.

    root: the distribution, the folder that contains it, or a single piece. Raises UserError if there are no pieces.
    """
    for candidates in ([root], root.glob("*"), root.glob("*/*")):
        folders = [path for path in candidates if (path / "scores").is_dir() or (path / "performances").is_dir()]
        if folders:
            return sorted(folders)
    raise UserError(
        f"{root}: no MSMD pieces found; expected the folder of the unpacked distribution, in which each piece has a "
        "folder with the subfolders scores and performances"
    )


def read_msmd_piece(folder: Path, performance: str | None = None) -> RawPiece:
    """Read a piece with one of its performances.

    performance: its name or a part of it ("tempo-1000_ElectricPiano"); by default one at the score's own tempo. Raises
    EngravingError if the piece cannot be used: a file is missing or broken, a page has no systems, no notehead is aligned, a
    note index is out of range, or the alignment does not fit the MIDI.
    """
    score, played = _score_folder(folder), _performance_folder(folder, performance)
    midi = read_bytes(_midi_file(folder, played))
    timing, notes = _parse(midi, played)
    pages = _pages(score)
    systems = [system for page in pages for system in read_page(score, page)]
    starts = np.cumsum([0] + [system.image.shape[1] for system in systems]).tolist()
    heads = [replace(head, x=head.x + start) for system, start in zip(systems, starts) for head in system.heads]
    match = match_notes(heads, read_targets(heads, note_events(played, notes), score, played), notes)
    if not any(match.shown):
        raise EngravingError("no aligned noteheads", f"{played.name}: {len(heads)} noteheads")
    written = [_played_note(note, timing, shown_by) for note, shown_by in zip(notes, match.shown)]
    return RawPiece(
        score=_score(np.hstack([system.image for system in systems]), written, heads),
        midi=midi,
        notes=written,
        onsets=[note.start for note in notes],
        seconds=max(note.end for note in notes),
        tempo=float(timing.get_tempo_changes()[1][0]),
        systems=starts[:-1],
        staves=[system.staves for system in systems],
        performance=played.name,
        staff_space=float(np.median([system.staff_space for system in systems])),
        pages=len(pages),
        noteheads=len(heads),
        tied=match.tied,
        misfits=match.misfits,
    )


def _played_note(note: pretty_midi.Note, timing: pretty_midi.PrettyMIDI, shown_by: list[int]) -> PlayedNote:
    onset, end = (Fraction(timing.time_to_tick(time), timing.resolution) for time in (note.start, note.end))
    return PlayedNote(onset, end, note.pitch, tuple(map(str, shown_by)))


def _pages(score: Path) -> list[str]:
    """Names of the pages, sorted by number."""
    names = [path.stem for path in (score / "img").glob("*.png")]
    if not names:
        raise EngravingError("missing file", f"{score / 'img'}: no pages")
    return sorted(names, key=lambda name: (int(name) if name.isdecimal() else np.inf, name))


def _score_folder(folder: Path) -> Path:
    """The folder of the engraved score. A piece may have other scores, such as scans."""
    usable = [path for path in sorted((folder / "scores").glob("*")) if (path / "mung").is_dir() and (path / "img").is_dir()]
    if not usable:
        raise EngravingError("missing file", f"{folder / 'scores'}: no score with the subfolders img and mung")
    return next((path for path in usable if path.name.endswith("_ly")), usable[0])


def _performance_folder(folder: Path, name: str | None) -> Path:
    folders = [path for path in sorted((folder / "performances").glob("*")) if path.is_dir()]
    chosen = [path for path in folders if f"_{name or _TEMPO}_" in f"_{path.name}_"]
    if not folders or (name and not chosen):
        raise EngravingError("missing performance", f"{folder / 'performances'}: {name or 'there are none'}")
    return (chosen or folders)[0]


def _midi_file(folder: Path, played: Path) -> Path:
    beside = sorted(path for path in played.glob("*") if path.suffix.lower() in (".mid", ".midi"))
    if not beside and f"_{_TEMPO}" in played.name:
        beside = [path for path in (folder / f"{folder.name}.midi", folder / f"{folder.name}.mid") if path.is_file()]
    if not beside:
        raise EngravingError("missing file", f"{played}: no MIDI")
    return beside[0]


def _parse(midi: bytes, where: Path) -> tuple[pretty_midi.PrettyMIDI, list[pretty_midi.Note]]:
    """Parse a MIDI file. Returns it and its notes sorted by onset, then pitch."""
    try:
        timing = played_midi(midi).midi
    except Exception as error:  # mido and pretty_midi raise many types for broken files
        raise EngravingError("broken MIDI", f"{where}: {cause(error)}") from None
    notes = sorted((note for part in timing.instruments for note in part.notes), key=lambda note: (note.start, note.pitch))
    if not notes:
        raise EngravingError("no notes", f"{where}: its MIDI has no notes")
    return timing, notes


def _score(sheet: np.ndarray, notes: list[PlayedNote], heads: list[Notehead]) -> Score:
    indices = np.array([index for index, note in enumerate(notes) if note.heads])
    centres = {str(index): (head.y, head.x) for index, head in enumerate(heads)}
    coords, pairs = coordinates([notes[index] for index in indices], centres)
    pairs[:, 1] = indices[pairs[:, 1]]
    return Score(sheet, coords, pairs)
