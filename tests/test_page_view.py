"""The page view: where it puts systems, cursor, light and the next page, measured in the pixels of its pictures."""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from pages_tools import LEFT, RIGHT, as_scanned, draw_page, write_png
from small_piece import FIRST_X, write_small_piece

from score_following_game.config import load_game_config
from score_following_game.data_preparation.building.make_pages import make_pages
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.page_map import map_path, read_page_map, write_page_map
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.game import Game
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering.lights import LIGHTS, light_of
from score_following_game.environment.rendering.page_boxes import box_of
from score_following_game.environment.rendering.page_source import pages_of
from score_following_game.environment.rendering.page_spread import LIT
from score_following_game.environment.rendering.page_view import PageView
from score_following_game.environment.rendering.picture import Meter, Overlay
from score_following_game.environment.rendering.systems_as_pages import systems_of
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.watching.setup import view_of

CONFIG = load_game_config("nottingham.yaml")
FPS = CONFIG.spectrogram_params.fps
HIDDEN = Overlay(show_target=False)
NOTES = 40


def write_pages(folder: Path, *pages: np.ndarray) -> Path:
    """A piece made of pages on one staff, with a recording of two seconds -> its npz."""
    files = tuple(write_png(folder / "in" / f"{number}.png", page) for number, page in enumerate(pages, 1))
    recording = folder / "sound.wav"
    soundfile.write(recording, 0.3 * np.sin(np.arange(2 * 22050) / 8), 22050)
    (folder / "set").mkdir()
    make_pages(folder / "in", files, folder / "set" / "song", "", 0, recording)
    return folder / "set" / "song.npz"


def load(score: Path) -> Piece:
    return load_data_set(score.parent, CONFIG, without_notes=True)[0]


@pytest.fixture(scope="module")
def score(tmp_path_factory) -> Path:
    """A piece of two upright pages with five systems each."""
    return write_pages(tmp_path_factory.mktemp("pages"), *(draw_page(5, staves=1, seed=seed) for seed in (1, 2)))


@pytest.fixture(scope="module")
def printed(score: Path) -> Piece:
    return load(score)


@pytest.fixture(scope="module")
def engraved(tmp_path_factory) -> Piece:
    """A piece without pages: a strip, longer than a system can be, with a dot per note."""
    return load_data_set(write_small_piece(tmp_path_factory.mktemp("strip"), notes=NOTES), CONFIG)[0]


def picture_at(view: PageView, piece: Piece, x: float, overlay: Overlay = HIDDEN) -> np.ndarray:
    """The picture with the agent at column x of the sheet."""
    game = Game(ScoreBank([piece], CONFIG), 1)
    game.x[:] = x + CONFIG.sheet_pad
    return view(game, overlay)


def middle_of(piece: Piece, system: int) -> float:
    place = map_of(piece, FPS).pages.systems[system]
    return (place.begin + place.end) / 2


def page_part(view: PageView, picture: np.ndarray) -> np.ndarray:
    left, top, width, height = view._frame.page
    return picture[top : top + height, left : left + width]


