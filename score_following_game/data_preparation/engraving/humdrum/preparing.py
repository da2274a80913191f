"""The text of a Humdrum file as the engraver is given it."""

from __future__ import annotations

import re
from collections import defaultdict

from score_following_game.data_preparation.engraving.humdrum.durations import lacks_duration, missing_duration
from score_following_game.data_preparation.engraving.humdrum.spines import read_rows, unreadable
from score_following_game.data_preparation.engraving.humdrum.tokens import (
    is_unpitched,
    read_token,
    with_grace_notes,
    without_endings,
)
from score_following_game.data_preparation.engraving.silent import NO_DURATION, NO_PITCH, UNPITCHED, too_many

_REPEATED, _NOT_REPEATED = "*rep", "*Xrep"
_DRAWN_SHORT = {_REPEATED, _NOT_REPEATED, "*tremolo", "*Xtremolo"}  # what stands between them is written out in the file
_PAGE_LAYOUT = ("*size:", "*scale:")  # of a staff
_PART, _NAME = re.compile(r"\*part\d+"), re.compile(r"\*I[\"'a-z]")
_OCTAVE_CLEF = re.compile(r"\*clef[GFC]([v^])\d?")
_OCTAVE_OF = {"*ITrd7c12": "v", "*ITrd-7c-12": "^"}
_DURATION = re.compile(r"\d+(%\d+)?\.*")

Lost = dict[tuple[int, int], list[str]]  # (line, number of the field from 1) -> why each note there is lost


def prepare(text: str) -> tuple[list[str], Lost]:
    """The lines, with every note that the file writes out, and where notes are lost. Raises EngravingError, naming a line.

    The lines keep their numbers.

    Between *rep and *Xrep stand notes for which the print has a repeat sign, some of them hidden, between *tremolo and
    *Xtremolo those that it draws as a tremolo. A filter is a program that the engraver would apply to the notes. To a line
    without any token the engraver would give a time. A note that cannot be read becomes a rest; it is lost.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = _comments_that_fit(lines)
    lines = _instruments_after_barlines([_prepare_line(line) for line in _repetitions_shown(lines)])
    return _without_mistakes(_octaves_stated_once(_names_of_parts(lines)))


def _repetitions_shown(lines: list[str]) -> list[str]:
    """With no note hidden between *rep and *Xrep."""
    shown = list(lines)
    repeated: set[int] = set()  # columns
    for row in read_rows(lines):
        tokens = list(row.tokens)
        for field, token, spine in row.kern():
            if token == _REPEATED:
                repeated.add(spine.origin)
            elif token == _NOT_REPEATED:
                repeated.discard(spine.origin)
            elif spine.origin in repeated and not row.is_interpretation and not row.is_barline:
                tokens[field - 1] = token.replace("yy", "")
        shown[row.number - 1] = "\t".join(tokens)
    return shown


def _comments_that_fit(lines: list[str]) -> list[str]:
    """Local comments with another number of fields than the next line become global ones: the engraver would crash."""
    fitting, fields = list(lines), 0
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("!!") or not line.strip():
            continue
        if not line.startswith("!"):
            fields = len(line.split("\t"))
        elif len(line.split("\t")) != fields:
            fitting[number] = "!! " + line.strip("!\t ")
    return fitting


def _prepare_line(line: str) -> str:
    if line.startswith(("!!!filter:", "!!!!filter:")):
        return "!!" + line.lstrip("!")
    if line.startswith("*"):
        return "\t".join(
            "*" if token in _DRAWN_SHORT or token.startswith(_PAGE_LAYOUT) else token for token in line.split("\t")
        )
    return line


def _instruments_after_barlines(lines: list[str]) -> list[str]:
    """An instrument that changes just before a bar line changes after it, since the engraver would miss it."""
    for number, line in enumerate(lines[:-1]):
        tokens = line.split("\t")
        only_instruments = all(token == "*" or token.startswith("*I") for token in tokens)
        if only_instruments and "*ITr" in line and lines[number + 1].startswith("="):
            lines[number : number + 2] = lines[number + 1], line
    return lines


def _names_of_parts(lines: list[str]) -> list[str]:
    """A part's only name, which may stand in the column of one of its staves, in those that have none, too."""
    rows = [row for row in read_rows(lines) if row.is_interpretation]
    signs = [(spine.origin, token) for row in rows for _, token, spine in row.kern()]
    part_of = {origin: token for origin, token in signs if _PART.fullmatch(token)}
    names: dict[tuple[str, str], set[str]] = defaultdict(set)  # by part and kind of name
    named: set[tuple[int, str]] = set()  # columns, by kind
    for origin, token in signs:
        if _NAME.match(token):
            named.add((origin, token[:3]))
            names[part_of.get(origin, ""), token[:3]].add(token)
    for row in rows:
        tokens = list(row.tokens)
        given = {part_of.get(spine.origin, ""): token for _, token, spine in row.kern() if _NAME.match(token)}
        for field, token, spine in row.kern():
            part = part_of.get(spine.origin, "")
            name = given.get(part, "") if part and token == "*" else ""
            if name and names[part, name[:3]] == {name} and (spine.origin, name[:3]) not in named:
                tokens[field - 1] = name
        lines[row.number - 1] = "\t".join(tokens)
    return lines


