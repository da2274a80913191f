"""Check pictures: the pages, with a box around every system that was found, its number, and its staff lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from score_following_game.data_preparation.pages.files import encode
from score_following_game.data_processing.page_map import PageMap, PageOfScore, SystemPlace, map_path, read_page_map
from score_following_game.data_processing.score_npz import read_score
from score_following_game.files import replacing
from score_following_game.opencv import cv2

_BOX, _LINES, _NUMBER = (200, 90, 0), (60, 60, 230), (0, 130, 0)  # blue, green, red
_AROUND = 1.5  # staff spaces between a system's lines and its box
_SCALE = 5.0  # pixels of a page per pixel of letters


def draw_page_checks(score: Path, folder: Path) -> None:
    """Draw FOLDER/NAME.pageN.png for each page of the piece NAME.npz. Raises UserError for a page map that cannot be read."""
    pages = read_page_map(map_path(score), read_score(score).sheet.shape[1])
    for index, page in enumerate(pages.pages):
        picture = cv2.imread(str(score.with_name(page.picture)), cv2.IMREAD_GRAYSCALE)
        with replacing(folder / page.picture) as temporary:
            temporary.write_bytes(encode(check_picture(picture, page, index, pages)))


def check_picture(picture: np.ndarray, page: PageOfScore, index: int, pages: PageMap) -> np.ndarray:
    """uint8 (H, W, 3). picture: uint8 (H, W), of the page; index: of the page in the map."""
    drawn = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    scale = picture.shape[1] / page.width
    orders: dict[int, list[int]] = {}
    for order, system in enumerate(pages.systems, 1):
        if system.page == index:
            orders.setdefault(system.number, []).append(order)
    for system in {system.number: system for system in pages.systems if system.page == index}.values():
        _draw(drawn, system, scale, f"{index + 1}-{system.number}", orders[system.number])
    return np.asarray(drawn)


def _draw(drawn: np.ndarray, system: SystemPlace, scale: float, name: str, orders: list[int]) -> None:
    for staff in system.staves:
        course = np.stack([staff.x, staff.y], 1)
        for number in range(-2, 3):
            points = ((course + [0, number * staff.space]) * scale).round().astype(np.int32)
            cv2.polylines(drawn, [points], False, _LINES, 1, cv2.LINE_AA)
    corners = np.array(system.corners)
    around = _AROUND * system.staves[0].space if system.staves else 0.0
    left, top = (corners.min(0) - around) * scale
    right, bottom = (corners.max(0) + around) * scale
    cv2.rectangle(drawn, (round(left), round(top)), (round(right), round(bottom)), _BOX, 2)
    played = "" if orders == [orders[0]] else f" (played {', '.join(map(str, orders))})"
    pixels = f"   [{left / scale:.0f}, {top / scale:.0f}, {right / scale:.0f}, {bottom / scale:.0f}]"
    height = max(0.5, drawn.shape[1] / 1700)
    cv2.putText(
        drawn,
        f"{name}{played}{pixels}",
        (round(left), round(top) - 6),
        cv2.FONT_HERSHEY_SIMPLEX,
        height,
        _NUMBER,
        2,
        cv2.LINE_AA,
    )
