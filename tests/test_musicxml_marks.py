"""Tempo marks, strokes and repeated bars of MusicXML, what is wrong in it, and edits at random."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from engraving_tools import assert_notes, engraved, musicxml, notes_of, piano
from musicxml_tools import DIVISIONS, LINE, back, note, notes, part, score

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.musicxml.arithmetic import read_musicxml
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.errors import EngravingError

DATA = Path(__file__).parent / "data"


def test_tempo_changes_are_played() -> None:
    def tempo(quarters_per_minute: int) -> str:
        return f'<direction><direction-type><words>a</words></direction-type><sound tempo="{quarters_per_minute}"/></direction>'

    metronome = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome>"
        "</direction-type></direction>"
    )
    piece = musicxml(tempo(60) + LINE, notes("G5 G5") + metronome + notes("E5 E5"), LINE)
    assert piece.onsets == pytest.approx([0, 1, 2, 3, 4, 5, 6, 6.5, 7, 7.5, 8, 8.5], abs=1e-3)
    checks.check_midi(piece, piece.midi)


def metronome(content: str) -> str:
    return f"<direction><direction-type><metronome>{content}</metronome></direction-type></direction>"


def beat(unit: str, per_minute: str = "") -> str:
    """unit: like "quarter" or "quarter."."""
    speed = f"<per-minute>{per_minute}</per-minute>" if per_minute else ""
    return f"<beat-unit>{unit.strip('.')}</beat-unit>{'<beat-unit-dot/>' * unit.count('.')}{speed}"


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        *((metronome(beat("quarter", text)), 60) for text in ("60", "60-66", "60 - 66", "ca.60", "c. 60", "(60)", "= 60")),
        (metronome(beat("quarter", "60,5")), 60.5),
        (metronome(beat("half.", "30.5")), 91.5),
        (metronome(beat("64th", "960")), 60),
        (metronome(beat("long", "5")), 80),
        (
            metronome(
                beat("quarter") + "<beat-unit-tied><beat-unit>16th</beat-unit></beat-unit-tied><per-minute>60</per-minute>"
            ),
            75,
        ),
        (metronome(beat("quarter", "Allegro")), None),
        (metronome(beat("quarter") + beat("half")), None),  # nothing to refer to
        *(
            (words(f"Andante ({text})"), 60)
            for text in ("\u2669 = 60", "\u266a=120", "q = ca. 60", "half = 30", "\ueca5\u2009= 60-66")
        ),
        *(
            (words(text), 90)
            for text in ("\u2669. = 60", "q.=60", "Dotted quarter = 60", "\ue1d5\ue1e7 = 60", "\U0001d15f. = c. 60")
        ),
        *(
            (words(text), None)
            for text in ("a quarter past 60", "the = 60", "\u266b = \u2669\u266a", "\u2669 = \u266a", "play at 60")
        ),
        (words("q = 60").replace("</direction>", '<sound tempo="80"/></direction>'), 80),
    ],
)
def test_tempo_marks(mark: str, tempo: float | None) -> None:
    assert read_musicxml(score(part(mark + LINE)))[1].bars[0].tempi == (() if tempo is None else ((0, tempo),))


def test_a_mark_may_refer_to_the_tempo_before_it() -> None:
    """Two notes of one length, of which the first is at the old tempo; one home of the tempo for all parts."""
    faster, slower = metronome(beat("quarter") + beat("half")), metronome(beat("quarter.") + beat("quarter"))
    first = metronome(beat("quarter", "60")) + notes("C5 D5") + faster + faster + notes("E5 F5")
    bars = read_musicxml(score(part(first, LINE, LINE), part(LINE, slower + LINE, slower + LINE)))[1].bars
    assert [bar.tempi for bar in bars] == [((0, 60), (2, 120)), ((0, 80),), ((0, pytest.approx(160 / 3)),)]


def test_tempi_of_all_parts_in_order_of_time_at_their_sounding_offsets() -> None:
    def tempo(quarters_per_minute: int, within: str = "", beside: str = "") -> str:
        sound = f'<sound tempo="{quarters_per_minute}">{within}</sound>'
        return f"<direction><direction-type><words>a</words></direction-type>{beside}{sound}</direction>"

    def tempi(*parts: str) -> tuple[tuple[float, float], ...]:
        return read_musicxml(score(*map(part, parts)))[1].bars[0].tempi

    here, half, low = notes("C5 D5"), 2 * DIVISIONS, notes("C4 D4 E4 F4")
    assert tempi(here + tempo(120) + here, tempo(60) + low) == ((0, 60), (2, 120))
    assert tempi(tempo(60) + here + tempo(120) + here, tempo(90) + low) == ((0, 60), (2, 120))  # the first part counts
    assert tempi(here + tempo(120) + back(2) + tempo(60) + low) == ((0, 60), (2, 120))
    assert tempi(tempo(120, within=f"<offset>{half}</offset>") + LINE) == ((2, 120),)
    assert tempi(f'<sound tempo="120"><offset>{half}</offset></sound>' + LINE) == ((2, 120),)
    assert tempi(here + tempo(120, beside=f'<offset sound="yes">{-half}</offset>') + here) == ((0, 120),)
    assert tempi(here + tempo(120, beside=f"<offset>{-half}</offset>") + here) == ((2, 120),)  # of print only


def tremolo(kind: str, strokes: int) -> str:
    return f'<ornaments><tremolo type="{kind}">{strokes}</tremolo></ornaments>'


@pytest.mark.parametrize("bars", [1, 2])
def test_a_tie_goes_on_from_the_last_note_of_a_tremolo(bars: int) -> None:
    """Within a bar and over the bar line; of a tremolo between two notes and of strokes through one stem."""
    pair = {"quarters": 0.5, "value": 1.0, "tuplet": "2:1", "more": '<tie type="start"/>'}
    alternating = note("E5", 0.5, value=1.0, tuplet="2:1", notations=tremolo("start", 2))
    alternating += note("G5", **pair, notations=tremolo("stop", 2))  # type: ignore[arg-type]
    stop, start = '<tie type="stop"/>', '<tie type="start"/>'
    repeating = note("C5", more=start, notations=tremolo("single", 1))
    ends = note("G5", more=stop), note("C5", more=stop)
    if bars == 1:
        piece = musicxml(alternating + ends[0] + repeating + ends[1])
        assert_notes(piece, [*((k / 4, 79 if k % 2 else 76) for k in range(4)), (2, 72), (2.5, 72)])
        return
    piece = musicxml(notes("C5 C5 C5") + alternating, ends[0] + notes("D5 D5") + repeating, ends[1] + notes("D5 D5 D5"))
    expected = [(0, 72), (1, 72), (2, 72), *((3 + k / 4, 79 if k % 2 else 76) for k in range(4)), (5, 74), (6, 74)]
    assert_notes(piece, [*expected, (7, 72), (7.5, 72), (9, 74), (10, 74), (11, 74)])


def test_strokes_and_repeated_bars_are_written_out() -> None:
    pair = {"quarters": 1.0, "value": 2.0, "tuplet": "2:1"}
    bar = (
        note("C5", notations=tremolo("single", 1))
        + note("D5")
        + note("E5", **pair, notations=tremolo("start", 2))  # type: ignore[arg-type]
        + note("G5", **pair, notations=tremolo("stop", 2))  # type: ignore[arg-type]
    )
    sign = '<attributes><measure-style><measure-repeat type="{}">1</measure-repeat></measure-style></attributes>'
    rest = '<note><rest measure="yes"/><duration>48</duration><voice>1</voice></note>'
    piece = musicxml(bar, sign.format("start") + rest, sign.format("stop") + LINE)
    first = [(0, 72), (0.5, 72), (1, 74), *((2 + k / 4, 79 if k % 2 else 76) for k in range(8))]
    assert_notes(piece, [*first, *((onset + 4, pitch) for onset, pitch in first), (8, 72), (9, 74), (10, 76), (11, 77)])


def test_divisions_that_a_part_does_not_state_or_that_are_wrong() -> None:
    """The values of the notes tell them; one of two parts would be out of step."""
    text = score(part(LINE, LINE, notes("C5 D5 E5 F5", quarters=0.5)), part(LINE, LINE, LINE))
    stated = f"<divisions>{DIVISIONS}</divisions>"
    first = Playing(part="1")
    as_it_is = notes_of(engraved("x.musicxml", text, playing=first))
    assert notes_of(engraved("x.musicxml", text.replace(stated, "", 1), playing=first)) == as_it_is
    with pytest.raises(EngravingError, match="part Part 1: most notes last 2 times their values"):
        engraved("x.musicxml", text.replace(stated, f"<divisions>{DIVISIONS // 2}</divisions>", 1), playing=first)
    unclear = text.replace(stated, "", 1).replace("<type>quarter", "<type>half", 6)
    with pytest.raises(EngravingError, match="it states no <divisions>"):
        engraved("x.musicxml", unclear, playing=first)


def test_rests_for_repeated_beats_are_refused() -> None:
    """Where the file has the notes themselves they are played."""

    def under(content: str) -> tuple[str, str]:
        start, stop = (
            f'<attributes><measure-style><beat-repeat type="{kind}" slashes="1"/></measure-style></attributes>'
            for kind in ("start", "stop")
        )
        return notes("C5 D5") + start + content, note("R") + stop + notes("C5 D5 E5")

    for bars in (under(notes("R R")), under(notes("E5 F5"))):
        with pytest.raises(EngravingError, match="beat-repeat"):
            musicxml(*bars)
    assert_notes(
        musicxml(under(notes("E5 F5"))[0], under("")[1].replace(note("R"), note("B4"))),
        [(0, 72), (1, 74), (2, 76), (3, 77), (4, 71), (5, 72), (6, 74), (7, 76)],
    )
    musicxml(LINE, under(notes("E5 F5"))[0].replace("start", "stop"), notes("R C5 D5 E5"))


def test_a_repeated_bar_of_one_hand() -> None:
    sign = '<attributes><measure-style number="2"><measure-repeat type="{}">1</measure-repeat></measure-style></attributes>'
    right = notes("C5 D5 E5 F5", staff=1)
    piece = piano(
        right + back(4) + notes("C3 G3 C3 G3", voice=5, staff=2),
        sign.format("start") + notes("G5 F5 E5 D5", staff=1) + back(4) + notes("R R R R", voice=5, staff=2),
    )
    assert [pitch for onset, pitch in notes_of(piece) if onset >= 4] == [48, 79, 55, 77, 48, 76, 55, 74]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<transpose>", '<transpose number="x">'),
        ("</attributes>", '</attributes><barline><repeat direction="backward" times="²"/></barline>'),
    ],
)
def test_attributes_that_are_no_numbers_count_as_missing(old: str, new: str) -> None:
    text = score(part(LINE, LINE, more="<transpose><chromatic>2</chromatic></transpose>")).replace(old, new, 1)
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text))] == [74, 76, 78, 79] * 2


def test_a_note_that_lasts_no_time_costs_that_note() -> None:
    piece = musicxml(LINE.replace("<duration>12<", "<duration>0<", 1), *[LINE] * 9)
    assert len(piece.notes) == 39 and piece.unshown == {"not drawn by the engraver": 1}


def test_elements_nested_too_deeply_are_refused() -> None:
    with pytest.raises(EngravingError, match="nested"):
        musicxml(LINE, LINE + "<direction>" * 3000 + "</direction>" * 3000)


def random_edits(text: str, seed: int, number: int) -> str:
    """The text with some of its elements dropped, doubled or with another's text or name of an attribute."""
    rng = random.Random(seed)
    root = ElementTree.fromstring(text)
    for _ in range(number):
        parents = [(parent, child) for parent in root.iter() for child in parent]
        parent, child = rng.choice(parents)
        place = list(parent).index(child)
        kind = rng.randrange(4)
        if kind == 0:
            parent.remove(child)
        elif kind == 1:
            parent.insert(place, ElementTree.fromstring(ElementTree.tostring(child)))
        elif kind == 2:
            child.text = rng.choice(["", "0", "-1", "7", "x", "1e9", "3.5", "yes", rng.choice(parents)[1].text or ""])
        elif child.attrib:
            child.set(rng.choice(list(child.attrib)), rng.choice(["", "0", "2", "start", "stop", "no", "x"]))
    return ElementTree.tostring(root, encoding="unicode")


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_edits_end_in_agreement_or_in_a_reason(seed: int) -> None:
    """`engraved` compares both readings, so a piece that comes back agrees with its file."""
    text = random_edits((DATA / "song.musicxml").read_text(), seed, 1 + seed % 3)
    try:
        piece = engraved("song.musicxml", text)
    except EngravingError as error:
        assert error.reason
    else:
        assert all(note.end > note.onset >= Fraction(0) for note in piece.notes)
