"""Ties where bars are repeated: a note is held if a tie begins at the note played before it and one ends at it."""

from __future__ import annotations

import mei_tools
import pytest
from engraving_tools import ONE, TWO, engraved
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving.abc.repeats import tune_in_order
from score_following_game.data_preparation.engraving.abc.tune_book import read_tune_book
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei

Sound = tuple[float, float, int]
WRITTEN = Playing(repeats="written")
START, STOP = '<tie type="start"/>', '<tie type="stop"/>'
BACKWARD = '<repeat direction="backward"/>'


def barline(place: str, content: str) -> str:
    return f'<barline location="{place}">{content}</barline>'


FORWARD = barline("left", '<repeat direction="forward"/>')
AGAIN = barline("right", BACKWARD)


def ending(numbers: str, content: str, last: bool = False) -> str:
    left = barline("left", f'<ending number="{numbers}" type="start"/>')
    kind, repeat = ("discontinue", "") if last else ("stop", BACKWARD)
    return left + content + barline("right", f'<ending number="{numbers}" type="{kind}"/>{repeat}')


def g(*ties: str, quarters: float = 1, printed: str = "") -> str:
    return note("G5", quarters, more="".join(ties), notations=printed)


def heard(piece: EngravedPiece) -> list[Sound]:
    """(onset, end, pitch), without the ticks by which a note ends before its pitch comes again."""
    return [(float(n.onset), round(float(n.end), 2), n.pitch) for n in piece.notes]


def sounds(text: str) -> list[Sound]:
    """(onset, end, pitch) of words like "79:2": pitches with their quarters, 1 if not given, one after the other."""
    found: list[Sound] = []
    now = 0.0
    for word in text.split():
        pitch, _, quarters = word.partition(":")
        found.append((now, now + float(quarters or 1), int(pitch)))
        now = found[-1][1]
    return found


COMMON = FORWARD + note("C5") + g(START)
FIRST = ending("1", g(STOP) + note("A5"))
AFTER = notes("E5 F5")


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ((COMMON, FIRST, ending("2", g(STOP) + note("B5"), True), AFTER), "72 79:2 81 72 79:2 83 76 77"),
        ((COMMON, FIRST, ending("2", notes("G5 B5"), True), AFTER), "72 79:2 81 72 79 79 83 76 77"),  # no tie there
        ((COMMON, FIRST, ending("2", note("A5", more=STOP) + note("B5"), True)), "72 79:2 81 72 79 81 83"),  # another pitch
        ((COMMON, FIRST, ending("2", g(printed='<tied type="stop"/>') + note("B5"), True)), "72 79:2 81 72 79:2 83"),
        ((COMMON, FIRST, ending("2", g(STOP, START, quarters=2), True), g(STOP) + note("B5")), "72 79:2 81 72 79:4 83"),
        (
            (COMMON, FIRST, ending("2", g(STOP) + note("B5")), ending("3", g(STOP) + note("E5"), True)),
            "72 79:2 81 72 79:2 83 72 79:2 76",
        ),
        (
            (COMMON, ending("1, 2", g(STOP) + note("A5")), ending("3", g(STOP) + note("E5"), True)),
            "72 79:2 81 72 79:2 81 72 79:2 76",
        ),
        # over the repeat sign: the first note of the repeat is struck the first time
        ((FORWARD + g(STOP) + note("A5"), note("B5") + g(START) + AGAIN, AFTER), "79 81 83 79:2 81 83 79 76 77"),
        ((FORWARD + notes("G5 A5"), note("B5") + g(START) + AGAIN, g(STOP) + note("F5")), "79 81 83 79 79 81 83 79:2 77"),
        (
            (note("C5") + g(START), FORWARD + g(STOP) + note("A5"), note("B5") + g(START) + AGAIN, AFTER),
            "72 79:2 81 83 79:2 81 83 79 76 77",
        ),
        # the first ending is tied back to the beginning, not to the second ending
        (
            (FORWARD + g(STOP) + note("A5"), ending("1", note("B5") + g(START)), ending("2", g(STOP) + note("E5"), True)),
            "79 81 83 79:2 81 79 76",
        ),
        (
            (
                notes("C5 D5"),
                note("E5") + g(START) + '<sound tocoda="c"/>',
                g(STOP) + note("F5") + '<sound dacapo="yes"/>',
                '<sound coda="c"/>' + g(STOP) + note("C5"),
            ),
            "72 74 76 79:2 77 72 74 76 79:2 72",
        ),
    ],
)
def test_ties_of_musicxml(bars: tuple[str, ...], expected: str) -> None:
    assert heard(engraved("x.musicxml", score(part(*bars, meter="2/4")), ONE, WRITTEN)) == sounds(expected)


