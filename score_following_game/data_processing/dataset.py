"""A data set: a folder of pieces, searched recursively; links to folders are followed.

A piece is NAME.npz with NAME.mid beside it, or score/NAME.npz with performance/NAME.mid, as in the archive of 2019.
NAME_tempo_0900.mid without an npz of its own is another performance of NAME's score, and a separate piece.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from score_following_game.config import PACKAGE, GameConfig
from score_following_game.data_processing.audio import RECORDING_SUFFIXES, is_recording, unread_sound
from score_following_game.data_processing.piece import Piece, ScoreReader, find_score, load_piece, place_of_score
from score_following_game.data_processing.sound_files import unheard_recordings
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError, counted, printable
from score_following_game.files import visible_files
from score_following_game.machine import worker_threads
from score_following_game.reading import reading

BUNDLED = {"test_sample": PACKAGE / "bundled" / "test_sample", "test_sample_clip": PACKAGE / "bundled" / "test_sample"}

log = logging.getLogger(__name__)


def load_data_set(
    data_set: str | os.PathLike[str],
    config: GameConfig,
    piece: str | None = None,
    sound_font: Path | None = None,
    tempo: float = 1.0,
    silent: bool = False,
    without_notes: bool = False,
    note_tables: bool = False,
) -> list[Piece]:
    """Load the pieces of a data set, in name order.

    Pieces that cannot be used are left out and counted in a warning.

    Args:
        data_set: A folder, or the name of a bundled set (test_sample) where no such folder exists.
        config: The game the pieces are loaded for; it determines the spectrogram and the least height of a sheet.
        piece: Load only this piece: its name, or a part of it that no other name contains.
        sound_font: The SoundFont that MIDI files are played with. Default: the one named in the set's manifest, else
            pretty_midi's.
        tempo: Play every MIDI file this many times as fast.
        silent: Do not play MIDI files: their spectrograms have no frames.
        without_notes: Also load pieces made of pages, which can be followed, not trained or judged on.
        note_tables: Fill the `notes` of the pieces.

    Returns:
        The pieces. Each has a unique name: its file's, preceded by its subfolder where several files share it.

    Raises:
        UserError: No such data set, no usable piece in it, or `piece` is unknown, ambiguous or unusable.
    """
    scores = score_paths(data_set)
    if sound_font is not None:
        require_sound_font(Path(sound_font))
    if piece is not None:
        name = choose_piece(piece, list(scores), str(data_set))
        loaded = [load_piece(scores[name], config, sound_font, name, tempo=tempo, silent=silent, note_table=note_tables)]
        if not without_notes:
            _require_notes(loaded[0])
    else:
        loaded = _load_all(scores, config, sound_font, tempo, str(data_set), silent, without_notes, note_tables)
    _warn_of_oddities(loaded, config)
    return loaded


def _require_notes(piece: Piece) -> None:
    """Raise UserError for a piece without notes."""
    if not piece.timed:
        raise UserError(
            f"{piece.midi_path.with_suffix('.npz')}: has no notes, since it is made of pages; it can be followed and filmed "
            "(test_score_following.py), not trained or judged on"
        )


def score_paths(data_set: str | os.PathLike[str]) -> dict[str, Path]:
    """The npz path of every piece of a data set by piece name, in name order, including pieces that cannot be used.

    A tempo variant is listed under the path its own npz would have; `load_piece` accepts that path.
    """
    folder = find_data_set(data_set)
    return _named(_find_scores(folder), folder)


def find_data_set(data_set: str | os.PathLike[str]) -> Path:
    """The folder itself where it exists, else the bundled set of that name. Raises UserError where there is neither."""
    path = Path(data_set)
    if path.is_dir():
        return path
    if str(data_set) in BUNDLED:
        return BUNDLED[str(data_set)]
    raise UserError(f"{data_set}: no such folder, and no bundled data set of that name ({', '.join(BUNDLED)})")


def choose_piece(query: str, names: Sequence[str], where: str) -> str:
    """The name that equals the query, else the only one that contains it. Raises UserError listing the candidates."""
    if not isinstance(query, str):
        raise UserError(f"piece {query!r}: expected a name")
    if query in names:
        return query
    matches = sorted(name for name in names if query in name)
    if len(matches) == 1:
        return matches[0]
    candidates = matches or sorted(names)
    shown = ", ".join(candidates[:10]) + (f", and {len(candidates) - 10} more" if len(candidates) > 10 else "")
    problem = f"is part of {len(matches)} names" if matches else "is no piece"
    raise UserError(f"piece {query}: {problem} of {where}; candidates: {shown}")


def _find_scores(folder: Path) -> list[Path]:
    """The npz path that each piece has or should have: a MIDI file or recording without one is an incomplete piece."""
    found: set[Path] = set()
    with_sound: set[Path] = set()  # those with a MIDI file or recording
    files = list(visible_files(folder))
    for path in files:  # hidden: temporary files, and pieces that an interrupted build has not checked yet
        if path.suffix.lower() in (".npz", ".mid", *RECORDING_SUFFIXES) and not path.name.endswith(".cache.npz"):
            own = place_of_score(path)
            found.add(own)
            if path.suffix.lower() != ".npz":
                with_sound.add(own)
    if unread := unread_sound(path for path in files if place_of_score(path) in found):
        log.warning("%s: %s", folder, unread)
    if unheard := unheard_recordings(files):
        log.warning("%s: recordings that are not heard: %s", folder, _shortened(unheard))
    # A score without a performance of its own is complete where it has tempo variants.
    found -= {find_score(own) for own in with_sound} - with_sound
    if not found:
        raise UserError(f"{folder}: holds no pieces (NAME.npz and NAME.mid)")
    return sorted(found)


def _named(paths: list[Path], folder: Path) -> dict[str, Path]:
    """The paths by piece name, in name order; where several subfolders use a name, the subfolder becomes part of it."""
    uses = Counter(path.stem for path in paths)
    named = {
        printable(path.stem if uses[path.stem] == 1 else path.relative_to(folder).with_suffix("").as_posix()): path
        for path in paths
    }
    return dict(sorted(named.items()))


def _load_all(
    scores: dict[str, Path],
    config: GameConfig,
    sound_font: Path | None,
    tempo: float,
    where: str,
    silent: bool,
    without_notes: bool,
    note_tables: bool,
) -> list[Piece]:
    loaded: list[Piece] = []
    problems: list[str] = []
    reader = ScoreReader()

    def load(name: str) -> Piece | UserError:
        try:
            with reading(scores[name], "cannot be used"):
                piece = load_piece(scores[name], config, sound_font, name, reader, tempo, silent, note_tables)
                if not without_notes:
                    _require_notes(piece)
                return piece
        except UserError as error:
            return error

    # Threads are enough: synthesis releases Python's lock, and loading from the cache takes too little time to matter.
    with ThreadPoolExecutor(max_workers=worker_threads()) as pool:
        for result in tqdm(
            pool.map(load, scores),
            total=len(scores),
            desc=f"loading {Path(where).name}",
            unit="piece",
            disable=None,
            leave=False,
        ):
            if isinstance(result, Piece):
                loaded.append(result)
            else:
                problems.append(str(result))
    if not loaded:
        raise UserError(f"{where}: no piece can be used; the first of {len(scores)}: {problems[0]}")
    ready = sum(piece.source.name.endswith(".spec.npy") for piece in loaded)
    if ready:
        log.warning("%s: pieces that use a precomputed spectrogram (.spec.npy): %d of %d", where, ready, len(loaded))
    if problems:
        log.warning("%s: %d of %s left out: %s", where, len(problems), counted(len(scores), "piece"), _shortened(problems))
    return loaded


def _shortened(items: list[str]) -> str:
    """The first five items, and how many more there are."""
    return "; ".join(items[:5]) + (f"; and {len(items) - 5} more" if len(items) > 5 else "")


def _warn_of_oddities(pieces: list[Piece], config: GameConfig) -> None:
    """Log properties of usable pieces that may not be intended."""
    recorded = sum(is_recording(piece.source) for piece in pieces)
    if recorded:
        log.info("pieces heard from recordings: %d of %d", recorded, len(pieces))
    remarks = list(dict.fromkeys(remark for piece in pieces for remark in piece.remarks))
    if remarks:
        log.warning("%s", _shortened(remarks))
    fps = config.spectrogram_params.fps
    falling = [piece for piece in pieces if piece.x_falls]
    if falling:
        log.warning(
            "pieces with noteheads whose x falls with time: %d of %d (%s; the first: %s)",
            len(falling),
            len(pieces),
            counted(sum(piece.x_falls for piece in falling), "time"),
            falling[0].name,
        )
    short = [piece for piece in pieces if 0 < piece.spectrogram.shape[1] < piece.onset_frames[-1] - fps]
    if short:
        log.warning(
            "pieces with sound that ends before their last onset: %d of %d (the first: %s, %.1f s of %.1f s); does it "
            "belong to the MIDI?",
            len(short),
            len(pieces),
            short[0].source.name,
            short[0].spectrogram.shape[1] / fps,
            short[0].onset_frames[-1] / fps,
        )
    high = [piece for piece in pieces if piece.sheet.shape[0] > 2 * config.staff_height]
    if high:
        log.warning(
            "pieces with sheets more than twice as high as the window of the game config: %d of %d (%d px; the first: %s, "
            "%d px); is it the right config?",
            len(high),
            len(pieces),
            config.staff_height,
            high[0].name,
            high[0].sheet.shape[0],
        )
