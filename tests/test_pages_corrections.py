"""pages.yaml: what a person puts right, and one line with the key for what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages_tools import LEFT, RIGHT, SPACE, draw_page, top_of, write_png

from score_following_game.data_preparation.pages.corrections import Corrections, corrections_file, read_corrections
from score_following_game.data_preparation.pages.reading import PagesPiece, read_piece
from score_following_game.errors import UserError

PAGES = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


def corrections(folder: Path, text: str) -> Corrections:
    path = folder / "pages.yaml"
    path.write_text(text)
    return read_corrections(path)


def test_no_file_changes_nothing():
    assert read_corrections(None).in_order(PAGES) == PAGES


def test_skip_order_and_repeats(tmp_path: Path):
    assert corrections(tmp_path, "skip: [1-2, 2-1]\n").in_order(PAGES) == [(1, 1), (1, 3), (2, 2)]
    assert corrections(tmp_path, "order: [2-1, 1-1, 2-1]\n").in_order(PAGES) == [(2, 1), (1, 1), (2, 1)]
    repeated = corrections(tmp_path, "repeats: [[1-1, 1-2], [2-1, 2-1]]\n").in_order(PAGES)
    assert repeated == [(1, 1), (1, 2), (1, 1), (1, 2), (1, 3), (2, 1), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("skp: [1]\n", "skp: no such key"),
        ("skip: 1-1\n", "skip: expected a list"),
        ("skip: [1.1]\n", "skip: expected a system like 1-2"),
        ("order: [1]\n", "order: expected a system"),
        ("repeats: [[1-1]]\n", "repeats: expected \\[FIRST, LAST\\]"),
        ("boxes: [1]\n", "boxes: expected PAGE"),
        ("boxes: {1: [[1, 2, 3]]}\n", "boxes: page 1: expected \\[LEFT"),
        ("boxes: {1: [[9, 2, 3, 4]]}\n", "boxes: page 1: expected \\[LEFT"),
        ("boxes: {0: [[1, 2, 3, 4]]}\n", "boxes: expected PAGE"),
        ("- 1\n", "expected keys and values"),
    ],
)
def test_faults_of_the_file(tmp_path: Path, text: str, expected: str):
    with pytest.raises(UserError, match=rf"pages\.yaml: {expected}"):
        corrections(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("skip: [3-1]\n", "skip: there is no system 3-1; the pages have 1-1 to 2-2"),
        ("order: [1-4]\n", "order: there is no system 1-4"),
        ("repeats: [[1-2, 1-1]]\n", "repeats: 1-1 does not come after 1-2"),
        ("skip: [1-1]\nrepeats: [[1-1, 1-2]]\n", "repeats: 1-2 does not come after 1-1"),
    ],
)
def test_systems_that_are_not_there(tmp_path: Path, text: str, expected: str):
    with pytest.raises(UserError, match=expected):
        corrections(tmp_path, text).in_order(PAGES)


def test_the_file_beside_the_pages(tmp_path: Path):
    source = tmp_path / "score.pdf"
    assert corrections_file(source) is None
    (tmp_path / "pages.yaml").touch()
    assert corrections_file(source) == tmp_path / "pages.yaml" == corrections_file(tmp_path)
    (tmp_path / "score.pages.yaml").touch()  # of several PDFs in one folder
    assert corrections_file(source) == tmp_path / "score.pages.yaml"


def piece_of(folder: Path, text: str) -> PagesPiece:
    file = write_png(folder / "page.png", draw_page())
    return read_piece([file], corrections(folder, text))


def test_a_repeated_system_is_on_the_sheet_twice(tmp_path: Path):
    piece = piece_of(tmp_path, "order: [1-2, 1-1, 1-2]\n")
    first, second, third = piece.pages.systems
    assert [system.number for system in piece.pages.systems] == [2, 1, 2]
    assert (piece.sheet[:, : first.end] == piece.sheet[:, third.begin :]).all()
    assert (
        piece.pages.place(first.begin + 50).y == piece.pages.place(third.begin + 50).y != piece.pages.place(second.begin + 50).y
    )


def test_a_box_cuts_a_system(tmp_path: Path):
    top, bottom = top_of(1, 0) - SPACE, top_of(1, 1) + 5 * SPACE
    middle = (LEFT + RIGHT) // 2
    boxes = f"[[{LEFT}, {top}, {middle}, {bottom}], [{middle}, {top}, {RIGHT}, {bottom}]]"
    piece = piece_of(tmp_path, f"boxes: {{1: {boxes}}}\norder: [1-1, 1-1, 1-2]\n")
    first, second, third = piece.pages.systems
    assert [len(system.staves) for system in piece.pages.systems] == [2, 2, 2]
    assert first.end == second.end - second.begin
    assert first.page_x[-1] == pytest.approx(middle, abs=2)
    assert third.page_x[0] == pytest.approx(middle, abs=2)


def test_an_empty_box_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"boxes: page 1, box 1: no staff was found in it"):
        piece_of(tmp_path, "boxes: {1: [[0, 0, 500, 90]]}\n")


def test_nothing_left(tmp_path: Path):
    with pytest.raises(Exception, match=r"'no staff found', 'on none of the pages that .*pages\.yaml keeps"):
        piece_of(tmp_path, "skip: [1]\n")


@pytest.mark.parametrize("written", ["skip: [7]", "skip: [1-2, 0]", "boxes: {7: [[0, 0, 500, 500]]}"])
def test_a_page_that_is_not_there_is_named(tmp_path: Path, written: str):
    with pytest.raises(UserError, match=r"pages\.yaml: .*there is no page [07]; the pages are 1 to 1"):
        piece_of(tmp_path, written + "\n")
