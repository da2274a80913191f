"""The exception that the scripts report as one line, with exit code 2, and what such a line may contain."""

from __future__ import annotations

import reprlib

LONGEST_MESSAGE = 2000  # characters
LONGEST_CAUSE = 200  # of what a library says
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxdict, _SHOWN.maxlist, _SHOWN.maxtuple = 2, 4, 4, 4
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 60


class UserError(Exception):
    """A problem the user can fix. One line: the file, piece, key or value, what is wrong with it, and what to do.

    Characters that cannot be printed are escaped: names of files and contents of files become part of messages.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, LONGEST_MESSAGE))


def printable(text: str, longest: int | None = None) -> str:
    """The text with control characters, line ends and lone surrogates escaped, cut after `longest` characters."""
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 4]} ..."
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode() for sign in text)


def counted(number: float, noun: str) -> str:
    """A number with its noun: 1 piece, 2 pieces, 0.5 minutes. noun: in the singular, its plural ends in s."""
    digits = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{digits} {noun}" if number == 1 else f"{digits} {noun}s"


def shown(value: object) -> str:
    """The repr of a value from a file, at most about a hundred characters, however large the value is."""
    try:
        return printable(_SHOWN.repr(value), 120)
    except ValueError:  # a whole number of more digits than Python converts
        return f"a value of type {type(value).__name__}"


def cause(error: BaseException) -> str:
    """What an exception of a library says, on one line; its type where its message does not say enough."""
    words = " ".join(str(error)[: 4 * LONGEST_CAUSE].split())
    if not words or isinstance(error, (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError)):
        words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return printable(words, LONGEST_CAUSE)
