"""The order of the bars: marks read from MEI, and what they mean."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mei_tools import bar, notes, score

from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.engraving.mei.expansion import expansion_order
from score_following_game.data_preparation.engraving.mei.marks import ending_numbers, marks_of
from score_following_game.data_preparation.engraving.mei.tree import parse
from score_following_game.data_preparation.engraving.order import once_order, written_order
from score_following_game.data_preparation.errors import EngravingError

_FIELDS = {"S": "segno", "O": "coda", "F": "fine", "T": "to_coda", "D": "da_capo", "G": "dal_segno"}


def marks(text: str) -> list[BarMarks]:
    """One word per bar: "|:" and ":|" (":3|" three times), "[1" or "[12" in an ending, letters of _FIELDS, "." for none."""
    found = []
    for word in text.split():
        mark = BarMarks(repeat_start="|:" in word)
        if ":|" in word or ":3|" in word:
            mark = replace(mark, repeat_end=3 if ":3|" in word else 2)
        if "[" in word:
            mark = replace(mark, ending=tuple(int(c) for c in word.partition("[")[2].partition("]")[0]))
        for letter, field in _FIELDS.items():
            if letter in word:
                mark = replace(mark, **{field: True})
        found.append(mark)
    return found


@pytest.mark.parametrize(
    ("bars", "written"),
    [
        (". . .", "0 1 2"),
        (". :| .", "0 1 0 1 2"),
        (". |: :| .", "0 1 2 1 2 3"),
        ("|: . :3| .", "0 1 2 0 1 2 0 1 2 3"),
        (". :| . :|", "0 1 0 1 2 3 2 3"),
        ("|: :| |: :|", "0 1 0 1 2 3 2 3"),
        ("|::| |::| .", "0 0 1 1 2"),
        ("|: . [1]:| [2] .", "0 1 2 0 1 3 4"),
        ("|: [1] [1]:| [2] [2] .", "0 1 2 0 3 4 5"),
        ("|: [1] [2] .", "0 1 0 2 3"),  # the sign at the end of the first ending is often missing
        ("|: . [12]:| [3] .", "0 1 2 0 1 2 0 1 3 4"),
        ("|: [1]:| [2]:| [3] .", "0 1 0 2 0 3 4"),
        ("|: [1]:| [2]:| .", "0 1 0 2 3"),  # a sign at the last ending repeats nothing more
        ("|: . [1]:| .", "0 1 2 0 1 3"),  # a lone first ending
        (". [1]:| [2] . :| .", "0 1 0 2 3 4 3 4 5"),  # what follows the endings is repeated from there
        ("|: [1]:| [2] |: [1]:| [2] .", "0 1 0 2 3 4 3 5 6"),
        (". .F . .D", "0 1 2 3 0 1"),
        (". .S . .G .", "0 1 2 3 1 2 3 4"),
        (". .S .F .G", "0 1 2 3 1 2"),
        (". .T . .D .O .", "0 1 2 3 0 1 4 5"),
        (". .S .T . .G .O . .F", "0 1 2 3 4 1 2 5 6 7"),
        ("|: :|F |: :|D", "0 1 0 1 2 3 2 3 0 1"),  # no repeats after the jump
        ("|: . [1]:| [2]F . .D", "0 1 2 0 1 3 4 5 0 1 3"),  # and the last ending
        ("|: [1]D [2]F", "0 1 0 2"),  # the jump is in the first ending
        ("|: . [1]:| .F .D", "0 1 2 0 1 3 4 0 1 3"),
        (". .D .", "0 1 0 1 2"),
        (". .D . .D", "0 1 0 1 2 3 0 1 2 3"),  # every jump is made, one after the other
        (". .S .G . .D", "0 1 2 1 2 3 4 0 1 2 3 4"),
        (". .D |: :| .", "0 1 0 1 2 3 2 3 4"),  # bars after the jump are new: their repeats are played
        (". .D |: [1]:| [2]", "0 1 0 1 2 3 2 4"),
        (". .T .D .O |: :| .", "0 1 2 0 1 3 4 5 4 5 6"),  # also in the coda
        (". .T .D .O . .D", "0 1 2 0 1 3 4 5 0 1 3 4 5"),
        (". .D . .F .D", "0 1 0 1 2 3 4 0 1 2 3"),  # fine counts after the last jump
        (". .D .F", "0 1 0 1 2"),
        ("|: [1]:| [2]D .", "0 1 0 2 0 2 3"),
        ("|:S . :| .S", "0 1 2 0 1 2 3"),  # signs of a segno at a repeat say the same as the repeat
        ("", ""),
    ],
)
def test_written_order(bars: str, written: str) -> None:
    assert written_order(marks(bars)) == [int(bar) for bar in written.split()]


@pytest.mark.parametrize(
    ("bars", "once"),
    [
        ("|: . :| .S .G", "0 1 2 3 4"),
        ("|: [1]:| [2] .", "0 1 3"),
        ("|: [12]:| [3] .", "0 1 3"),
        ("[2] [1] .", "1 2"),
        (". [2] .", "0 1 2"),
        ("[1] [2] [1] [2]", "0 2"),
    ],
)
def test_once_order(bars: str, once: str) -> None:
    assert once_order(marks(bars)) == [int(bar) for bar in once.split()]


@pytest.mark.parametrize(
    ("bars", "bar", "why"),
    [
        ("|: [1] [1]|: [1]:| [1]:| [2]", 3, "a repeat inside an ending"),
        ("|: [1] [1]:| [1]:| [2]", 3, "a repeat inside an ending"),
        ("|: [1]:| [2] [2]|: [2]:|", 4, "a repeat inside an ending"),
        ("|: [1]|::| [2]", 2, "a repeat inside an ending"),
        ("|: . |: :| :|", 3, "a repeat begins inside the one from 2 bars before"),
        ("|: . |: :|", 3, "a repeat begins inside"),
        ("|: :| |: .", 3, "a repeat begins that has no end"),
        ("|: [1]:| [2] [1] [2]", 4, "endings without music before them"),
        ("|: :| [1]:| [2]", 3, "endings without music before them"),
        ("|: . [2] .", 3, "the endings are 2"),
        (". [1]:| [3]", 2, "the endings are 1, 3"),
        (". [1] .", 2, "a first ending without a repeat"),
        ("|: .D :|", 2, "a jump inside a repeat"),
        ("|: .D [1]:| [2]", 2, "a jump inside a repeat"),
        (". [1]D:| [2]", 2, "a jump inside an ending that is repeated"),
        (". .G", 2, "no segno before it"),
        (". .G .S", 2, "no segno before it"),
        (".S .S .G", 3, "2 signs of a segno before it"),
        (". .F . .", 2, "a fine without"),
        (". .S . .", 2, "a segno without"),
        (". .T . .O", 2, "the way to a coda without"),
        (". .O .D", 2, "a coda without a jump"),
        (". .T .D", 2, "the way to a coda without a coda"),
        (". .OT .D", 2, "a coda before the jump"),
        (". .T . .OD", 4, "a coda before the jump"),
        (". .T .D .O .O", 2, "2 signs of a coda after it"),
        (". [12]SG [3]", 2, "a jump into an ending that is not played after it"),
        (". .F .D .", 4, "no order of repeats and jumps reaches it"),  # perhaps the next piece
        ("|:S [1]T:| [2] .G .O", 2, "after no jump back the way to the coda is reached"),
        (". .T .S .G .O", 2, "after no jump back the way to the coda is reached"),
        (". .F .D . .D", 4, "no order of repeats and jumps reaches it"),
    ],
)
def test_marks_without_a_clear_order_are_refused(bars: str, bar: int, why: str) -> None:
    with pytest.raises(EngravingError, match=why) as caught:
        written_order(marks(bars), [f"m{bar + 1}" for bar in range(len(bars.split()))])
    assert caught.value.reason == "no clear order of the bars"
    assert caught.value.detail.startswith(f"bar m{bar}: ") and "--order" in caught.value.detail


MARK = st.builds(
    BarMarks,
    st.booleans(),
    st.sampled_from((0, 0, 0, 2, 3)),
    st.sampled_from(((), (), (), (1,), (2,), (1, 2), (3,))),
    *([st.sampled_from((False,) * 5 + (True,))] * 6),
)


@given(st.lists(MARK, max_size=12))
def test_any_marks_end(bars: list[BarMarks]) -> None:
    """In an order that begins with a bar played once, too, or in a reason."""
    assert once_order(bars) == sorted(set(once_order(bars)))
    try:
        order = written_order(bars)
    except EngravingError as error:
        assert error.reason == "no clear order of the bars"
        return
    assert set(order) == set(range(len(bars)))
    jumps = sum(mark.da_capo or mark.dal_segno for mark in bars)
    assert sum(later <= earlier for earlier, later in pairwise(order)) >= jumps  # every jump back is made


# --- reading


def measure(more: str = "", after: str = "") -> str:
    return bar(notes("c4 c4 c4 c4"), more=more, after=after)


def read_marks(text: str) -> list[BarMarks]:
    prepared, reading = read_mei(text)
    return marks_of(parse(prepared), reading.bars)


def test_bar_lines_and_endings() -> None:
    text = score(
        measure('left="rptstart" right="rptboth"'),
        measure('right="rptend"'),
        measure('left="rptboth"'),
        f'<ending n="1, 2">{measure()}</ending><ending n="3.">{measure()}</ending><section>{measure()}</section>',
        f"<ending>{measure()}</ending><ending>{measure()}</ending>",
    )
    found = marks_of(parse(text), None)
    assert [mark.repeat_start for mark in found] == [True, True, True, False, False, False, False, False]
    assert [mark.repeat_end for mark in found] == [2, 2, 0, 0, 0, 0, 0, 0]
    assert [mark.ending for mark in found] == [(), (), (), (1, 2), (3,), (), (1,), (2,)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1", (1,)), ("1, 2", (1, 2)), ("1.-3.", (1, 2, 3)), ("1.2.", (1, 2)), ("", ()), ("x", ()), ("0", ()), ("1-9999", None)],
)
def test_numbers_of_endings(text: str, numbers: tuple[int, ...] | None) -> None:
    assert ending_numbers(text) == (tuple(range(1, 65)) if numbers is None else numbers)


@pytest.mark.parametrize(
    ("mark", "field"),
    [
        ('<repeatMark func="segno" tstamp="1"/>', "segno"),
        ('<repeatMark func="daCapo" tstamp="5"/>', "da_capo"),
        ('<repeatMark func="dalSegno"/>', "dal_segno"),
        ('<repeatMark func="fine"/>', "fine"),
        ('<repeatMark func="coda" tstamp="1"/>', "coda"),
        ('<dir type="tocoda" tstamp="5"><rend>To Coda</rend></dir>', "to_coda"),
        ("<dir>D.C. al <rend>Fine</rend></dir>", "da_capo"),
        ("<dir>Da Capo</dir>", "da_capo"),
        ("<dir>D. S. al Coda</dir>", "dal_segno"),
        ("<dir>Dal segno</dir>", "dal_segno"),
        ("<dir>\n  Fine.</dir>", "fine"),
        ("<dir>al Coda</dir>", "to_coda"),
        ("<dir>Coda</dir>", "coda"),
        ('<dir><symbol glyph.name="segno"/></dir>', "segno"),
        ('<dir><rend glyph.auth="smufl">\ue048</rend></dir>', "coda"),
        ("<dir>dolce</dir>", ""),
        ("<dir>da lontano</dir>", ""),
        ("<dir>finely</dir>", ""),
        ("<tempo>Adagio</tempo>", ""),
    ],
)
def test_jumps_and_signs(mark: str, field: str) -> None:
    first, second = read_marks(score(measure(after=mark), measure()))
    until = next((goal for goal in ("fine", "coda") if field.startswith("da") and goal in mark.lower()), "")
    assert first == (BarMarks(**{field: True}, until=until) if field else BarMarks())
    assert second == BarMarks()


def test_signs_after_the_last_note_belong_to_the_next_bar() -> None:
    text = score(measure(after='<repeatMark func="coda" tstamp="5"/>'), measure())
    assert [mark.coda for mark in read_marks(text)] == [False, True]


def test_of_two_coda_signs_the_first_is_where_one_leaves() -> None:
    coda, capo = '<repeatMark func="coda" tstamp="1"/>', "<dir>D.C. al Coda</dir>"
    text = score(measure(), measure(after=coda), measure(after=capo), measure(after=coda))
    assert written_order(read_marks(text)) == [0, 1, 2, 0, 3]
    said = score(measure(after="<dir>To Coda</dir>"), measure(after=coda), measure(after=capo), measure(after=coda))
    assert written_order(read_marks(said)) == [0, 1, 2, 0, 3]


def order_of(*content: str) -> list[int] | None:
    prepared, reading = read_mei(score(*content))
    return expansion_order(prepared, reading.bars)


def section(name: str, content: str, tag: str = "section", more: str = "") -> str:
    return f'<{tag} xml:id="{name}" {more}>{content}</{tag}>'


A, B, C = section("a", measure() * 2), section("b", measure()), section("c", measure())
WITHOUT = '<expansion type="norep" plist="#a #b"/>'


@pytest.mark.parametrize(
    ("content", "order"),
    [
        ('<expansion plist="#a #b #a"/>' + A + B, [0, 1, 2, 0, 1]),
        (A + B, None),
        (WITHOUT + A + B, None),  # then repeats are made by their signs
        (WITHOUT + '<expansion plist="#b #a"/>' + A + B, [2, 0, 1]),
        # as the engraver writes the two lists of a Humdrum file
        (
            f'<choice><orig><expansion plist="#a #b #a"/></orig><reg type="norep">{WITHOUT}</reg></choice>' + A + B,
            [0, 1, 2, 0, 1],
        ),
        ('<expansion plist="#a #e #a #f"/>' + A + section("e", measure(), "ending") + section("f", measure(), "ending"),)
        + ([0, 1, 2, 0, 1, 3],),
        (section("o", '<expansion plist="#b #a #b"/>' + A + B) + C, [2, 0, 1, 2, 3]),  # of a part of the score
        ('<expansion plist="#o #c #o"/>' + section("o", '<expansion plist="#a #a #b"/>' + A + B) + C,)
        + ([0, 1, 0, 1, 2, 3, 0, 1, 0, 1, 2],),
        ('<expansion plist="#x #b"/><expansion xml:id="x" plist="#a #a"/>' + A + B, [0, 1, 0, 1, 2]),
    ],
)
def test_expansions(content: str, order: list[int] | None) -> None:
    assert order_of(content) == order


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('<expansion plist="#a #nowhere"/>' + A, "lists 'nowhere', which is not there"),
        (section("o", '<expansion plist="#a #o"/>' + A), "lists itself"),
        (section("o", '<expansion plist="#a #b #a"/>' + A + B) + measure('right="rptend"'), "bar 4: a repeat or jump"),
        (
            "".join(section(f"s{k}", f'<expansion plist="#s{k + 1} #s{k + 1}"/>', "section") for k in range(20))
            + section("s20", A),
            "more than 20000 bars",
        ),
    ],
)
def test_expansions_without_a_clear_order_are_refused(content: str, why: str) -> None:
    with pytest.raises(EngravingError, match=why) as caught:
        order_of(content)
    assert caught.value.reason == "no clear order of the bars"
