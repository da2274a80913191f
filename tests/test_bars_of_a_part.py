"""Bars whose length is in question: of parts with a time signature of their own, and with marks after their end."""

from __future__ import annotations

import pytest
from engraving_tools import ONE, TWO, engraved, notes_of
from mei_tools import bar as mei_bar
from mei_tools import notes as mei_notes
from mei_tools import score as mei_score
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.errors import EngravingError

PIANO = Playing(part="piano")
LINE = mei_notes("c5 d5 e5 f5")


def musicxml(meter: str, first: str, low: str = "") -> str:
    """A song of two bars. meter, first: of the singer."""
    low = low or note("C3", 4, voice=5, staff=2)
    piano = [notes("C5 D5 E5 F5", staff=1) + back(4) + low] * 2
    singer = part(first, note("C5", 4), meter=meter)
    return score(singer, part(*piano, staves=TWO_STAVES), names=("Singer", "Piano"))


@pytest.mark.parametrize(
    ("meter", "first"),
    [("12/8", "".join(note(pitch, 1.5, value=0) for pitch in ("C5", "D5", "E5", "F5"))), ("4/4", notes("C5 D5 E5 F5 G5 A5"))],
    ids=["other time signature", "too many notes"],
)
def test_the_bars_of_a_part_are_not_as_long_as_those_of_another(meter: str, first: str) -> None:
    piece = engraved("x.musicxml", musicxml(meter, first), TWO, PIANO)
    assert [onset for onset, pitch in notes_of(piece) if pitch >= 72] == list(range(8))
    tied = [note("C3", 4, voice=5, staff=2, more=f'<tie type="{kind}"/>') for kind in ("start", "stop")]
    text = musicxml(meter, first, tied[0])
    head, _, tail = text.rpartition(tied[0])
    piece = engraved("x.musicxml", head + tied[1] + tail, TWO, PIANO)
    assert [(float(note.onset), float(note.end)) for note in piece.notes if note.pitch == 48] == [(0, 8)]


def test_a_bar_that_is_not_full_lasts_as_long_as_in_the_other_parts() -> None:
    piano = [notes("C5 D5 E5", staff=1), notes("F5 E5 D5 C5", staff=1)]
    low = back(3) + note("C3", 3, value=0, voice=5, staff=2), back(4) + note("C3", 4, voice=5, staff=2)
    staves = part(*(high + under for high, under in zip(piano, low)), staves=TWO_STAVES)
    text = score(part(note("C5", 4), note("C5", 4)), staves, names=("Singer", "Piano"))
    piece = engraved("x.musicxml", text, TWO, PIANO)
    assert [onset for onset, pitch in notes_of(piece) if pitch >= 72] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(("hand", "pitches"), [("right", [72, 74, 76, 77] * 2), ("Left", [48] * 2)])
def test_one_hand_of_the_pianist(hand: str, pitches: list[int]) -> None:
    piece = engraved("x.musicxml", musicxml("4/4", notes("C6 D6 E6 F6")), ONE, Playing(part=hand))
    assert [pitch for _, pitch in notes_of(piece)] == pitches


NAMES = """
<part-name print-object="no">Instrument 7</part-name>
<part-name-display>
  <display-text>Clarinet in B</display-text>
  <accidental-text>flat</accidental-text>
</part-name-display>
<part-abbreviation>Cl.</part-abbreviation>
<part-abbreviation-display><display-text>Kl.</display-text></part-abbreviation-display>
"""


@pytest.mark.parametrize("name", ["Instrument 7", "clarinet in Bb", "Clarinet in B♭", "larinet", "Cl.", "kl.", "2"])
def test_a_part_is_known_by_each_of_its_names(name: str) -> None:
    other, own = notes("C5 D5 E5 F5"), notes("G4 G4 A4 A4")
    text = score(part(other, other), part(own, own), part(other, other), names=("Flute in C", "x", "Bassoon"))
    text = text.replace("<part-name>x</part-name>", NAMES)
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text, ONE, Playing(part=name)))] == [67, 67, 69, 69] * 2


