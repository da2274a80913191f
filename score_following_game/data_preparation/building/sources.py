"""Finding the scores in files and folders: one source per tune of an ABC book or per score file."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from score_following_game import limits, reading
from score_following_game.data_preparation.building.metadata import licence_of, named_work, works_by_name
from score_following_game.data_preparation.building.mxl import score_in
from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.engraving.abc.tune_book import Tune, read_tune_book
from score_following_game.data_preparation.engraving.lilypond.source import files_of
from score_following_game.data_preparation.engraving.mei.movements import movement_labels
from score_following_game.data_preparation.errors import UNREADABLE, EngravingError, leaving_out
from score_following_game.data_preparation.pages import files as pages
from score_following_game.data_preparation.pages.corrections import corrections_file
from score_following_game.data_processing.audio import is_recording
from score_following_game.data_processing.piece import is_tempo_variant
from score_following_game.errors import UserError, printable
from score_following_game.files import file_digest

SCORES = (".abc", ".musicxml", ".xml", ".mxl", ".mei", ".krn", ".ly")
SUFFIXES = (*SCORES, *pages.SUFFIXES)
_TITLE_LENGTH = 40
_LONGEST_ORIGIN = 600  # characters
_LONGEST_NAME = 150
T = TypeVar("T")


@dataclass(frozen=True)
class Performance:
    """A human performance of a score. match: match file, which joins them.  midi: MIDI file. The files may be missing."""

    match: Path
    midi: Path


@dataclass(frozen=True)
class Source:
    """The source of one piece.

    path: a score file, or the folder of a piece of the raw MSMD.  tune: the tune, if the file is an ABC book.
    digest: SHA-256 of the content.  licence: as stated by the file.
    work: equal for the movements of one work; "" if unknown.
    root: folder that the includes of a LilyPond file must lie in.
    movement: number of the movement in an MEI file with several (1 is the first), 0 for a file with one.
    performance: the human performance that the piece is; None: the score is played as written.
    pages: the files of its pages, for a piece of pages; `path` is the PDF, the picture or the folder of pictures.
    problem: why the file cannot be read; making the piece reports it. "" for a file that can.
    """

    name: str
    path: Path
    digest: str
    tune: Tune | None = None
    licence: str = ""
    work: str = ""
    root: Path | None = None
    movement: int = 0
    performance: Performance | None = None
    pages: tuple[Path, ...] = ()
    problem: str = ""

    @property
    def origin(self) -> str:
        """The path and what of it (the tune, the movement, the performance), for messages and lists."""
        return printable(f"{self.path}{self._part}", _LONGEST_ORIGIN)

    @property
    def label(self) -> str:
        """The file and its folder without the path above it, so that it is the same on every machine."""
        return printable("/".join(self.path.absolute().parts[-2:]) + self._part, _LONGEST_ORIGIN)

    @property
    def _part(self) -> str:
        if self.tune:
            return f" X:{self.tune.number} {self.tune.title}"
        if self.performance:
            files = (self.performance.match, self.performance.midi)
            return "".join(f", {'/'.join(file.parts[-2:])}" for file in files)
        return f" movement {self.movement}" if self.movement else ""


def find_sources(paths: Iterable[Path]) -> list[Source]:
    """Sources of all files and folders (searched recursively), in name order.

    A tune of an ABC book is named FILE_NUMBER_TITLE, a movement of an MEI file with several FILE_NUMBER or
    FILE_NUMBER_LABEL, any other score FILE. Files with the same name in several folders are
    prefixed with the folders' names. Raises UserError for a missing path, and for a folder or file without a score.
    """
    paths = list(paths)
    roots = {file.resolve(): (file, path if path.is_dir() else path.parent) for path in paths for file in _files(path)}
    files = _not_included(dict(sorted(roots.values())))
    works = works_by_name({file: root for file, root in files.items() if file.suffix.lower() != ".abc"})
    sources = [
        source
        for (file, root), stem in looking_through(list(zip(files.items(), _stems(list(files)))))
        for source in sources_or_problem(stem, file, partial(_sources, file, root, stem, works.get(file, "")))
    ]
    if not sources:
        among = "it" if len(files) == 1 else f"{len(files)} files"
        raise UserError(f"{', '.join(map(str, paths))}: no tune in {among}; an ABC tune begins with a line X:")
    return sorted(distinct(sources), key=lambda source: source.name)


def looking_through(files: Collection[T]) -> Iterable[T]:
    """The files, or folders with one piece each, with a progress bar for people at a terminal."""
    return tqdm(files, unit="file", desc="looking for scores", disable=None, leave=False)


def read_text(path: Path) -> str:
    """The text of a file, see `decode`. Raises UserError when the file cannot be read."""
    return decode(read_bytes(path))


def decode(data: bytes) -> str:
    """Decode UTF-16 with a byte order mark (old MusicXML), else UTF-8, else Latin-1 (old tune books)."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def score_text(path: Path) -> str:
    """The text of a score file, for compressed MusicXML that of the score inside. Raises EngravingError; see score_in.

    Files get renamed: the content, not the suffix, says whether MusicXML is compressed.
    """
    content = read_bytes(path)
    text = decode(score_in(content) if _is_compressed(path, content) else content)
    if text.lstrip()[:1] == "<":
        with leaving_out(UNREADABLE):
            limits.require_modest_xml(text)
    return text


