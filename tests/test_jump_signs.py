"""Signs and words for jumps: those at a bar line are obeyed, those within a bar give no clear order."""

from __future__ import annotations

from pathlib import Path

import mei_tools
import pytest
from musicxml_tools import note, notes, part, score

from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.jump_signs import sign_of_words, times_of_words
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.verovio.layout import bar_order
from score_following_game.data_preparation.errors import EngravingError

CODA, FINE, SEGNO = "To Coda", "Fine", "Segno"
SOUNDS = {
    CODA: 'tocoda="c"',
    "Coda": 'coda="c"',
    "D.C.": 'dacapo="yes"',
    "D.S.": 'dalsegno="s"',
    SEGNO: 'segno="s"',
    FINE: 'fine="yes"',
}
PITCHES = ("E5", "F5", "G5", "A5")  # eighths of each bar
# (sign in bar 2, quarters before it in the bar, offset to the right) -> the order of the bars, None if it is not clear
SIGNS = [
    (CODA, 0, 0, [0, 1, 2, 0, 3]),  # one leaves before the bar
    (CODA, 1, 0, None),
    (CODA, 1.5, 0, None),
    (CODA, 2, 0, [0, 1, 2, 0, 1, 3]),
    (CODA, 1, 0.75, [0, 1, 2, 0, 1, 3]),  # printed in the last note
    (CODA, 2, -1.25, [0, 1, 2, 0, 1, 3]),  # a text that ends at the bar line
    (CODA, 0, 1, None),
    (FINE, 0, 0, None),  # the music may end before the bar or with its first note
    (FINE, 1, 0, None),
    (FINE, 2, 0, [0, 1, 2, 0, 1]),
    (SEGNO, 0, 0, [0, 1, 2, 1, 2, 3]),
    (SEGNO, 0, 0.25, [0, 1, 2, 1, 2, 3]),  # printed to the right of the bar line
    (SEGNO, 0.5, 0, None),
    (SEGNO, 1.5, 0, None),
    (SEGNO, 2, 0, [0, 1, 2, 2, 3]),
]


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        *((text, "fine") for text in ("Fine", "FINE.", " fine: ", "Fine (2nd time)", "Fine 2nd time only", "Fine last time")),
        *(
            (text, "fine")
            for text in ("Fine [after the last verse]", "Fine alla seconda volta", "Fine on the repeat", "Fine, D.C.")
        ),
        *((text, "coda") for text in ("Coda", "CODA 1", "Coda II.", "Coda \U0001d10c")),
        *((text, "segno") for text in ("Segno", "segno 2", "\U0001d10b")),
        *((text, "da_capo") for text in ("D.C.", "D.C. al Fine", "Da Capo al Fine senza replica", "DC")),
        *((text, "dal_segno") for text in ("D.S. al Coda", "dal segno e poi la coda")),
        *((text, "to_coda") for text in ("To Coda", "al Coda")),
        *((text, None) for text in ("Fine and light", "Fine-spun", "Fine del primo atto", "Fine tone", "Finely", "finest", "")),
        *((text, None) for text in ("Coda dolce", "Codas", "Segnor", "Coda-like, in time", "in time", "dolce")),
    ],
)
def test_words_that_are_signs(text: str, sign: str | None) -> None:
    """A word for a place is one alone, or with what says when it counts; not at the beginning of other words."""
    assert sign_of_words(text) == sign


def test_other_words_do_not_end_the_piece() -> None:
    words = "<direction><direction-type><words>{}</words></direction-type></direction>"
    for text, order in (("Fine", [0, 1, 2, 0]), ("Fine and light", [0, 1, 2, 0, 1, 2])):
        bars = notes("C5 D5") + words.format(text), notes("E5 F5"), notes("G5 A5") + direction("D.C.", sounds=False)
        assert order_of("x.musicxml", score(part(*bars, meter="2/4"))) == order