def test_the_names_of_a_part_stay_with_it_if_a_staff_above_it_is_given_up() -> None:
    """The middle one of the organ's staves has one note among many."""
    row = notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C4 D4 E4 F4", staff=3, voice=9)
    rare = row + back(4) + note("G4", 1, staff=2, voice=5)
    organ = part(*[row] * 6, rare, staves=TWO_STAVES.replace("<staves>2", "<staves>3"))
    own = notes("G4 G4 A4 A4")
    text = score(organ, part(*[own] * 7), names=("Organ", "x")).replace("<part-name>x</part-name>", NAMES)
    pitches = [pitch for _, pitch in notes_of(engraved("x.musicxml", text, ONE, Playing(part="Instrument 7")))]
    assert pitches == [67, 67, 69, 69] * 7


def test_the_parts_of_mei_are_known_by_their_short_names() -> None:
    text = mei_score(
        mei_bar(mei_notes("c6 d6 e6 f6"), mei_notes("c3 d3 e3 f3")), mei_bar(LINE, mei_notes("c3 d3 e3 f3")), staves=2
    )
    text = text.replace('<staffDef n="2"', '<staffDef n="2" label="Violoncello" label.abbr="Vc."')
    for name in ("Vc.", "Violonc"):
        assert [pitch for _, pitch in notes_of(engraved("x.mei", text, ONE, Playing(part=name)))] == [48, 50, 52, 53] * 2


@pytest.mark.parametrize(("upper", "length"), [("c5 d5 e5", 4), ("c5 d5 e5 f5 g5", 5)])
def test_hands_are_together_after_a_bar_that_is_too_short_or_too_long_in_one_of_them(upper: str, length: int) -> None:
    """It lasts as long as its longest layer; music21 lets the other hand go on."""
    for own in ([upper, "c3 d3 e3 f3"], ["c5 d5 e5 f5", upper]):
        full = mei_bar(LINE, mei_notes("c3 d3 e3 f3"))
        text = mei_score(mei_bar(*map(mei_notes, own)), full, staves=2)
        onsets = {pitch: onset for onset, pitch in notes_of(engraved("x.mei", text, TWO)) if onset >= length}
        assert onsets[72] == onsets[48] == length


def triplet(pitches: str, staff: int) -> str:
    return notes(pitches, quarters=1 / 3, value=0.5, tuplet="3:2", voice=5, staff=staff)


HELD = [f'<tie type="{kind}"/>' for kind in ("start", "stop")]
C3, G3, C4 = 48, 55, 60
LOW = {  # second bar of the left hand, written on both staves -> what the left hand plays, and how many notes are lost
    "note": (
        note("C3", voice=5, staff=2) + note("C4", voice=5, staff=1) + note("G3", 2, voice=5, staff=2),
        [(4, C3), (6, G3)],
        1,
    ),
    "note of a chord": (
        note("C3", 4, voice=5, staff=2) + note("C4", 4, voice=5, staff=1, more="<chord/>"),
        [(4, C3)],
        1,
    ),
    "chord": (
        note("C3", 2, voice=5, staff=2) + note("C4", 2, voice=5, staff=1) + note("E4", 2, voice=5, staff=1, more="<chord/>"),
        [(4, C3)],
        2,
    ),
    "tuplet": (triplet("C3", 2) + triplet("C4 E4", 1) + note("G3", 3, value=0, voice=5, staff=2), [(4, C3), (5, G3)], 2),
    "rest": (note("C3", 2, voice=5, staff=2) + note("R", 2, voice=5, staff=1), [(4, C3)], 0),
    "tie": (
        note("C4", voice=5, staff=2)
        + note("C4", voice=5, staff=1, more=HELD[0])
        + note("C4", 2, voice=5, staff=2, more=HELD[1]),
        [(4, C4), (6, C4)],
        1,
    ),
}


