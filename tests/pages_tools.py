"""Pages drawn for tests: staves with notes, bar lines, a title and words, of which it is known where they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SPACE = 12  # pixels between two staff lines
LEFT, RIGHT = 90, 910


def draw_staff(page: np.ndarray, top: int, rng: np.random.Generator, left: int = LEFT, right: int = RIGHT) -> None:
    """Five lines from row `top` on, with notes: some of them high above, on ledger lines."""
    for line in range(5):
        page[top + line * SPACE : top + line * SPACE + 2, left : right + 1] = 0
    for number, x in enumerate(range(left + 110, right - 40, 60)):
        step = int(rng.integers(-8, 9))
        y = top + 2 * SPACE + step * SPACE // 2
        cv2.ellipse(page, (x, y), (8, 6), -20, 0, 360, 0, -1)
        cv2.line(page, (x + 7, y), (x + 7, y - 40 if step > 0 else y + 40), 0, 2)
        for ledger in range(top - SPACE, y - 1, -SPACE):
            page[ledger : ledger + 2, x - 12 : x + 13] = 0
        if number % 4 == 3:
            page[top : top + 4 * SPACE + 2, x + 29 : x + 31] = 0
    cv2.putText(page, "S", (left + 8, top + 4 * SPACE), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 0, 3)


def draw_page(
    systems: int = 3,
    staves: int = 2,
    seed: int = 1,
    width: int = 1000,
    between: int = 230,
    left: int = LEFT,
    right: int = RIGHT,
) -> np.ndarray:
    """A page, uint8 (H, W). Staff k of system n begins in row top_of(n, k)."""
    rng = np.random.default_rng(seed)
    page = np.full((220 + systems * (between + (staves - 1) * 130), width), 255, np.uint8)
    cv2.putText(page, "A title of the piece", (250, 70), cv2.FONT_HERSHEY_COMPLEX, 1.5, 0, 2)
    for number in range(systems):
        for staff in range(staves):
            draw_staff(page, top_of(number, staff, staves, between), rng, left, right)
        first, last = (top_of(number, staff, staves, between) for staff in (0, staves - 1))
        if staves > 1:
            for x in (left, right - 2):
                page[first : last + 4 * SPACE + 2, x : x + 3] = 0
        words = "some words that are sung below the notes"
        cv2.putText(page, words, (left, last + 9 * SPACE), cv2.FONT_HERSHEY_COMPLEX, 0.7, 0, 1)
    return page


def top_of(system: int, staff: int, staves: int = 2, between: int = 230) -> int:
    return 160 + system * (between + (staves - 1) * 130) + staff * 130


def turned(page: np.ndarray, degrees: float) -> np.ndarray:
    """The page turned anticlockwise."""
    height, width = page.shape
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(page, turning, (width, height), flags=cv2.INTER_LINEAR, borderValue=255)


def as_scanned(page: np.ndarray, degrees: float, seed: int = 1) -> np.ndarray:
    """Turned, blurred, pale, in uneven light with the shadow of a fold at the left, and noisy."""
    x = np.arange(page.shape[1])
    light = 1 - 0.3 * x / page.shape[1] - 0.35 * np.exp(-x / 40)
    image = 255 - 0.7 * (255 - cv2.GaussianBlur(turned(page, degrees), (0, 0), 0.8).astype(np.float32))
    return np.clip(image * light + np.random.default_rng(seed).normal(0, 8, page.shape), 0, 255).astype(np.uint8)


def write_png(path: Path, page: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", page)[1].tobytes())
    return path


def write_pdf(path: Path, pages: int = 1, staves: int = 1, size: tuple[int, int] = (600, 800)) -> Path:
    """A PDF with filled boxes for lines and notes: three staves of a page, or systems of several."""
    contents = []
    for _ in range(pages):
        boxes = []
        for system in range(3):
            tops = [700 - system * 210 - staff * 70 for staff in range(staves)]
            boxes += [f"60 {top - 6 * line} 480 0.8 re" for top in tops for line in range(5)]
            boxes += [f"{x} {top - 27 + x % 4 * 6} 7 5 re" for top in tops for x in range(120, 520, 37)]
            boxes += [f"60 {tops[-1] - 24} 1 {tops[0] - tops[-1] + 24.8} re"] * (staves > 1)
        contents.append("\n".join([*boxes, "f"]))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    for content in contents:
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents {len(objects) + 2} 0 R >>")
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    kids = " ".join(f"{3 + 2 * page} 0 R" for page in range(pages))
    objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"
    body = "%PDF-1.4\n" + "".join(f"{number} 0 obj\n{each}\nendobj\n" for number, each in enumerate(objects, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body + "trailer << /Root 1 0 R >>\n%%EOF\n")
    return path
