"""What stands for something else in ABC: macros and symbols.

`m: ~g2 = {a}g{f}g` lets ~g2 stand for other notes, `m: ~n2 = (3o/n/m/ n` the same for every note; `U: W = !fine!` lets a letter
stand for a decoration.
"""

from __future__ import annotations

import re

from score_following_game.data_preparation.engraving.abc.decorations import EXCLAIMED

_DEFINITION = re.compile(r"^\[?(m|U):\s*([^=]+?)\s*=\s*(.*?)\s*\]?$")
_SYMBOL = re.compile(r"[h-wH-W~]")
_NOTHING = ("!nil!", "!none!")
_NOTE = r"([A-Ga-g])([,']*)"
_KEPT = re.compile(rf'("[^"]*"|{EXCLAIMED}|\[[A-Za-z]:[^\]]*\])', re.VERBOSE)  # texts, decorations and fields
_RELATIVE = re.compile(r"[h-z]")
_STEPS = "CDEFGAB"


class Macros:
    """The macros and symbols that are defined so far, and the lines in which they are written out."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, str, bool]] = {}  # target -> its pattern, what it stands for, whether for every note

    def define(self, line: str) -> bool:
        """Whether the line defines one, which then holds for the lines after it. A definition without content ends it."""
        found = _DEFINITION.match(line)
        if not found:
            return False
        kind, target, content = found.groups()
        if kind == "U" and not _SYMBOL.fullmatch(target):
            return True
        self._of.pop(target, None)
        if content:
            every = kind == "m" and "n" in target
            pattern = _pattern(target, every) if kind == "m" else re.escape(target)
            self._of[target] = pattern, "" if content in _NOTHING else content, every
        return True

    def written_out(self, line: str) -> str:
        """A line of music with what its macros and symbols stand for. The longest target counts."""
        if not self._of:
            return line
        known = [self._of[target] for target in sorted(self._of, key=len, reverse=True)]

        def replaced(found: re.Match[str]) -> str:
            note, content, every = next((m, text, every) for own, text, every in known if (m := re.fullmatch(own, found[0])))
            return _moved(content, note[1], note[2]) if every else content

        pattern = re.compile("|".join(f"(?:{own})" for own, *_ in known))
        parts = _KEPT.split(line)
        parts[::2] = [pattern.sub(replaced, part) for part in parts[::2]]
        return "".join(parts)


def _pattern(target: str, every: bool) -> str:
    """A target, perhaps with n for every note; a number in it is the whole length of a note."""
    before, _, after = target.partition("n") if every else (target, "", "")
    end = r"(?![\d/])" if re.search(r"[\dA-Ga-gn,'/]$", target) else ""
    return re.escape(before) + (_NOTE + re.escape(after) if every else "") + end


def _moved(text: str, letter: str, octave: str) -> str:
    """h to z stand for the notes from six steps below n to twelve above it."""
    height = _STEPS.index(letter.upper()) + 7 * (letter.islower() + octave.count("'") - octave.count(","))

    def note(found: re.Match[str]) -> str:
        octaves, step = divmod(height + ord(found[0]) - ord("n"), 7)
        if octaves >= 1:
            return _STEPS[step].lower() + "'" * (octaves - 1)
        return _STEPS[step] + "," * -octaves

    parts = _KEPT.split(text)
    parts[::2] = [_RELATIVE.sub(note, part) for part in parts[::2]]
    return "".join(parts)