def _is_compressed(path: Path, content: bytes) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".mxl":
        return not decode(content[:1000]).lstrip().startswith("<")
    return suffix in (".musicxml", ".xml") and content.startswith(b"PK")


def read_bytes(path: Path) -> bytes:
    """The content of a score file. Raises UserError when it cannot be read or is too large for a score."""
    with reading.reading(path, "cannot be read"):
        data = reading.read_bytes(path, limits.SCORE_FILE)
    return data


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
        # Beside a score that can be read, a PDF or a picture shows the same music, or something else.
        found = [file for file in files if file.suffix.lower() in SCORES] or _of_pages(files)
        if not found:
            raise UserError(f"{path}: no score in this folder; expected {', '.join(SUFFIXES)}")
        return found
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: not a supported score format; expected {', '.join(SUFFIXES)}")
    return [path]


def _of_pages(files: list[Path]) -> list[Path]:
    """Each PDF, and each folder with pictures, which are its pages. files: PDFs and pictures."""
    pictures = [file for file in files if file.suffix.lower() in pages.PICTURES]
    return sorted({*(file for file in files if file not in pictures), *(file.parent for file in pictures)})


def _stems(files: list[Path]) -> list[str]:
    """A name for each file: its stem; with its suffix when its folder has two files of that stem; with the names of as many
    parent folders as needed when files in other folders have the same name."""
    homes = Counter((file.resolve().parent, slug(file.stem).lower()) for file in files)
    own = [
        slug(file.stem) + file.suffix.lower().replace(".", "_") * (homes[file.resolve().parent, slug(file.stem).lower()] > 1)
        for file in files
    ]
    names = [name or "piece" for name in own]
    for depth in range(1, max(len(file.resolve().parts) for file in files)):
        groups: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(names):
            groups[name.lower()].append(place)
        for group in groups.values():
            if len({files[place].resolve().parent for place in group}) > 1:
                for place in group:
                    folders = files[place].resolve().parts[1:-1][-depth:]
                    names[place] = "_".join(filter(None, [*map(slug, folders), own[place] or "piece"]))
    return names


def _not_included(files: dict[Path, Path]) -> dict[Path, Path]:
    """Drop the LilyPond files that others include, since they are parts of a score. files: file -> root."""
    scores = {file: root for file, root in files.items() if file.suffix.lower() == ".ly"}
    parts = {part for file, root in scores.items() for part in files_of(file, root)[1:]}
    return {file: root for file, root in files.items() if file.resolve() not in parts}


def lilypond_source(name: str, main: Path, root: Path) -> Source:
    """The source of a LilyPond score; its digest covers the files it includes from `root`."""
    files = files_of(main, root)
    content = [(file.name, hashlib.sha256(read_bytes(file)).hexdigest()) for file in files]
    text = "\n".join(map(read_text, files))
    return Source(name, main, hashlib.sha256(repr(content).encode()).hexdigest(), licence=licence_of(main, text), root=root)


