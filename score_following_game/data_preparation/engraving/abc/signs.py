"""Signs of the order in which the bars are played, as ABC writes them: as decorations, as letters and in words."""

from __future__ import annotations

import re

from score_following_game.data_preparation.engraving.jump_signs import sign_of_words

_SIGNS = {  # decorations, and the letters that stand for them -> the field of BarMarks
    "segno": "segno",
    "S": "segno",
    "coda": "coda",
    "O": "coda",
    "fine": "fine",
    **dict.fromkeys(("dacoda", "tocoda"), "to_coda"),
    **dict.fromkeys(("dacapo", "dc", "dcalfine", "dcalcoda"), "da_capo"),
    **dict.fromkeys(("dalsegno", "ds", "dsalfine", "dsalcoda"), "dal_segno"),
}
_PLACED = re.compile(r"[\^_<>]|@-?[\d.]+,-?[\d.]+\s*")  # what an annotation begins with; chord symbols do not
_CHORDS = re.compile(r"D [CS](?: [A-G]\S*)*")


def sign_of_letter(letter: str) -> str:
    """The field of BarMarks that a letter before a note stands for, "" for another one."""
    return _SIGNS.get(letter, "") if letter.isupper() else ""


def sign_of_decoration(text: str) -> str:
    """The field of BarMarks that a decoration such as !D.C.! stands for, "" for another one."""
    return _SIGNS.get(re.sub(r"[^a-z]", "", text.lower()), "")


def sign_of_annotation(text: str) -> str:
    """The field of BarMarks that words between quotation marks stand for, "" for others and for chords."""
    placed = _PLACED.match(text)
    words = text[placed.end() :] if placed else text
    return "" if not placed and _CHORDS.fullmatch(text) else sign_of_words(words) or ""


def signs_in_symbols(text: str) -> list[str]:
    """The decorations of a line of symbols (s:) that are signs."""
    return [decoration for decoration in re.findall(r"![^!]*!", text) if sign_of_decoration(decoration)]
