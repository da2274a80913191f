"""MusicXML and MEI as other programs write them, and what the engraver makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import mei_tools as mei
import numpy as np
import pytest
from engraving_tools import TWO, cleaned, engraved, notes_of
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.humdrum.preparing import prepare
from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.playing import WHOLE, Playing
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.errors import EngravingError

SCALE = [60, 62, 64, 65]
LINE = notes("C4 D4 E4 F4")
QUARTERS = mei.notes("c4 d4 e4 f4")


def made(*bars: str, playing: Playing = WHOLE, **options: str) -> EngravedPiece:
    return engraved("x.musicxml", score(part(*bars, **options)), playing=playing)  # type: ignore[arg-type]


def pitches(piece: EngravedPiece) -> list[int]:
    return [pitch for _, pitch in notes_of(piece)]


def heights(piece: EngravedPiece) -> list[float]:
    """How many steps of the scale each note's head stands above the first one's."""
    rows = {note: piece.score.coords[head, 0] for head, note in piece.score.coord2onset.tolist()}
    space = 3.5
    return [round(float(rows[0] - rows[note]) / (space / 2), 1) for note in range(len(piece.notes))]


def direction(content: str, more: str = "") -> str:
    return f"<direction><direction-type>{content}</direction-type>{more}</direction>"


def barline(side: str, content: str) -> str:
    return f'<barline location="{side}">{content}</barline>'


@pytest.mark.parametrize("of_part", [0, 1])
def test_endings_may_stand_in_any_part(of_part: int) -> None:
    first = barline("left", '<ending number="1" type="start"/>'), '<ending number="1" type="stop"/>'
    second = barline("left", '<ending number="2" type="start"/>'), barline("right", '<ending number="2" type="stop"/>')
    again = '<repeat direction="backward"/>'
    bars = LINE, notes("G4 G4 G4 G4") + barline("right", again), notes("A4 A4 A4 A4"), LINE
    stated = bars[0], first[0] + bars[1].replace(again, first[1] + again), second[0] + bars[2] + second[1], bars[3]
    parts = [part(*bars), part(*bars)]
    parts[of_part] = part(*stated)
    for repeats, order in (("written", [60, 67, 60, 69, 60]), ("once", [60, 67, 60])):
        piece = engraved("x.musicxml", score(*parts), playing=Playing(part="1", repeats=repeats))
        assert pitches(piece)[::4] == order


def beats(*values: str) -> str:
    """A metronome mark of notes, "=" between its sides; a note like "eighth" or "quarter start" of a triplet."""
    content = ""
    for value in values:
        name, _, tuplet = value.partition(" ")
        name, dot = name.rstrip("."), "<metronome-dot/>" * name.endswith(".")
        ratio = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
        tuplet = f'<metronome-tuplet type="{tuplet}">{ratio}</metronome-tuplet>' if tuplet else ""
        written = f"<metronome-note><metronome-type>{name}</metronome-type>{dot}{tuplet}</metronome-note>"
        content += "<metronome-relation>equals</metronome-relation>" if value == "=" else written
    return direction(f"<metronome>{content}</metronome>")


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        (("quarter", "=", "quarter."), 150),
        (("eighth", "=", "half"), 400),
        (("quarter start", "=", "quarter"), 150),  # of a triplet
        (("eighth", "eighth", "=", "quarter start", "eighth stop"), 100),  # swing
        (("quarter",), 100),
    ],
)
def test_a_metric_modulation_in_notes(mark: tuple[str, ...], tempo: float) -> None:
    text = score(part('<sound tempo="100"/>' + LINE, beats(*mark) + LINE))
    reading = import_score(Path("x.musicxml"), text)[1]
    assert reading.tempo_map(range(2))[-1][1] == pytest.approx(tempo)


@pytest.mark.parametrize("size", ["75", "60"])
def test_small_staves_have_the_size_of_the_style(size: str) -> None:
    small = f"<staff-details><staff-size>{size}</staff-size></staff-details>"
    piece, usual = made(LINE, LINE, more=small), made(LINE, LINE)
    assert notes_of(piece) == notes_of(usual) and heights(piece) == heights(usual)
    kern = "**kern\n*clefG2\n*M4/4\n{}=1\n4c\n4d\n4e\n4f\n=2\n4c\n4d\n4e\n4f\n*-\n"
    for line in (f"*size:{size}%\n", f"*scale:{size}%\n"):
        assert heights(engraved("x.krn", kern.format(line))) == heights(engraved("x.krn", kern.format("")))


def clef(sign: str, line: int) -> str:
    return f"<attributes><clef><sign>{sign}</sign><line>{line}</line></clef></attributes>"


@pytest.mark.parametrize("bar", ["within", "end", "end and start", "two at the end", "two at first"])
def test_of_two_clefs_at_one_place_the_last_counts(bar: str) -> None:
    low, both = notes("C3 D3 E3 F3"), clef("C", 3) + clef("F", 4)
    bars = {
        "within": (notes("C4 D4") + both + notes("E3 F3"), low),
        "end": (LINE + clef("F", 4), low),
        "end and start": (LINE + clef("C", 3), clef("F", 4) + low),
        "two at the end": (LINE + both, low),
        "two at first": (both + low, low),
    }[bar]
    piece, usual = made(*bars, low), made(LINE, clef("F", 4) + low, low)
    assert pitches(piece)[-8:] == pitches(usual)[-8:] and not piece.unshown
    rows = [each.score.coords[each.score.coord2onset[-8:, 0], 0] for each in (piece, usual)]
    np.testing.assert_allclose(rows[0], rows[1], atol=0.1)


@pytest.mark.parametrize("column", [0, 1])
def test_the_name_of_a_part_may_stand_in_one_column_of_humdrum(column: int) -> None:
    """As musicxml2hum writes it: equal *part means one part."""
    names = ["*", "*", '*I"Voice']
    names[column] = '*I"Piano'
    rows = ["**kern\t**kern\t**kern", "*part2\t*part2\t*part1", "\t".join(names), "*clefF4\t*clefG2\t*clefG2"]
    rows += ["*M4/4\t*M4/4\t*M4/4", *(f"={bar}\t={bar}\t={bar}\n2C\t2c\t1gg\n2D\t2d\t." for bar in range(1, 4)), "*-\t*-\t*-"]
    for order in (rows, [rows[0], rows[2], rows[1], *rows[3:]]):
        piece = engraved("x.krn", "\n".join(order) + "\n", TWO, Playing("piano"))
        assert notes_of(piece)[:4] == [(0, 48), (0, 60), (2, 50), (2, 62)] and len(piece.notes) == 12


@pytest.mark.parametrize("rows", [('*I"Piano', "*", '*I"Violin'), ("*", '*I"Alto', '*I"Voice')])
def test_several_names_in_one_part_of_humdrum_stay_where_they_are(rows: tuple[str, str, str]) -> None:
    text = "**kern\t**kern\t**kern\n*part1\t*part1\t*part1\n" + "\t".join(rows) + "\n*clefG2\t*clefG2\t*clefG2\n"
    later = '*I"Bass\t*\t*\n=1\t=1\t=1\n1c\t1e\t1g\n=2\t=2\t=2\n1c\t1e\t1g\n=3\t=3\t=3\n1c\t1e\t1g\n*-\t*-\t*-\n'
    prepared = prepare(text + later)[0]
    assert prepared[2].split("\t") == list(rows) and prepared[4].split("\t") == ['*I"Bass', "*", "*"]


def test_a_part_that_doubles_an_octave_is_played_as_written() -> None:
    transpose = "<transpose><chromatic>0</chromatic><double/></transpose>"
    assert pitches(made(LINE, LINE, more=transpose)) == 2 * SCALE


@pytest.mark.parametrize("sign", ["key", "clef"])
def test_hidden_keys_and_clefs_are_shown(sign: str) -> None:
    """Its notes would be others otherwise, and the piece left out for that."""
    change = {
        "key": "<key print-object='no'><fifths>2</fifths></key>",
        "clef": "<clef print-object='no'><sign>F</sign><line>4</line></clef>",
    }[sign]
    line = notes("C4 D4 E4 B3") if sign == "clef" else note("C4", alter=1) + notes("D4 E4 B3")
    piece = made(LINE, f"<attributes>{change}</attributes>" + line)
    assert heights(piece)[4:] == [{"key": 0, "clef": 12}[sign] + step for step in (0, 1, 2, -1)]


@pytest.mark.parametrize("sign", ['<keySig sig="2s" visible="false"/>', '<clef shape="F" line="4" visible="false"/>'])
def test_hidden_keys_and_clefs_of_mei_are_shown(sign: str) -> None:
    piece = engraved("x.mei", mei.score(mei.bar(QUARTERS), mei.bar(sign + QUARTERS)))
    assert pitches(piece)[4:] == ([61, 62, 64, 66] if "keySig" in sign else SCALE)
    assert heights(piece)[4:] == [12 * ("clef" in sign) + step for step in range(4)]


def test_white_space_around_values() -> None:
    text = score(part(LINE, LINE))
    for tag in ("sign", "line", "beats", "fifths", "type", "step", "octave", "divisions", "duration"):
        text = text.replace(f"<{tag}>", f"<{tag}>\n ").replace(f"</{tag}>", f"\t</{tag}>")
    assert notes_of(engraved("x.musicxml", text)) == notes_of(made(LINE, LINE))


def test_bar_lines_of_single_parts_are_those_of_all() -> None:
    text = score(part(LINE, LINE)).replace('<measure number="2"', '<measure number="2" non-controlling="yes"')
    assert pitches(engraved("x.musicxml", text)) == 2 * SCALE


@pytest.mark.parametrize("measure", ["", ' measure="yes"'])
def test_a_whole_rest_that_stands_for_a_shorter_bar(measure: str) -> None:
    """Some programs give it the duration of a whole note, which would lengthen the bar."""
    rest = note("R", 4, staff=2, voice=5).replace("<rest/>", f"<rest{measure}/>")
    bars = [
        notes("C5 D5 E5", staff=1) + back(3) + lower
        for lower in (rest, note("C3", 2, staff=2, voice=5) + note("D3", staff=2, voice=5))
    ]
    for first in (bars[0], rest + back(4) + notes("C5 D5 E5", staff=1)):
        text = score(part(first, bars[1], staves=TWO_STAVES, meter="3/4"))
        assert [onset for onset, pitch in notes_of(engraved("x.musicxml", text, TWO)) if pitch == 72] == [0, 3]


@pytest.mark.parametrize(
    ("measure", "meter", "following"),
    [(' measure="yes"', "3/4", 6), (' measure="yes"', "6/8", 6), (' measure="yes"', "3/2", 10), ("", "3/4", 7)],
)
def test_a_rest_of_the_bar_is_no_longer_than_its_bar_without_music(measure: str, meter: str, following: int) -> None:
    """A shorter one may be of a divided bar, and one that does not say that it is the bar's of a longer bar."""
    full = notes("C5 D5 E5", quarters=2 if meter == "3/2" else 1)
    rest = note("R", 4).replace("<rest/>", f"<rest{measure}/>")
    piece = made(full, rest, full.replace("<octave>5", "<octave>4"), *[full] * 3, meter=meter)
    assert min(onset for onset, pitch in notes_of(piece) if pitch == 60) == following