def _octaves_stated_once(lines: list[str]) -> list[str]:
    """Without the instruments that sound an octave lower (higher) than written, in a column with a clef that says so, too.

    Both say the same; the engraver would draw the notes two octaves away from their sound.
    """
    rows = [row for row in read_rows(lines) if row.is_interpretation]
    clefs = {
        (spine.origin, found[1]) for row in rows for _, token, spine in row.kern() if (found := _OCTAVE_CLEF.fullmatch(token))
    }
    for row in rows:
        tokens = list(row.tokens)
        for field, token, spine in row.kern():
            if (spine.origin, _OCTAVE_OF.get(token)) in clefs:
                tokens[field - 1] = "*"
        lines[row.number - 1] = "\t".join(tokens)
    return lines


def _without_mistakes(lines: list[str]) -> tuple[list[str], Lost]:
    mistakes: list[tuple[int, str]] = []
    lost: Lost = {}
    notes = 0
    rows = list(read_rows(lines))
    for place, row in enumerate(rows):
        if row.is_barline or row.is_interpretation:
            continue
        tokens = list(row.tokens)
        for field, token, spine in row.kern():
            notes += 1
            token = tokens[field - 1] = with_grace_notes(without_endings(token))
            duration = missing_duration(rows, place, spine) if lacks_duration(token) else None
            if duration is not None:
                tokens[field - 1] = f"{duration}r"
                if "r" not in token:
                    lost[row.number, field] = [NO_DURATION] * len(token.split())
                    mistakes.append((row.number, f"{token!r} has no duration"))
                continue
            try:
                read_token(token)
            except ValueError as error:
                tokens[field - 1] = _mended(token)
                reasons = [_why_lost(text) for text in token.split() if not _readable(text)]
                lost[row.number, field] = reasons
                mistakes += [(row.number, str(error))] if NO_PITCH in reasons else []
        if all(token == "." for token in tokens):
            tokens = ["!"] * len(tokens)
        lines[row.number - 1] = "\t".join(tokens)
    if too_many(len(mistakes), notes):
        raise unreadable(mistakes[0][0], f"{mistakes[0][1]}, and {len(mistakes) - 1} more such mistakes")
    return lines, lost


def _mended(token: str) -> str:
    """The notes of a chord that can be read, or a rest."""
    kept = [text for text in token.split() if _readable(text)]
    duration = _DURATION.search(token)
    return " ".join(kept) or (f"{duration[0]}r" if duration else token)


def _why_lost(text: str) -> str:
    """A part for percussion may stand beside the part that is played, so that its notes are no mistakes of the file."""
    return UNPITCHED if is_unpitched(text) else NO_PITCH


def _readable(text: str) -> bool:
    try:
        return bool(read_token(text))
    except ValueError:
        return False
