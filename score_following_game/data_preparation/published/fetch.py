"""Fetching the published data sets and weights, from the network or from a file, and placing them in a destination DIR.

    DIR/downloads/                     the files as downloaded; sha256.json: their SHA-256 at the first download
    DIR/score_following_game_data/     nottingham/nottingham_{train,valid,test}, msmd_all/msmd_all_{train,valid,test}
    DIR/score_following_game_data_2019 sets of the archive of 2019 (or _2018) if the folder above already has such sets
    DIR/models/                        the weights

Existing files are never replaced. A second call fetches only what is missing.
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
    """url: original address. what: description. year: of the release. sha256: hexadecimal, if known."""

    url: str
    what: str
    year: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The last component of the URL."""
        return self.url.rpartition("/")[2]


PUBLISHED = (
    PublishedFile(f"{_SHARE_2018}/{ROOT}.tar.gz", "data sets of 2018", 2018),
    PublishedFile(f"{_SHARE_2018}/pretrained_model_ScoreFollowingNetMSMDLCHSDeepDoLight.pt", "weights of 2018", 2018),
    PublishedFile("http://www.cp.jku.at/resources/2019_RLScoFo_TISMIR/data.tar.gz", "data sets of 2019", 2019),
)


@dataclass
class FetchOutcome:
    """The result for one published file. problem: why it is missing, "" if it is in place."""

    name: str
    what: str
    placed: list[Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class PublishedReport:
    """The result of a call, file by file."""

    destination: Path
    outcomes: list[FetchOutcome]

    @property
    def missing(self) -> dict[str, str]:
        """Name of each missing file -> reason."""
        return {outcome.name: outcome.problem for outcome in self.outcomes if outcome.problem}

    def lines(self) -> list[str]:
        """The report as printed."""
        lines = []
        for outcome in self.outcomes:
            lines.append(f"{outcome.name} ({outcome.what})" + (f": missing: {outcome.problem}" if outcome.problem else ""))
            lines += [f"  {self.destination / place.path}{place.described()}" for place in outcome.placed]
            lines += [f"  {note}" for note in outcome.notes]
        return lines


def list_published(indent: int = 2) -> list[str]:
    """A line with URL and description for each published file."""
    return [f"{'':{indent}}{file.url} ({file.what})" for file in PUBLISHED]


class PublishedGone(Unreachable):
    """None of the published files can be fetched. problems: name of each file -> reason."""

    def __init__(self, problems: dict[str, str]) -> None:
        reasons = "; ".join(dict.fromkeys(problems.values()))  # each server once
        super().__init__(f"the published files cannot be fetched ({reasons}); use --archive FILE for a file from elsewhere")
        self.problems = problems


def fetch_published(destination: Path, archive: Path | None = None, mirror: str | None = None) -> PublishedReport:
    """Fetch the published files that are missing in `destination` and put them into place.

    archive: use this file (an archive of data sets, or weights: .pt) and not the network. mirror: URL of a folder that has the
    files under their names. Raises PublishedGone when all files are missing and no server has any; UserError when `archive`, or
    every file, is broken, unsafe or different from the first download. Problems of single files are in the report.
    """
    if archive is not None and mirror is not None:
        raise UserError("--archive and --mirror cannot be combined")
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
) -> FetchOutcome:
    """Fetch one file of the table. Adds to `unreached` (host -> reason; not asked again) and `gone` (file name -> reason)."""
    outcome = FetchOutcome(file.name, file.what, _already_placed(file, destination, records))
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
        if isinstance(error, NoArchive) and fetched:  # servers may send a web page instead of a deleted file
            path.unlink()
        gone[file.name] = outcome.problem = str(error)
    except UserError as error:
        outcome.problem = str(error)
    return outcome


def _take(path: Path, destination: Path, records: PublishedRecords) -> FetchOutcome:
    """Use a file given by the user, which stays in place."""
    if not path.is_file():
        raise UserError(f"--archive {path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    file = next((file for file in PUBLISHED if file.name == path.name), None)
    outcome = FetchOutcome(path.name, file.what if file else "given by --archive")
    _place(path, file, destination, records, outcome)
    return outcome


def _already_placed(file: PublishedFile, destination: Path, records: PublishedRecords) -> list[Placed]:
    """Everything that a file contains, if the records say that all of it is in place; otherwise an empty list."""
    digest = records.sha256.get(file.name, "")
    if not file.name.endswith(WEIGHTS_SUFFIX):
        return placed_sets(digest, destination, records)
    weights = destination / MODELS / file.name
    return [Placed(f"{MODELS}/{file.name}")] if weights.is_file() and file_digest(weights) == digest else []


def _place(path: Path, file: PublishedFile | None, destination: Path, records: PublishedRecords, outcome: FetchOutcome) -> None:
    """Check a file and put its contents into place. The SHA-256 of a published file is recorded if that succeeds."""
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
            f"{path}: its SHA-256 is {digest}, but was {first} at the first download; remove it and fetch it again, or, "
            f"if this file is right, remove its line from {records.sha256_path}"
        )


def _place_weights(path: Path, digest: str, destination: Path, outcome: FetchOutcome) -> None:
    """Copy weights to DIR/models, unless a file of that name exists. They are not loaded here."""
    with path.open("rb") as stream:
        head = stream.read(2)
    if head not in (b"PK", b"\x80\x02"):  # torch's current format, and that of 2018
        raise NoArchive(
            f"{path}: is {'a web page, ' if head[:1] == b'<' else ''}not a file of weights; "
            "fetch it again or from another place"
        )
    target = destination / MODELS / path.name
    if target.exists():
        if not target.is_file() or file_digest(target) != digest:
            outcome.notes.append(f"{target}: a different file of this name exists and was kept; move it away first")
            return
        outcome.placed.append(Placed(f"{MODELS}/{path.name}"))
        return
    with replacing(target) as temporary:
        try:
            shutil.copyfile(path, temporary)
        except OSError as error:
            raise WriteError(f"{target}: cannot be written ({error.strerror})") from None
    outcome.placed.append(Placed(f"{MODELS}/{path.name}", new=True))