@pytest.mark.parametrize(
    ("text", "times"),
    [
        *(
            (text, 3)
            for text in ("x3", "3x", "3 X", "(3 times)", "Play 3 times", "play three times", "3\u00d7", "thrice", "3x in all")
        ),
        *((text, 0) for text in ("3", "Fine (2nd time)", "times", "x", "3 xylophones", "2nd x", "three", "no 3x here")),
    ],
)
def test_words_that_are_numbers_of_times(text: str, times: int) -> None:
    assert times_of_words(text) == times


WORDS = "<direction><direction-type><words>{}</words></direction-type>{}</direction>".format


@pytest.mark.parametrize("sound", ["", '<sound dacapo="yes"/>'])
@pytest.mark.parametrize(
    ("text", "goal"), [("D.C. al Fine", "fine"), ("Da Capo e poi la Coda", "coda"), ("D.C. al Fin", "fine")]
)
def test_a_jump_to_a_place_that_is_not_there_is_refused(text: str, goal: str, sound: str) -> None:
    """The piece would be played to its end."""
    why = f"bar 2: its jump names a {goal}, and there is none"
    require("x.musicxml", score(part(notes("C5 D5"), notes("E5 F5") + WORDS(text, sound), meter="2/4")), None, why)
    bars = (mei_tools.bar(mei_tools.notes("c5 d5"), after=f'<dir tstamp="3">{text * last}</dir>') for last in range(2))
    require("x.mei", mei_tools.score(*bars, definition='meter.count="2" meter.unit="4"'), None, why)


@pytest.mark.parametrize(("times", "order"), [("", None), ("2", None), ("3", [0, 1, 0, 1, 0, 1])])
def test_a_number_of_times_in_words_must_be_that_of_the_signs(times: str, order: list[int] | None) -> None:
    said = f'times="{times}"' if times else ""
    line = f'<barline location="right"><repeat direction="backward" {said}/></barline>'
    text = score(part(notes("C5 D5"), notes("E5 F5") + WORDS("Play 3x", "") + line, meter="2/4"))
    require("x.musicxml", text, order, "bar 2: its words say that a passage is played 3 times, its signs do not")


def test_a_number_of_times_in_words_of_mei() -> None:
    bars = (
        mei_tools.bar(mei_tools.notes("c5 d5"), more=f'right="{right}"', after='<dir tstamp="1">{}</dir>')
        for right in ("single", "rptend")
    )
    text = mei_tools.score(*bars, definition='meter.count="2" meter.unit="4"')
    require("x.mei", text.replace("{}", "2x"), [0, 1, 0, 1], "")
    require("x.mei", text.replace("{}", "3x"), None, "bar 1: its words say that a passage is played 3 times")


def order_of(name: str, text: str) -> list[int]:
    return bar_order(import_score(Path(name), text, Playing(repeats="written"))[0])


def require(name: str, text: str, order: list[int] | None, why: str) -> None:
    if order is not None:
        assert order_of(name, text) == order
        return
    with pytest.raises(EngravingError, match=why) as caught:
        order_of(name, text)
    assert caught.value.reason == "no clear order of the bars"


def others(text: str) -> tuple[str, str, int]:
    """The jump after bar 3, the goal before bar 4, and the number of bars, for a sign in bar 2."""
    return ("D.S.", "", 4) if text == SEGNO else ("D.C.", "Coda", 4) if text == CODA else ("D.C.", "", 3)


def direction(text: str, offset: float = 0, sounds: bool = True) -> str:
    if not text:
        return ""
    moved = f"<offset>{round(12 * offset)}</offset>" if offset else ""
    sound = f"<sound {SOUNDS[text]}/>" if sounds else ""
    return f"<direction><direction-type><words>{text}</words></direction-type>{moved}{sound}</direction>"


def musicxml(text: str, after: float, offset: float = 0, sounds: bool = True) -> str:
    jump, goal, count = others(text)
    bars = [[note(pitch, 0.5) for pitch in PITCHES] for _ in range(count)]
    bars[1].insert(round(2 * after), direction(text, offset, sounds))
    bars[2].append(direction(jump, 0, sounds))
    bars[-1].insert(0, direction(goal, 0, sounds))
    return score(part(*map("".join, bars), meter="2/4"))


