"""eval_score_following.py --report: one page with everything in it."""

from __future__ import annotations

import base64
import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run

from score_following_game.environment.rendering.names import title
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.excerpts import SECONDS, SIZE
from score_following_game.evaluation.html_page import Cell, table
from score_following_game.evaluation.html_report import best_and_worst, piece_figures, write_report
from score_following_game.evaluation.results import Results

EMPTY = {"meta", "br", "img", "link", "input"}


class Outline(HTMLParser):
    """What a test asks of a page: that its elements close in order, its addresses, its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.rows: list[list[tuple[str | None, str]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href", "srcset", "poster", "data") if name in given]
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append((given.get("data-value"), ""))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            value, text = self.rows[-1][-1]
            self.rows[-1][-1] = value, text + data


@pytest.fixture(scope="module")
def page(run: Run, data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, str]]]:
    """The page of an evaluation, and the rows of its --csv."""
    folder = tmp_path_factory.mktemp("report")
    done = run(
        "eval_score_following.py", "--params", "nottingham", "--data_set", data_set, "--trials", 2, "--seed", 3,
        "--report", folder / "new", "--csv", folder / "rows.csv",
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == f"Written: {folder / 'new' / 'report.html'}"
    with (folder / "rows.csv").open(newline="") as stream:
        return (folder / "new" / "report.html").read_text(encoding="utf-8"), list(csv.DictReader(stream))


def test_the_page_needs_no_other_file_and_no_network(page: tuple[str, list[dict[str, str]]]) -> None:
    outline = Outline(page[0])
    assert outline.addresses and all(re.match("data:|#", address) for address in outline.addresses)
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(outline.ids)
    without_data = re.sub(r"data:[^\"]*", "", page[0])
    assert "http" not in without_data and "@import" not in without_data and "url(" not in without_data


def test_pieces_have_the_figures_of_the_evaluation(page: tuple[str, list[dict[str, str]]]) -> None:
    rows = {row[0][1]: row for row in Outline(page[0]).rows if len(row) == 6}
    names = {row["piece"] for row in page[1]}
    assert rows.keys() == {title(name) for name in names} and len(names) == 3
    for name in names:
        trials = [row for row in page[1] if row["piece"] == name]
        assert len(trials) == 2
        cells = rows[title(name)]
        ratio = np.mean([float(row["tracking_ratio"]) for row in trials])
        assert float(cells[2][0] or "") == pytest.approx(ratio) and cells[2][1] == f"{ratio:.3f}"
        assert cells[3][1] == f"{sum(row['tracked_until_end'] == 'True' for row in trials)} of 2"


def test_films_can_be_played(page: tuple[str, list[dict[str, str]]], tmp_path: Path) -> None:
    films = [address for address in Outline(page[0]).addresses if address.startswith("data:video/mp4;base64,")]
    assert len(films) == 3  # two best and one worst of three pieces
    for number, address in enumerate(films):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(base64.b64decode(address.partition(",")[2]))
        reader = cv2.VideoCapture(str(path))
        size = [int(reader.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        assert tuple(size) == SIZE and 1 < reader.get(cv2.CAP_PROP_FRAME_COUNT) <= SECONDS * 20 + 1


def results(ratios: dict[str, float], error: float = 1.0) -> Results:
    """Two equal trials: pieces of ten onsets, of which a share was tracked."""
    frames = np.arange(10, 110, 10)
    trial = []
    for name, ratio in ratios.items():
        tracked = frames[: round(10 * ratio)]
        trial.append(Episode(name, int(tracked[-1]) if len(tracked) else 5, frames, tracked, np.full(len(tracked), error)))
    return Results({unit: [trial, trial] for unit in ("px", "cm", "seconds")})


def test_best_and_worst_are_distinct() -> None:
    played = results({"a": 0.5, "b": 1.0, "c": 0.0, "d": 0.7, "e": 0.9})
    assert best_and_worst(played, 2) == (["b", "e"], ["c", "a"])
    assert best_and_worst(results({"a": 0.5, "b": 1.0, "c": 0.2}), 2) == (["b", "a"], ["c"])
    assert best_and_worst(results({"a": 0.5}), 2) == (["a"], [])
    figures = {row.piece: row for row in piece_figures(played)}
    assert (figures["b"].ended, figures["b"].trials, figures["d"].ended) == (2, 2, 0)
    assert np.isnan(figures["c"].pixels)


def test_names_are_text_and_unknown_errors_are_empty(tmp_path: Path) -> None:
    path = write_report(tmp_path, "<b>", {"command": "a & b"}, {"": results({"<script>x": 0.0, "fine": 1.0})}, 50, 20)
    text = path.read_text(encoding="utf-8")
    outline = Outline(text)
    assert "<script>x" not in text and "a &amp; b" in text and "nan" not in re.sub(r"data:[^\"]*", "", text)
    (lost,) = (row for row in outline.rows if row and row[0][1] == "<script>x")
    assert lost[4] == ("", "") and len(outline.rows) == 2 + 1 + 2  # two heads, one agent, two pieces


def test_cells_are_sorted_by_their_values() -> None:
    rows = Outline(table(["a"], [[Cell("1 of 2", 1)], [Cell("x & y")], [Cell("", "")]])).rows
    assert rows[1:] == [[("1", "1 of 2")], [(None, "x & y")], [("", "")]]
