"""What is mended in the engraver's MEI beside times: clefs, octave lines, rests of several bars, notes that it loses."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from engraving_tools import ONE, TWO, cleaned, engraved, notes_of
from mei_tools import bar as mei_bar
from mei_tools import note as mei_note
from mei_tools import notes as mei_notes
from mei_tools import score as mei_score
from musicxml_tools import TWO_STAVES, back, part, score
from musicxml_tools import note as xml_note
from musicxml_tools import notes as xml_notes

from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.verovio.layout import lay_out
from score_following_game.data_preparation.engraving.verovio.octaves import mend_octave_lines
from score_following_game.data_preparation.engraving.verovio.print_reading import misprints

MEI = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"


def kern(*lines: str) -> str:
    """One spine in treble clef. Lines with two fields are of a spine that is split there."""
    return "\n".join(["**kern", "*clefG2", "*M2/4", "=1", *lines, "*-", ""])


def measures(*bars: str, line: str) -> list[ElementTree.Element]:
    """Bars with the given notes and an octave line, which begins in the first bar."""
    texts = [
        f'<measure xmlns="{MEI[1:-1]}"><staff n="1"><layer n="1">{bar}</layer></staff>{"" if number else line}</measure>'
        for number, bar in enumerate(bars)
    ]
    return [ElementTree.fromstring(text) for text in texts]


def note(id_: str, octave: int, sounds: int | None = None) -> str:
    ges = "" if sounds is None else f' oct.ges="{sounds}"'
    return f'<note xml:id="{id_}" dur="4" pname="c" oct="{octave}"{ges}/>'


LINE = '<octave staff="1" startid="#b" endid="#c" dis="8" dis.place="above"/>'


@pytest.mark.parametrize(
    ("sounding_of_b", "sounding_of_c", "lines", "octaves"),
    [
        (6, 6, 1, ["5", "5", "5", "6"]),
        (6, None, 1, ["5", "5", "4", "6"]),
        (None, None, 0, ["5", "5", "5", "6"]),
        (6, 7, 1, ["5", "5", "5", "6"]),
    ],
)
def test_all_notes_under_an_octave_line_are_written_below_their_sound_or_none(
    sounding_of_b: int | None, sounding_of_c: int | None, lines: int, octaves: list[str]
) -> None:
    """The last note is outside of the line and is drawn where it sounds."""
    made = measures(note("a", 5) + note("b", 5, sounding_of_b), note("c", 5, sounding_of_c), note("d", 5, 6), line=LINE)
    mend_octave_lines(made)
    notes = {element.get(ID): element for measure in made for element in measure.iter(f"{MEI}note")}
    assert [notes[name].get("oct") for name in "abcd"] == octaves
    assert sum(len(measure.findall(f"{MEI}octave")) for measure in made) == lines


@pytest.mark.parametrize(
    ("bars", "octaves"),
    [
        ((("a", 4, 5), ("b", 4, 5)), ["4", "4"]),
        ((("a", 5, 6), ("b", 4, 5), ("c", 5, 6)), ["5", "5", "6"]),  # it ends where the notes lie nearer to the staff
        ((("a", 4, 5), ("b", 5, None), ("c", 4, 5)), ["4", "5", "5"]),
        ((("a", 4, None), ("b", 4, 5)), ["4", "5"]),
    ],
)
def test_an_octave_line_without_an_end_gets_one(bars: tuple[tuple[str, int, int | None], ...], octaves: list[str]) -> None:
    """The engraver would not draw it, but write all notes after its beginning an octave too low."""
    line = '<octave staff="1" startid="#a" dis="8" dis.place="above"/>'
    made = measures(*(note(*bar) for bar in bars), line=line)
    mend_octave_lines(made)
    drawn = [(element.get("oct"), element.get("oct.ges")) for measure in made for element in measure.iter(f"{MEI}note")]
    assert [octave for octave, _ in drawn] == octaves
    under = [id_ for (id_, *_), (_, sounds) in zip(bars, drawn) if sounds]
    assert [found.get("endid") for found in made[0].findall(f"{MEI}octave")] == [f"#{id_}" for id_ in under[-1:]]


def test_octave_lines_of_humdrum() -> None:
    """Kern writes the sound; the sheet shows the note an octave lower, under a line."""
    text = kern("4cc", "*8va", "4ccc", "=2", "4ddd", "*X8va", "4dd", "=3", "4cc", "4dd", "=4", "4cc", "4dd", "==")
    assert [pitch for _, pitch in notes_of(engraved("x.krn", text))] == [72, 84, 86, 74, 72, 74, 72, 74]
    mei = ElementTree.fromstring(cleaned("x.krn", text))
    assert [element.get("oct") for element in mei.iter(f"{MEI}note")][:4] == ["5", "5", "5", "5"]


SHIFT = "<direction><direction-type><octave-shift type='{}' size='8'/></direction-type></direction>".format
HIGH = xml_notes("C6 D6 E6 F6")
MIDDLE = xml_notes("C5 D5 E5 F5")


def ending(number: int, type_: str, repeat: str = "") -> str:
    location = "left" if type_ == "start" else "right"
    return f'<barline location="{location}"><ending number="{number}" type="{type_}"/>{repeat}</barline>'


BACKWARD = '<repeat direction="backward"/>'
INTO_ENDINGS = (
    SHIFT("down") + HIGH,
    ending(1, "start") + HIGH + ending(1, "stop", BACKWARD),
    ending(2, "start") + HIGH + SHIFT("stop") + ending(2, "discontinue"),
)


@pytest.mark.parametrize(
    ("bars", "playing", "lines"),
    [
        ((SHIFT("down") + HIGH, HIGH + SHIFT("stop")), Playing(), 1),
        ((SHIFT("down") + HIGH, HIGH + SHIFT("stop")), Playing(bars="1,3,2,4"), 2),
        ((SHIFT("down") + HIGH, HIGH, HIGH + SHIFT("stop")), Playing(bars="1-5,1,2,1"), 3),
        ((MIDDLE + SHIFT("down"), HIGH + SHIFT("stop")), Playing(bars="1,3,2,4"), 1),
        (INTO_ENDINGS, Playing(), 1),
        (INTO_ENDINGS, Playing(repeats="written"), 4),
    ],
)
def test_an_octave_line_across_a_jump_is_divided_there(bars: tuple[str, ...], playing: Playing, lines: int) -> None:
    """Without a line the highest of these notes would be outside of a sheet with one staff."""
    text = score(part(MIDDLE, *bars, MIDDLE))
    piece = engraved("x.musicxml", text, playing=playing)
    mei = ElementTree.fromstring(cleaned("x.musicxml", text, playing=playing))
    assert not piece.unshown and len(list(mei.iter(f"{MEI}octave"))) == lines
    assert {element.get("oct") for element in mei.iter(f"{MEI}note")} == {"5"}
    assert len(piece.notes) == 4 * len(list(mei.iter(f"{MEI}measure")))


@pytest.mark.parametrize("ends", ['tstamp="1" tstamp2="1m+4"', 'startid="#{}" tstamp2="1m+4"', 'tstamp="1" endid="#{}"'])
def test_an_octave_line_of_mei_across_a_jump_is_divided_there(ends: str) -> None:
    """Its ends may be beats."""
    first = [f'<note xml:id="{name}" pname="{name}" oct="5" dur="4"/>' for name in "cdef"]
    last = "".join(first).replace('xml:id="', 'xml:id="last-')
    line = f'<octave staff="1" dis="8" dis.place="above" {ends.format("c" if "startid" in ends else "last-f")}/>'
    plain = mei_bar(mei_notes("c5 d5 e5 f5"))
    text = mei_score(plain, mei_bar("".join(first), after=line), mei_bar(last), plain)
    for order, lines in (("1-4", 1), ("1,3,2,4", 2)):
        piece = engraved("x.mei", text, playing=Playing(bars=order))
        mei = ElementTree.fromstring(cleaned("x.mei", text, playing=Playing(bars=order)))
        assert len(piece.notes) == 16 and not piece.unshown and len(list(mei.iter(f"{MEI}octave"))) == lines
        assert [note.pitch for note in piece.notes][4:12] == [84, 86, 88, 89] * 2


@pytest.mark.parametrize("second_first", [False, True])
def test_an_octave_line_holds_for_a_voice_that_is_written_before_or_after_it(second_first: bool) -> None:
    """The engraver lowers only the notes that stand between its ends in the file."""
    upper, lower = SHIFT("down") + HIGH + SHIFT("stop"), xml_notes("G4 G4 G4 G4", voice=2)
    voices = (lower, upper) if second_first else (upper, lower)
    text = score(part(back(4).join(voices), MIDDLE, MIDDLE))
    piece = engraved("x.musicxml", text)
    assert len(piece.notes) == 16 and not piece.unshown
    assert [note.pitch for note in piece.notes][:8] == [67, 84, 67, 86, 67, 88, 67, 89]


@pytest.mark.parametrize(("mark", "symbol"), [("*met(c|)", "cut"), ("*met(c)", "common")])
def test_the_c_of_a_time_signature_is_drawn(mark: str, symbol: str) -> None:
    text = kern("4c", "4d", "=2", "4e", "4f").replace("*M2/4", f"*M4/4\n{mark}" if symbol == "common" else f"*M2/2\n{mark}")
    mei = ElementTree.fromstring(cleaned("x.krn", text))
    (meter,) = mei.iter(f"{MEI}meterSig")
    assert meter.get("sym") == symbol and meter.get("visible") is None
    assert mei.find(f".//{MEI}mensur") is None


def test_rests_of_several_bars_are_several_bars() -> None:
    text = kern("4c", "4d", "=2", "2r", "=3", "2r", "=4", "4e", "4f", "=5", "4g", "4a", "=6", "4b", "4cc", "==")
    piece = engraved("x.krn", text, ONE)
    assert [onset for onset, _ in notes_of(piece)] == [0, 1, 6, 7, 8, 9, 10, 11]


def test_a_hidden_note_that_the_engraver_drops_from_a_chord_is_counted() -> None:
    text = kern(*["4c 4eyy", "4d"], *[line for bar in range(2, 12) for line in (f"={bar}", "4e", "4f")], "==")
    piece = engraved("x.krn", text, ONE)
    assert sum(piece.unshown.values()) == 1 and len(piece.notes) == 22


TREBLE = '<attributes><clef number="2"><sign>G</sign><line>2</line></clef></attributes>'
RIGHT = xml_notes("C5 D5 E5 F5", staff=1) + back(4)


def layers_of_the_left_hand(*bars: str) -> list[list[str]]:
    """The steps and clefs of each layer of staff 2 in the first bar, in their order."""
    mei = ElementTree.fromstring(cleaned("x.musicxml", score(part(*bars, staves=TWO_STAVES)), TWO))
    return [
        ["clef" if element.tag == f"{MEI}clef" else element.get("pname", "") for element in layer.iter() if is_sign(element)]
        for layer in mei.iterfind(f".//{MEI}measure[1]/{MEI}staff[@n='2']/{MEI}layer")
    ]


def is_sign(element: ElementTree.Element) -> bool:
    return element.tag in (f"{MEI}clef", f"{MEI}note")


GOOD = xml_notes("C5 D5 E5 F5")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.musicxml", score(part(GOOD, GOOD, staves=""))),
        ("x.mei", mei_score(mei_bar(mei_notes("c5 d5 e5 f5")), mei_bar(mei_notes("c5 d5 e5 f5"))).replace("clef.", "no.")),
    ],
)
def test_a_score_without_a_clef_shows_the_one_by_which_its_heads_stand(name: str, text: str) -> None:
    """The third reading, which needs a clef, reads the sheet then."""
    assert "clef" not in text
    mei = cleaned(name, text)
    assert '<clef shape="G" line="2"' in mei and mei.count("<clef") == 1
    other = mei.replace('pname="c"', 'pname="d"', 1)
    assert list(misprints(lay_out(mei, ONE), other).values()) == ["bar-0, staff 1: it shows C5 where D5 is played"]


def test_a_clef_at_the_beginning_of_a_bar_is_the_first_clef() -> None:
    text = mei_score(mei_bar('<clef shape="C" line="3"/>' + mei_notes("c4 d4 e4 f4"))).replace("clef.shape", "no.shape", 1)
    assert cleaned("x.mei", text).count("<clef") == 1


def test_replaced_signs_and_ties_are_counted() -> None:
    """Only what is changed, and only in the bars and the part that are played."""
    start, stop = '<tie type="start"/>', '<tie type="stop"/>'
    tied = '<notations><tied type="{}"/></notations></note>'
    good = xml_note("C5", 2, more=start).replace("</note>", tied.format("start")) + xml_note("C5", 2, more=stop).replace(
        "</note>", tied.format("stop")
    )
    wrong_sign = xml_notes("F5 G5 A5") + xml_note("B5", alter=-1).replace("</type>", "</type><accidental>sharp</accidental>")
    right_sign = xml_notes("F5 G5 A5") + xml_note("B5", alter=-1).replace("</type>", "</type><accidental>flat</accidental>")
    assert engraved("x.musicxml", score(part(good, right_sign, GOOD))).mended == {}
    text = score(part(good, wrong_sign, wrong_sign), part(GOOD, GOOD, GOOD))
    assert engraved("x.musicxml", text, ONE, Playing("1")).mended == {"accidental": 2}
    assert engraved("x.musicxml", text, ONE, Playing("1", bars="1,2,1")).mended == {"accidental": 1}
    assert engraved("x.musicxml", text, ONE, Playing("2")).mended == {}


def test_ties_that_mei_writes_in_its_own_ways_are_no_change() -> None:
    def made(first: str, second: str, after: str = "") -> dict[str, int]:
        notes = mei_note("c5", 2, first) + mei_note("c5", 2, second)
        return engraved("x.mei", mei_score(mei_bar(notes, after=after), mei_bar(mei_notes("c5 d5 e5 f5")))).mended

    assert made('tie="i"', 'tie="t"') == {}
    assert made('xml:id="a"', 'xml:id="b"', '<tie startid="#a" endid="#b"/>') == {}
    assert made('xml:id="a"', 'xml:id="b"', '<tie startid="#a" endid="#b"/>' * 2) == {"tie": 1}
    assert made('tie="i"', "") == {}


def test_a_clef_at_a_bar_line_is_behind_all_notes_before_it() -> None:
    """Also if the engraver wrote it behind the last note of a voice that ends earlier."""
    voices = xml_notes("C3 D3 E3 F3", voice=5, staff=2) + back(4) + xml_notes("C2 D2", voice=6, staff=2)
    after = TREBLE + RIGHT + xml_notes("C4 D4 E4 F4", voice=5, staff=2) + back(4) + xml_notes("G4 A4", voice=6, staff=2)
    assert layers_of_the_left_hand(RIGHT + voices, after) == [["c", "d", "e", "f", "clef"], ["c", "d", "clef"]]


def test_a_clef_holds_for_the_notes_that_mending_moves_to_a_new_layer() -> None:
    voice = xml_notes("C3 D3", voice=5, staff=2) + TREBLE + xml_note("C4", 2, voice=5, staff=2)
    overlapping = back(1) + xml_note("E4", 1, voice=5, staff=2)
    assert layers_of_the_left_hand(RIGHT + voice + overlapping) == [["c", "d", "clef", "c"], ["clef", "e"]]


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (xml_note("R", 1, value=0) + xml_notes("D5 E5 B4"), [(1, 74), (2, 76), (3, 71)]),
        (xml_note("C5") + xml_note("R", 1, value=0) + xml_notes("D5 B4"), [(0, 72), (2, 74), (3, 71)]),
        (xml_notes("D5 E5 B4") + xml_note("R", 1, value=0), [(0, 74), (1, 76), (2, 71)]),
        (xml_note("C5", 0.5) + xml_note("R", 2.5, value=0) + xml_note("D5"), [(0, 72), (3, 74)]),
        (xml_note("C5", 2) + back(2) + xml_note("R", 3, value=0, voice=2) + xml_note("B4", voice=2), [(0, 72), (3, 71)]),
        (
            xml_note("C5", 3, value=0)
            + xml_note("R", 1 / 3, value=0, tuplet="3:2")
            + xml_note("B4", 2 / 3, value=1, tuplet="3:2"),
            [(0, 72), (10 / 3, 71)],
        ),
    ],
    ids=["first", "within", "last", "no single value", "second voice", "tuplet"],
)
def test_rests_without_a_type_last_as_long_as_their_duration(bar: str, expected: list[tuple[float, int]]) -> None:
    """The engraver takes them for the whole bar."""
    text = score(part(bar, GOOD)).replace("<rest/>", '<rest measure="yes"/>')
    assert notes_of(engraved("x.musicxml", text))[: len(expected)] == expected


def test_a_rest_of_a_whole_bar_is_drawn_as_one() -> None:
    assert "mRest" in cleaned("x.musicxml", score(part(GOOD, xml_note("R", 4, value=0), GOOD)))


OCTAVE = '<direction><direction-type><octave-shift type="{}" size="8"/></direction-type></direction>'


@pytest.mark.parametrize("second", ["C5", "C6"])
def test_an_octave_line_that_only_one_of_two_voices_is_written_under(second: str) -> None:
    """The engraver would play the other voice of the staff an octave higher, too."""
    line = OCTAVE.format("down") + xml_note(second, 2, voice=2) + OCTAVE.format("stop")
    voices = xml_notes("C5 D5 E5 F5") + back(4) + "<forward><duration>24</duration></forward>" + line
    piece = engraved("x.musicxml", score(part(voices, GOOD)))
    expected = [(0, 72), (1, 74), (2, 76), (2, 72 if second == "C5" else 84), (3, 77)]
    assert sorted(notes_of(piece)[:5]) == sorted(expected) and not piece.unshown
