"""Keys with accidentals of their own, clefs, octaves and transposition of ABC tunes: what is printed and what sounds."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.abc.keys import parse_key
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.notation import Melody
from score_following_game.data_preparation.engraving.abc.properties import Clef, split_properties
from score_following_game.data_preparation.engraving.abc.to_mei import NAMESPACE, melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, read_tune_book
from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.accidentals import print_what_sounds
from score_following_game.data_preparation.engraving.xml_text import xml_text

MEI = f"{{{NAMESPACE}}}"
SCALE = "CDEF GABc|"
TUNE = "CDEF GABc|c2B2 A2G2|F2E2 D2C2|"


def text_of(key: str, music: str = TUNE, header: str = "") -> str:
    return f"X:1\nT:t\nM:4/4\nL:1/8\n{header}K:{key}\n{music}\n"


def melody_of(key: str, music: str = TUNE, header: str = "") -> Melody:
    return read_melody(read_tune_book(text_of(key, music, header))[0])


def pitches(key: str, music: str = SCALE, header: str = "") -> list[int]:
    return [pitch for _, _, pitch in melody_of(key, music, header).notes()]


def altered(*steps: tuple[int, int]) -> list[int]:
    """The scale of SCALE with some places altered."""
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    return [pitch + dict(steps).get(place, 0) for place, pitch in enumerate(scale)]


F, C, G, B, E = (3, 1), ((0, 1), (7, 1)), (4, 1), (6, -1), (2, -1)
KEYS = [
    ("D^g", [("F", 1), ("C", 1), ("G", 1)], altered(F, *C, G)),
    ("D ^g", [("F", 1), ("C", 1), ("G", 1)], altered(F, *C, G)),
    ("Dmix ^c", [("F", 1), ("C", 1)], altered(F, *C)),
    ("D =c", [("F", 1)], altered(F)),
    ("D maj =C", [("F", 1)], altered(F)),
    ("D Phr ^f", [("F", 1), ("B", -1), ("E", -1)], altered(F, B, E)),
    ("D exp _b _e ^f", [("F", 1), ("B", -1), ("E", -1)], altered(F, B, E)),
    ("D exp_b_e^f", [("F", 1), ("B", -1), ("E", -1)], altered(F, B, E)),
    ("exp ^f", [("F", 1)], altered(F)),
    ("Am^g", [("G", 1)], altered(G)),
    ("C =c", [], altered()),
    ("G exp", [], altered()),
    ("none ^f _b", [("F", 1), ("B", -1)], altered(F, B)),
    ("C __b ^^f", [("F", 2), ("B", -2)], altered((3, 2), (6, -2))),
    ("Gm clef=bass ^f", [("F", 1), ("B", -1), ("E", -1)], altered(F, B, E)),
    ("HP", [], altered(F, *C)),
    ("Hp", [("F", 1), ("C", 1)], altered(F, *C)),
]


@pytest.mark.parametrize(("key", "signs", "sounding"), KEYS)
def test_keys_with_accidentals(key: str, signs: list[tuple[str, int]], sounding: list[int]) -> None:
    assert pitches(key) == sounding
    assert melody_of(key).key.signs() == signs
    changed = melody_of("Eb", f"{SCALE}[K:{key}]{SCALE}")
    assert [pitch for _, _, pitch in changed.notes()][8:] == sounding and changed.measures[1].key.signs() == signs


@pytest.mark.parametrize("key", [key for key, *_ in KEYS if key != "HP"])
def test_the_printed_signature_implies_the_sound(key: str) -> None:
    """What the sheet says without the sound that our MEI states: read by the code that reads others' MEI."""
    melody = melody_of("C", f"=F F f|{SCALE}[K:{key}]{SCALE}^F F =c c c'|")
    root = ElementTree.fromstring(melody_to_mei(melody))
    for note in root.iter(f"{MEI}note"):
        note.attrib.pop("accid.ges", None)
    bars = read_mei(xml_text(root))[1].bars
    assert [note.pitch for bar in bars for note in bar.notes] == [pitch for _, _, pitch in melody.notes()]


STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR = (0, 2, 4, 5, 7, 9, 11)


@pytest.mark.parametrize("mode", ["", "m", "dor", "phr", "lyd", "mix", "loc"])
@pytest.mark.parametrize("sign", ["", "#", "b"])
@pytest.mark.parametrize("letter", "CDEFGAB")
def test_any_tonic_and_mode_with_up_to_seven_signs(letter: str, sign: str, mode: str) -> None:
    """The scale on the tonic, spelled with one note on each step, needs these signs. None needs a double one."""
    degree = {"": 0, "dor": 1, "phr": 2, "lyd": 3, "mix": 4, "m": 5, "loc": 6}[mode]
    tonic = STEPS[letter] + {"": 0, "#": 1, "b": -1}[sign]
    names = ("CDEFGAB" * 2)["CDEFGAB".index(letter) :][:7]
    sounds = [tonic + (MAJOR * 2)[degree + place] - MAJOR[degree] + (12 if degree + place >= 7 else 0) for place in range(7)]
    alters = {name: (sound - STEPS[name] + 6) % 12 - 6 for name, sound in zip(names, sounds, strict=True)}
    if any(abs(alter) > 1 for alter in alters.values()):
        with pytest.raises(AbcError, match="has no key signature"):
            parse_key(letter + sign + mode)
    else:
        key = parse_key(letter + sign + mode)
        assert key is not None and dict(key.signs()) == {name: alter for name, alter in alters.items() if alter}


