"""Old syntax that convert-ly leaves broken, mended by rule. Each rule names what LilyPond would stumble over."""

from __future__ import annotations

import re

from score_following_game.data_preparation.engraving.jump_signs import JUMPS, sign_of_words
from score_following_game.data_preparation.engraving.lilypond.contained import lilypond_version

# Sections sound once, as they are printed, unless hook.ily unfolds them. Point-and-click links would only make pages larger.
_UNFOLDING = re.compile(r"\\unfoldRepeats\b|\\apply(?:Music)?\s*#unfold-repeats\b|\\pointAndClickOn\b")
_VERSION = re.compile(r'(\\version\s*")([\d.]+)(")')
_HEADER = re.compile(r"\\header\s*\{")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|%\{.*?%\}|%[^\n]*|[{}]', re.DOTALL)
_JUMP = re.compile(r"\bD\.\s?[CS]\.|\b[Dd]a\s[Cc]apo\b|\b[Dd]al\s[Ss]egno\b")  # in a markup without quotation marks
_PICTURE = re.compile(r'\\epsfile\s+#\S+\s+#\S+\s+#?"[^"]*"')
_CRASHING = re.compile(r"\\(?:once\s*\\)?override\s+(?:\w+\.)?(?:NoteHead|Stem)\.X-offset\s*=\s*#\S+")

# \markup { ... } was a line then. convert-ly crashes when it meets it.
_MARKUP = re.compile(r"\\markup\s*\{")
_MARKUP_CONVERTED = (2, 5, 2)
_AFTER = (
    # \ottava #0| or \ottava #1<c e> : Scheme reads what follows as part of the number.
    (re.compile(r"(\\ottava\s+#-?\d+)(?=[^\s\d])"), r"\1 "),
    # \context { } in a \layout block, which does nothing.
    (re.compile(r"\\context\s*\{\s*\}"), ""),
    # \layout { \context Staff \override ... } without braces.
    (re.compile(r"(\\layout\s*\{\s*)\\context\s+(\w+)\s*\n(\s*\\(?:override|set)\b[^\n]*)"), r"\1\\context { \\\2\n\3 }"),
    # \context Voice = "x" before a command that is no music of its own: the voice gets an empty chord.
    (re.compile(r'(\\(?:new|context)\s+\w+\s*=\s*"?\w+"?)(\s+\\(?:once\s*\\)?(?:override|set|unset|revert)\b)'), r"\1 <>\2"),
    # c-\cresc: the variable that convert-ly substitutes is no articulation. Neither is the file's own text of that name.
    (re.compile(r"([-_^])\\deprecated(dim|cresc|decresc)\b"), r"\1\\\2"),
    # \tweak of a variable that may be the name of a grob.
    (re.compile(r"\\tweak(\s+[\w-]+\s+#[\w-]+\s+#item\b)"), r"\\propertyTweak\1"),
    # An ordinal sign as the finger of a note.
    (re.compile(r"(?<=[\w',.])[-_^][ºª°](?=\s)"), ""),
)


def before_conversion(text: str) -> str:
    """The text of a LilyPond file, for convert-ly: repeats are not unfolded."""
    text = _UNFOLDING.sub("", text)
    version = _VERSION.search(text)
    if version and _numbers(version[2]) < _MARKUP_CONVERTED:
        text = _MARKUP.sub(r"\\markup \\line {", text)
    return text


def after_conversion(text: str) -> str:
    """The text that convert-ly wrote, for LilyPond. A file for a later version is tried as one for the installed version."""
    installed = lilypond_version()

    def possible(version: re.Match[str]) -> str:
        newest = min(version[2], installed, key=_numbers)
        return f"{version[1]}{newest}{version[3]}"

    text = _UNFOLDING.sub("", _VERSION.sub(possible, text))
    for pattern, replacement in _AFTER:
        text = pattern.sub(replacement, text)
    return text


def jump_in_words(text: str) -> str:
    """The words of a da capo or dal segno that a LilyPond file prints as a text, which LilyPond does not play; "" for none."""
    text = _without_headers(text)
    tokens = [token[0] for token in _TOKEN.finditer(text)]
    quoted = next((token[1:-1] for token in tokens if token[0] == '"' and sign_of_words(token[1:-1]) in JUMPS), "")
    bare = _JUMP.search(_TOKEN.sub(" ", text))
    return quoted or (bare[0] if bare else "")


def without_risks(text: str) -> str:
    """The text without what does not concern the music: overrides that are known to crash LilyPond, headers and pictures.

    Braces that are missing at its end are added.
    """
    text = _without_headers(_PICTURE.sub(r"\\null", _CRASHING.sub("", text)))
    return text + "}\n" * _unclosed(text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number)


def _without_headers(text: str) -> str:
    kept, end = [], 0
    for header in _HEADER.finditer(text):
        if header.start() < end:
            continue  # within a header
        kept.append(text[end : header.start()])
        end = _block_end(text, header.end())
    return "".join([*kept, text[end:]])


def _block_end(text: str, start: int) -> int:
    """The place after the brace that closes a block. start: the place after the one that opens it."""
    depth = 1
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(text)


def _unclosed(text: str) -> int:
    braces = [token[0] for token in _TOKEN.finditer(text) if token[0] in "{}"]
    return max(0, braces.count("{") - braces.count("}"))
