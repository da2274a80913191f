"""What of a score is played: parts, repeats as written, and bars in an order of one's own."""

from __future__ import annotations

import io

import mido
import pytest
from engraving_tools import ONE, TWO, cleaned, engraved, notes_of
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving.checks import check_noteheads
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.errors import EngravingError

KEY = "<attributes><key><fifths>2</fifths></key></attributes>"


def barline(place: str, content: str) -> str:
    return f'<barline location="{place}">{content}</barline>'


def words(text: str, sound: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type><sound {sound}/></direction>"


FORWARD = barline("left", '<repeat direction="forward"/>')
BACKWARD = '<repeat direction="backward"/>'
TUNE = score(
    part(
        notes("C5 D5"),
        notes("E5 F5") + words("Fine", 'fine="yes"'),
        FORWARD + KEY + note("G5") + note("A5"),
        barline("left", '<ending number="1" type="start"/>')
        + notes("B5 A5")
        + barline("right", f'<ending number="1" type="stop"/>{BACKWARD}'),
        barline("left", '<ending number="2" type="start"/>')
        + notes("B5 G5")
        + barline("right", '<ending number="2" type="discontinue"/>'),
        notes("G5 D5") + words("D.C. al Fine", 'dacapo="yes"'),
        meter="2/4",
    ),
    names=("Violin",),
)
PITCHES = {1: [72, 74], 2: [76, 77], 3: [79, 81], 4: [83, 81], 5: [83, 79], 6: [79, 74]}


def played(repeats: str = "once", order: str = "") -> EngravedPiece:
    return engraved("x.musicxml", TUNE, ONE, Playing("", repeats, order))


@pytest.mark.parametrize(
    ("repeats", "order", "bars"),
    [
        ("once", "", [1, 2, 3, 4, 6]),
        ("written", "", [1, 2, 3, 4, 3, 5, 6, 1, 2]),
        ("once", "1-2,1-4,6", [1, 2, 1, 2, 3, 4, 6]),
        ("once", "5,5,1", [5, 5, 1]),
    ],
)
def test_bars_sound_and_are_drawn_in_their_order(repeats: str, order: str, bars: list[int]) -> None:
    piece = played(repeats, order)
    assert [pitch for _, pitch in notes_of(piece)] == [pitch for bar in bars for pitch in PITCHES[bar]]
    assert [onset for onset, _ in notes_of(piece)] == list(range(2 * len(bars)))
    first = [piece.score.coords[row, 1] for row, _ in piece.score.coord2onset]
    assert first == sorted(first)


@pytest.mark.parametrize(
    ("order", "bars"),
    [
        ("1,2,3", [1, 2, 3, 4]),
        ("1-2,2,3", [1, 2, 3, 2, 3, 4]),
        ("2a,2b,3", [2, 3, 4]),
        ("1,2,X1,X1", [1, 2, 3, 3]),
        ("1,2,3,X2", [1, 2, 3, 4, 5]),
        ("2b,X2", [3, 5]),
    ],
)
@pytest.mark.parametrize("sign", ["", barline("right", BACKWARD)])
def test_a_bar_without_a_number_of_its_own_is_the_rest_of_the_bar_before(order: str, bars: list[int], sign: str) -> None:
    """A repeat sign within a bar divides it, and programs number its second part X1."""
    music = [notes("C5 D5 E5 F5"), notes("G5 A5") + sign, notes("B5 C6"), notes("D5 E5"), notes("F5 G5")]
    text = score(part(*music)).replace('number="3"', 'number="X1" implicit="yes"').replace('number="4"', 'number="3"')
    text = text.replace('number="5"', 'number="X2" implicit="yes"')
    played = {1: [72, 74, 76, 77], 2: [79, 81], 3: [83, 84], 4: [74, 76], 5: [77, 79]}
    if order.endswith(",3"):
        bars = [*bars, 5]
    piece = engraved("x.musicxml", text, ONE, Playing("", "once", order))
    assert [pitch for _, pitch in notes_of(piece)] == [pitch for bar in bars for pitch in played[bar]]


def test_an_upbeat_after_a_full_bar_is_not_its_rest() -> None:
    """It belongs to what follows, so --order names it."""
    music = [notes("C5 D5 E5 F5"), notes("G5 A5 B5 C6") + barline("right", BACKWARD), note("D5"), notes("E5 F5 G5 A5")]
    text = score(part(*music)).replace('number="3"', 'number="X1" implicit="yes"').replace('number="4"', 'number="3"')
    for order, upbeat in (("1-2,1-2,X1,3", [74]), ("1-2,1-2,3", [])):
        piece = engraved("x.musicxml", text, ONE, Playing("", "once", order))
        assert [pitch for _, pitch in notes_of(piece)][8:-4] == [72, 74, 76, 77, 79, 81, 83, 84, *upbeat]


def test_the_key_at_the_goal_of_a_jump_is_printed() -> None:
    """Bar 1 comes again in C: after two sharps its key is drawn, and a clef that is the same is not."""
    mei = cleaned("x.musicxml", TUNE, ONE, Playing("", "written"))
    after = mei[mei.index('xml:id="bar-5"') : mei.index('xml:id="bar-0-2"')]
    assert after.count("<keySig") == 1 and 'sig="0"' in after and "<clef" not in after
    again = mei[mei.index('xml:id="bar-3"') : mei.index('xml:id="bar-2-2"')]
    assert "<keySig" not in again and "rpt" not in mei and "<ending" not in mei


@pytest.mark.parametrize("order", ["1-9", "0", "2-1", "x", "1,,2", "-2"])
def test_orders_that_are_refused(order: str) -> None:
    with pytest.raises(EngravingError, match="no such bar"):
        played(order=order)


def test_ties_hold_only_between_bars_that_follow_each_other() -> None:
    """The note at the end of the repeated bar is tied into what follows it, not into its own repetition."""
    begin, end = '<tie type="start"/>', '<tie type="stop"/>'
    text = score(
        part(
            FORWARD + note("C5") + note("D5", more=begin) + barline("right", BACKWARD),
            note("D5", more=end) + note("E5"),
            meter="2/4",
        )
    )
    piece = engraved("x.musicxml", text, ONE, Playing("", "written"))
    assert [(float(n.onset), float(n.end), n.pitch) for n in piece.notes] == [
        (0, 1, 72),
        (1, 2, 74),
        (2, 3, 72),
        (3, 5, 74),
        (5, 6, 76),
    ]


def test_a_passage_that_is_played_three_times() -> None:
    text = score(
        part(
            FORWARD + notes("C5 D5") + barline("right", '<repeat direction="backward" times="3"/>'), notes("E5 F5"), meter="2/4"
        )
    )
    piece = engraved("x.musicxml", text, ONE, Playing("", "written"))
    assert [pitch for _, pitch in notes_of(piece)] == [72, 74] * 3 + [76, 77]


def test_the_printed_numbers_of_an_ending_count() -> None:
    """MuseScore writes number="1" and prints "1.-3."."""
    first = barline("left", '<ending number="1" type="start">1.-3.</ending>')
    second = barline("left", '<ending number="2" type="start">4.</ending>')
    text = score(
        part(
            notes("C5 D5"),
            first + notes("E5 F5") + barline("right", f'<ending number="1" type="stop"/>{BACKWARD}'),
            second + notes("G5 A5") + barline("right", '<ending number="2" type="stop"/>'),
            meter="2/4",
        )
    )
    piece = engraved("x.musicxml", text, ONE, Playing("", "written"))
    assert [pitch for _, pitch in notes_of(piece)] == [72, 74, 76, 77] * 3 + [72, 74, 79, 81]


def test_a_repeat_inside_an_ending_is_refused_but_can_be_listed() -> None:
    """Whether the inner repeat is played again in which ending, only a person can say."""
    first = barline("left", '<ending number="1" type="start"/><repeat direction="forward"/>')
    text = score(
        part(
            notes("C5 D5"),
            notes("E5 F5"),
            first + notes("G5 A5") + barline("right", f'<ending number="1" type="stop"/>{BACKWARD}'),
            barline("left", '<ending number="2" type="start"/>')
            + notes("B5 C5")
            + barline("right", '<ending number="2" type="stop"/>'),
            meter="2/4",
        )
    )
    with pytest.raises(EngravingError, match=r"bar 3: .* ending.*--order"):
        engraved("x.musicxml", text, ONE, Playing("", "written"))
    assert len(engraved("x.musicxml", text, ONE, Playing("", "written", "1-3,3,1-2,4")).notes) == 14
    assert len(engraved("x.musicxml", text, ONE).notes) == 8 - 2


def test_the_midi_counts_bars_as_the_sheet_does() -> None:
    """A pickup of one quarter, then bars of 3/4."""
    text = score(part(notes("C5"), notes("D5 E5 F5"), notes("G5 A5 B5"), notes("C5 D5 E5"), meter="3/4"))
    piece = engraved("x.musicxml", text)
    now, found = 0, []
    for message in mido.merge_tracks(mido.MidiFile(file=io.BytesIO(piece.midi)).tracks):
        now += message.time
        if message.type == "time_signature":
            found.append((now / 480, message.numerator, message.denominator))
    assert found == [(0, 1, 4), (1, 3, 4)]


def song(piano_name: str = "Piano", voice_name: str = "Voice") -> str:
    voice = part(notes("G5 A5 B5 C5"), notes("C5 C5 C5 C5"))
    hands = notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C3 G3 C3 G3", voice=5, staff=2)
    return score(voice, part(hands, hands, staves=TWO_STAVES), names=(voice_name, piano_name))


def pitches(text: str, which: str, style=TWO) -> list[int]:
    return [pitch for _, pitch in notes_of(engraved("x.musicxml", text, style, Playing(which)))]


def test_a_part_by_name_by_number_and_as_the_piano() -> None:
    hands = [48, 72, 55, 74, 48, 76, 55, 77] * 2
    for which in ("piano", "Piano", "2", "pian", "PIANO"):
        assert pitches(song(), which) == hands
    assert pitches(song("Forte-Piano"), "piano") == hands
    assert pitches(song("", ""), "piano") == hands
    for which in ("1", "Voice", "voi"):
        assert pitches(song(), which, ONE) == [79, 81, 83, 72] + [72] * 4


def test_the_piano_of_two_parts_of_one_staff() -> None:
    right, left = part(notes("C5 D5 E5 F5"), notes("C5 D5 E5 F5")), part(notes("C4 D4 E4 F4"), notes("C4 D4 E4 F4"))
    voice = part(notes("G5 G5 G5 G5"), notes("G5 G5 G5 G5"))
    text = score(voice, right, left, names=("Tenor", "Pianoforte", ""))
    assert pitches(text, "piano") == [60, 72, 62, 74, 64, 76, 65, 77] * 2


THREE = "<staves>{}</staves>" + "".join(
    f'<clef number="{number}"><sign>{sign}</sign><line>{line}</line></clef>'
    for number, sign, line in ((1, "G", 2), (3, "F", 4))
)


def organ(extra: str, rare: int, stated: int) -> str:
    """A piano part of 20 bars in two staves, one of which has a few notes on another staff, `rare`."""
    left = next(staff for staff in (2, 3) if staff != rare)
    hands = notes("C5 D5", quarters=2, staff=1) + back(4) + notes("C3 G3", quarters=2, voice=5, staff=left)
    bars = [hands] * 10 + [hands + back(4) + notes(extra, voice=9, staff=rare)] + [hands] * 9
    return score(part(*bars, staves=THREE.format(stated)), names=("Piano",))


@pytest.mark.parametrize("which", ["", "piano"])
@pytest.mark.parametrize(("rare", "stated"), [(3, 2), (3, 3), (2, 3)])
def test_a_few_notes_on_a_third_staff_cost_those_notes(which: str, rare: int, stated: int) -> None:
    piece = engraved("x.musicxml", organ("E4 R E4 R", rare, stated), TWO, Playing(which))
    assert set(piece.staves) == {2} and piece.unshown == {"not drawn by the engraver": 2}
    assert [pitch for _, pitch in notes_of(piece)] == [48, 72, 55, 74] * 20
    check_noteheads(piece)
    words = "the score has 3" if not which else r"none is a piano: 1 Piano \(3 staves\)"
    with pytest.raises(EngravingError, match=words):
        engraved("x.musicxml", organ("E4 D4 E4 D4 " * 3, rare, stated), TWO, Playing(which))


@pytest.mark.parametrize(("voice", "other"), [(1, 1), (5, 2)])
def test_a_voice_that_reaches_to_a_rare_staff_costs_what_it_has_there(voice: int, other: int) -> None:
    """Its notes there are of a staff that stays, but written on the one that goes."""
    bar = notes("C5 D5", quarters=2, staff=1) + back(4) + notes("C3 G3", quarters=2, voice=5, staff=2)
    pitch = "D5" if other == 1 else "G3"  # the staff of the first note is that of the voice
    reaching = bar.replace(note(pitch, 2, voice=voice, staff=other), note(pitch, 2, voice=voice, staff=3), 1)
    assert reaching != bar
    text = score(part(*[bar] * 5, reaching, *[bar] * 14, staves=THREE.format(3)), names=("Piano",))
    piece = engraved("x.musicxml", text, TWO)
    assert len(piece.notes) == 79 and sum(piece.unshown.values()) == 1 and set(piece.staves) == {2}


def test_a_rare_staff_is_not_lost_from_a_score_of_two() -> None:
    """Two staves are what the style has; they stay, however few notes one of them has."""
    bar = notes("C5 D5 E5 F5", staff=1)
    text = score(part(*[bar] * 10, bar + back(4) + note("C3", 4, voice=5, staff=2), staves=TWO_STAVES))
    piece = engraved("x.musicxml", text, TWO)
    assert len(piece.notes) == 45 and not piece.unshown and set(piece.staves) == {2}


@pytest.mark.parametrize(
    ("which", "text", "message"),
    [
        ("3", song(), "none is '3'; the parts are 1 Voice, 2 Piano \\(2 staves\\)"),
        ("flute", song(), "none is 'flute'"),
        ("piano", score(part(notes("C5 D5 E5 F5")), names=("Guitar",)), "none is a piano: 1 Guitar"),
        ("piano", score(*[part(notes("C5 D5"), staves=TWO_STAVES)] * 2, names=("Piano I", "Piano II")), "several are a piano"),
        ("viol", score(part(notes("C5")), part(notes("C5")), names=("Violin I", "Violin II")), "2 is 'viol'"),
    ],
)
def test_parts_that_are_refused(which: str, text: str, message: str) -> None:
    with pytest.raises(EngravingError, match=message) as caught:
        engraved("x.musicxml", text, TWO, Playing(which))
    assert caught.value.reason == "no such part"
