"""One score of a user's, with or without a recording of it, made into a piece that is kept by its content and never made twice.

What a maker leaves in a folder, and `PreparedScore` describes:

* NAME.npz, perhaps NAME.sheet.png, and NAME.map.json, or NAME.pages.json and pictures of the pages;
* with NAME.mid a piece that is timed: it can be judged. NAME.wav beside it is the recording that it is timed by;
* without, NAME.wav is a recording of which nobody knows when it plays the notes: the piece can be followed, not judged. So it
  is with all pages, since nobody knows their notes; those without NAME.wav are followed live.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from score_following_game import limits
from score_following_game.data_preparation.building.build import require_tools
from score_following_game.data_preparation.building.fingerprint import fingerprint
from score_following_game.data_preparation.building.make_piece import PieceFacts, PieceTask, make_piece
from score_following_game.data_preparation.building.sources import Source, find_sources
from score_following_game.data_preparation.engraving.isolation import CRASHED, PASSING, TaskOutcome, run_isolated
from score_following_game.data_preparation.engraving.playing import WHOLE, Playing
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import STAVES, UNREADABLE
from score_following_game.data_preparation.recordings.pairing import find_recordings
from score_following_game.data_processing.audio import read_recording, write_recording
from score_following_game.data_processing.dataset import choose_piece
from score_following_game.data_processing.page_map import SUFFIX as PAGES_SUFFIX
from score_following_game.data_processing.page_map import read_page_map
from score_following_game.data_processing.performance_cache import user_caches
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.sheet_map import SUFFIX as MAP_SUFFIX
from score_following_game.data_processing.sheet_map import read_map
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError, counted
from score_following_game.files import cause_of_writing, file_digest, make_folder, replacing
from score_following_game.reading import read_bytes

FACTS = "facts.json"
SHORTEST = 2.0  # seconds of sound in a recording
FAINTEST = 1e-3  # peak of a recording, 1 = full scale
_AUDIBLE = 0.02  # of the peak: from the first to the last such block the recording sounds
_BLOCK = SAMPLE_RATE // 20  # samples

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What the user asks for.

    score: a file, or a folder of pictures.  audio: a recording of it, else it is synthesised.  piece: which tune of a book or
    movement of a file, by its name or a part of it.  style: a key of STYLES, None for the one with as many staves as the score.
    playing: what of it is played, and in which order.  staff: for pages, which staff of each system, 1 is the highest; 0: all.
    live: it will be heard live, so that pages need no recording.  time_limit: seconds for engraving it.
    """

    score: Path
    audio: Path | None = None
    piece: str | None = None
    style: str | None = None
    playing: Playing = WHOLE
    staff: int = 0
    live: bool = False
    time_limit: float = 120.0


@dataclass(frozen=True)
class PreparedScore:
    """A score that was made into the files of a piece.

    folder, name: of the files.  height: of the sheet, pixels.  first_x: of its first note, pixels.  timed: whether it is known
    when its notes are played.
    unjudged: why not, "" if it is.  seconds: length of the score as written, 0 if unknown.  begins: seconds of the recording
    before the sound of the piece.  sounding: seconds from the recording's first sound to its last; 0 without one.
    remarks: what is odd about its pages, a phrase each.
    """

    folder: Path
    name: str
    height: int
    first_x: float
    timed: bool = True
    unjudged: str = ""
    seconds: float = 0.0
    begins: float = 0.0
    sounding: float = 0.0
    remarks: list[str] = field(default_factory=list)


