"""The two scales at which scores are engraved: those of the published data sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """The look of a data set's sheets. All pixels are pixels of the sheet.

    staves: per system.  height: rows of the sheet.  staff_space: pixels between two staff lines.  page_width: pixels between
    the margins of the page whose systems are put side by side.  line_stroke: thickness of staff lines in SVG units (180 to
    the staff space); None leaves the engraver's own, which would be grey at a staff space of 3.5 px.  sharp: how many times as
    many pixels each way the sharp sheet has, which people see (data_processing/sharp_sheet.py).
    """

    name: str
    staves: int
    height: int
    staff_space: float
    page_width: int
    line_stroke: int | None = None
    sharp: int = 2

    @property
    def scale(self) -> float:
        """Pixels per SVG unit."""
        return self.staff_space / SVG_PER_SPACE


SVG_PER_SPACE = 180.0  # units of verovio's SVG between two staff lines
OPTION_PER_SPACE = 18.0  # the same distance in the units of verovio's options


def style_advice(staves: int) -> str:
    """How to engrave a score with this number of staves; "" where no style has them."""
    return "".join(f": --style {style.name}" for style in STYLES.values() if style.staves == staves)


STYLES = {
    "nottingham": Style("nottingham", staves=1, height=40, staff_space=3.5, page_width=418, line_stroke=51, sharp=4),
    "msmd": Style("msmd", staves=2, height=200, staff_space=7.0, page_width=835),
}