def test_a_key_of_pipes_changes_back() -> None:
    assert pitches("HP", "F[K:C]F[K:Hp]F|") == [66, 65, 66]


@pytest.mark.parametrize("key", ["D ^/f", "D ^h", "Dfoo ^", "HPX", "C sound=B", "C score=AB", "C transpose=x", "C octave=up"])
def test_keys_that_are_not_read(key: str) -> None:
    with pytest.raises(AbcError):
        parse_key(split_properties(key)[0])


@pytest.mark.parametrize(
    ("properties", "clef", "moved"),
    [
        ("clef=treble-8", Clef("G", 2, -1), -12),
        ("treble+8", Clef("G", 2, 1), 12),
        ("clef=bass-15", Clef("F", 4, -2), -24),
        ("clef=alto", Clef("C", 3), 0),
        ("clef=tenor", Clef("C", 4), 0),
        ("bass", Clef("F", 4), 0),
        ("clef=bass3", Clef("F", 3), 0),
        ("clef=C1", Clef("C", 1), 0),
        ("clef=none", Clef(), 0),
        ("transpose=-2", Clef(), -2),
        ("octave=-1", Clef(), -12),
        ("clef=treble-8 octave=1 transpose=3", Clef("G", 2, -1), 3),
        ("clef=bass middle=d transpose=-24", Clef("F", 4), -24),
    ],
)
def test_clefs_octaves_and_transposition(properties: str, clef: Clef, moved: int) -> None:
    for melody in (
        melody_of(f"C {properties}"),
        melody_of("C", TUNE, f"V:1 {properties}\n"),
        melody_of("C", f"[V:1 {properties}]{TUNE}"),
    ):
        assert melody.clef == clef
        assert [pitch for _, _, pitch in melody.notes()][:8] == [pitch + moved for pitch in altered()]


def test_what_is_printed_of_a_transposed_tune() -> None:
    def printed(key: str) -> list[tuple[str, int]]:
        return [(event.pitch.step, event.pitch.octave) for event in melody_of(key).measures[0].events if event.pitch]

    assert printed("C transpose=-2") == printed("C")
    assert printed("C clef=bass octave=-1")[0] == ("C", 3)
    assert printed("C clef=bass middle=d transpose=-24")[0] == ("C", 2)  # two octaves below the letter


def test_changes_within_the_tune() -> None:
    melody = melody_of("C", "CD[K:bass]EF|[K:G transpose=12]F|[V:1 clef=treble-8 transpose=0]F|")
    assert [pitch for _, _, pitch in melody.notes()] == [60, 62, 64, 65, 78, 54]
    assert [measure.clef for measure in melody.measures] == [None, Clef("F", 4), None, Clef("G", 2, -1)]


UNCHANGED = [
    "[K:treble]",
    "[K:C]",
    "[K:]",
    "[M:4/4]",
    "\nM:C\n",
    "[L:1/8]",
    "[V:1]",
    "[P:B]",
    "[Q:1/4=90]",
    "\n%%MIDI transpose 0\n",
]


@pytest.mark.parametrize("field", UNCHANGED)
def test_a_field_that_changes_nothing_on_the_sheet_leaves_the_bar_whole(field: str) -> None:
    melody = melody_of("C", f"^F2F2{field}F2_B2|F4B4|")
    assert [pitch for _, _, pitch in melody.notes()] == [66, 66, 66, 70, 65, 71] and len(melody.measures) == 2


@pytest.mark.parametrize("field", ["[K:bass]", "[M:3/4]", "[K:Gm]", "\nV:1 clef=treble-8 octave=1\n"])
def test_accidentals_hold_where_a_change_splits_the_bar_and_are_printed_again(field: str) -> None:
    """Also a sign that the new key has, and a tied note, after which the sign is needed."""
    melody = melody_of("C", f"^F2_B2=E2A2-{field}A2F2B2E2|F2B2E2A2|")
    assert [pitch for _, _, pitch in melody.notes()][:7] == [66, 70, 64, 69, 66, 70, 64]
    after = dict.fromkeys("FBEA", 0) | ({"B": -1, "E": -1} if "Gm" in field else {})
    assert [pitch for _, _, pitch in melody.notes()][7:] == [65 + after["F"], 71 + after["B"], 64 + after["E"], 69]
    root = ElementTree.fromstring(melody_to_mei(melody))
    print_what_sounds(root)
    signs = [note.get("accid") for note in root.iter(f"{MEI}note")][4:]
    assert signs == [None, "s", None if after["B"] else "f", "n" if after["E"] else None, None, None, None, None]