def prepare(wish: Wish) -> PreparedScore:
    """Make the piece of a score, or find it among those made before.

    Raises UserError naming the file: score or recording cannot be used, a program or library is missing, or the folder of the
    user's caches cannot be written.
    """
    source = _chosen(wish)
    _require_fitting(wish, source)
    if wish.audio is not None:
        find_recordings(wish.audio)
        if wish.audio.is_dir():
            raise UserError(f"--audio {wish.audio}: is a folder; name one recording")
    require_tools([source], wish.audio is not None)
    by_staves = [""] if source.pages else sorted(STYLES, key=lambda name: STYLES[name].staves)
    tasks = [
        PieceTask(source, style, Path(), wish.time_limit, (1.0,), wish.audio, wish.playing, staff=wish.staff)
        for style in ([wish.style] if wish.style else by_staves)
    ]
    places = [kept_scores() / _key(task) for task in tasks]
    if kept := next(filter(None, map(read_prepared, places)), None):
        return kept
    heard = hear(wish.audio) if wish.audio is not None else None
    outcomes: dict[str, TaskOutcome] = {}
    given: list[PieceTask] = []  # grows: one child, which takes a second to start, makes the piece in one style after another
    with contextlib.closing(run_isolated(make_piece, iter(given), 1, wish.time_limit)) as made_of:
        for task, place in zip(tasks, places):
            log.info("reading %s, to be kept in %s", wish.score, place.parent)
            with making(place) as folder:
                given.append(replace(task, folder=folder))
                outcomes[task.style] = outcome = next(made_of)
                if outcome.value is not None:
                    write_facts(folder, _finished(folder, task, outcome.value, heard))
            if (made := read_prepared(place)) is not None:
                return made
            if outcome.reason in PASSING or outcome.reason.startswith(UNREADABLE):
                break
    raise UserError(_why_not(wish, _telling(outcomes)))


def kept_scores() -> Path:
    """The folder of the scores made so far; it may be missing. Raises UserError where the user has no folder for caches."""
    if not (caches := user_caches()):
        raise UserError("there is no folder for prepared scores: set XDG_CACHE_HOME to a folder that can be written")
    return caches[0] / "score_following_game" / "scores"


def read_prepared(folder: Path) -> PreparedScore | None:
    """The prepared score in a folder; None where there is none, or it is incomplete: it is made again then."""
    try:
        found = PreparedScore(folder, **json.loads(read_bytes(folder / FACTS, limits.TABLE_FILE)))
        score = folder / f"{found.name}.npz"
        sound = [".mid"] if found.timed else [".wav"] if found.sounding else []
        complete = score.is_file() and all(score.with_suffix(suffix).is_file() for suffix in sound)
    except (OSError, ValueError, TypeError, limits.TooLarge):
        return None
    return found if complete else None


