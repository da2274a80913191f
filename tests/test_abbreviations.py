"""Repeated bars, repeated beats and tremolos written out: in MEI, and in a reading by the same rules."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from engraving_tools import engraved, notes_of
from mei_tools import bar as mei_bar
from mei_tools import note as mei_note
from mei_tools import score as mei_score
from musicxml_tools import note as xml_note
from musicxml_tools import part
from musicxml_tools import score as xml_score

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.read_bar import ReadNote
from score_following_game.data_preparation.engraving.repetition import (
    again,
    alternating,
    copy_id,
    repeated,
    stroke_count,
    stroke_duration,
)
from score_following_game.data_preparation.engraving.verovio.abbreviations import write_out
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.errors import EngravingError

C = '<note xml:id="c" dur="{}" pname="c" oct="4"/>'
BAR = '<note xml:id="a" dur="2" pname="a" oct="4" tie="i"/><note xml:id="b" dur="2" pname="b" oct="4" accid="f"/>'


def score(*layers: str, meter: str = 'meter.count="4" meter.unit="4"') -> ElementTree.Element:
    """A score with one staff. Each text is the content of a layer; what follows a | in it comes after the staff."""
    bars = "".join(
        f'<measure n="{n}"><staff n="1"><layer n="1">{text.split("|")[0]}</layer></staff>{text.partition("|")[2]}</measure>'
        for n, text in enumerate(layers, 1)
    )
    return ElementTree.fromstring(f'<mei xmlns="{MEI[1:-1]}"><scoreDef {meter}/><section>{bars}</section></mei>')


def notes(root: ElementTree.Element) -> list[list[tuple[str, str, str]]]:
    """Per bar (id, step, dur) of its notes."""
    return [
        [(note.get(ID, ""), note.get("pname", ""), note.get("dur", "")) for note in measure.iter(f"{MEI}note")]
        for measure in root.iter(f"{MEI}measure")
    ]


def ids(root: ElementTree.Element) -> list[str]:
    return [" ".join(id_ for id_, _, _ in bar) for bar in notes(root)]


def test_repeated_bars() -> None:
    root = score(BAR + '|<tie startid="#a" endid="#b"/>', "<mRpt/>", "<mRpt/>")
    write_out(root)
    assert ids(root) == ["a b", "a-bar1 b-bar1", "a-bar2 b-bar2"]
    assert [(tie.get("startid"), tie.get("endid")) for tie in root.iter(f"{MEI}tie")][1:] == [
        ("#a-bar1", "#b-bar1"), ("#a-bar2", "#b-bar2"),
    ]  # fmt: skip
    assert [note.get("accid") for note in root.iter(f"{MEI}note")] == [None, "f"] * 3


@pytest.mark.parametrize("sign", ["<mRpt2/>", '<multiRpt num="2"/>'])
def test_two_repeated_bars(sign: str) -> None:
    root = score(C.format(1), BAR, sign, "<mSpace/>", "<rest/>")
    write_out(root)
    assert ids(root) == ["c", "a b", "c-bar2", "a-bar3 b-bar3", ""]


def test_repeated_beats() -> None:
    second = C.format(8).replace('id="c"', 'id="x"')
    root = score(f"{C.format(4)}<halfmRpt/>", meter='meter.count="2" meter.unit="4"')
    write_out(root)
    assert ids(root) == ["c c-beat1000"]
    root = score(f"<beam>{C.format(8)}{second}</beam><beatRpt/><beatRpt/>" + C.format(4).replace('id="c"', 'id="z"'))
    write_out(root)
    assert ids(root) == ["c x c-beat1000 x-beat1000 c-beat2000 x-beat2000 z"]


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (["<mRpt/>"], "bar 1, staff 1: a sign to repeat 1 bars"),
        ([C.format(1), "<mRpt2/>"], "bar 2, staff 1: a sign to repeat 2 bars"),
        (["<beatRpt/>"], "bar 1, staff 1: the music before a repeat sign is not 1 quarters"),
        ([C.format(2) + "<beatRpt/>"], "the music before a repeat sign is not 1 quarters"),
        ([f"<fTrem>{C.format(2)}</fTrem>"], "a tremolo of 1 notes"),
    ],
)
def test_signs_without_music_are_named(layers: list[str], reason: str) -> None:
    with pytest.raises(EngravingError, match=reason):
        write_out(score(*layers))


@pytest.mark.parametrize(
    ("content", "count", "dur"),
    [
        ('<bTrem unitdur="16">{}</bTrem>', 8, "16"),
        ("<bTrem>{}</bTrem>", 16, "32"),  # unmeasured
        ('<bTrem unitdur="128">{}</bTrem>', 16, "32"),
    ],
)
def test_tremolo_on_a_note(content: str, count: int, dur: str) -> None:
    root = score(content.format(C.format(2)) + '<rest dur="2"/>')
    write_out(root)
    assert notes(root)[0] == [("c" if not k else f"c-again{k}", "c", dur) for k in range(count)]
    assert root.find(f".//{MEI}bTrem") is None


@pytest.mark.parametrize(
    ("dur", "slashes", "count", "each"), [("4.", 1, 3, "8"), ("8", 1, 2, "16"), ("8", 2, 4, "32"), ("16", 4, 2, "32")]
)
def test_strokes_on_a_stem(dur: str, slashes: int, count: int, each: str) -> None:
    note = C.format(dur.rstrip(".")).replace("/>", f' dots="{dur.count(".")}" stem.mod="{slashes}slash"/>')
    root = score(f'<beam>{note}</beam>|<tie startid="#c" endid="#later"/>')
    write_out(root)
    assert [(step, value) for _, step, value in notes(root)[0]] == [("c", each)] * count
    tie = root.find(f".//{MEI}tie")
    assert tie is not None and tie.get("startid") == f"#c-again{count - 1}"  # the last stroke is held


def test_strokes_that_do_not_fit_are_played_as_one_note() -> None:
    root = score(C.format(1).replace("/>", ' dots="0" stem.mod="1slash"/>').replace('"1"', '"breve"', 1))
    write_out(root)
    assert len(notes(root)[0]) == 16
    assert stroke_count(Fraction(1, 3), Fraction(1, 4)) == 1


@pytest.mark.parametrize("attributes", ['beams="2"', 'unitdur="16"'])
def test_tremolo_between_chords(attributes: str) -> None:
    chord = '<chord dur="2"><note xml:id="d" pname="d"/><note xml:id="f" pname="f"/></chord>'
    root = score(f"<fTrem {attributes}>{C.format(2)}{chord}</fTrem>" + '<rest dur="2"/>')
    write_out(root)
    assert ids(root)[0].split()[:6] == ["c", "d", "f", "c-again1", "d-again1", "f-again1"]
    assert len(notes(root)[0]) == 12
    assert [
        element.get("dur") for element in root.iter() if element.tag in (f"{MEI}note", f"{MEI}chord") and element.get("dur")
    ] == ["16"] * 8


def test_a_repeated_bar_of_strokes() -> None:
    root = score(C.format(1).replace("/>", ' stem.mod="1slash"/>'), "<mRpt/>", "<mRpt/>")
    write_out(root)
    assert [len(set(bar)) for bar in notes(root)] == [8, 8, 8]
    assert ids(root)[2].split()[:2] == ["c-bar2", "c-again1-bar2"]


def note(id_: str, onset: int = 0, duration: Fraction = Fraction(1), pitch: int = 60, tied_to: str = "") -> ReadNote:
    return ReadNote(id_, Fraction(onset), duration, pitch, 1, tied_to=tied_to)


def test_a_reading_has_the_notes_of_the_mei() -> None:
    """The same ids and durations as in the tests above, from the rules alone."""
    strokes = repeated(note("c", duration=Fraction(3, 2), tied_to="b"), stroke_duration(Fraction(3, 2), 1))
    assert [(n.id, n.onset, n.duration, n.tied_to) for n in strokes] == [
        ("c", 0, Fraction(1, 2), ""), ("c-again1", Fraction(1, 2), Fraction(1, 2), ""), ("c-again2", 1, Fraction(1, 2), ""),
    ]  # fmt: skip
    pairs = alternating(note("c"), note("d", 1, pitch=62), Fraction(2), Fraction(1, 4))
    assert [n.id for n in pairs] == ["c", "d", "c-again1", "d-again1", "c-again2", "d-again2", "c-again3", "d-again3"]
    assert [n.onset for n in pairs] == [Fraction(k, 4) for k in range(8)]
    bar = again([note("a", tied_to="before"), note("b", 1, tied_to="a")], "bar", 7, Fraction(0))
    assert [(n.id, n.tied_to) for n in bar] == [("a-bar7", ""), ("b-bar7", "a-bar7")]
    assert copy_id("a-bar7", "bar", 8) == "a-bar8" and copy_id("a-again2", "bar", 8) == "a-again2-bar8"


@pytest.mark.parametrize(
    ("written", "strokes", "each"),
    [
        ("4", 1, "1/2"),
        ("1", 2, "1/4"),
        ("1", 3, "1/8"),
        ("1", 5, "1/8"),
        ("1/2", 1, "1/4"),
        ("3/4", 1, "1/4"),
        ("1/16", 1, "1/16"),
    ],
)
def test_stroke_duration(written: str, strokes: int, each: str) -> None:
    assert stroke_duration(Fraction(written), strokes) == Fraction(each)


def tied_strokes(kind: str, first: bool, second: bool) -> list[float]:
    """Onsets of two tied C5 of two quarters each, with one stroke through their stems or none, and of a G5 at 4."""
    strokes = '<ornaments><tremolo type="single">1</tremolo></ornaments>'
    if kind == "musicxml":
        halves = [
            xml_note("C5", 2, more=f'<tie type="{tie}"/>', notations=strokes * on)
            for tie, on in (("start", first), ("stop", second))
        ]
        return [onset for onset, _ in notes_of(engraved("x.musicxml", xml_score(part(*halves, xml_note("G5", 2)))))]
    stems = [' stem.mod="1slash"' * on for on in (first, second)]
    ends = ('tie="i"', 'tie="t"') if kind == "mei" else ('xml:id="a"', 'xml:id="b"')
    after = '<tie startid="#a" endid="#b"/>' * (kind == "tie element")
    bars = [mei_bar(mei_note("c5", 2, end + stem), after=tie) for end, stem, tie in zip(ends, stems, (after, ""))]
    return [onset for onset, _ in notes_of(engraved("x.mei", mei_score(*bars, mei_bar(mei_note("g5", 2)))))]


@pytest.mark.parametrize("kind", ["musicxml", "mei", "tie element"])
def test_a_tied_tremolo_loses_no_stroke(kind: str) -> None:
    assert tied_strokes(kind, True, True) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert tied_strokes(kind, False, True) == [0, 2, 2.5, 3, 3.5, 4]
    assert tied_strokes(kind, True, False) == [0, 0.5, 1, 1.5, 4]
    assert tied_strokes(kind, False, False) == [0, 4]