def test_a_chord_and_two_staves() -> None:
    def bar(upper: str, *lower: str) -> str:
        return upper + back(2) + "".join(lower)

    def low(pitch: str, *ties: str) -> str:
        return note(pitch, more="".join(ties), voice=5, staff=2)

    def chord(*ties: str) -> str:  # of its two notes the upper one is tied
        return note("E5", staff=1) + note("G5", more="<chord/>", staff=1).replace("</duration>", "</duration>" + "".join(ties))

    bars = (
        bar(FORWARD + note("C5", staff=1) + chord(START), low("C3"), low("E3", START)),
        ending("1", bar(chord(STOP) + note("A5", staff=1), low("E3", STOP), low("F3"))),
        ending("2", bar(chord(STOP) + note("B5", staff=1), low("E3", STOP), low("D3")), True),
    )
    piece = engraved("x.musicxml", score(part(*bars, meter="2/4", staves=TWO_STAVES)), TWO, WRITTEN)
    once = [(0, 1, 48), (0, 1, 72), (1, 3, 52), (1, 2, 76), (1, 3, 79), (2, 3, 76), (3, 4, 53), (3, 4, 81)]
    again = [(4, 5, 48), (4, 5, 72), (5, 7, 52), (5, 6, 76), (5, 7, 79), (6, 7, 76), (7, 8, 50), (7, 8, 83)]
    assert sorted(heard(piece)) == sorted(once + again)


def mei_bar(first: str, second: str, more: str = "", after: str = "") -> str:
    return mei_tools.bar(first + second, more=more, after=after)


@pytest.mark.parametrize(
    ("ties", "after"),
    [
        (("i", "t", "t"), ("", "", "")),
        (("", "", ""), ('<tie startid="#a" endid="#b"/><tie startid="#a" endid="#c"/>', "", "")),
        (("", "", ""), ("", '<tie startid="#a" endid="#b"/>', '<tie startid="#a" endid="#c"/>')),
        (("", "", ""), ('<tie startid="#a" endid="#b"/>', "", '<tie tstamp="0" endid="#c"/>')),
    ],
)
def test_ties_of_mei(ties: tuple[str, ...], after: tuple[str, ...]) -> None:
    def held(name: str, tie: str) -> str:
        return mei_tools.note("g5", 4, f'xml:id="{name}"' + (f' tie="{tie}"' if tie else ""))

    a, b, c = (held(name, tie) for name, tie in zip("abc", ties))
    bars = (
        mei_bar(mei_tools.note("c5"), a, 'left="rptstart"', after[0]),
        '<ending n="1">' + mei_bar(b, mei_tools.note("a5"), 'right="rptend"', after[1]) + "</ending>",
        '<ending n="2">' + mei_bar(c, mei_tools.note("b5"), "", after[2]) + "</ending>",
    )
    text = mei_tools.score(*bars, definition='meter.count="2" meter.unit="4"')
    assert heard(engraved("x.mei", text, ONE, WRITTEN)) == sounds("72 79:2 81 72 79:2 83")


@pytest.mark.parametrize("sections", [True, False])
def test_ties_of_humdrum(sections: bool) -> None:
    lists = ["*>[A,A1,A,A2]", "*>norep[A,A2]"]
    lines = [
        "**kern",
        *lists,
        "*>A",
        "*clefG2",
        "*M2/4",
        "=1",
        "4cc",
        "[4gg",
        "*>A1",
        "=2",
        "4gg]",
        "4aa",
        "*>A2",
        "=3:|!",
        "4gg]",
        "4bb",
        "==",
        "*-",
    ]
    expected = "72 79:2 81 72 79:2 83"
    if not sections:  # a passage that is repeated without endings
        lines = ["**kern", "*clefG2", "*M2/4", "=1|:", "4gg]", "4aa", "=2", "4bb", "[4gg", "=3:|!", "4gg]", "4bb", "==", "*-"]
        expected = "79 81 83 79:2 81 83 79:2 83"
    assert heard(engraved("x.krn", "\n".join(lines), ONE, WRITTEN)) == sounds(expected)


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("|:CG-|1 GA:|2 GB|]", "60 67:2 69 60 67:2 71"),  # ABC marks only where a tie begins
        ("|:CG|1 GA:|2 GB|]", "60 67 67 69 60 67 67 71"),
        ("|:C^F-|1 FA:|2 FB|]", "60 66:2 69 60 66:2 71"),
        ("|:C^F-|1 FA:|2 =FB|]", "60 66:2 69 60 66 65 71"),
        ("|:CG-|1 GA:|2 GB:|3 GC|]", "60 67:2 69 60 67:2 71 60 67:2 60"),
        ("|:GA|BG-:|cd|]", "67 69 71 67:2 69 71 67 72 74"),
        ("|:CG-|1 AG-:|2 GB|]", "60 67 69 67 60 67:2 71"),
        ("|:C2G5/2-|1 G4:|2 G2B|]", "60:2 67:6.5 60:2 67:4.5 71"),  # a long note is drawn as several
    ],
)
def test_ties_of_abc(music: str, expected: str) -> None:
    (tune,) = read_tune_book(f"X:1\nT:a\nM:2/4\nL:1/4\nK:C\n{music}\n")
    mei, reading = tune_in_order(tune, WRITTEN)
    assert heard(engrave(clean_mei(mei, ONE), ONE, reading, 100.0)) == sounds(expected)