@contextlib.contextmanager
def making(place: Path) -> Iterator[Path]:
    """Yield a folder for the files of a prepared score. It becomes `place` if it is complete at the end, else it is removed.

    Raises UserError where it cannot be made.
    """
    make_folder(place.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
    except OSError as error:
        raise UserError(f"{place.parent}: cannot be written ({cause_of_writing(error)}); set XDG_CACHE_HOME") from None
    try:
        yield temporary
        if read_prepared(temporary) is None:
            return
        if place.exists() and read_prepared(place) is None:  # damaged, for instance by hand
            shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process has made the same meanwhile
            os.replace(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_facts(folder: Path, prepared: PreparedScore) -> None:
    """Write what read_prepared reads."""
    facts: dict[str, Any] = {name: value for name, value in asdict(prepared).items() if name != "folder"}
    with replacing(folder / FACTS) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Heard:
    """A recording. samples: float32 (n,), mono, 22 050 Hz.  sounding: seconds from its first sound to its last."""

    samples: np.ndarray
    sounding: float


def hear(recording: Path) -> Heard:
    """Read a recording. Raises UserError where it cannot be read, is silent, or is too short to be followed."""
    samples = read_recording(recording).samples
    peaks = np.abs(np.pad(samples, (0, -len(samples) % _BLOCK))).reshape(-1, _BLOCK).max(axis=1)
    if (peak := peaks.max(initial=0.0)) < FAINTEST:
        raise UserError(f"{recording}: is nearly silent (its peak is {peak:.2g} of full scale); record it louder")
    loud = np.flatnonzero(peaks >= _AUDIBLE * peaks.max())
    sounding = float(loud[-1] - loud[0] + 1) * _BLOCK / SAMPLE_RATE
    if sounding < SHORTEST:
        raise UserError(f"{recording}: has {sounding:.1f} s of sound; at least {SHORTEST:g} s are needed to follow it")
    return Heard(samples, sounding)


def _chosen(wish: Wish) -> Source:
    """The only piece in the file, or the one that the user names."""
    sources = {source.name: source for source in find_sources([wish.score])}
    if wish.score.is_dir() and not all(source.pages and source.path == wish.score for source in sources.values()):
        raise UserError(
            f"--score {wish.score}: is a folder; name one score (a folder of scores: --data_set, after preparing it)"
        )
    if wish.piece is None and len(sources) > 1:
        names = list(sources)
        listed = ", ".join(names[:8]) + (f", and {len(names) - 8} more" if len(names) > 8 else "")
        raise UserError(f"--score {wish.score}: holds {counted(len(sources), 'piece')}; choose one with --piece NAME: {listed}")
    name = next(iter(sources)) if wish.piece is None else choose_piece(wish.piece, list(sources), str(wish.score))
    return sources[name]


def _require_fitting(wish: Wish, source: Source) -> None:
    """Raise UserError for wishes that do not go with the kind of score."""
    if not source.pages:
        if wish.staff:
            raise UserError(f"--staff {wish.staff}: is for pages; of {wish.score} --part takes one part, or one hand")
        return
    if wish.audio is None and not wish.live:
        raise UserError(
            f"{wish.score}: is made of pages, and their notes are unknown; name a recording with --audio, or play: --audio mic"
        )
    if wish.playing != WHOLE:
        raise UserError(
            f"{wish.score}: is made of pages: --staff takes one staff, and pages.yaml beside it says what is repeated or left "
            "out"
        )


def _key(task: PieceTask) -> str:
    """The name of a prepared score's folder: everything that its files depend on."""
    return hashlib.sha256(f"{file_digest(Path(__file__))} {fingerprint(task)}".encode()).hexdigest()[:32]


def _finished(folder: Path, task: PieceTask, facts: PieceFacts, heard: Heard | None) -> PreparedScore:
    """Make what make_piece has left the files of a piece that is followed. Returns its description."""
    name, recording = task.source.name, facts.recording or {}
    pages = folder / f"{name}{PAGES_SUFFIX}"
    if task.source.pages:
        made = read_page_map(pages, read_score(folder / f"{name}.npz").sheet.shape[1])
        first_x, refused = made.first_x, "it is made of pages, and their notes are unknown"
    else:
        first_x, refused = read_map(folder / f"{name}{MAP_SUFFIX}").onset_x[0], recording.get("refused", "")
    if refused and heard is not None and not task.source.pages:
        (folder / f"{name}.mid").unlink()
        write_recording(folder / f"{name}.wav", heard.samples)
    return PreparedScore(
        folder,
        name,
        STYLES[facts.style or task.style].height,
        first_x,
        timed=not refused,
        unjudged=refused,
        seconds=0.0 if task.source.pages else facts.seconds,
        begins=recording.get("begins", 0.0),
        sounding=heard.sounding if heard is not None else 0.0,
        remarks=facts.remarks,
    )


def _staves_of(outcome: TaskOutcome) -> int | None:
    """How many staves a score has that failed because of their number; None for other failures."""
    found = re.search(r" has (\d+)", outcome.detail) if outcome.reason == STAVES else None
    return int(found[1]) if found else None


def _telling(outcomes: dict[str, TaskOutcome]) -> TaskOutcome:
    """Of the failures in all styles that in the style with as many staves as the score, else that which says how many."""
    telling = [outcome for outcome in outcomes.values() if _staves_of(outcome) is not None]
    own = [outcome for style, outcome in outcomes.items() if style and STYLES[style].staves in map(_staves_of, telling[:1])]
    return next(iter([*own, *telling, *outcomes.values()]))


def _why_not(wish: Wish, outcome: TaskOutcome) -> str:
    """Why a score became no piece, and what to do."""
    staves = _staves_of(outcome)
    if staves is not None and wish.style is None:
        whole = wish.score.suffix.lower() == ".ly"
        advice = "LilyPond scores are read whole" if whole else "name one part: --part NAME_OR_NUMBER (--part ? lists them)"
        return f"{wish.score}: has {staves} staves, and agents read one staff, or the two of a piano; {advice}"
    if outcome.reason == CRASHED:
        guard = 'a program that calls this needs `if __name__ == "__main__":` around it'
        return f"{wish.score}: {outcome.reason} ({outcome.detail}); {guard}"
    detail = outcome.detail.removeprefix(f"{wish.score}: ")
    return f"{wish.score}: {outcome.reason}" + (f": {detail}" if detail else "")
