"""ABC: tune books, keys, lengths, accidentals, macros, ties and sections."""

from __future__ import annotations

from fractions import Fraction

import pytest
from abc_tools import melody_of, pitches

from score_following_game.data_preparation.engraving.abc.fields import parse_length, parse_meter, quarter_tempo
from score_following_game.data_preparation.engraving.abc.keys import Key, parse_key
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.properties import split_properties
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, read_tune_book, sounding_tokens


def lengths(music: str, **headers: str) -> list[Fraction]:
    return [length for _, length, _ in melody_of(music, **headers).notes()]


def test_tune_book() -> None:
    tunes = read_tune_book(
        "a preface\r\n\r\nX: 7\r\nT:One\r\nT:Other Title\r\nS:source\r\nK:G\r\nABc|%remark\r\nw:la la la\r\n"
        "\r\nX:8\nT:Two\nK:C\nC:|\n"
    )
    assert [(tune.number, tune.title) for tune in tunes] == [("7", "One"), ("8", "Two")]
    assert tunes[0].music == "ABc|"
    assert tunes[1].music == "C:|"  # a note and a bar line, not a field


def test_an_empty_line_ends_a_tune_and_text_blocks_are_dropped() -> None:
    tunes = read_tune_book(
        "X:1\n\nT:t\nK:C\nCDEF|\n%a remark, no empty line\nGABc|\n \nThe next tune is a great reel\nK:G\n"
        "X:2\nK:C\nCDEF|\n%%begintext\nA bad cafe\n\nX marks it\n%%endtext\nGABc|\n"
        "X:3\nK:C\nCDEF|\n%%begintext left\nA bad egg\nX:4\nK:C\nC|\n"
    )
    assert [tune.music for tune in tunes] == ["CDEF|\nGABc|", "CDEF|\nGABc|", "CDEF|", "C|"]


def test_fields_before_the_first_tune_apply_to_all() -> None:
    tunes = read_tune_book(
        "A book\nL:1/16 % short\nM:3/4\nQ:1/4=66\nK:D\nT:The Book\n\n"
        "X:1\nF4|\nX:2\nL:1/8\nK:C\nF4|\nX:3\nH:a tale\nof a deed\nK:G\nF4|\n"
    )
    assert [read_melody(tune).notes() for tune in tunes] == [[(0, 1, 66)], [(0, 2, 65)], [(0, 1, 66)]]
    assert [read_melody(tune).meter for tune in tunes] == [(3, 4)] * 3
    assert [quarter_tempo(tune) for tune in tunes] == [66] * 3
    assert [tune.title for tune in tunes] == [""] * 3


@pytest.mark.parametrize(
    ("text", "reason"), [("X:1\nL:1/4\nCDEF|\n", "no K: field"), ("X:1\nK:C\n", "no notes"), ("X:1\nK:C\nz4|Z|\n", "no notes")]
)
def test_a_tune_without_key_or_notes(text: str, reason: str) -> None:
    with pytest.raises(AbcError, match=reason):
        read_melody(read_tune_book(text)[0])


@pytest.mark.parametrize(
    ("text", "fifths"),
    [
        ("G", 1),
        ("Am", 0),
        ("A minor", 0),
        ("Bb", -2),
        ("F#m", 3),
        ("Ddor", 0),
        ("E Dorian", 2),
        ("G mix", 0),
        ("A Mixolydian", 2),
        ("Cmaj", 0),
        ("D phr", -2),
        ("F lyd", 0),
        ("G clef=bass", 1),
        ("none", 0),
        ("Cb", -7),
        ("c", 0),
        ("", None),
        ("clef=treble", None),
        ("bass", None),
    ],
)
def test_keys(text: str, fifths: int | None) -> None:
    key = parse_key(split_properties(text)[0])
    assert key == (None if fifths is None else Key(fifths))


@pytest.mark.parametrize("text", ["H", "G#", "D ^/f", "Hpipes", "Fbm"])
def test_keys_that_cannot_be_engraved(text: str) -> None:
    with pytest.raises(AbcError, match="key"):
        parse_key(text)


def test_meters() -> None:
    assert [parse_meter(text) for text in ("6/8", "C", "C|", "none", " 3/4 ")] == [(6, 8), (4, 4), (2, 2), None, (3, 4)]
    assert [parse_meter(text) for text in ("2+3/8", "(2+3)/8", "(2 + 2 + 3) / 8", "(3)/4")] == [(5, 8), (5, 8), (7, 8), (3, 4)]
    for text in ("(2+3/8", "2+/8", "0+0/8", "2+3", "2+3/7", "2/4+3/8"):
        with pytest.raises(AbcError, match="cannot read meter"):
            parse_meter(text)


