"""Splits ABC tune books into tunes, and a tune's music into tokens.

The agent must see what it hears. Grace notes, ornaments, chord symbols, annotations and lyrics are therefore dropped here, and
by `played_once` second endings. melody.py and repeats.py interpret the tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from score_following_game.data_preparation.engraving.abc.decorations import EXCLAIMED, PLUSSED
from score_following_game.data_preparation.engraving.abc.macros import Macros
from score_following_game.data_preparation.engraving.abc.signs import (
    goal_of_jump,
    sign_of_annotation,
    sign_of_decoration,
    sign_of_letter,
    signs_in_symbols,
    times_of_annotation,
)


class AbcError(Exception):
    """A tune cannot be read. The message quotes the text in question."""


@dataclass(frozen=True)
class Tune:
    """One tune. number: of X:.  title: the first T:.  music: the lines of the body.  headers: first value of each field.

    An instruction that is read (I:propagate-accidentals) has its own name in `headers`.  voices: all V: values of the header.
    """

    number: str
    title: str
    music: str
    headers: dict[str, str] = field(default_factory=dict)
    voices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """One element of a tune body.

    kind: a top-level group of _TOKEN, "sign" for a sign of signs.py, "head", or "unread" for text that is no element.
    text: the whole.  parts: all matched groups by name.
    """

    kind: str
    text: str
    parts: dict[str, str]


ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}  # accidental -> semitones; others, as ^/ and ^3/2, cannot be played
_FIELD_LINE = re.compile(r"^([A-Za-z+]):(?![|:])\s*(.*)$")  # +: continues the field above; it is dropped
PROPAGATION = "propagate-accidentals"  # how far an accidental reaches within its bar
TRANSPOSITION = "MIDI transpose"  # semitones from print to sound
MORE_TRANSPOSITION = "MIDI rtranspose"  # semitones beyond those so far
INSTRUCTIONS = (PROPAGATION, TRANSPOSITION, MORE_TRANSPOSITION)
_NAMES = rf"(?:{PROPAGATION}|MIDI\s*=?\s*r?transpose)"
_INSTRUCTION = re.compile(rf"({_NAMES})\s*[\s=]\s*(\S+)")
_DIRECTIVE = re.compile(rf"(?m)^%%\s*(?={_NAMES}[\s=])")  # %% at the beginning of a line stands for I:
_VERSION = re.compile(r"%abc-(\d+)\.(\d+)")
_TEXT_BLOCK = re.compile(r"(?ms)^%%begin(\w+).*?(?:^%%end\1[^\n]*\n?|(?=^X:)|\Z)")
_COMMENT = re.compile(r"(?<!\\)%.*")
_LENGTH = r"\d*/*\d*"
_TOKEN = re.compile(
    rf"""
   (?P<field>\[(?P<name>[A-Za-z]):(?P<value>[^\]\n]*)\])
 | (?P<quoted>"[^"\n]*")
 | (?P<grace>\{{(?P<graces>[^{{}}|\n]*)\}})
 | (?P<decoration>{EXCLAIMED}|{PLUSSED})
 | (?P<bar>\[\|[|\]:]*|:*\|[|\]:]*|::+)(?P<bar_ending>\s*[1-9][\d,\-]*)?
 | (?P<ending>\[\s*(?P<numbers>[1-9][\d,\-]*))
 | (?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?)
 | (?P<chord>\[(?P<inside>(?:"[^"\n]*"|[^\[\]|"\n])*)\](?P<chord_length>{_LENGTH}))
 | (?P<text_ending>\["(?P<ending_text>[^"\n]*)")
 | (?P<spacer>y[\d.]*/*\d*)
 | (?P<note>(?P<accidental>[_^]\d*/\d*|\^+|_+|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>{_LENGTH}))
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
_IN_FORCE = {"K", "M", "L", "Q", "I"}  # fields that apply to the music after them