@pytest.mark.parametrize("kind", LOW)
@pytest.mark.parametrize("hand", ["left", "right"])
def test_a_note_written_on_the_other_staff_is_lost_from_either_hand(kind: str, hand: str) -> None:
    """It is of one hand's voice and on the other's staff; the rest of the voice keeps its times."""
    content, left, lost = LOW[kind]
    plain = notes("C5 D5 E5 F5", staff=1) + back(4) + note("C3", 4, voice=5, staff=2)
    text = score(part(plain, notes("C5 D5 E5 F5", staff=1) + back(4) + content, plain, staves=TWO_STAVES), names=("Piano",))
    piece = engraved("x.musicxml", text, ONE, Playing(part=hand))
    right = [(4 * bar + beat, pitch) for bar in range(3) for beat, pitch in enumerate((72, 74, 76, 77))]
    assert notes_of(piece) == (right if hand == "right" else [(0, C3), *left, (8, C3)])
    assert sum(piece.unshown.values()) == lost and piece.first_unshown == ("bar 2, staff 1" if lost else "")
    assert not engraved("x.musicxml", text, TWO).unshown


@pytest.mark.parametrize("hand", ["left", "right"])
@pytest.mark.parametrize("kind", ["mei", "krn"])
def test_notes_on_the_other_staff_in_other_formats(kind: str, hand: str) -> None:
    low = mei_notes("c3") + mei_notes("c4").replace("<note", '<note staff="1"') + mei_notes("e3 f3")
    text = mei_score(mei_bar(LINE, low), mei_bar(LINE, mei_notes("c3 d3 e3 f3")), staves=2)
    if kind == "krn":
        rows = ["**kern\t**kern", "*clefF4\t*clefG2", "*M4/4\t*M4/4", "=1\t=1", "4C\t4cc", "4c>\t4dd", "4E\t4ee", "4F\t4ff"]
        rows += ["=2\t=2", "4C\t4cc", "4D\t4dd", "4E\t4ee", "4F\t4ff", "==\t==", "*-\t*-", ""]
        text = "\n".join(["!!!RDF**kern: > = above", *rows])
    piece = engraved(f"x.{kind}", text, ONE, Playing(part=hand))
    left = [(0, 48), (2, 52), (3, 53), (4, 48), (5, 50), (6, 52), (7, 53)]
    assert notes_of(piece) == (left if hand == "left" else [(k, (72, 74, 76, 77)[k % 4]) for k in range(8)])
    assert sum(piece.unshown.values()) == 1


def test_two_staves_without_names_are_a_piano() -> None:
    text = mei_score(mei_bar(LINE, mei_notes("c3 d3 e3 f3")), staves=2)
    assert [pitch for _, pitch in notes_of(engraved("x.mei", text, ONE, Playing(part="left")))] == [48, 50, 52, 53]


def piano_alone(singer: str, *piano: str, meter: str = "12/8", singers: str = "4/4") -> list[tuple[float, int]]:
    """Onset and pitch of the piano's notes. singer: each of the singer's bars.  piano: its bars."""
    staves = part(*piano, meter=meter, staves=TWO_STAVES)
    text = score(part(*[singer] * len(piano), meter=singers), staves, names=("Singer", "Piano"))
    return notes_of(engraved("x.musicxml", text, TWO, PIANO))


def test_a_bar_that_is_not_full_is_filled_to_its_own_time_signature() -> None:
    """The singer's 4/4 are as long as the piano's 12/8: bar 2 begins at 6, not at 5 or 4; after half a bar at 3."""
    bar = notes("C5 D5 E5 F5 G5", staff=1)
    assert [onset for onset, _ in piano_alone(note("C5", 4), bar, bar)] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    half = notes("C5 D5", staff=1)
    assert [onset for onset, _ in piano_alone(note("C5", 2), half, half)] == [0, 1, 3, 4]
    low = notes("C5 D5 E5", staff=1)  # the singer has two beats too many, which the piano need not fill
    assert [onset for onset, _ in piano_alone(notes("C5 D5 E5 F5 G5 A5"), low, low, meter="4/4")] == [0, 1, 2, 4, 5, 6]