def test_note_lengths() -> None:
    texts = ("", "2", "/", "//", "/4", "3/2", "3/")
    assert [float(parse_length(text)) for text in texts] == [1, 2, 0.5, 0.25, 0.25, 1.5, 1.5]
    assert lengths("A A2 A/ A3/2|") == [1, 2, Fraction(1, 2), Fraction(3, 2)]
    assert lengths("A A|", L="1/8") == [Fraction(1, 2)] * 2
    tune = read_tune_book("X:1\nM:2/4\nK:C\nA A|\n")[0]  # no L:, a meter below 3/4
    assert [length for _, length, _ in read_melody(tune).notes()] == [Fraction(1, 4)] * 2


def test_broken_rhythm() -> None:
    assert lengths("A>B A<B A>>B|", L="1/4") == [
        Fraction(3, 2),
        Fraction(1, 2),
        Fraction(1, 2),
        Fraction(3, 2),
        Fraction(7, 4),
        Fraction(1, 4),
    ]


def test_tuplets() -> None:
    assert lengths("(3ABc d|", L="1/8") == [Fraction(1, 3)] * 3 + [Fraction(1, 2)]
    assert lengths("(3A/B/c/ d|") == [Fraction(1, 3)] * 3 + [1]
    assert lengths("(2AB|", L="1/8", M="6/8") == [Fraction(3, 4)] * 2
    assert lengths("(5ABcde f|", L="1/8", M="6/8") == [Fraction(3, 10)] * 5 + [Fraction(1, 2)]
    for meter, base in {"6/8": 3, "9/8": 3, "12/8": 3, "3/8": 2, "(2+3)/8": 2, "3/4": 2, "none": 2}.items():
        for number in (5, 7, 9):
            assert lengths(f"({number}{number * 'A'}|", L="1/8", M=meter) == [Fraction(base, 2 * number)] * number
    assert lengths("(3:2:4 ABcd e|", L="1/8") == [Fraction(1, 3)] * 4 + [Fraction(1, 2)]
    assert lengths("(3A>BA|", L="1/8") == [Fraction(1, 2), Fraction(1, 6), Fraction(1, 3)]


def test_octaves_and_key() -> None:
    assert pitches("C, C c c' B|", K="C") == [48, 60, 72, 84, 71]
    assert pitches("F c B|", K="D") == [66, 73, 71]
    assert pitches("B e A|", K="Eb") == [70, 75, 68]


def test_accidentals_apply_to_their_octave_until_the_end_of_the_bar() -> None:
    assert pitches("F ^F F f|F|") == [65, 66, 66, 77, 65]
    assert pitches("F =F F|F|", K="G") == [66, 65, 65, 66]
    assert pitches("_B ^^c __d|") == [70, 74, 72]


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        ("not", [66, 65, 77, 65, 78, 77, 65]),
        ("octave", [66, 66, 77, 65, 78, 78, 65]),
        ("pitch", [66, 66, 78, 65, 78, 78, 66]),
        ("o", [66, 66, 77, 65, 78, 78, 65]),
    ],
)
@pytest.mark.parametrize("place", ["file", "tune", "I:", "music", "inline", "ending"])
def test_how_far_accidentals_reach(reach: str, expected: list[int], place: str) -> None:
    line = f"%%propagate-accidentals {reach} % a remark\n"
    head, music = "X:1\nT:t\nM:4/4\nL:1/4\n", "^F F f2|F ^f f F|"
    text = {
        "file": f"{line}\n{head}K:C\n{music}\n",
        "tune": f"{head}{line}K:C\n{music}\n",
        "I:": f"{head}I:linebreak $\nI: propagate-accidentals {reach}\nK:C\n{music}\n",
        "music": f"{head}K:C\n^d4|\n{line}{music}\n",
        "inline": f"{head}K:C\n^d4|[I:propagate-accidentals {reach}]{music}\n",
        "ending": f"{head}K:C\n^d4|1 e4:|2 [I:propagate-accidentals {reach}]g4||{music}\n",
    }[place]
    assert [pitch for _, _, pitch in read_melody(read_tune_book(text)[0]).notes()][-7:] == expected


def test_accidentals_reach_as_far_as_the_stated_standard_says() -> None:
    text = "X:1\nM:4/4\nL:1/4\nK:C\n^F f F, [^cf]|F4|\n"
    by_version = {"": [66, 77, 53, 77, 65], "%abc-2.0\n": [66, 77, 53, 77, 65], "%abc-2.1\n": [66, 78, 54, 78, 65]}
    assert {start: [p for *_, p in read_melody(read_tune_book(start + text)[0]).notes()] for start in by_version} == by_version
    with pytest.raises(AbcError, match="propagate-accidentals 'all'; it is not, octave or pitch"):
        melody_of("[I:propagate-accidentals all]c4|")


