"""Which file of a compressed MusicXML archive is the score."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from score_following_game.data_preparation.building.mxl import score_in
from score_following_game.data_preparation.building.sources import score_text
from score_following_game.data_preparation.errors import EngravingError

CONTAINER = '<container><rootfiles><rootfile full-path="{}"{}/></rootfiles></container>'
PDF = ' media-type="application/pdf"'


def archive(*entries: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        [("other.xml", "other"), ("META-INF/container.xml", CONTAINER.format("a/score.xml", "")), ("a/score.xml", "score")],
        [("META-INF/container.xml", CONTAINER.format("odd.name", "")), ("other.xml", "other"), ("odd.name", "score")],
        [("__MACOSX/._score.xml", "other"), ("notes.txt", "other"), ("score.musicxml", "score"), ("second.xml", "other")],
        [("META-INF\\container.xml", CONTAINER.format("./a/score.xml", "")), ("other.xml", "x"), ("a\\score.xml", "score")],
        [("META-INF/container.xml", CONTAINER.format("x.pdf", PDF)), ("x.pdf", "other"), ("score.xml", "score")],
    ],
    ids=["container", "any name", "without a container", "backslashes", "only a picture named"],
)
def test_the_score_of_an_archive(entries: list[tuple[str, str]]) -> None:
    assert score_in(archive(*entries)) == b"score"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(("META-INF/container.xml", CONTAINER.format("lost.xml", "")), ("other.xml", "x")), "names lost.xml"),
        (archive(("META-INF/container.xml", "<container>"), ("other.xml", "x")), "META-INF/container.xml"),
        (archive(("readme.txt", "x"), ("__MACOSX/a.xml", "x")), "no score"),
        (b"PK no archive", "not a readable archive"),
    ],
)
def test_archives_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(EngravingError, match=message):
        score_in(content)


@pytest.mark.parametrize("name", ["score.mxl", "score.xml", "score.musicxml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_compressed_and_plain_files_of_any_suffix(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_bytes(archive(("score.xml", "<score-partwise/>")))
    assert score_text(path) == "<score-partwise/>"
    path.write_bytes(" <score-partwise/>".encode(encoding))
    assert score_text(path).strip() == "<score-partwise/>"
