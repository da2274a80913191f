"""Small scores in Humdrum for tests."""

from __future__ import annotations

from score_following_game.data_preparation.engraving.humdrum.arithmetic import read_humdrum
from score_following_game.data_preparation.engraving.read_bar import ReadBar


def kern(*lines: str) -> str:
    """A text with one spine for each field of the first line; "&" stands for the space in a chord."""
    rows = [" ".join("**kern" for _ in lines[0].split()), *lines, " ".join("*-" for _ in lines[-1].split())]
    return "".join(row.replace(" ", "\t").replace("&", " ") + "\n" for row in rows)


def bars(text: str) -> tuple[ReadBar, ...]:
    return read_humdrum(text)[1].bars