def test_accidentals_of_grace_notes_and_of_chords_reach_the_notes_after_them() -> None:
    assert pitches("{^c}d c {=c}c c|c {/_de}d [=d^f] F|") == [74, 73, 72, 72, 72, 73, 78, 65]


@pytest.mark.parametrize("place", ["file", "tune", "music", "inline"])
def test_macros_are_written_out(place: str) -> None:
    """A static macro, and one for every note: o is a step above n, m one below. Texts and fields are no music."""
    macros = ["m: ~g2 = {a}g{f}g % a roll", "m: ~n3 = n/o/n/m/n"]
    head, music = "X:1\nT:~g2\nM:4/4\nL:1/4\n", '"~g2"~g2 ~c3 | ~B,3 ~g | ~g2 ~g3 |'
    text = {
        "file": "\n".join([*macros, "", f"{head}K:G\n{music}\n"]),
        "tune": "\n".join([head.rstrip(), *macros, f"K:G\n{music}\n"]),
        "music": "\n".join([f"{head}K:G\nG,4|", *macros, f"{music}\n"]),
        "inline": "\n".join([f"{head}K:G\nG,4|", *(f"[{macro.partition(' %')[0]}]" for macro in macros), f"{music}\n"]),
    }[place]
    expected = [79, 79, 72, 74, 72, 71, 72, 59, 60, 59, 57, 59, 79, 79, 79, 79, 81, 79, 78, 79]
    assert [pitch for *_, pitch in read_melody(read_tune_book(text)[0]).notes()][-20:] == expected


def test_the_longest_macro_counts_and_one_without_content_ends() -> None:
    text = "X:1\nM:4/4\nL:1/4\nm: ~c = d\nm: ~c~c = e\nK:C\n~c~c ~c c2|\nm: ~c =\n~c4|\n"
    assert [pitch for *_, pitch in read_melody(read_tune_book(text)[0]).notes()] == [76, 74, 72, 72]


def test_symbols_stand_for_other_decorations() -> None:
    """S is a segno, unless it is redefined; n is no note of a macro there."""
    text = "X:1\nM:4/4\nL:1/4\nU: S = !slide!\nU: n = !invertedturn!\nU: W = !fine!\nK:C\nScnd Wef|Sg4|\n"
    (tune,) = read_tune_book(text)
    signs = [token.parts["sign"] for token in sounding_tokens(tune.music) if token.kind == "sign"]
    assert signs == ["fine"] and [pitch for *_, pitch in read_melody(tune).notes()] == [72, 74, 76, 77, 79]


def test_ties() -> None:
    assert melody_of("A2-A A-|A A|").notes() == [(0, 3, 69), (3, 2, 69), (5, 1, 69)]
    assert pitches("^F-|F F|") == [66, 65]  # the tie carries the accidental over the bar line, but no further
    assert pitches("A-B A-|z A|") == [69, 71, 69, 69]  # no tie to another pitch or over a rest


def test_changes_of_key_and_meter() -> None:
    melody = melody_of("F2 C2|\nK:D\nF2 C2|[M:3/4]F3|[K:C]F3|")
    assert [(measure.key, measure.meter) for measure in melody.measures] == [
        (None, None),
        (Key(2), None),
        (None, (3, 4)),
        (Key(0), None),
    ]
    assert [pitch for _, _, pitch in melody.notes()] == [65, 60, 66, 61, 66, 65]
    assert [m.quarters for m in melody_of("AB [K:G] cd|").measures] == [2, 2]
    assert melody_of("[K:G]F|").key == Key(1)
    assert pitches("F[K:clef=treble]F[K:bass]F[K:]F[K:none]F|", K="D") == [66, 66, 66, 66, 65]


@pytest.mark.parametrize(
    ("music", "played"),
    [
        ("|:A|B:|c|", "ABc"),
        ("A|1 B:|2 c||d|", "ABd"),
        ("A|[1 B:|[2 c|]d|", "ABd"),
        ("A|[1 B:| [2 c:|d|", "ABd"),
        ("A|[1,3 B:|[2 c:|d|", "ABd"),
        ("|:A::B:|", "AB"),
        ("|:A:||:B:|", "AB"),
        ("|:A:|:B:|", "AB"),
        ("A|[12 B||c|", "Ac"),
        ("A|[1 B|c:|[2 d|e||f|", "ABcf"),
    ],
)
def test_every_section_is_played_once(music: str, played: str) -> None:
    expected = {"A": 69, "B": 71, "c": 72, "d": 74, "e": 76, "f": 77}
    assert pitches(music) == [expected[letter] for letter in played]


def test_a_key_change_in_a_second_ending_applies_after_it() -> None:
    assert pitches("F|1 F:|2 F[K:G]||F|") == [65, 65, 66]
