"""The published data sets and weights: fetched, or taken from a file fetched by hand, and laid out as this project wants them.

    DIR/downloads/                     the files as they came; sha256.json: their SHA-256 when they first came
    DIR/score_following_game_data/     nottingham/nottingham_{train,valid,test}, msmd_all/msmd_all_{train,valid,test}
    DIR/score_following_game_data_2019 the sets of the archive of 2019 (or _2018) where the place above is taken
    DIR/models/                        the weights

Nothing that is there is ever replaced, and a second call does what is missing.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from score_following_game.data_preparation.published.archive import NoArchive
from score_following_game.data_preparation.published.download import HostUnreachable, Unreachable, download
from score_following_game.data_preparation.published.sets import (
    ROOT,
    Placed,
    PublishedRecords,
    place_sets,
    placed_sets,
)
from score_following_game.errors import UserError
from score_following_game.files import WriteError, file_digest, replacing

MODELS, WEIGHTS_SUFFIX = "models", ".pt"
_SHARE_2018 = "http://www.cp.jku.at/people/dorfer/share"


@dataclass(frozen=True)
class PublishedFile:
    """url: where it was published. what: in words. year: of the system it belongs to. sha256: hexadecimal, where known."""

    url: str
    what: str
    year: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The file's name at the end of its URL."""
        return self.url.rpartition("/")[2]


PUBLISHED = (
    PublishedFile(f"{_SHARE_2018}/{ROOT}.tar.gz", "data sets of 2018", 2018),
    PublishedFile(f"{_SHARE_2018}/pretrained_model_ScoreFollowingNetMSMDLCHSDeepDoLight.pt", "weights of 2018", 2018),
    PublishedFile("http://www.cp.jku.at/resources/2019_RLScoFo_TISMIR/data.tar.gz", "data sets of 2019", 2019),
)


