"""Signs of the order in which the bars are played, as ABC writes them: as decorations, as letters and in words."""

from __future__ import annotations

import re

from score_following_game.data_preparation.engraving.jump_signs import (
    JUMPS,
    goal_of_words,
    sign_of_words,
    times_of_words,
)

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
    return "" if _CHORDS.fullmatch(text) else sign_of_words(_words_of(text)) or ""


def goal_of_jump(sign: str, text: str) -> str:
    """Where the jump that a decoration or words stand for says that one plays to: "fine", "coda" or ""."""
    letters = re.sub(r"[^a-z]", "", text.lower())
    last = next((goal for goal in ("fine", "coda") if letters.endswith(goal)), "")
    return (last or goal_of_words(_words_of(text))) if sign in JUMPS else ""


def times_of_annotation(text: str) -> int:
    """How often a passage is played by the words between quotation marks, 0 for others."""
    return times_of_words(_words_of(text))


def _words_of(annotation: str) -> str:
    placed = _PLACED.match(annotation)
    return annotation[placed.end() :] if placed else annotation


def signs_in_symbols(text: str) -> list[str]:
    """The decorations of a line of symbols (s:) that are signs."""
    return [decoration for decoration in re.findall(r"![^!]*!", text) if sign_of_decoration(decoration)]