def stretched(*bars: str) -> list[tuple[float, int]]:
    """Of a piano in 12/8 beside a singer in 4/4, in a file that counts in the singer's time."""
    return piano_alone(note("C5", 4), *bars)


def test_bars_that_are_stretched_to_those_of_the_other_parts() -> None:
    """The backup of a full bar is 4 quarters, an eighth rest lasts 1/3; the notes last as long as their values."""
    high = "".join(note(pitch, 1.5, value=0, staff=1) for pitch in ("C5", "D5", "E5", "F5"))
    low = (
        note("R", 1 / 3, value=0.5, voice=5, staff=2)
        + note("C3", 1, voice=5, staff=2)
        + note("D3", 4.5, value=0, voice=5, staff=2)
    )
    expected = [(0, 72), (0.5, 48), (1.5, 50), (1.5, 74), (3, 76), (4.5, 77)]
    assert stretched(high + back(4) + low) == expected
    whole = note("R", 4, value=0, voice=5, staff=2)
    then = stretched(high + back(4) + whole, high + back(4) + low)
    assert then == [(0, 72), (1.5, 74), (3, 76), (4.5, 77), *((onset + 6, pitch) for onset, pitch in expected)]
    too_far = note("C5", 4.5, value=0, staff=1) + f"<forward><duration>{3 * 12}</duration></forward>" + back(6)
    assert stretched(too_far + low, high + back(4) + low)[3:] == [(onset + 6, pitch) for onset, pitch in expected]


def test_marks_in_a_time_signature_that_one_part_changes_to() -> None:
    """The engraver, which passes that over, would take the ninth eighth for a ninth quarter."""
    wedge = '<direction><direction-type><wedge type="{}"/></direction-type></direction>'
    change = "<attributes><time><beats>12</beats><beat-type>8</beat-type></time></attributes>" + wedge.format("diminuendo")
    line = notes("C5 D5 E5 F5", staff=1)
    long = notes("C5 D5 E5 F5 G5", staff=1) + wedge.format("stop") + note("A5", staff=1)
    onsets = [onset for onset, _ in piano_alone(note("C5", 4), line, change + long, long, meter="4/4")]
    assert onsets == list(range(16))


def test_bars_in_another_time_signature_that_are_too_long_are_left_out() -> None:
    with pytest.raises(EngravingError, match="bar 2: its notes last 7 quarters, a bar of its own time signature lasts 6"):
        stretched(notes("C5 D5 E5 F5 G5 A5", staff=1), notes("C5 D5 E5 F5 G5 A5 B5", staff=1))


@pytest.mark.parametrize("kind", ["musicxml", "mei"])
def test_staves_in_time_signatures_of_different_length_are_not_played_together(kind: str) -> None:
    high, low = notes("C5 D5 E5 F5"), "".join(note(pitch, 1.5, value=0) for pitch in ("C4", "D4", "E4", "F4"))
    text = score(part(high, high), part(low, low, meter="12/8"))
    if kind == "mei":
        dotted = mei_notes("c3 d3 e3 f3").replace('dur="4"', 'dur="4" dots="1"')
        text = mei_score(mei_bar(LINE, dotted), mei_bar(LINE, dotted), staves=2)
        text = text.replace('clef.line="4"', 'clef.line="4" meter.count="12" meter.unit="8"')
    with pytest.raises(
        EngravingError, match="bar 1: its parts, each in its own time signature, last 4 and 6 quarters; --part takes one"
    ):
        engraved(f"x.{kind}", text, TWO)
    assert len(engraved("x.musicxml", score(part(high, high), part(high, high, meter="2/2")), TWO).notes) == 8


