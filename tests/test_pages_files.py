"""Files of pages: PDFs and pictures, among them broken, hostile and misnamed ones, which cost one line."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from pages_tools import draw_page, write_pdf, write_png

from score_following_game import limits
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.pages.corrections import Corrections
from score_following_game.data_preparation.pages.files import pictures_in, read_pages
from score_following_game.data_preparation.pages.reading import read_piece
from score_following_game.data_processing.page_map import read_page_map, write_page_map
from score_following_game.data_processing.pictures import decode_picture
from score_following_game.errors import UserError


def test_a_pdf_is_drawn(tmp_path: Path):
    pages = list(read_pages([write_pdf(tmp_path / "score.pdf", pages=2)]))
    assert [page.label for page in pages] == ["score.pdf page 1", "score.pdf page 2"]
    assert all(page.image.dtype == np.uint8 and max(page.image.shape) == 2340 for page in pages)
    piece = read_piece([tmp_path / "score.pdf"], Corrections())
    assert [(system.page, system.number) for system in piece.pages.systems] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


def test_small_staves_of_a_pdf_are_drawn_larger(tmp_path: Path):
    piece = read_piece([write_pdf(tmp_path / "poster.pdf", staves=2, size=(1800, 2400))], Corrections())
    assert max(piece.pages.pages[0].width, piece.pages.pages[0].height) > 3000
    assert [len(system.staves) for system in piece.pages.systems] == [2, 2, 2]


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1.4\nnothing", b"GIF89a", b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>"],
)
def test_broken_pdf(tmp_path: Path, content: bytes):
    path = tmp_path / "score.pdf"
    path.write_bytes(content)
    with pytest.raises(EngravingError, match=r"score\.pdf"):
        list(read_pages([path]))


def test_a_locked_pdf_says_so(tmp_path: Path):
    path = write_pdf(tmp_path / "locked.pdf")
    wrong = f"<{'5a' * 32}>"  # no password fits
    lock = f"<< /Filter /Standard /V 1 /R 2 /O {wrong} /U {wrong} /P -4 >>"
    path.write_text(path.read_text().replace("/Root 1 0 R", f"/Root 1 0 R /ID [{wrong} {wrong}] /Encrypt {lock}"))
    with pytest.raises(EngravingError, match=r"locked\.pdf: is locked by a password; open it"):
        list(read_pages([path]))


def test_a_page_of_any_size_is_drawn_within_limits(tmp_path: Path):
    for size in ((14000, 10), (3, 3), (19000, 19000)):
        (page,) = read_pages([write_pdf(tmp_path / "odd.pdf", size=size)])
        assert page.image.size <= limits.PICTURE
    with pytest.raises(EngravingError, match=r"page 1: .*points large"):
        list(read_pages([write_pdf(tmp_path / "huge.pdf", size=(10**6, 10**6))]))


def test_too_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PAGES", 2)
    with pytest.raises(EngravingError, match="3 pages, expected 1 to 2"):
        list(read_pages([write_pdf(tmp_path / "long.pdf", pages=3)]))
    files = [write_png(tmp_path / f"{number}.png", draw_page(1)) for number in range(3)]
    with pytest.raises(EngravingError, match="more than 2 pages"):
        list(read_pages(files))


def test_pictures_of_every_kind_look_the_same():
    page = draw_page(1)
    colour = np.dstack([page] * 3)
    seen_through = np.dstack([np.zeros_like(page)] * 3 + [255 - page])  # black ink on nothing
    for suffix, image in ((".png", page), (".png", colour), (".png", seen_through), (".jpg", page), (".jpg", colour)):
        decoded = decode_picture(cv2.imencode(suffix, image)[1].tobytes())
        assert decoded.shape == page.shape
        assert np.abs(decoded.astype(int) - page).mean() < 2


def bomb(width: int, height: int) -> bytes:
    """The beginning of a PNG of so many pixels."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x00\x00\x00\x00" + bytes(20)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bomb(10**5, 10**5), "too large"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff" + bytes(20), "too large"),
        (b"\xff\xd8\xff\xe0\x00", "not a whole JPEG"),
        (cv2.imencode(".png", draw_page(1))[1].tobytes()[:2000][:40], "cannot be decoded"),
        (b"BM" + bytes(100), "not a PNG or JPEG"),
    ],
)
def test_hostile_and_broken_pictures(tmp_path: Path, content: bytes, expected: str):
    path = tmp_path / "page.png"
    path.write_bytes(content)
    with pytest.raises(EngravingError, match=rf"page\.png: .*{expected}"):
        list(read_pages([path]))


def test_pages_in_the_order_of_their_numbers(tmp_path: Path):
    for name in ("page10.png", "page2.png", "Page1.PNG", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    assert [file.name for file in pictures_in(tmp_path)] == ["Page1.PNG", "page2.png", "page10.png"]


def test_the_page_map_is_checked(tmp_path: Path):
    piece = read_piece([write_png(tmp_path / "page.png", draw_page(2))], Corrections())
    path, width = tmp_path / "a.pages.json", piece.sheet.shape[1]
    write_page_map(path, piece.pages)
    assert read_page_map(path, width) == piece.pages
    with pytest.raises(UserError, match=rf"is for a sheet {width} px wide"):
        read_page_map(path, width + 1)
    text = path.read_text()
    for old, new in (('"version": 1', '"version": 2'), ('"begin": 0', '"begin": 5'), ('"picture": ""', '"picture": "../a"')):
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError, match=r"a\.pages\.json: not a page map"):
            read_page_map(path, width)