def where(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of exactly this colour."""
    return np.nonzero((picture == colour).all(axis=2))


def test_the_cursor_is_at_its_share_of_the_staff_and_on_it(printed: Piece):
    """The ends of the staff lines are read from the picture itself."""
    view, pages = PageView(printed, FPS), map_of(printed, FPS).pages
    for system in (0, 3, 4, 6, 9):
        place = pages.systems[system]
        for share in (0.2, 0.5, 0.9):
            x = float(np.interp(LEFT + share * (RIGHT - LEFT), place.page_x, place.sheet_x))
            part = page_part(view, picture_at(view, printed, x))
            lit = where(part, LIT)[0]
            dark = (part[lit.min() : lit.max()] < 110).all(axis=2)
            lines = np.flatnonzero(dark.mean(axis=1) > 0.5)
            ends = np.flatnonzero(dark[lines].any(axis=0))
            rows, columns = where(part, drawing.AGENT)
            assert columns.mean() == pytest.approx(ends[0] + share * (ends[-1] - ends[0]), abs=1.5)
            assert (rows.min() + rows.max()) / 2 - lit.min() == pytest.approx(lines.mean(), abs=4)


def test_a_click_is_where_the_cursor_would_be(printed: Piece):
    """Also on the next page, which is shown above the last system of this one."""
    view, pages = PageView(printed, FPS), map_of(printed, FPS).pages
    left, top = view._frame.page[:2]
    game = Game(ScoreBank([printed], CONFIG), 1)
    for now, seen in ((0, 0), (0, 3), (4, 4), (4, 5), (7, 9)):
        game.x[:] = middle_of(printed, now) + CONFIG.sheet_pad
        x = middle_of(printed, seen) + 20
        cursor, first, last = view._spread.cursor(pages.place(x), now)
        assert view.sheet_x_at(game, (left + cursor, top + (first + last) / 2)) == pytest.approx(x, abs=0.1)
    assert view.sheet_x_at(game, (left - 3.0, top + 50.0)) is None


def test_a_click_into_a_repeat_means_the_pass_that_is_nearest(printed: Piece):
    pages = map_of(printed, FPS).pages
    width = pages.systems[-1].end
    again = [
        replace(system, begin=system.begin + width, end=system.end + width, sheet_x=[x + width for x in system.sheet_x])
        for system in pages.systems
    ]
    twice = replace(pages, systems=[*pages.systems, *again])
    x = middle_of(printed, 3)
    place = twice.place(x)
    assert twice.column(place.page, place.x, place.y, near=x - 500) == pytest.approx(x)
    assert twice.column(place.page, place.x, place.y + 5, near=x + width - 200) == pytest.approx(x + width)


def around(picture: np.ndarray, x: float, y: float, reach: float) -> np.ndarray:
    """What is around a point, without the columns of a cursor, as 16 x 12 numbers."""
    part = picture[round(y - reach) : round(y + reach), round(x - reach) : round(x + reach)]
    return np.delete(cv2.resize(part, (16, 16), interpolation=cv2.INTER_AREA).astype(float), slice(6, 10), axis=1)


def test_the_close_up_shows_the_place_larger(printed: Piece):
    """The ink around its cursor is that around the place on the page, and the cursor never goes back."""
    view, pages = PageView(printed, FPS), map_of(printed, FPS).pages
    (left, top, width, height), system = view._frame.close_up, pages.systems[1]
    seen, reach = [], 3 * system.staves[0].space
    for x in np.linspace(system.begin + 10, system.end - 10, 12):
        picture = picture_at(view, printed, float(x))
        rows, columns = where(picture[top : top + height, left : left + width], drawing.AGENT)
        seen.append(float(columns.mean()))
        place, larger = pages.place(float(x)), (rows.max() + 1 - rows.min()) / box_of(pages, 1).height
        row = top + rows.min() + (place.y - box_of(pages, 1).top) * larger
        here = around(picture[..., 2], left + seen[-1], row, reach * larger)
        there = around(view._pages.picture(0), place.x, place.y, reach)
        assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.9
    assert (np.diff(seen) >= -1).all()  # to the middle, where it stays while the page moves, and then to the end
    assert seen[-1] > 0.9 * width


def test_only_the_system_that_is_played_is_lit(printed: Piece):
    view = PageView(printed, FPS)
    seen = [where(page_part(view, picture_at(view, printed, middle_of(printed, system))), LIT)[0] for system in range(4)]
    for before, after in itertools.pairwise(seen):
        assert before.max() < after.min()  # and so each is lit alone


def test_the_cursor_of_a_page_that_is_not_level_follows_the_staff(tmp_path: Path):
    piece = load(write_pages(tmp_path, as_scanned(draw_page(3, staves=1), 1.5)))
    view, place = PageView(piece, FPS), map_of(piece, FPS).pages.systems[1]
    scale = view._spread.fit(0).scale
    rows = []
    for x in (place.begin + 60, place.end - 60):
        rows.append(where(page_part(view, picture_at(view, piece, x)), drawing.AGENT)[0].mean())
    moved = np.interp(place.end - 60, place.sheet_x, place.page_x) - np.interp(place.begin + 60, place.sheet_x, place.page_x)
    assert rows[0] - rows[1] == pytest.approx(moved * scale * np.tan(np.radians(1.5)), abs=1.5)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_half_page_turn(printed: Piece, size: tuple[int, int]):
    """In a page's last system the next page is above a divider, and stays where it is when the page is turned."""
    view = PageView(printed, FPS, size)
    before, last, turned, end = (
        page_part(view, picture_at(view, printed, middle_of(printed, system))) for system in (3, 4, 6, 9)
    )
    for part in (before, turned, end):  # no system of the last page has a divider
        assert not len(where(part, drawing.TARGET)[0])
    divider = where(last, drawing.TARGET)[0]
    lit = where(last, LIT)[0]
    assert 0.4 * len(last) < divider.min() < divider.max() <= lit.min()
    first_of_next = where(page_part(view, picture_at(view, printed, middle_of(printed, 5))), LIT)[0].max()
    assert first_of_next < divider.min()
    shown = slice(0, round(first_of_next))
    assert (last[shown] == turned[shown]).all()  # in the second system, the first is not lit
    assert not (last[shown] == before[shown]).all()


def test_a_page_of_one_system_has_the_next_page_below(tmp_path: Path):
    tall = np.full((1300, 1000), 255, np.uint8)
    tall[:450] = draw_page(1, staves=1)[:450]
    piece = load(write_pages(tmp_path, tall, draw_page(3, staves=1, seed=3)))
    view = PageView(piece, FPS)
    part = page_part(view, picture_at(view, piece, middle_of(piece, 0)))
    divider, lit = where(part, drawing.TARGET)[0], where(part, LIT)[0]
    assert lit.max() <= divider.min()
    assert (part[divider.max() + 1 :] < 100).any()  # ink of the next page


def test_a_repeat_shows_the_system_to_which_it_leads(tmp_path: Path):
    """The music goes from the first page to the last system of the second, which is not at its top."""
    score = write_pages(tmp_path, *(draw_page(3, staves=1, seed=seed) for seed in (1, 2)))
    pages = read_page_map(map_path(score), load(score).sheet.shape[1])
    order = [0, 1, 2, 5]
    systems, begin = [], 0
    for system in (pages.systems[index] for index in order):
        width = system.end - system.begin
        sheet_x = [x - system.begin + begin for x in system.sheet_x]
        systems.append(replace(system, begin=begin, end=begin + width, sheet_x=sheet_x))
        begin += width
    systems[-1] = replace(systems[-1], end=pages.systems[-1].end)  # the sheet itself stays as it is
    write_page_map(map_path(score), replace(pages, systems=systems))
    piece = load(score)
    view = PageView(piece, FPS)
    spread = view._spread
    ahead = spread.pages.map.place(systems[3].begin + 30.0)
    seen = spread.cursor(ahead, 2)
    assert seen is not None
    here = spread.cursor(spread.pages.map.place(systems[2].begin + 30.0), 2)
    assert 0 <= seen[1] < seen[2] < here[1]
    shown = spread.picture(2)[round(seen[1]) : round(seen[2]), :, 2] < 100  # red: that of lit paper is as bright as others'
    there = spread.picture(3)[slice(*(round(row) for row in spread.cursor(ahead, 3)[1:])), :, 2] < 100
    assert shown.sum() == pytest.approx(there.sum(), rel=0.05) and shown.sum() > 1000  # the same ink


def test_the_true_position_is_not_drawn_under_the_next_page(printed: Piece):
    spread = PageView(printed, FPS)._spread
    pages = spread.pages.map
    place = pages.place(middle_of(printed, 0))
    assert spread.cursor(place, 3) is not None
    assert spread.cursor(place, 4) is None
    assert spread.cursor(pages.place(middle_of(printed, 5)), 3) is None
    assert spread.cursor(pages.place(middle_of(printed, 5)), 4) is not None


def test_the_strip_is_laid_out_as_a_page(engraved: Piece):
    """Every note is on one system, the cursor on its dot, and the systems are within the page, without overlap."""
    view = PageView(engraved, FPS)
    pages = view._pages
    assert not pages.printed and len(pages.map.systems) > 2
    boxes = [(system.page, system.corners[0][1], system.corners[2][1]) for system in pages.map.systems]
    height = pages.map.pages[0].height
    for (page, top, bottom), (next_page, next_top, _) in zip(boxes, [*boxes[1:], (99, 0, 0)]):
        assert 0 <= top < bottom <= height
        assert next_page > page or next_top >= bottom
    for number in range(NOTES):
        x = FIRST_X + 30 * number
        place = pages.map.place(x)
        picture, system = pages.picture(place.page), pages.map.systems[place.system]
        scale = (system.page_x[1] - system.page_x[0]) / (system.sheet_x[1] - system.sheet_x[0])
        dots = np.flatnonzero(picture[round(place.y + 1.5 * scale)] < 128)  # between two staff lines
        near = dots[np.abs(dots - place.x) < 5 * scale]
        assert near.mean() == pytest.approx(place.x, abs=1.5)
        part = page_part(view, picture_at(view, engraved, x))
        assert where(part, drawing.AGENT)[1].mean() == pytest.approx(place.x, abs=1)


def test_systems_are_found_by_the_map_else_by_the_blank_between_them():
    sheet = np.full((40, 900), 255, np.uint8)
    for begin, end in ((20, 300), (310, 600), (610, 890)):
        sheet[12:29:4, begin:end] = 200  # lines thinner than a pixel
        sheet[10:31, begin + 50 : end : 40] = 0
    found = [(20, 300), (310, 600), (610, 890)]
    assert systems_of(sheet, 1, [0.0]) == found
    assert systems_of(np.kron(sheet, np.ones((3, 3), np.uint8)), 3, [0.0]) == found
    assert systems_of(sheet, 1, [0.0, 450.0]) == [(20, 450), (450, 890)]


def test_the_pages_are_the_default_for_pieces_made_of_pages(printed: Piece, engraved: Piece):
    assert isinstance(view_of(printed, CONFIG, None, None), PageView)
    assert view_of(printed, CONFIG, "strip", None) is None
    assert view_of(engraved, CONFIG, None, None) is None
    assert view_of(engraved, CONFIG, "page", (1920, 1080)).size == (1920, 1080)


def test_systems_are_shown_where_the_pages_are_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    score = write_pages(tmp_path, draw_page(3, staves=1))
    score.with_name("song.page001.png").unlink()
    with caplog.at_level(logging.WARNING):
        pages = pages_of(load(score), FPS, (1200, 600))
    assert "song.page001.png: the picture of page 1 is missing; make the piece again" in caplog.text
    assert not pages.printed and len(pages.map.systems) == 3


@pytest.mark.parametrize("content", [b"no picture", cv2.imencode(".png", np.zeros((99, 400), np.uint8))[1].tobytes()])
def test_a_page_that_is_no_picture_of_it_is_blank(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes):
    score = write_pages(tmp_path, draw_page(3, staves=1))
    score.with_name("song.page001.png").write_bytes(content)
    piece = load(score)
    with caplog.at_level(logging.WARNING):
        picture = picture_at(PageView(piece, FPS), piece, middle_of(piece, 0))
    assert picture.shape == (720, 1280, 3)
    assert "song.page001.png: no picture of this page" in caplog.text


def test_the_page_is_drawn_once_per_system(printed: Piece):
    """What takes long is not done for every picture."""
    view = PageView(printed, FPS)
    start = middle_of(printed, 1)
    for moved in range(20):
        picture_at(view, printed, start + moved)
    assert view._base.cache_info().misses == 1


def test_the_confidence_light(printed: Piece):
    assert [light_of(value).word for value in (1.0, 0.95, 0.94, 0.5, 0.49, 0.0, float("nan"))] == [
        *("sure", "sure", "unsure", "unsure", "lost", "lost", "lost")
    ]
    view = PageView(printed, FPS)
    x = middle_of(printed, 0)
    for light in LIGHTS:
        picture = picture_at(view, printed, x, replace(HIDDEN, confidence=light.least))
        assert len(where(picture, light.colour)[0]) > 100
        assert not any(len(where(picture, other.colour)[0]) for other in LIGHTS if other is not light)
    without = picture_at(view, printed, x, HIDDEN)
    assert not any(len(where(without, light.colour)[0]) for light in LIGHTS)


@pytest.mark.parametrize("size", [(960, 540), (1280, 720), (1920, 1080)])
def test_level_and_latency_of_what_is_played_live_are_shown(printed: Piece, engraved: Piece, size: tuple[int, int]):
    level, latency = Meter("input level", 30.0, 60.0, "-30 dB, gain +20 dB"), Meter("latency, ms", 99.0, 100.0, "99")
    for piece in (printed, engraved):
        view = PageView(piece, FPS, size)
        shown = [
            picture_at(view, piece, 50.0, replace(HIDDEN, confidence=0.7, meters=meters))
            for meters in ((), (level,), (level, latency), (level, replace(latency, value=5.0)))
        ]
        for before, after in itertools.pairwise(shown):  # each one has found room, and its bar tells the value
            assert (before != after).any()


def test_what_is_shown_beside_the_page(engraved: Piece):
    """The true position, unless it is hidden; a message."""
    view = PageView(engraved, FPS)
    shown, hidden = (picture_at(view, engraved, 300.0, Overlay(show_target=seen)) for seen in (True, False))
    assert len(where(page_part(view, shown), drawing.TARGET)[0]) > 0
    assert len(where(hidden, drawing.TARGET)[0]) == 0
    message = picture_at(view, engraved, 300.0, Overlay(show_target=False, message="followed to the end"))
    changed = np.nonzero((message != hidden).any(axis=2))[0]
    assert changed.min() > 0.9 * 720


@pytest.fixture(scope="module")
def params(tmp_path_factory) -> Path:
    from score_following_game.agents.networks import get_network

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("params") / "network.pt"
    torch.save(get_network("ScoreFollowingNet", 3).state_dict(), path)
    return path


def test_a_film_of_the_pages(score: Path, params: Path, tmp_path: Path, run_here):
    agent = ("--params", params, "--net", "ScoreFollowingNet", "--game_config", "game_configs/nottingham.yaml")
    film = tmp_path / "film.mp4"
    size = ("--size", "960x540")
    done = run_here("test_score_following.py", *agent, "--data_set", score.parent, "--video", film, "--no_sound", *size)
    assert done.returncode == 0, done.stderr
    reader = cv2.VideoCapture(str(film))
    assert [reader.get(what) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)] == [960, 540]
    _, first = reader.read()
    assert (np.abs(first.astype(int) - LIT).max(axis=2) < 12).sum() > 1000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--size", "big"), "--size: 'big': expected pixels, for instance 1920x1080"),
        (("--size", "1281x720"), "--size 1281x720: expected even numbers of pixels, 960x540 to 3840x2160"),
        (("--size", "99998x720"), "--size 99998x720: expected even numbers"),
        (("--view", "strip", "--size", "1920x1080"), "the strip is always 1280x720; leave --size out, or add --view page"),
    ],
)
def test_sizes_that_cannot_be_had(score: Path, params: Path, tmp_path: Path, run_here, options, expected: str):
    agent = ("--params", params, "--net", "ScoreFollowingNet", "--game_config", "game_configs/nottingham.yaml")
    film = tmp_path / "film.mp4"
    done = run_here("test_score_following.py", *agent, "--data_set", score.parent, "--video", film, *options)
    assert done.returncode == 2
    assert expected in done.stderr.strip().splitlines()[-1]
    assert not film.exists()