def test_staves_of_mei_with_a_time_signature_of_their_own() -> None:
    singer = mei_notes("c3 d3 e3 f3", 4).replace('dur="4"', 'dur="4" dots="1"')
    text = mei_score(mei_bar(LINE, singer), mei_bar(LINE, singer), staves=2)
    text = text.replace('clef.line="4"', 'clef.line="4" meter.count="12" meter.unit="8"')
    for which, length in (("1", 1), ("2", 1.5)):
        piece = engraved("x.mei", text, ONE, Playing(part=which))
        assert [onset for onset, _ in notes_of(piece)] == [k * length for k in range(8)]


@pytest.mark.parametrize(
    "mark",
    [
        '<fermata tstamp="4"/>',
        '<dynam tstamp="4.5">f</dynam>',
        '<hairpin form="cres" tstamp="1" tstamp2="0m+4"/>',
        '<hairpin form="cres" tstamp="1" tstamp2="1m+9"/>',
        '<slur tstamp="1" tstamp2="4"/>',
        '<octave dis="8" dis.place="above" tstamp="1" tstamp2="0m+5"/>',
    ],
)
def test_marks_after_the_end_of_a_bar_do_not_lengthen_it(mark: str) -> None:
    """The beats of a pickup may be counted as those of a full bar."""
    mark = mark.replace("<octave", '<octave staff="1"').replace(" tstamp=", ' staff="1" tstamp=', "octave" not in mark)
    text = mei_score(mei_bar(mei_notes("c5"), more='metcon="false"', after=mark), mei_bar(LINE), mei_bar(LINE))
    octave = 12 * ("octave" in mark)
    assert notes_of(engraved("x.mei", text)) == [(0, 72 + octave)] + [(1 + k, 72 + (0, 2, 4, 5)[k % 4]) for k in range(8)]


def test_a_mark_after_the_end_of_a_later_bar_in_another_time_signature() -> None:
    """Its fifth beat is one of that bar's quarters."""
    mark = '<hairpin form="dim" staff="1" tstamp="1" tstamp2="1m+5"/>'
    change = '<scoreDef meter.count="2" meter.unit="4"/>'
    bars = (
        mei_bar(mei_notes("c5 d5 e5 f5 g5 a5", 8), after=mark),
        change,
        mei_bar(mei_notes("c5 d5")),
        mei_bar(mei_notes("e5 f5")),
    )
    text = mei_score(*bars, definition='meter.count="6" meter.unit="8"')
    assert [onset for onset, _ in notes_of(engraved("x.mei", text))] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6]


def test_a_mark_on_the_bar_line_within_a_bar_of_humdrum() -> None:
    rows = ["**kern", "*M4/4", "=1", *["4c"] * 4, "=2", "4d", "4e", "=:|!;", "4f", "4g", "=3", *["4a"] * 4, "=="]
    assert [onset for onset, _ in notes_of(engraved("x.krn", "\n".join([*rows, "*-", ""])))] == list(range(12))


@pytest.mark.parametrize("symbol", ["brace", "bracket", "none", ""])
def test_a_part_in_a_group_of_its_own(symbol: str) -> None:
    """Its staves are one part, and the part below it keeps its number."""
    piano = [notes("C5 D5 E5 F5", staff=1) + back(4) + note("C3", 4, voice=5, staff=2)] * 2
    low = part(*[notes("G4 A4 B4 C5")] * 2)
    line = notes("C5 D5 E5 F5")
    text = score(part(line, line), part(*piano, staves=TWO_STAVES), low, names=("Flute", "Piano", "Oboe"))
    sign = f"<group-symbol>{symbol}</group-symbol>" if symbol else ""
    start = f'<part-group number="1" type="start"><group-name>Keys</group-name>{sign}</part-group>'
    listed = '<score-part id="P2">'
    text = text.replace(listed, start + listed).replace(
        '<score-part id="P3">', '<part-group number="1" type="stop"/><score-part id="P3">'
    )
    assert (0, 48) in notes_of(engraved("x.musicxml", text, TWO, PIANO))
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text, ONE, Playing(part="3")))][:4] == [67, 69, 71, 72]
