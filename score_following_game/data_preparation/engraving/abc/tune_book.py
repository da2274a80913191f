"""Splits ABC tune books into tunes, and a tune's music into tokens with each section once.

The agent must see what it hears. Repeats, second endings, grace notes, ornaments, chord symbols, annotations and lyrics are
therefore dropped here. melody.py interprets the tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


class AbcError(Exception):
    """A tune cannot be read. The message quotes the text in question."""


@dataclass(frozen=True)
class Tune:
    """One tune. number: of X:.  title: the first T:.  music: the body on one line.  headers: first value of each field.

    voices: all V: values of the header.
    """

    number: str
    title: str
    music: str
    headers: dict[str, str] = field(default_factory=dict)
    voices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """One element of a tune body. kind: a top-level group of _TOKEN.  text: the whole.  parts: all matched groups by name."""

    kind: str
    text: str
    parts: dict[str, str]


ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}  # accidental -> semitones
_FIELD_LINE = re.compile(r"^([A-Za-z+]):(?![|:])\s*(.*)$")  # +: continues the field above; it is dropped
_TEXT_BLOCK = re.compile(r"(?ms)^%%begin(\w+).*?(?:^%%end\1[^\n]*\n?|(?=^X:)|\Z)")
_COMMENT = re.compile(r"(?<!\\)%.*")
_LENGTH = r"\d*/*\d*"
# Old books put decorations and also chords between + signs. Only these are decorations.
_PLUS_DECORATION = r"""\+(?:
   [.0-5] | [<>][()]? | accent | arpeggio | breath | coda | (?:crescendo|diminuendo)[()] | D\.C\. | D\.S\. | dacapo | dacoda
 | downbow | emphasis | fermata | fine | f{1,4} | inverted(?:fermata|turnx?) | (?:long|medium|short)phrase | mf | mp | open
 | plus | p{1,4} | (?:lower|upper)?mordent | pralltriller | roll | segno | sfz | slide | snap | tenuto | thumb | trill[()]?
 | turnx? | upbow | wedge)\+"""
_TOKEN = re.compile(
    rf"""
   (?P<field>\[(?P<name>[A-Za-z]):(?P<value>[^\]]*)\])
 | (?P<quoted>"[^"]*")
 | (?P<grace>\{{[^}}]*\}})
 | (?P<decoration>![^!|]*!|{_PLUS_DECORATION})
 | (?P<bar>\[\||:*\|[|\]:]*|::+)(?P<bar_ending>\s*[1-9][\d,\-]*)?
 | (?P<ending>\[\s*(?P<numbers>[1-9][\d,\-]*))
 | (?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?)
 | (?P<chord>\[(?P<inside>(?:"[^"]*"|[^\[\]|"])*)\](?P<chord_length>{_LENGTH}))
 | (?P<text_ending>\["(?P<ending_text>[^"]*)")
 | (?P<spacer>y[\d.]*/*\d*)
 | (?P<note>(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>{_LENGTH}))
 | (?P<rest>[zx](?P<rest_length>{_LENGTH}))
 | (?P<bars_rest>[ZX](?P<bars>\d*))
 | (?P<broken>>+|<+)
 | (?P<tie>-)
 | (?P<space>\s+)
 | (?P<plus>\+)
 | (?P<nothing>[()~.`*$!\\HIJKLMNOPQRSTUVWhijklmnopqrstuvw]|\]|&(?=\s*$))
""",
    re.VERBOSE,
)
_SILENT = {"quoted", "grace", "decoration", "spacer", "nothing"}  # printed or ornamental only, never part of a note or a bar
_IN_FORCE = {"K", "M", "L"}  # fields that apply to the music after them


def read_tune_book(text: str) -> list[Tune]:
    """All tunes of an ABC file, in order. Fields above the first X: line are defaults for every tune."""
    text = _TEXT_BLOCK.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    file_header, *tunes = re.split(r"(?m)^(?=X:)", text)
    found = (_FIELD_LINE.match(_without_comment(line)) for line in file_header.split("\n"))
    common = {field[1]: field[2].strip() for field in found if field}
    return [_read_tune(tune, common) for tune in tunes]


def sounding_tokens(music: str) -> Iterator[Token]:
    """Tokens of a tune body, or of the inside of a chord, without ornaments and texts."""
    return (token for token in _tokenise(music) if token.kind not in _SILENT)


def _without_comment(line: str) -> str:
    return _COMMENT.sub("", line).rstrip()


def _read_tune(text: str, common: dict[str, str]) -> Tune:
    headers: dict[str, str] = {}
    body: list[str] = []
    voices: list[str] = []
    lines = text.split("\n")
    key_to_come = "K" not in common or any(line.startswith("K:") for line in lines)
    in_body = False
    for raw in lines:
        if in_body and not raw.strip():
            break  # an empty line ends a tune; free text follows
        line = _without_comment(raw)
        if not line:
            continue
        found = _FIELD_LINE.match(line)
        in_body = in_body or not (found or key_to_come)
        if not found:
            body.extend([line] if in_body else [])
        elif not in_body:
            name, value = found.groups()
            headers.setdefault(name, value.strip())
            voices += [value.strip()] if name == "V" else []
            in_body = name == "K"
        elif found[1] in _IN_FORCE or found[1] == "V":
            body.append(f"[{found[1]}:{found[2].replace(']', ')')}]")
    # The end of a line separates beams as a space does, unless a backslash there joins the two lines.
    music = re.sub(r"\\ ", "", " ".join(body) + " ")
    return Tune(headers.get("X", ""), headers.get("T", ""), music.strip(), common | headers, tuple(voices))


def _tokenise(music: str) -> Iterator[Token]:
    place = 0
    while place < len(music):
        found = _TOKEN.match(music, place)
        if not found:
            raise AbcError(f"cannot read {music[place : place + 12]!r}")
        parts = {name: value for name, value in found.groupdict().items() if value is not None}
        kind = next(name for name in found.groupdict() if name in parts)
        yield Token(kind, found[0], parts)
        place = found.end()


def played_once(tokens: Iterable[Token]) -> Iterator[Token]:
    """Drop second and later endings, but keep the fields in them, which apply to the music that follows."""
    ending = later_ending = after_ending = False
    for token in tokens:
        if token.kind == "bar":
            if not later_ending:
                yield token
            after_ending = False
            if re.search(r"[:\]\[]|\|\|", token.parts["bar"]):  # a double bar or a repeat ends an ending
                after_ending, ending, later_ending = ending, False, False
        begins = _begins_ending(token, after_ending)
        if begins is not None:
            ending, later_ending = True, begins
        elif token.kind != "bar" and (not later_ending or token.parts.get("name") in _IN_FORCE):
            yield token
        after_ending = after_ending and token.kind in ("bar", "space", "field")


def _begins_ending(token: Token, after_ending: bool) -> bool | None:
    """Whether a token begins a second or later ending; None if it begins none.

    after_ending: the ending before has just ended, so an ending whose text has no number is a later one.
    """
    numbers = token.parts.get("numbers") or token.parts.get("bar_ending", "").strip()
    if token.kind == "text_ending":
        found = re.match(r"\D*(\d[\d,\-]*)", token.parts["ending_text"])
        if not found:
            return after_ending
        numbers = found[1]
    return not re.match(r"1(?!\d)", numbers) if numbers else None