SHIFT = '<octave-shift type="{}" size="8"/>'.format


def test_a_note_before_an_octave_line_is_drawn_where_it_sounds() -> None:
    """The second voice is written after the beginning of the line, but its first note sounds before it."""
    upper = note("C5") + direction(SHIFT("down")) + notes("C6 D6 E6")
    piece = made(upper + back(4) + notes("A4 E5 F5 G5", voice=2) + direction(SHIFT("stop")), LINE)
    assert pitches(piece)[:8] == [69, 72, 76, 84, 77, 86, 79, 88]
    assert heights(piece)[:8] == [0, 2, -3, 2, -2, 3, -1, 4]


def test_an_octave_line_that_goes_on_in_a_new_system() -> None:
    line = direction(SHIFT("down")) + notes("C6 D6 E6 F6"), direction(SHIFT("continue")) + notes("G6 E6 D6 C6")
    piece = made(line[0], line[1] + direction(SHIFT("stop")), notes("C5 D5 E5 F5"))
    assert heights(piece) == [0, 1, 2, 3, 4, 2, 1, 0, 0, 1, 2, 3]


def test_an_order_that_begins_late_begins_with_its_signs() -> None:
    bass = "<clef><sign>F</sign><line>4</line></clef>"
    later = f"<attributes><time><beats>3</beats><beat-type>4</beat-type></time>{bass}</attributes>"
    bars = LINE, later + note("R", 3, value=0).replace("<rest/>", '<rest measure="yes"/>'), notes("C3 D3 E3")
    piece = made(*bars, playing=Playing(bars="2-3,1"))
    assert notes_of(piece) == [(3, 48), (4, 50), (5, 52), (6, 60), (7, 62), (8, 64), (9, 65)]
    assert heights(piece) == [0, 1, 2, -5, -4, -3, -2]
    first = ElementTree.fromstring(cleaned("x.musicxml", score(part(*bars)), playing=Playing(bars="2-3,1"))).find(
        f".//{MEI}scoreDef"
    )
    assert first is not None and [clef.get("shape") for clef in first.iter(f"{MEI}clef")] == ["F"]