@pytest.mark.parametrize("sounds", [True, False])
@pytest.mark.parametrize(("text", "after", "offset", "order"), SIGNS)
def test_signs_of_musicxml(text: str, after: float, offset: float, order: list[int] | None, sounds: bool) -> None:
    require("x.musicxml", musicxml(text, after, offset, sounds), order, f"bar 2: {text.lower()} within the bar")


def mei(text: str, where: str) -> str:
    """where: attributes of the sign in bar 2, whose notes are n0 to n3."""
    jump, goal, count = others(text)
    signs = ["", f"<dir {where}>{text}</dir>", f'<dir tstamp="3">{jump}</dir>', f'<dir tstamp="1">{goal}</dir>']
    content = "".join(mei_tools.note(pitch, 8) for pitch in ("e5", "f5", "g5", "a5"))
    named = "".join(mei_tools.note(pitch, 8, f'xml:id="n{place}"') for place, pitch in enumerate(("e5", "f5", "g5", "a5")))
    bars = [mei_tools.bar(named if bar == 1 else content, after=sign) for bar, sign in enumerate(signs)]
    return mei_tools.score(*bars[:count], definition='meter.count="2" meter.unit="4"')


@pytest.mark.parametrize(("text", "after", "offset", "order"), SIGNS)
def test_signs_of_mei_at_a_beat(text: str, after: float, offset: float, order: list[int] | None) -> None:
    if not offset:
        require("x.mei", mei(text, f'tstamp="{after + 1}"'), order, f"bar 2: {text.lower()} within the bar")


@pytest.mark.parametrize(
    ("text", "where", "order"),
    [
        (CODA, 'startid="#n3"', [0, 1, 2, 0, 1, 3]),
        (CODA, 'startid="#n2"', None),
        (CODA, 'startid="#n0"', [0, 1, 2, 0, 3]),
        (CODA, "", [0, 1, 2, 0, 1, 3]),  # stands somewhere in the bar
        (SEGNO, 'startid="#n0"', [0, 1, 2, 1, 2, 3]),
        (SEGNO, 'startid="#n3"', None),
        (FINE, 'startid="#n3"', [0, 1, 2, 0, 1]),
        (FINE, 'tstamp="2.5"', [0, 1, 2, 0, 1]),  # the word stands above the last note
        (FINE, 'startid="#n1"', None),
    ],
)
def test_signs_of_mei_at_a_note(text: str, where: str, order: list[int] | None) -> None:
    require("x.mei", mei(text, where), order, f"bar 2: {text.lower()} within the bar")


@pytest.mark.parametrize(
    ("place", "order"), [(0, None), (1, None), (3, [0, 1, 0])]
)  # a text of Humdrum belongs to the note after it; in bar 1 there is no bar before it
def test_words_of_humdrum(place: int, order: list[int] | None) -> None:
    bar = ["8ee", "8ff", "8gg", "8aa"]
    words = [*bar[:place], "!LO:TX:t=Fine", *bar[place:]]
    lines = ["**kern", "*clefG2", "*M2/4", "=1", *words, "=2", *bar[:3], "!LO:TX:t=D.C.&al&Fine", "8aa", "==", "*-"]
    require("x.krn", "\n".join(lines).replace("&", " "), order, "bar 1: fine within the bar")


@pytest.mark.parametrize("place", range(4))
def test_a_jump_in_the_last_bar_is_made_at_its_end(place: int) -> None:
    """Wherever it is printed: the music goes nowhere else. In a bar before, at the first note, it may be meant there."""
    bar = ["8ee", "8ff", "8gg", "8aa"]
    words = [*bar[:place], "!LO:TX:t=D.C.", *bar[place:]]
    lines = ["**kern", "*clefG2", "*M2/4", "=1", *bar, "=2", *words]
    require("x.krn", "\n".join([*lines, "==", "*-"]), [0, 1, 0, 1], "")
    order = [0, 1, 0, 1, 2] if place == 3 else None
    require("x.krn", "\n".join([*lines, "=3", *bar, "==", "*-"]), order, "bar 2: da capo within the bar")
    bars = [notes("C5 D5"), note("E5") + direction("D.C.") + note("F5")]
    require("x.musicxml", score(part(*bars, meter="2/4")), [0, 1, 0, 1], "")