def sources_or_problem(name: str, file: Path, find: Callable[[], list[Source]]) -> list[Source]:
    """What `find` returns; one source with the problem where it fails, so that the other files are made."""
    try:
        with leaving_out(UNREADABLE):
            found = find()
    except (EngravingError, MemoryError) as error:
        problem = error.detail if isinstance(error, EngravingError) else "it needs more memory than there is"
        return [Source(name, file, hashlib.sha256(problem.encode()).hexdigest(), problem=problem)]
    return found


def _sources(file: Path, root: Path, stem: str, work: str) -> list[Source]:
    kind = file.suffix.lower()
    if file.is_dir() or kind in pages.SUFFIXES:
        return [_pages_source(file, stem)]
    if kind == ".ly":
        return [replace(lilypond_source(stem, file, root), work=work)]
    if kind != ".abc":
        text = _text_or_nothing(file)
        source = Source(
            stem,
            file,
            hashlib.sha256(read_bytes(file)).hexdigest(),
            licence=licence_of(file, text),
            work=named_work(file, text) or work,
        )
        return _movements(source, text) or [source]
    sources = []
    licence = licence_of(file, "")
    for tune in read_tune_book(read_text(file)):
        name = "_".join(filter(None, (stem, slug(tune.number), slug(tune.title)[:_TITLE_LENGTH].strip("_"))))
        content = repr((tune.title, sorted(tune.headers.items()), tune.music, *tune.voices))
        sources.append(Source(name, file, hashlib.sha256(content.encode()).hexdigest(), tune, licence))
    return sources


def _pages_source(file: Path, stem: str) -> Source:
    """A PDF, a picture or a folder of pictures. Its digest covers the corrections beside it."""
    files = pages.pictures_in(file) if file.is_dir() else [file]
    own = [*files, *filter(None, [corrections_file(file)])]
    digest = hashlib.sha256(repr([(each.name, file_digest(each)) for each in own]).encode()).hexdigest()
    return Source(stem, file, digest, pages=tuple(files))


def _movements(source: Source, text: str) -> list[Source]:
    """The movements of an MEI file with several, which are movements of one work; none for any other file."""
    labels = movement_labels(text) if "<mdiv" in text or ":mdiv" in text else []
    return [
        replace(
            source,
            name="_".join(filter(None, (source.name, str(number), slug(label)[:_TITLE_LENGTH].strip("_")))),
            digest=hashlib.sha256(f"{source.digest} {number}".encode()).hexdigest(),
            work=source.work or str(source.path.resolve()),
            movement=number,
        )
        for number, label in enumerate(labels, 1)
        if len(labels) > 1
    ]


def _text_or_nothing(file: Path) -> str:
    """The text from which the licence and the work are read; making the piece reports what is wrong with the file."""
    try:
        return score_text(file)
    except EngravingError:
        return ""


def distinct(sources: list[Source]) -> list[Source]:
    """Make the names unique, also on file systems that ignore case."""
    seen: Counter[str] = Counter()
    renamed = []
    for source in sources:
        source = replace(source, name=_fitting(source.name))
        seen[source.name.lower()] += 1
        number = seen[source.name.lower()]
        name = source.name if number == 1 else f"{source.name}_{number}"
        if is_tempo_variant(name):  # this name would mean a tempo variant of another piece
            name += "_score"
        seen[name.lower()] += number > 1
        renamed.append(replace(source, name=name))
    return renamed


def _fitting(name: str) -> str:
    """The name itself, or a shorter one of its beginning and a digest: the names of a piece's files are longer than its own."""
    if len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable():
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{slug(name)[: _LONGEST_NAME - 9]}_{digest}"


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of all files below a folder, except audio."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and not is_recording(file)):
        digest.update(f"{file.relative_to(folder).as_posix()} {file_digest(file)}\n".encode())
    return digest.hexdigest()
