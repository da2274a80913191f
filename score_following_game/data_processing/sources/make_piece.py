"""One source -> NAME.npz and NAME.mid, checked. Runs in a child process."""
from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from score_following_game.data_processing.engraving.abc import AbcError
from score_following_game.data_processing.engraving.abc_fields import quarter_tempo
from score_following_game.data_processing.engraving.abc_melody import read_melody
from score_following_game.data_processing.engraving.abc_to_mei import melody_to_mei
from score_following_game.data_processing.engraving.checks import check_agreement, check_piece
from score_following_game.data_processing.engraving.engrave import EngravedPiece, engrave
from score_following_game.data_processing.engraving.layout import EngravingError, import_score
from score_following_game.data_processing.engraving.mei import clean_mei
from score_following_game.data_processing.engraving.style import STYLES, Style
from score_following_game.data_processing.score_npz import write_score
from score_following_game.data_processing.sources.find import Source, read_text
from score_following_game.data_processing.sources.melody import fragments, melody_key
from score_following_game.files import file_digest, replacing

PLAUSIBLE_TEMPO = (40.0, 240.0)  # quarters per minute; another tempo in a score is taken for a mistake


@dataclass(frozen=True)
class PieceTask:
    """A source, the style's name, and the folder its files go to."""

    source: Source
    style: str
    folder: Path


@dataclass(frozen=True)
class PieceFacts:
    """What the data-set builder needs to know of a piece it does not load.

    melody, fragments: see melody.py.  tempo: quarters per minute.  systems: x of each system's start.  digests: SHA-256 of
    NAME.npz and NAME.mid as written.
    """

    melody: str
    fragments: str
    seconds: float
    notes: int
    tempo: float
    systems: list[int]
    digests: list[str]


def make_piece(task: PieceTask) -> PieceFacts:
    """Engrave, check, write. Raises EngravingError with the reason a piece is left out; then nothing is written."""
    piece = engrave_source(task.source, STYLES[task.style])
    files = [task.folder / f"{task.source.name}{suffix}" for suffix in (".npz", ".mid")]
    write_score(files[0], piece.score)
    with replacing(files[1]) as temporary:
        temporary.write_bytes(piece.midi_bytes())
    return PieceFacts(melody_key(piece.notes), fragments(piece.notes), round(piece.seconds, 3), len(piece.notes),
                      round(piece.tempo, 3), piece.systems, [file_digest(file) for file in files])


def engrave_source(source: Source, style: Style) -> EngravedPiece:
    """The piece of one source, all checks passed."""
    if source.tune is None:
        text = None if source.path.suffix.lower() == ".mxl" else read_text(source.path)
        mei, tempo = clean_mei(import_score(source.path, text), style)
        piece = engrave(mei, style, plausible_tempo(tempo, source.name))
        check_piece(piece, style)
        return piece
    try:
        melody = read_melody(source.tune)
        mei, tempo = melody_to_mei(melody), quarter_tempo(source.tune)
    except AbcError as error:
        raise EngravingError("unreadable ABC", str(error)) from None
    piece = engrave(mei, style, plausible_tempo(tempo, source.name))
    check_piece(piece, style)
    check_agreement(piece, melody.notes())
    return piece


def plausible_tempo(tempo: float | None, name: str) -> float:
    """The score's own tempo, or one between 90 and 130 quarters per minute that depends on the piece's name only."""
    if tempo is not None and PLAUSIBLE_TEMPO[0] <= tempo <= PLAUSIBLE_TEMPO[1]:
        return tempo
    return 90.0 + int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 401 / 10


def fingerprint(source: Source, style: str) -> str:
    """Changes when the source, its name, the style or the code that engraves changes."""
    parts = (source.digest, source.name, sorted(asdict(STYLES[style]).items()), _code_version())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@cache
def _code_version() -> str:
    """Digest of the engraving modules and the versions of the libraries that draw and time."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1] / "engraving"
    for module in [*sorted(folder.glob("*.py")), Path(__file__), Path(__file__).with_name("melody.py")]:
        digest.update(module.read_bytes())
    for library in ("verovio", "resvg_py", "pretty_midi"):
        digest.update(version(library).encode())
    return digest.hexdigest()
