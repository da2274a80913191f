"""Making a piece of pages: it has no notes, so it can be followed and filmed, not trained or judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.pages.corrections import corrections_file, read_corrections
from score_following_game.data_preparation.pages.reading import PagesPiece, read_piece
from score_following_game.data_processing.audio import SAMPLE_RATE, load_recording, write_recording
from score_following_game.data_processing.page_map import SUFFIX as PAGES_SUFFIX
from score_following_game.data_processing.page_map import write_page_map
from score_following_game.data_processing.score_npz import Score, write_score
from score_following_game.data_processing.sharp_sheet import SUFFIX as SHARP_SUFFIX
from score_following_game.data_processing.sharp_sheet import write_sharp
from score_following_game.files import replacing


@dataclass(frozen=True)
class MadePages:
    """written: rest of a file's name after NAME -> the file.  style: key of STYLES.  systems: x of each one's first column.
    seconds: of the recording, 0 without one.  remarks: what is odd about the pages.
    """

    written: dict[str, Path]
    style: str
    systems: list[int]
    seconds: float
    remarks: list[str]


def make_pages(source: Path, files: tuple[Path, ...], stem: Path, style: str, staff: int, recording: Path | None) -> MadePages:
    """Read the pages of `source` and write STEM.npz, STEM.pages.json, the pictures of the pages, and the recording as STEM.wav.

    style, staff: see read_piece. Raises EngravingError, without leaving files behind, when the pages cannot be used.
    """
    piece = read_piece(files, read_corrections(corrections_file(source)), style, staff)
    written: dict[str, Path] = {}
    try:
        seconds = _write(piece, stem, recording, written)
    except BaseException:
        for file in written.values():
            file.unlink(missing_ok=True)
        raise
    return MadePages(written, piece.style.name, [system.begin for system in piece.pages.systems], seconds, list(piece.remarks))


def _write(piece: PagesPiece, stem: Path, recording: Path | None, written: dict[str, Path]) -> float:
    def named(suffix: str) -> Path:
        written[suffix] = stem.with_name(stem.name + suffix)
        return written[suffix]

    write_score(named(".npz"), Score(piece.sheet, np.zeros((0, 2), np.float32), np.zeros((0, 2), np.int64)))
    write_sharp(named(SHARP_SUFFIX), piece.sharp)
    pages = []
    for number, (page, picture) in enumerate(zip(piece.pages.pages, piece.pictures), 1):
        file = named(f".page{number:03d}.png")
        with replacing(file) as temporary:
            temporary.write_bytes(picture)
        pages.append(replace(page, picture=file.name))
    write_page_map(named(PAGES_SUFFIX), replace(piece.pages, pages=pages))
    return _write_recording(named(".wav"), recording) if recording is not None else 0.0


def _write_recording(target: Path, recording: Path) -> float:
    """Write a recording as a wav. Returns its seconds."""
    samples = load_recording(recording, SAMPLE_RATE)
    if not len(samples):
        raise EngravingError("empty recording", str(recording))
    write_recording(target, samples)
    return len(samples) / SAMPLE_RATE