def read_tune_book(text: str) -> list[Tune]:
    """All tunes of an ABC file, in order. Fields above the first X: line are defaults for every tune."""
    text = _DIRECTIVE.sub("I:", _TEXT_BLOCK.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    file_header, *tunes = re.split(r"(?m)^(?=X:)", text)
    head = [_without_comment(line) for line in file_header.split("\n")]
    common = dict(filter(None, map(_field_of, head)))
    if (version := _VERSION.match(text)) and (int(version[1]), int(version[2])) >= (2, 1):
        common.setdefault(PROPAGATION, "pitch")  # the default of that standard
    return [_read_tune(tune, common, head) for tune in tunes]


def _field_of(line: str) -> tuple[str, str] | None:
    """Name and value of a field that has a line of its own."""
    found = _FIELD_LINE.match(line)
    if not found:
        return None
    instruction = instruction_of(found[2]) if found[1] == "I" else None
    return instruction or (found[1], found[2].strip())


def instruction_of(text: str) -> tuple[str, str] | None:
    """Name and value of an I: field that is read, one of INSTRUCTIONS; None for another one."""
    found = _INSTRUCTION.match(text.strip())
    return (" ".join(found[1].replace("=", " ").split()), found[2]) if found else None


def sounding_tokens(music: str) -> Iterator[Token]:
    """Tokens of a tune body, or of the inside of a chord, without ornaments and texts; signs such as fine are kept.

    Grace notes with accidentals are kept, since those reach further.
    """
    for token in _tokenise(music):
        if sign := _sign(token):
            yield Token("sign", token.text, {"sign": sign, "until": goal_of_jump(sign, token.text.strip('"'))})
        elif token.kind == "quoted" and (times := times_of_annotation(token.text.strip('"'))):
            yield Token("sign", token.text, {"times": str(times)})
        elif head := _head(token):
            yield Token("head", token.text, {"head": head})
        elif token.kind not in _SILENT or (token.kind == "grace" and re.search(r"[_=^]", token.text)):
            yield token


def grace_notes(token: Token) -> Iterator[tuple[str | None, str, str]]:
    """(accidental, letter, octave marks) of each note in a token of grace notes."""
    for found in _TOKEN.finditer(token.parts["graces"]):
        if found["note"]:
            yield found["accidental"], found["letter"], found["octave"]


def _sign(token: Token) -> str:
    """The field of BarMarks that a token stands for, "" for another token."""
    read = {"nothing": sign_of_letter, "decoration": sign_of_decoration, "quoted": sign_of_annotation}.get(token.kind)
    return read(token.text.strip('"')) if read else ""


def _head(token: Token) -> str:
    """The shape that a decoration gives to the head of the next note, "" for another token."""
    found = re.fullmatch(r"!style=([\w-]+)!", token.text) if token.kind == "decoration" else None
    return found[1] if found else ""


def _without_comment(line: str) -> str:
    return _COMMENT.sub("", line).rstrip()


def _read_tune(text: str, common: dict[str, str], head: Iterable[str]) -> Tune:
    """common, head: the fields and the lines above the first tune."""
    macros = Macros()
    for line in head:
        macros.define(line)
    headers: dict[str, str] = {}
    body: list[str] = []
    voices: list[str] = []
    lines = text.split("\n")
    key_to_come = "K" not in common or any(line.startswith("K:") for line in lines)
    in_body = False
    part = ""  # the field that names the part beginning with the next line
    for raw in lines:
        if in_body and not raw.strip():
            break  # an empty line ends a tune; free text follows
        line = _without_comment(raw)
        if not line or macros.define(line):
            continue
        field = _field_of(line)
        in_body = in_body or not (field or key_to_come)
        if not field:
            body.extend([part + macros.written_out(line)] if in_body else [])
            part = ""
            continue
        name, value = field
        if not in_body:
            _transpose(headers, common, name, value)
            _state(headers, name, value)
            voices += [value] if name == "V" else []
            in_body = name == "K"
        elif name == "P":
            part = f"[P:{value.replace(']', ')')}]"  # without a space, which would end a beam
        elif name in INSTRUCTIONS:
            body.append(f"[I:{name} {value.replace(']', ')')}]")
        elif name in _IN_FORCE or name == "V" or (name == "s" and signs_in_symbols(value)):
            body.append(f"[{name}:{value.replace(']', ')')}]")
    # The end of a line separates beams as a space does, unless a backslash there joins the two lines.
    music = re.sub(r"\\\n", "", "\n".join(body) + "\n")
    return Tune(headers.get("X", ""), headers.get("T", ""), music.strip(), common | headers, tuple(voices))


def _state(headers: dict[str, str], name: str, value: str) -> None:
    """Of what applies to the music the last in a header counts (of tempi the last with a number), of other fields the first."""
    if name in _IN_FORCE | {PROPAGATION} and not (name == "Q" and not re.search(r"\d", value)):
        headers[name] = value
    else:
        headers.setdefault(name, value)


def _transpose(headers: dict[str, str], common: dict[str, str], name: str, value: str) -> None:
    """Of the transpositions in a header the last counts, and what is added to it after that, in a row."""
    if name == TRANSPOSITION:
        headers |= {name: value, MORE_TRANSPOSITION: ""}
    elif name == MORE_TRANSPOSITION:
        headers[name] = f"{headers.get(name, common.get(name, ''))} {value}"


def _tokenise(music: str) -> Iterator[Token]:
    place = 0
    while place < len(music):
        found = _TOKEN.match(music, place)
        if not found:
            yield Token("unread", music[place : place + 12], {})
            place += 1
            continue
        parts = {name: value for name, value in found.groupdict().items() if value is not None}
        kind = next(name for name in found.groupdict() if name in parts)
        yield Token(kind, found[0], parts)
        place = found.end()


def played_once(tokens: Iterable[Token]) -> Iterator[Token]:
    """Drop signs, and second and later endings, but keep the fields in them, which apply to the music that follows."""
    ending = later_ending = after_ending = False
    for token in tokens:
        if token.kind == "sign":
            continue
        if token.kind == "bar":
            if not later_ending:
                yield token
            after_ending = False
            if is_division(token):
                after_ending, ending, later_ending = ending, False, False
        numbers = ending_numbers(token, after_ending)
        if numbers:
            ending, later_ending = True, numbers[0] != 1
        elif token.kind != "bar" and (not later_ending or token.parts.get("name") in _IN_FORCE):
            yield token
        after_ending = after_ending and token.kind in ("bar", "space", "field")


def is_division(token: Token) -> bool:
    """Whether a token is a double bar or a repeat, which end an ending and may stand within a bar."""
    return token.kind == "bar" and re.search(r"[:\]\[]|\|\|", token.parts["bar"]) is not None


def ending_numbers(token: Token, after_ending: bool) -> tuple[int, ...]:
    """The numbers of the ending that a token begins, as written: (1, 3) for "1,3"; () if it begins none.

    after_ending: the ending before has just ended, so an ending whose text has no number is a second one.
    """
    numbers = token.parts.get("numbers") or token.parts.get("bar_ending", "").strip()
    if token.kind == "text_ending":
        found = re.match(r"\D*(\d[\d,\-]*)", token.parts["ending_text"])
        numbers = found[1] if found else str(1 + after_ending)
    listed: list[int] = []
    for first, last in re.findall(r"(\d{1,3})(?:-(\d{1,3}))?", numbers):
        listed += range(int(first), int(last or first) + 1)
    return tuple(listed)