def test_a_fine_that_sounds_at_the_last_note_may_end_the_music_before_it() -> None:
    require("x.musicxml", musicxml(FINE, 1.5, sounds=False), [0, 1, 2, 0, 1], "")
    require("x.musicxml", musicxml(FINE, 1.5), None, "bar 2: fine within the bar")


def test_a_sign_in_the_only_note_of_its_bar() -> None:
    bars = (notes("C5 D5"), direction("Fine") + note("E5", 2), notes("F5") + direction("D.C.") + note("G5"))
    assert order_of("x.musicxml", score(part(*bars, meter="2/4"))) == [0, 1, 2, 0, 1]  # D.C. in the last bar is at its end
    tied = '<tie type="start"/>', '<tie type="stop"/>'
    held = note("E5", more=tied[0]) + direction("Fine") + note("E5", more=tied[1])
    assert order_of("x.musicxml", score(part(bars[0], held, bars[2], meter="2/4"))) == [0, 1, 2, 0, 1]


def test_the_left_hand_may_go_on() -> None:
    """A sign at the last note of one voice is within the bar if another voice has later notes."""
    low = "<backup><duration>24</duration></backup>" + notes("C4 C4 C4 C4", quarters=0.5, voice=2)
    bars = (
        notes("C5 D5") + low,
        note("E5") + direction("Fine", sounds=False) + note("F5") + low,
        notes("F5 G5") + direction("D.C."),
    )
    require("x.musicxml", score(part(*bars, meter="2/4")), None, "bar 2: fine within the bar")


def barline(place: str, content: str) -> str:
    return f'<barline location="{place}">{content}</barline>'


FORWARD, BACKWARD = '<repeat direction="forward"/>', '<repeat direction="backward"/>'


@pytest.mark.parametrize(
    ("second", "order"),
    [
        (barline("left", FORWARD) + "{}" + barline("right", BACKWARD), [0, 1, 1, 2]),
        (barline("left", BACKWARD) + "{}", [0, 0, 1, 2]),
        ("{}" + barline("right", BACKWARD), [0, 1, 0, 1, 2]),
        ('<sound forward-repeat="yes"/>{}' + barline("right", BACKWARD), [0, 1, 1, 2]),
        ("{}" + barline("middle", BACKWARD) + note("E5"), None),
        ("{}" + barline("middle", FORWARD) + note("E5"), None),
        ("{}" + barline("right", BACKWARD.replace("/>", ' after-jump="yes"/>')), None),
        ('{}<sound forward-repeat="yes"/>' + note("E5"), None),
    ],
)
def test_repeats_of_musicxml(second: str, order: list[int] | None) -> None:
    bars = (notes("C5 D5"), second.format(notes("E5 F5")), notes("G5 A5"))
    require("x.musicxml", score(part(*bars, meter="2/4")), order, "bar 2: a repeat (within the bar|that is played again)")


def test_signs_at_bar_lines_of_musicxml() -> None:
    bars = [notes("C5 D5"), notes("E5 F5"), notes("G5 A5") + direction("D.S."), notes("G5 A5")]
    for place, bar in (("left", 1), ("right", 0)):
        at = [barline(place, "<segno/>") + text if index == bar else text for index, text in enumerate(bars)]
        assert order_of("x.musicxml", score(part(*at, meter="2/4"))) == [0, 1, 2, 1, 2, 3]


def test_notes_of_single_repetitions_give_no_clear_order() -> None:
    once = notes("C5 D5").replace("<note ", '<note time-only="1" ', 1)
    require(
        "x.musicxml", score(part(once + barline("right", BACKWARD), notes("E5 F5"), meter="2/4")), None, "bar 1: .*time-only"
    )


def test_a_bar_line_within_a_measure_of_mei() -> None:
    content = mei_tools.note("c5", 4) + '<barLine form="rptend"/>' + mei_tools.note("d5", 4)
    text = mei_tools.score(mei_tools.bar(content), definition='meter.count="2" meter.unit="4"')
    require("x.mei", text, None, "bar 1: a repeat within the bar")
