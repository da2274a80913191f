"""Voices of ABC tunes, endings with a text, and spacers."""

from __future__ import annotations

import pytest

from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.properties import Clef
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune, read_tune_book
from score_following_game.data_preparation.engraving.abc.voices import voice_tokens

HEAD = "X:1\nT:t\nM:4/4\nL:1/4\n"
BY_LINE = f"""{HEAD}V:S clef=treble name="Soprano" snm="S."
V:T clef=treble-8 name="Tenor solo"
V:B clef=bass transpose=-12
K:G
V:S
|: G A B c |1 d4 :|2 e4 |]
V:T
|: F4 |1 G4 :|2 A4 |]
V:B
[K:C] L:1/8
|: F2F2F2F2 |1 G8 :|2 A8 |]
V:S
f4 |
V:T
f4 |
V:B
f4 |
"""
INLINE = f"{HEAD}K:C\n[V:1 clef=treble]CD[V:2 clef=bass]G,,2[V:1]EF|[V:2]C,2|\n"
LEADING = f"{HEAD}K:C\nC4|\nV:1\nD4|\nV:2\nE4|\n"


@pytest.mark.parametrize(
    ("voice", "what"), [("ab[Q:1/4=120]cd|e4", "tempo"), ("ab!fine!cd|e4!D.C.!", "jump"), ("|:abcd:|e4", "repeat")]
)
def test_what_only_another_voice_says_is_not_passed_over(voice: str, what: str) -> None:
    text = f"{HEAD}K:C\n[V:1]{voice}|\n[V:2]ABcd|E4|\n"
    assert voice_tokens(tune_of(text), "1", marks=True)
    if what != "tempo":  # played once
        assert voice_tokens(tune_of(text), "2")
    with pytest.raises(AbcError, match=f"voice 1 has a {what} that voice 2 lacks"):
        voice_tokens(tune_of(text), "2", marks=True)
    assert voice_tokens(tune_of(text.replace("ABcd|E4", voice)), "2", marks=True)


@pytest.mark.parametrize(
    ("voice", "what", "after"),
    [
        ("|:CDEF|GABc:|c4|c4", "a repeat", 2),
        ("CDEF|:GABc|c4:|c4", "the beginning of a repeat", 1),
        ("|:CDEF|1 GABc:|2 c4||c4", "an ending", 1),
        ("|:Z2:|c4|c4", "a repeat", 2),
    ],
)
def test_repeats_and_endings_of_another_voice_are_not_passed_over(voice: str, what: str, after: int) -> None:
    """Also where the chosen voice has repeats of its own."""
    text = f"{HEAD}K:C\n[V:1]{voice}|\n[V:2]|:ABcd:|E4|e4::E4:|\n"
    with pytest.raises(AbcError, match=f"voice 1 has {what} that voice 2 lacks, after {after} bars"):
        voice_tokens(tune_of(text), "2", marks=True)
    assert voice_tokens(tune_of(text), "2")
    assert voice_tokens(tune_of(f"{HEAD}K:C\n[V:1]{voice}|\n[V:2]ABcd|E4|e4|E4|\n"), "1", marks=True)


def test_one_repeat_may_be_written_in_several_ways() -> None:
    text = f"{HEAD}K:C\n[V:1]|:ABcd::e4:|f4|\n[V:2]ABcd:|:e4:|f4|\n[V:3]|:Z:||:e4:|f4|\n"
    assert all(voice_tokens(tune_of(text), voice, marks=True) for voice in "123")


def tune_of(text: str) -> Tune:
    return read_tune_book(text)[0]


def pitches(text: str, part: str | None = None) -> list[int]:
    return [pitch for _, _, pitch in read_melody(tune_of(text), part).notes()]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        *(((part), [67, 69, 71, 72, 74, 78]) for part in ("S", "1", "soprano", "S.")),
        *(((part), [54, 55, 66]) for part in ("T", "2", "Tenor solo")),
        *(((part), [53, 53, 53, 53, 55, 65]) for part in ("B", "3", "b")),
    ],
)
def test_a_voice_is_chosen_by_name_or_number(part: str, expected: list[int]) -> None:
    assert pitches(BY_LINE.replace("[K:C] L:1/8", "[K:C][L:1/8]"), part) == expected


def test_voices_have_clefs_of_their_own() -> None:
    assert [read_melody(tune_of(BY_LINE.replace(" L:1/8", "")), part).clef for part in "STB"] == [
        Clef(),
        Clef("G", 2, -1),
        Clef("F", 4),
    ]
    assert [read_melody(tune_of(INLINE), part).clef for part in "12"] == [Clef(), Clef("F", 4)]


def test_voices_within_a_line_and_before_the_first_field() -> None:
    assert (pitches(INLINE, "1"), pitches(INLINE, "2")) == ([60, 62, 64, 65], [43, 48])
    assert (pitches(LEADING, "1"), pitches(LEADING, "2")) == ([60, 62], [64])


@pytest.mark.parametrize("text", [BY_LINE.replace(" L:1/8", ""), INLINE])
def test_several_voices_are_refused_with_their_names(text: str) -> None:
    with pytest.raises(AbcError, match=r"several voices \((S Soprano, T Tenor solo, B|1, 2)\); choose one by --part"):
        pitches(text)


@pytest.mark.parametrize(("text", "part"), [(INLINE, "3"), (INLINE, "piano"), (f"{HEAD}K:C\nCDEF|\n", "2")])
def test_an_unknown_voice_is_refused(text: str, part: str) -> None:
    with pytest.raises(AbcError, match=f"no voice '{part}'; the tune has (the voices 1, 2|one voice)"):
        pitches(text, part)


def test_the_only_voice_has_the_number_one() -> None:
    assert pitches(f"{HEAD}K:C\nCDEF|\n", "1") == pitches(f"{HEAD}K:C\nV:melody\nCDEF|\n", "melody") == [60, 62, 64, 65]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ('|:C4|["1" D4:|["2" E4|]F4|', [60, 62, 65]),
        ('|:C4|["1." D4:|["2nd time" E4||F4|', [60, 62, 65]),
        ('|:C4|["1,3" D4:|["2,4" E4|]F4|', [60, 62, 65]),
        ('|:C4|["prima volta" D4:|["seconda volta" E4|]F4|', [60, 62, 65]),
        ('|:C4|["first" D4 :|["last" E4:|["Coda" G4|]F4|', [60, 62, 65]),
        ('|:C4|["1" [ce]4 [K:G]F4:|["2" [eg]4|]F4|', [60, 76, 66, 66]),
        ('|["Am"ACE]4 ["C"c2e2]2|', [69, 76]),  # a chord with its symbol is no ending
        ("yC y0D y30 E y1.5F|", [60, 62, 64, 65]),
    ],
)
def test_endings_with_a_text_and_spacers(music: str, expected: list[int]) -> None:
    assert pitches(f"{HEAD}K:C\n{music}\n") == expected
