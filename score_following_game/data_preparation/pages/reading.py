"""From pages to a sheet: the systems of a PDF or of pictures, one after another, and where each is on its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.style import STYLES, Style, style_advice
from score_following_game.data_preparation.errors import STAVES, EngravingError
from score_following_game.data_preparation.pages.boxes import systems_in_boxes
from score_following_game.data_preparation.pages.corrections import Corrections, Name, spelled
from score_following_game.data_preparation.pages.files import Page, encode, enlarged, read_pages
from score_following_game.data_preparation.pages.first_note import first_note
from score_following_game.data_preparation.pages.paper import SPACE, Paper, prepare
from score_following_game.data_preparation.pages.staff_lines import StaffLines
from score_following_game.data_preparation.pages.staves import find_staves
from score_following_game.data_preparation.pages.strips import Strip, cut
from score_following_game.data_preparation.pages.systems import System, find_systems
from score_following_game.data_preparation.pages.upright import is_upside_down
from score_following_game.data_processing.page_map import PageMap, PageOfScore
from score_following_game.errors import counted
from score_following_game.opencv import cv2

_PICTURE_SIDE = 2400  # pixels: the longer side of the pictures of pages that are kept
_UNLIKE = 1.25  # times the staff space of the other pages: text was measured instead of staves


@dataclass(frozen=True)
class ReadPage:
    """A page and what was found on it.

    paper: None where there are no staff lines.  turned: it stood upside down; `page` is upright.
    """

    page: Page = field(repr=False)
    paper: Paper | None = field(repr=False)
    systems: list[System] = field(repr=False)
    turned: bool = False


@dataclass(frozen=True)
class PagesPiece:
    """A piece without notes.

    sheet: uint8 (H, W).  sharp: the same in more pixels.  pages: where its systems are.  pictures: of its pages, as PNG.
    style: whose size it has.  remarks: what is odd about the pages, a phrase each.
    """

    sheet: np.ndarray = field(repr=False)
    sharp: np.ndarray = field(repr=False)
    pages: PageMap = field(repr=False)
    pictures: list[bytes] = field(repr=False)
    style: Style
    remarks: tuple[str, ...] = ()


def read_piece(files: Sequence[Path], corrections: Corrections, style: str = "", staff: int = 0) -> PagesPiece:
    """Make a piece of pages. style: a key of STYLES; "": that of the number of staves.  staff: which one of each system, 1 is
    the highest; 0: all. Raises EngravingError when the pages cannot be read or show no music that can be followed, and
    UserError for corrections that do not fit.
    """
    read = find_music(read_pages(files), corrections)
    corrections.require_pages(len(read))
    found = {(number, place): system for number, page in enumerate(read, 1) for place, system in enumerate(page.systems, 1)}
    if not found and corrections.skip_pages:
        raise EngravingError("no staff found", f"on none of the pages that {corrections.path} keeps")
    if not found:
        raise EngravingError("no staff found", "on no page; the pages must be upright, and five staff lines visible")
    names = corrections.in_order(list(found))
    if not names:
        raise EngravingError("no staff found", f"{corrections.path} leaves out every system")
    systems, chosen, remarks = _playable({name: found[name] for name in names}, style, staff)
    strips: dict[Name, Strip] = {}
    for name, system in systems.items():
        paper = read[name[0] - 1].paper
        if paper is not None:
            strips[name] = cut(paper, system, chosen, name[0] - 1, name[1])
    turned = [str(number) for number, page in enumerate(read, 1) if page.turned]
    if turned:
        remarks.append(f"turned, since upside down: {counted(len(turned), 'page')} ({', '.join(turned)})")
    played = [strips[name] for name in names]
    first = read[names[0][0] - 1].paper
    begin = first_note(first, systems[names[0]]) * chosen.staff_space if first is not None else 0.0
    places, begins = [], np.cumsum([0, *(strip.image.shape[1] for strip in played)])
    for at, strip in zip(begins.tolist(), played):
        sheet_x = [round(x + at, 2) for x in strip.place.sheet_x]
        places.append(replace(strip.place, begin=at, end=at + strip.image.shape[1], sheet_x=sheet_x))
    pages = [PageOfScore(each.page.file.name, each.page.number, *each.page.image.shape[::-1]) for each in read]
    return PagesPiece(
        np.hstack([strip.image for strip in played]),
        np.hstack([strip.sharp for strip in played]),
        PageMap(pages, places, round(min(begin, begins[1] - 1), 2)),
        [_picture(each.page.image) for each in read],
        chosen,
        tuple(remarks),
    )


def find_music(pages: Iterable[Page], corrections: Corrections) -> list[ReadPage]:
    """Find the systems of every page. A page whose staff space is unlike that of the others is looked at with theirs."""
    read = [_read(page, number, corrections) for number, page in enumerate(pages, 1)]
    spaces = [_space(each) for each in read if each.systems]
    if not spaces:
        return read
    usual = float(np.median(spaces))
    for place, each in enumerate(read):
        number = place + 1
        if each.systems or number in corrections.skip_pages or number in corrections.boxes:
            continue
        space = _space(each) if each.paper is not None else 0.0
        if not usual / _UNLIKE < space < usual * _UNLIKE:
            read[place] = _found(each.page, StaffLines(0.14 * usual, usual * max(each.page.image.shape)))
    return read


def _space(read: ReadPage) -> float:
    """The staff space of a page, as a share of its longer side."""
    return SPACE * (read.paper.page_pixels if read.paper is not None else 0.0) / max(read.page.image.shape)


def _read(page: Page, number: int, corrections: Corrections) -> ReadPage:
    if number in corrections.skip_pages:
        return ReadPage(page, None, [])
    read = _found(page)
    if number in corrections.boxes:
        if read.paper is None:
            corrections.refuse("boxes", f"page {number}: no staff lines found on it")
        else:
            return replace(read, systems=systems_in_boxes(read.paper, read.systems, number, corrections))
    return read


def _found(page: Page, lines: StaffLines | None = None) -> ReadPage:
    paper = prepare(page.image, lines)
    if paper is not None and (larger := enlarged(page, StaffLines(1, SPACE * paper.page_pixels))) is not None:
        page = larger
        factor = max(page.image.shape) / max(larger.image.shape)
        paper = prepare(page.image, StaffLines(lines.thickness / factor, lines.space / factor) if lines else None)
    if paper is None:
        return ReadPage(page, None, [])
    staves = find_staves(paper)
    if turned := is_upside_down(paper, staves):
        page = replace(page, image=np.ascontiguousarray(page.image[::-1, ::-1]))
        paper = prepare(page.image, lines) or paper
        staves = find_staves(paper)
    return ReadPage(page, paper, find_systems(paper, staves), turned)


def _playable(found: dict[Name, System], style: str, staff: int) -> tuple[dict[Name, System], Style, list[str]]:
    """The systems as they are cut out, the style, and remarks. Raises EngravingError where no style has as many staves."""
    if staff:
        for name, system in found.items():
            if staff > len(system.staves):
                raise EngravingError(STAVES, f"system {spelled(name)} has fewer than {staff} staves: {len(system.staves)}")
        return {name: System((system.staves[staff - 1],)) for name, system in found.items()}, _style_of(1, style), []
    sizes = Counter(len(system.staves) for system in found.values())
    usual = sizes.most_common(1)[0][0]
    chosen = _style_of(usual, style)
    others = [name for name, system in found.items() if len(system.staves) != usual]
    if not others:
        return found, chosen, []
    listed = ", ".join(spelled(name) for name in others[:5]) + (" ..." if len(others) > 5 else "")
    has = "has" if len(others) == 1 else "have"
    return (
        found,
        chosen,
        [f"{counted(len(others), 'system')} ({listed}) {has} another number of staves than {usual}, as most have"],
    )


def _style_of(staves: int, wanted: str) -> Style:
    """The style for a number of staves. Raises EngravingError where there is none, or `wanted` has another number."""
    fitting = [style for style in STYLES.values() if style.staves == staves]
    if not fitting:
        raise EngravingError(
            STAVES,
            f"most systems have {staves}; one or two can be followed: --staff N, 1 to {staves}, takes one of each system",
        )
    if wanted and STYLES[wanted] not in fitting:
        one = "; --staff N takes one staff of each system" if STYLES[wanted].staves == 1 else ""
        raise EngravingError(
            STAVES,
            f"most systems have {staves}, and --style {wanted} is for {STYLES[wanted].staves}{style_advice(staves)}{one}",
        )
    return fitting[0]


def _picture(image: np.ndarray) -> bytes:
    """The page as a PNG of at most _PICTURE_SIDE pixels each way."""
    factor = _PICTURE_SIDE / max(image.shape)
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return encode(image)
