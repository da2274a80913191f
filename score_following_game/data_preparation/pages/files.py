"""The files that hold pages: a PDF, a picture, or a folder of pictures. Nothing in them is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_preparation.errors import UNREADABLE, EngravingError, leaving_out
from score_following_game.data_preparation.pages.paper import SPACE
from score_following_game.data_preparation.pages.staff_lines import StaffLines
from score_following_game.data_processing.pictures import decode_picture
from score_following_game.opencv import cv2
from score_following_game.reading import read_bytes

PDF = ".pdf"
PICTURES = (".png", ".jpg", ".jpeg")
SUFFIXES = (PDF, *PICTURES)
_LONG_SIDE = 2340  # pixels of a PDF's page: A4 at 200 dots per inch, where staff spaces of usual prints are 10 to 15 pixels
_LEAST_SPACE = 10.0  # pixels; a PDF with smaller staves is drawn larger
_MOST_POINTS = 20_000  # of a page's side; A0 has 3370


@dataclass(frozen=True)
class Page:
    """A page. file, number: of the page within the file, from 1.  image: uint8 (H, W), 0 = black."""

    file: Path
    number: int
    image: np.ndarray = field(repr=False)

    @property
    def label(self) -> str:
        return f"{self.file.name} page {self.number}" if self.file.suffix.lower() == PDF else self.file.name


def is_pages(path: Path) -> bool:
    """Whether a path is a file of pages by its name."""
    return path.suffix.lower() in SUFFIXES


def pictures_in(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in the order of the numbers in their names: page2 before page10."""
    found = [file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in PICTURES and file.name[0] != "."]
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _parts(file.name.lower())])


def _parts(name: str) -> list[str]:
    return re.split(r"([0-9]+)", name)


def read_pages(files: Sequence[Path]) -> Iterator[Page]:
    """Draw or decode the pages one after another. Raises EngravingError naming the file and page."""
    count = 0
    for file in files:
        with leaving_out(UNREADABLE, str(file)):
            data = read_bytes(file, limits.PAGES_FILE)
        if file.suffix.lower() == PDF:
            yield from _pdf_pages(file, data, limits.PAGES - count)
            continue
        count += 1
        if count > limits.PAGES:
            raise EngravingError(UNREADABLE, f"{file.parent}: more than {limits.PAGES} pages")
        with leaving_out(UNREADABLE, str(file)):
            image = decode_picture(data)
        yield Page(file, 1, image)


def _pdf_pages(file: Path, data: bytes, most: int) -> Iterator[Page]:
    import pypdfium2

    with leaving_out(UNREADABLE, f"{file}: not a PDF that can be opened"):
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code != pypdfium2.raw.FPDF_ERR_PASSWORD:
                raise
            advice = "open it with its password, and print it to a new PDF without one"
            raise EngravingError(UNREADABLE, f"{file}: is locked by a password; {advice}") from None
        count = len(document)
    if not 0 < count <= most:
        raise EngravingError(UNREADABLE, f"{file}: {count} pages, expected 1 to {limits.PAGES}")
    for number in range(1, count + 1):
        with leaving_out(UNREADABLE, f"{file}: page {number}"):
            image = _draw(document, number, _LONG_SIDE)
        yield Page(file, number, image)


def _draw(document: object, number: int, long_side: float) -> np.ndarray:
    """Draw a page of a PDF, uint8 (H, W), so that its longer side has so many pixels, or as many as are allowed."""
    page = document[number - 1]  # type: ignore[index]
    width, height = page.get_size()
    if not (0 < width <= _MOST_POINTS and 0 < height <= _MOST_POINTS):
        raise ValueError(f"it is {width:g} x {height:g} points large")
    scale = min(long_side / max(width, height), (limits.PICTURE / 4 / (width * height)) ** 0.5)
    image = page.render(scale=scale, grayscale=True, may_draw_forms=False).to_numpy()
    return np.ascontiguousarray(image.reshape(image.shape[:2]))


def enlarged(page: Page, lines: StaffLines) -> Page | None:
    """The page of a PDF drawn so large that its staff space is that of a Paper; None where it is large enough.

    lines: as measured on the page. A picture has no more pixels than it has.
    """
    if page.file.suffix.lower() != PDF or lines.space >= _LEAST_SPACE:
        return None
    import pypdfium2

    with leaving_out(UNREADABLE, page.label):
        document = pypdfium2.PdfDocument(read_bytes(page.file, limits.PAGES_FILE))
        image = _draw(document, page.number, max(page.image.shape) * SPACE / lines.space)
    return Page(page.file, page.number, image)


def encode(image: np.ndarray) -> bytes:
    """A grey picture, uint8 (H, W), as PNG."""
    done, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise ValueError(f"a picture of {image.shape} cannot be a PNG")
    return bytes(content.tobytes())