def test_mei_staves_in_any_order() -> None:
    text = mei.score(mei.bar(QUARTERS, mei.notes("c3 d3 e3 f3")), mei.bar(QUARTERS, "<mRest/>"), staves=2)
    upper, lower = (text.index(f'<staff n="{number}"') for number in (1, 2))
    end = text.index("</measure>")
    turned = text[:upper] + text[lower:end] + text[upper:lower] + text[end:]
    assert notes_of(engraved("x.mei", turned, TWO)) == notes_of(engraved("x.mei", text, TWO))


@pytest.mark.parametrize("tag", ["beam", "tuplet"])
def test_mei_beams_and_tuplets_on_another_staff(tag: str) -> None:
    group = f'<{tag} num="3" numbase="2" staff="2">' + mei.notes("c3 d3 e3", 8) + f"</{tag}>"
    text = mei.score(mei.bar(group + mei.notes("c5 d5", 4), '<space dur="1"/>'), mei.bar(QUARTERS, "<mRest/>"), staves=2)
    each = (
        f'<{tag} num="3" numbase="2">' + "".join(mei.note(pitch, 8, 'staff="2"') for pitch in ("c3", "d3", "e3")) + f"</{tag}>"
    )
    pieces = [engraved("x.mei", source, TWO) for source in (text, text.replace(group, each))]
    assert notes_of(pieces[0]) == notes_of(pieces[1])
    assert np.array_equal(pieces[0].score.coords, pieces[1].score.coords)


