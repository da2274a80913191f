"""The voices of an ABC tune, and the music of one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from score_following_game.data_preparation.engraving.abc.tune_book import (
    AbcError,
    Token,
    Tune,
    ending_numbers,
    is_division,
    sounding_tokens,
)
from score_following_game.data_preparation.engraving.playing import PIANO

_SOUNDING = ("note", "chord", "rest")
_START, _END, _ENDING = "the beginning of a repeat", "a repeat", "an ending"
_NAME = re.compile(r"\b(?:name|nm|sname|snm|subname)\s*=\s*(\"[^\"]*\"|\S+)")


def voice_tokens(tune: Tune, part: str | None, marks: bool = False) -> tuple[str, list[Token]]:
    """The name of a voice, "" in a tune without voices, and its tokens, without ornaments and texts.

    part: the voice's name of a V: field, (a piece of) its name= or its number from 1; None for a tune's only voice.

    Raises AbcError if there is no such voice, if there are several and `part` is None, and for a tempo that only another voice
    states; with `marks` also for jumps, repeats and parts that only another voice has.
    """
    tokens = list(sounding_tokens(tune.music))
    in_music = list(dict.fromkeys(voice_name(token.parts["value"]) for token in tokens if _is_voice(token)))
    voices = _voices(tune, tokens)
    if part is None:
        if len(in_music) > 1:
            raise AbcError(f"several voices ({_listed(voices)}); choose one by --part")
        return [*in_music, *voices, ""][0], tokens
    chosen = _chosen(part, voices)
    by_voice = {voice: list(_of_voice(tokens, voice, next(iter(voices), ""))) for voice in {**voices, chosen: []}}
    _require_as_many("tempo", _is_tempo, by_voice, chosen)
    if marks:
        _require_as_many("jump", _is_jump, by_voice, chosen)
        if "P" in tune.headers:
            _require_as_many("part (P:)", _is_part, by_voice, chosen)
        _require_repeats(by_voice, chosen)
    return chosen, by_voice[chosen]


def _require_as_many(what: str, is_one: Callable[[Token], bool], by_voice: dict[str, list[Token]], chosen: str) -> None:
    """Raise AbcError if another voice has more tokens of a kind than the chosen one. what: a token of this kind."""
    counts = {voice: sum(map(is_one, tokens)) for voice, tokens in by_voice.items()}
    for voice, count in counts.items():
        if count > counts[chosen]:
            raise AbcError(f"voice {voice} has a {what} that voice {chosen} lacks; write it into that voice, too")


def _require_repeats(by_voice: dict[str, list[Token]], chosen: str) -> None:
    """Raise AbcError if another voice repeats other bars than the chosen one, or has endings where that has none."""
    own = _repeats(by_voice[chosen])
    for voice, tokens in by_voice.items():
        for bars, what in sorted(_repeats(tokens) - own):
            raise AbcError(
                f"voice {voice} has {what} that voice {chosen} lacks, after {bars:g} bars; write it into that voice, too"
            )


def _repeats(tokens: Iterable[Token]) -> set[tuple[float, str]]:
    """(bars before it, kind) of each beginning and end of a repeat and of each ending of a voice.

    A beginning says nothing new at the first bar and where a repeat ends.
    """
    found: set[tuple[float, str]] = set()
    bars, begun, after_ending = 0, False, False
    for token in tokens:
        if token.kind == "bar":
            bars, begun = bars + begun, False
            text = token.parts["bar"]
            found |= {(bars, _END)} if text.startswith(":") else set()
            found |= {(bars, _START)} if text.endswith(":") else set()
        elif token.kind == "bars_rest":
            bars, begun = bars + int(token.parts["bars"] or 1), False
        begun = begun or token.kind in _SOUNDING
        if ending_numbers(token, after_ending):
            found.add((bars + begun / 2, _ENDING))
        after_ending = is_division(token)
    return {(at, what) for at, what in found if what != _START or (at and (at, _END) not in found)}


def voice_name(value: str) -> str:
    """The first word of a V: field's value."""
    return (value.split() or [""])[0]


def _is_voice(token: Token) -> bool:
    return token.kind == "field" and token.parts["name"] == "V"


def _is_tempo(token: Token) -> bool:
    return token.kind == "field" and token.parts["name"] == "Q"


def _is_jump(token: Token) -> bool:
    return token.kind == "sign"


def _is_part(token: Token) -> bool:
    return token.kind == "field" and token.parts["name"] == "P"


def _voices(tune: Tune, tokens: list[Token]) -> dict[str, list[str]]:
    """Voice -> other names of it, in the order of the tune."""
    found: dict[str, list[str]] = {}
    for value in (*tune.voices, *(token.parts["value"] for token in tokens if _is_voice(token))):
        found.setdefault(voice_name(value), []).extend(name.strip('"') for name in _NAME.findall(value))
    return found


def _listed(voices: dict[str, list[str]]) -> str:
    return ", ".join(" ".join([voice, *dict.fromkeys(names)][:2]) for voice, names in voices.items())


def _chosen(part: str, voices: dict[str, list[str]]) -> str:
    """The voice that `part` names: by its own name first, then by another one, its number, or a piece of one name only."""
    if part in voices:
        return part
    key = part.casefold()
    for voice, names in voices.items():
        if key in (voice.casefold(), *(name.casefold() for name in names)):
            return voice
    containing = [voice for voice, names in voices.items() if part != PIANO and any(key in name.casefold() for name in names)]
    if part.isdecimal() and 1 <= int(part) <= max(1, len(voices)):
        return [*voices, ""][int(part) - 1]
    if len(containing) == 1:
        return containing[0]
    raise AbcError(f"no voice {part!r}; the tune has " + (f"the voices {_listed(voices)}" if voices else "one voice"))


def _of_voice(tokens: list[Token], chosen: str, first: str) -> Iterator[Token]:
    """The tokens of a voice. Music before the first V: field belongs to the first voice, fields there to all."""
    current, of_all = first, True
    for token in tokens:
        if _is_voice(token):
            current, of_all = voice_name(token.parts["value"]), False
        if current == chosen or (of_all and token.kind == "field"):
            yield token
