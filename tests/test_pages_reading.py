"""Systems are found on pages, whatever the light and the angle, and become a strip of the published size."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from pages_tools import LEFT, RIGHT, SPACE, as_scanned, draw_page, top_of, turned, write_png

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.pages.corrections import Corrections
from score_following_game.data_preparation.pages.files import Page
from score_following_game.data_preparation.pages.measuring import _without_jumps
from score_following_game.data_preparation.pages.paper import SPACE as STANDARD
from score_following_game.data_preparation.pages.paper import rotation
from score_following_game.data_preparation.pages.reading import ReadPage, find_music, read_piece


def found_on(page: np.ndarray) -> ReadPage:
    return find_music([Page(Path("page.png"), 1, page)], Corrections())[0]


def staves_of(read: ReadPage) -> list[int]:
    return [len(system.staves) for system in read.systems]


def middles(read: ReadPage) -> list[float]:
    """Row of the page in the middle of each system."""
    assert read.paper is not None
    rows = []
    for system in read.systems:
        x = np.array([(system.left + system.right) / 2])
        rows.append(float(read.paper.to_page(x, system.middle(x))[1][0]))
    return rows


@pytest.mark.parametrize("staves", [1, 2, 3])
def test_systems_of_a_clean_page(staves: int):
    read = found_on(draw_page(staves=staves))
    assert staves_of(read) == [staves] * 3
    expected = [(top_of(n, 0, staves) + top_of(n, staves - 1, staves) + 4 * SPACE + 1) / 2 for n in range(3)]
    assert np.abs(np.subtract(middles(read), expected)).max() < 1
    assert read.paper is not None
    for system in read.systems:
        ends, _ = read.paper.to_page(
            np.array([system.left, system.right]), system.middle(np.array([system.left, system.right]))
        )
        assert np.abs(ends - [LEFT, RIGHT]).max() <= 2
        assert system.space * read.paper.page_pixels == pytest.approx(SPACE, rel=0.02)


@pytest.mark.parametrize("degrees", [-2.0, 1.3])
def test_a_scan_lies_aslant_in_uneven_light(degrees: int):
    read = found_on(as_scanned(draw_page(), degrees))
    assert staves_of(read) == [2, 2, 2]
    assert read.paper is not None
    assert read.paper.turned == pytest.approx(-degrees, abs=0.15)


@pytest.mark.parametrize("degrees", [-3.0, -0.4, 0.0, 0.2, 2.5])
def test_rotation(degrees: float):
    page = np.full((1000, 1000), 255, np.uint8)
    for top in range(100, 900, 200):
        for line in range(5):
            page[top + round(line * STANDARD) : top + round(line * STANDARD) + 2, 50:950] = 0
    assert rotation(turned(page, degrees)) == pytest.approx(-degrees, abs=0.1)


def test_white_on_black():
    assert staves_of(found_on(255 - draw_page())) == [2, 2, 2]


@pytest.mark.parametrize("staves", [1, 2])
def test_a_page_upside_down_is_turned(tmp_path: Path, staves: int):
    """Here the clefs are squares of ink; the notes at the ends of the staves differ."""
    page, random = draw_page(staves=staves), np.random.default_rng(3)
    for number, staff in itertools.product(range(3), range(staves)):
        top = top_of(number, staff, staves)
        page[top + SPACE : top + 3 * SPACE, LEFT + 10 : LEFT + 30] = 0
        for x in RIGHT - random.integers(12, 4 * SPACE, 3):
            row = top + int(random.integers(0, 4 * SPACE))
            page[row : row + SPACE, x : x + SPACE] = 0
    upside_down = np.ascontiguousarray(page[::-1, ::-1])
    assert not found_on(page).turned
    read = found_on(upside_down)
    assert read.turned and np.array_equal(read.page.image, page)
    assert middles(read) == pytest.approx(middles(found_on(page)))
    piece = read_piece([write_png(tmp_path / "page.png", upside_down)], Corrections())
    assert piece.remarks == ("turned, since upside down: 1 page (1)",)
    assert np.array_equal(piece.sheet, read_piece([write_png(tmp_path / "upright.png", page)], Corrections()).sheet)


def test_small_and_large_pictures():
    page = draw_page(systems=2)
    large = np.kron(page, np.ones((3, 3), np.uint8))
    assert staves_of(found_on(large)) == staves_of(found_on(page)) == [2, 2]


def test_a_page_without_music():
    page = draw_page(systems=0)
    assert staves_of(found_on(page)) == []
    read = find_music([Page(Path("1.png"), 1, page), Page(Path("2.png"), 1, draw_page())], Corrections())
    assert [staves_of(each) for each in read] == [[], [2, 2, 2]]


def test_the_edge_of_the_paper_joins_no_systems():
    page = draw_page()
    page[:, LEFT - 45 : LEFT - 18] = 20
    assert staves_of(found_on(page)) == [2, 2, 2]


def test_facing_pages_are_read_one_after_the_other():
    read = found_on(np.hstack([draw_page(seed=1), draw_page(seed=2)]))
    assert staves_of(read) == [2] * 6
    lefts = [system.left for system in read.systems]
    assert max(lefts[:3]) < min(lefts[3:])
    assert middles(read)[:3] == sorted(middles(read)[:3])


def test_strips_have_the_published_sizes(tmp_path: Path):
    for staves, height, space, name in ((1, 40, 3.5, "nottingham"), (2, 200, 7.0, "msmd")):
        piece = read_piece([write_png(tmp_path / "page.png", draw_page(staves=staves))], Corrections())
        assert piece.style.name == name
        assert piece.sheet.shape[0] == height
        assert piece.sheet.shape[1] == pytest.approx(3 * (RIGHT - LEFT + 1) * space / SPACE, rel=0.01)
        assert piece.sharp.shape == tuple(piece.style.sharp * size for size in piece.sheet.shape)
        lines = (piece.sheet[:, 60:100] < 128).all(axis=1) if staves == 1 else (piece.sheet[:, 60:100] < 160).all(axis=1)
        rows = np.flatnonzero(lines)
        assert rows[0] == np.floor(height / 2 - ((staves - 1) * 130 / SPACE + 4) * space / 2 + 1e-6)
        assert piece.sheet.max() == 255


def test_where_a_column_is_on_the_page(tmp_path: Path):
    page = turned(draw_page(), 1.0)
    pages = read_piece([write_png(tmp_path / "page.png", page)], Corrections()).pages
    assert [system.number for system in pages.systems] == [1, 2, 3]
    middle = (page.shape[1] / 2, page.shape[0] / 2)
    for number, system in enumerate(pages.systems):
        place = pages.place((system.begin + system.end) / 2)
        x, y = (LEFT + RIGHT) / 2, (top_of(number, 0) + top_of(number, 1) + 4 * SPACE + 1) / 2
        angle = np.radians(1.0)
        away = x - middle[0], y - middle[1]
        expected = (
            middle[0] + np.cos(angle) * away[0] + np.sin(angle) * away[1],
            middle[1] - np.sin(angle) * away[0] + np.cos(angle) * away[1],
        )
        assert (place.page, place.system) == (0, number)
        assert np.hypot(place.x - expected[0], place.y - expected[1]) < 2


def test_three_staves_name_the_option(tmp_path: Path):
    file = write_png(tmp_path / "page.png", draw_page(staves=3))
    with pytest.raises(EngravingError, match="--staff N, 1 to 3"):
        read_piece([file], Corrections())
    piece = read_piece([file], Corrections(), staff=2)
    assert piece.style.name == "nottingham"
    assert [len(system.staves) for system in piece.pages.systems] == [1, 1, 1]
    assert abs(piece.pages.place(100).y - (top_of(0, 1, 3) + 2 * SPACE)) < 2
    with pytest.raises(EngravingError, match="fewer than 4 staves"):
        read_piece([file], Corrections(), staff=4)
    with pytest.raises(EngravingError, match="--style nottingham is for 1"):
        read_piece([write_png(tmp_path / "two.png", draw_page())], Corrections(), "nottingham")


def test_no_staff_at_all(tmp_path: Path):
    with pytest.raises(EngravingError, match="no staff found"):
        read_piece([write_png(tmp_path / "page.png", draw_page(systems=0))], Corrections())


def test_a_course_that_jumps_to_another_line_is_brought_back():
    course = np.linspace(100, 110, 60)
    jumping = course.copy()
    jumping[40:] -= 14
    jumping[50:] -= 14
    assert _without_jumps(jumping, 14.0) == pytest.approx(course)