@pytest.mark.parametrize(("attributes", "each"), [('num="3"', 2 / 3), ('num="6"', 2 / 3), ("", 2 / 3)])
def test_mei_tuplets_without_numbase(attributes: str, each: float) -> None:
    """The engraver would take them as so many notes in the time of one."""
    notes_within = mei.notes("c4 d4 e4 c4 d4 e4" if "6" in attributes else "c4 d4 e4")
    bar = f"<tuplet {attributes}>{notes_within}</tuplet>" + ("" if "6" in attributes else mei.notes("f4 g4"))
    onsets = [onset for onset, _ in notes_of(engraved("x.mei", mei.score(mei.bar(bar), mei.bar(QUARTERS))))]
    assert onsets[:3] == pytest.approx([0, each, 2 * each])


def _layer_default(text: str) -> str:
    return text.replace("/></staffGrp>", '><layerDef n="1" dur.default="8"/></staffDef></staffGrp>')


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (_layer_default, "layerDef with dur.default"),
        (lambda text: text.replace("<scoreDef", '<scoreDef num.default="3" numbase.default="2"'), "scoreDef with num.default"),
    ],
)
def test_mei_defaults_that_are_not_read_are_refused(change: Callable[[str], str], names: str) -> None:
    text = mei.score(mei.bar("".join(f'<note pname="{step}" oct="4"/>' for step in "cdef")), staff='dur.default="4"')
    assert len(pitches(engraved("x.mei", text))) == 4
    with pytest.raises(EngravingError, match=names):
        engraved("x.mei", change(text))


def test_mei_notes_that_state_their_octave_outside_of_the_line() -> None:
    """The first is no note of the line, which stands later in its bar."""
    line = '<octave dis="8" dis.place="above" staff="1" tstamp="3" tstamp2="0m+4"/>'
    first = mei.note("c5", 4, 'oct.ges="6"') + mei.notes("d5 e5 f5")
    piece = engraved("x.mei", mei.score(mei.bar(first, after=line), mei.bar(QUARTERS)))
    assert pitches(piece)[:4] == [84, 74, 88, 89]
    assert heights(piece)[:4] == [0, -6, -5, -4]


def test_mei_chords_whose_notes_have_the_duration() -> None:
    chord = "<chord>" + mei.note("c4", 2, 'dots="1"') + mei.note("e4", 2, 'dots="1"') + "</chord>"
    piece = engraved("x.mei", mei.score(mei.bar(chord + mei.note("d4")), mei.bar(QUARTERS)))
    assert notes_of(piece)[:3] == [(0, 60), (0, 64), (3, 62)]


def test_mei_notes_that_are_the_same_as_others_are_played() -> None:
    again = mei.note("c4", 4, 'xml:id="first"') + mei.note("c4", 4, 'sameas="#first"') + mei.notes("e4 f4")
    assert notes_of(engraved("x.mei", mei.score(mei.bar(again), mei.bar(QUARTERS))))[:2] == [(0, 60), (1, 60)]
