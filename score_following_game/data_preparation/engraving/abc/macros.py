"""Macros of ABC: `m: ~g2 = {a}g{f}g` lets ~g2 stand for other notes, `m: ~n2 = (3o/n/m/ n` the same for every note."""

from __future__ import annotations

import re

_DEFINITION = re.compile(r"^(?:m:|\[m:)\s*([^=]+?)\s*=\s*(.*?)\s*\]?$")
_NOTE = r"([A-Ga-g])([,']*)"
_KEPT = re.compile(r'("[^"]*"|![^!]*!|\[[A-Za-z]:[^\]]*\])')  # texts, decorations and fields
_RELATIVE = re.compile(r"[h-z]")
_STEPS = "CDEFGAB"


class Macros:
    """The macros that are defined so far, and the lines in which they are written out."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}  # target -> what it stands for

    def define(self, line: str) -> bool:
        """Whether the line defines a macro, which then holds for the lines after it. A definition without content ends it."""
        found = _DEFINITION.match(line)
        if not found:
            return False
        self._of.pop(found[1], None)
        if found[2]:
            self._of[found[1]] = found[2]
        return True

    def written_out(self, line: str) -> str:
        """A line of music with the notes for which macros stand. The longest target counts."""
        if not self._of:
            return line
        patterns = {target: _pattern(target) for target in sorted(self._of, key=len, reverse=True)}

        def replaced(found: re.Match[str]) -> str:
            target, note = next((t, own) for t, pattern in patterns.items() if (own := re.match(pattern, found[0])))
            return _moved(self._of[target], note[1], note[2]) if "n" in target else self._of[target]

        pattern = re.compile("|".join(f"(?:{own})" for own in patterns.values()))
        parts = _KEPT.split(line)
        parts[::2] = [pattern.sub(replaced, part) for part in parts[::2]]
        return "".join(parts)


def _pattern(target: str) -> str:
    """A target with n for every note; a number after it is its whole length."""
    before, n, after = target.partition("n")
    end = r"(?![\d/])" if re.search(r"[\dA-Ga-gn,'/]$", target) else ""
    return re.escape(before) + (_NOTE + re.escape(after) if n else "") + end


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