def test_midi_transpose_changes_the_sound_and_not_the_print() -> None:
    """The directive of abc2midi, in the head for all voices, in the music from there on."""
    plain = [pitch for _, _, pitch in melody_of("C").notes()]
    for tune in (melody_of("C", TUNE, "%%MIDI transpose -12\n"), melody_of("C", f"%%MIDI transpose -12\n{TUNE}")):
        assert [pitch for _, _, pitch in tune.notes()] == [pitch - 12 for pitch in plain]
        assert next(event.pitch.octave for event in tune.measures[0].events if event.pitch) == 4
    melody = melody_of("C", "CD|EF|\n%%MIDI transpose 2\nGA|\nI:MIDI transpose 0\nGA|")
    assert [pitch for _, _, pitch in melody.notes()] == [60, 62, 64, 65, 69, 71, 67, 69]
    with pytest.raises(AbcError, match="transpose=up"):
        melody_of("C", TUNE, "%%MIDI transpose up\n")
    with pytest.raises(AbcError, match=r"transpose=2\.5"):
        melody_of("C", f"%%MIDI rtranspose 2.5\n{TUNE}")


@pytest.mark.parametrize("sign", ["MIDI", "MIDI=", "MIDI ="])
@pytest.mark.parametrize("form", ["%%{}\n", "I:{}\n", "\n[I:{}]"])
def test_midi_transpose_in_all_its_forms_and_rtranspose_adds_to_it(sign: str, form: str) -> None:
    def said(*values: str) -> str:
        return "".join(form.format(f"{sign} {value}") for value in values).lstrip("\n")

    def moved(music: str, header: str = "") -> list[int]:
        return [
            after - before for after, before in zip(pitches("C", music, header), pitches("C", "CDEF|GABc|GABc|"), strict=True)
        ]

    music = f"CDEF|\n{said('rtranspose -12')}GABc|\n{said('rtranspose 2', 'rtranspose +1')}GABc|"
    assert moved(music) == [0] * 4 + [-12] * 4 + [-9] * 4
    assert moved(f"{said('transpose 2')}{music}") == [2] * 4 + [-10] * 4 + [-7] * 4
    if "[" not in form:
        assert moved(music, said("transpose 5", "rtranspose -1", "rtranspose -1")) == [3] * 4 + [-9] * 4 + [-6] * 4
        assert moved(music, said("rtranspose 7", "transpose 1")) == [1] * 4 + [-11] * 4 + [-8] * 4
        assert moved(music, f"V:1 transpose=4\n{said('rtranspose 1')}") == [5] * 4 + [-7] * 4 + [-4] * 4
        (tune,) = read_tune_book(said("rtranspose 2") + text_of("C", "CDEF|", said("rtranspose 1")))
        assert [pitch for _, _, pitch in read_melody(tune).notes()] == [63, 65, 67, 68]


@pytest.mark.parametrize("clef", ["treble^8", "treble_8", "clef=perc", "clef=Q", "perc", "bass middle=c"])
def test_clefs_that_are_not_read(clef: str) -> None:
    with pytest.raises(AbcError):
        melody_of(f"C {clef}")


@pytest.mark.parametrize(
    "key", ["D^g", "D exp _b _e ^f", "HP", "Hp", "C clef=treble-8", "C transpose=-3", "C treble octave=1", "Am bass octave=-1"]
)
def test_verovio_prints_and_plays_what_is_read(key: str, tmp_path: Path) -> None:
    """engrave_source compares the engraver's notes with our own reading."""
    (tmp_path / "book.abc").write_text(text_of(key, f"{TUNE}[K:Gm^f]{SCALE}"))
    piece, _ = engrave_source(find_sources([tmp_path])[0], STYLES["nottingham"])
    assert [note.pitch for note in piece.notes] == pitches(key, f"{TUNE}[K:Gm^f]{SCALE}")
    assert len(piece.score.coords) == 24


def test_the_signs_of_a_signature_are_on_the_sheet(tmp_path: Path) -> None:
    def width(key: str) -> int:
        (tmp_path / "book.abc").write_text(text_of(key))
        return engrave_source(find_sources([tmp_path])[0], STYLES["nottingham"])[0].score.sheet.shape[1]

    assert width("C") < width("HP")  # no signature, but signs at the notes
    assert width("C") < width("Hp") == width("D") < width("D ^g") == width("A") < width("D exp ^f _b ^g _e ^c")