@dataclass
class Outcome:
    """What became of one published file. problem: why it is not here, "" when it is."""

    name: str
    what: str
    placed: list[Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class PublishedReport:
    """What is in the destination now, file by file."""

    destination: Path
    outcomes: list[Outcome]

    @property
    def missing(self) -> dict[str, str]:
        """Name of each published file that is not here -> why."""
        return {outcome.name: outcome.problem for outcome in self.outcomes if outcome.problem}

    def lines(self) -> list[str]:
        """The report as printed."""
        lines = []
        for outcome in self.outcomes:
            lines.append(f"{outcome.name} ({outcome.what})" + (f": not here: {outcome.problem}" if outcome.problem else ""))
            lines += [f"  {self.destination / place.path}{place.told()}" for place in outcome.placed]
            lines += [f"  {note}" for note in outcome.notes]
        return lines


class PublishedGone(Unreachable):
    """Nothing published can be had. problems: name of each file -> why."""

    def __init__(self, problems: dict[str, str]) -> None:
        reasons = "; ".join(dict.fromkeys(problems.values()))  # one server that is gone is told once
        super().__init__(
            f"the published files cannot be fetched ({reasons}); a file fetched by hand is taken by --archive FILE"
        )
        self.problems = problems


def fetch_published(destination: Path, archive: Path | None = None, mirror: str | None = None) -> PublishedReport:
    """Have every published file in `destination`, as far as it can be had; what is there already is not fetched again.

    archive: take this file (an archive of data sets, or weights: .pt) and nothing from the network. mirror: a URL that has
    the files by their names. Raises PublishedGone when no server has anything and nothing is here; UserError for a file that
    is broken, unsafe or not the one that came first (beside others that are fine it is told in the report).
    """
    if archive is not None and mirror is not None:
        raise UserError("--archive and a mirror: take one of them, a file fetched by hand needs no server")
    records = PublishedRecords.load(destination)
    if archive is not None:
        return PublishedReport(destination, [_take(archive, destination, records)])
    unreached: dict[str, str] = {}
    gone: dict[str, str] = {}
    outcomes = [_fetch(file, mirror, destination, records, unreached, gone) for file in PUBLISHED]
    report = PublishedReport(destination, outcomes)
    if len(gone) == len(outcomes):
        raise PublishedGone(gone)
    if len(report.missing) == len(outcomes):
        raise UserError(next(problem for name, problem in report.missing.items() if name not in gone))
    return report


def _fetch(
    file: PublishedFile,
    mirror: str | None,
    destination: Path,
    records: PublishedRecords,
    unreached: dict[str, str],
    gone: dict[str, str],
) -> Outcome:
    """One file of the table. unreached: host -> why, not asked again. gone: file name -> why; both are added to."""
    outcome = Outcome(file.name, file.what, _already_placed(file, destination, records))
    if outcome.placed:
        return outcome
    url = file.url if mirror is None else f"{mirror.rstrip('/')}/{file.name}"
    path, host = records.folder / file.name, urlsplit(url).netloc
    fetched = not path.is_file()
    try:
        if fetched:
            if host in unreached:
                raise Unreachable(unreached[host])
            download(url, path, file.sha256)
        _place(path, file, destination, records, outcome)
    except WriteError:
        raise
    except (Unreachable, NoArchive) as error:
        if isinstance(error, HostUnreachable):
            unreached[host] = str(error)
        if isinstance(error, NoArchive) and fetched:  # what a server sends in place of a file it has no more
            path.unlink()
        gone[file.name] = outcome.problem = str(error)
    except UserError as error:
        outcome.problem = str(error)
    return outcome


def _take(path: Path, destination: Path, records: PublishedRecords) -> Outcome:
    """A file fetched by hand; it stays where it is."""
    if not path.is_file():
        raise UserError(f"--archive {path}: {'a folder, wanted a file' if path.is_dir() else 'no such file'}")
    file = next((file for file in PUBLISHED if file.name == path.name), None)
    outcome = Outcome(path.name, file.what if file else "fetched by hand")
    _place(path, file, destination, records, outcome)
    return outcome


def _already_placed(file: PublishedFile, destination: Path, records: PublishedRecords) -> list[Placed]:
    """All that comes of a file, when all of it is here; told by the records, without reading the file."""
    digest = records.sha256.get(file.name, "")
    if not file.name.endswith(WEIGHTS_SUFFIX):
        return placed_sets(digest, destination, records)
    weights = destination / MODELS / file.name
    return [Placed(f"{MODELS}/{file.name}")] if weights.is_file() and file_digest(weights) == digest else []


def _place(path: Path, file: PublishedFile | None, destination: Path, records: PublishedRecords, outcome: Outcome) -> None:
    """Check a file that is here and lay out what is in it. The SHA-256 of a published one is noted when it proved sound."""
    try:
        digest = file_digest(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if file is not None:
        _require_same(path, digest, file, records)
    if path.suffix.lower() == WEIGHTS_SUFFIX:
        _place_weights(path, digest, destination, outcome)
    else:
        placed, notes = place_sets(path, digest, file.year if file else None, destination, records)
        outcome.placed += placed
        outcome.notes += notes
    if file is not None:
        records.note_sha256(file.name, digest)


def _require_same(path: Path, digest: str, file: PublishedFile, records: PublishedRecords) -> None:
    first = records.sha256.get(file.name)
    if file.sha256 is not None and digest != file.sha256:
        raise UserError(f"{path}: its SHA-256 is {digest}, the published file has {file.sha256}; remove it and fetch it again")
    if first is not None and digest != first:
        raise UserError(
            f"{path}: its SHA-256 is {digest}, but {first} when it first came; remove it and fetch it again, or, "
            f"where this one is right, remove its line from {records.sha256_path}"
        )


def _place_weights(path: Path, digest: str, destination: Path, outcome: Outcome) -> None:
    """Copy weights to the models, unless something of that name is there. They are not loaded here."""
    with path.open("rb") as stream:
        head = stream.read(2)
    if head not in (b"PK", b"\x80\x02"):  # as torch writes them now, and as it did in 2018
        raise NoArchive(
            f"{path}: holds no weights{' but a web page' if head[:1] == b'<' else ''}; fetch it again, or from another place"
        )
    target = destination / MODELS / path.name
    if target.exists():
        if not target.is_file() or file_digest(target) != digest:
            outcome.notes.append(f"{target}: is another one and was kept; move it away to have this one")
            return
        outcome.placed.append(Placed(f"{MODELS}/{path.name}"))
        return
    with replacing(target) as temporary:
        try:
            shutil.copyfile(path, temporary)
        except OSError as error:
            raise WriteError(f"{target}: cannot be written ({error.strerror})") from None
    outcome.placed.append(Placed(f"{MODELS}/{path.name}", new=True))
