"""ABC: what stands in a tune is read or refused, never passed over."""

from __future__ import annotations

import pytest

from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.keys import parse_key
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.repeats import tune_in_order
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune, read_tune_book
from score_following_game.data_preparation.engraving.abc.voices import voice_tokens
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.verovio.layout import bar_order
from score_following_game.data_preparation.errors import EngravingError

WRITTEN = Playing(repeats="written")
HEAD = "X:1\nT:t\nM:4/4\nL:1/4\n"
VOICES = f'{HEAD}V:1 nm="Violin I"\nV:2 nm="Violin II"\nV:3 nm="Cello"\nK:C\n'


def tune_of(text: str) -> Tune:
    return read_tune_book(text)[0]


@pytest.mark.parametrize("opened", ['"Am ', "{g ", "[CE", "[K:G "])
@pytest.mark.parametrize("closed", ['"G"', "{a}", "[EG]", "[K:C]"])
def test_what_is_not_closed_on_its_line_is_refused(opened: str, closed: str) -> None:
    """The notes up to the next closing sign would be lost."""
    with pytest.raises(AbcError):
        read_melody(tune_of(f"{HEAD}K:C\nC{opened}DE|\nF{closed}GA|{opened}B\nc{closed}|\n"))


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ('CDEF|GABc"^Fine"|c4|C2D2"_D.C. al Fine"|]', [0, 1, 2, 3, 0, 1]),
        ('CDEF|"^Fine"c4|C2D2"@10,-2 Da Capo"|]', [0, 1, 2, 0, 1]),
        ('CDEF|"^Segno"GABc|C2D2"D.S."|]', [0, 1, 2, 1, 2]),
        ('CDEF|"^Segno"GABc|c4"^To Coda"|C4"^D.S. al Coda"|"^Coda"E4|]', [0, 1, 2, 3, 1, 2, 4]),
        ('CDEF|GABc"^Fine words"|"D C"CDEF|]', [0, 1, 2]),  # no sign, and two chords
    ],
)
def test_words_above_the_staff_are_signs(music: str, expected: list[int]) -> None:
    assert bar_order(tune_in_order(tune_of(f"{HEAD}K:C\n{music}\n"), WRITTEN)[0]) == expected


def test_signs_in_a_line_of_symbols_are_refused() -> None:
    text = f"{HEAD}K:C\nCDEF|GABc|\ns: * * * !{{}}!\nC2D2!D.C.!|]\n"
    with pytest.raises(AbcError, match=r"the signs in s:.*fine.*write them into the music"):
        tune_in_order(tune_of(text.replace("{}", "fine")), WRITTEN)
    assert len(read_melody(tune_of(text.replace("{}", "fine"))).measures) == 3  # played once, a sign has no meaning
    assert bar_order(tune_in_order(tune_of(text.replace("{}", "trill")), WRITTEN)[0]) == [0, 1, 2, 0, 1, 2]


def test_parts_that_only_another_voice_has_are_refused() -> None:
    text = f"{HEAD}P:AAB\nV:1\nV:2\nK:C\nV:1\nP:A\nCDEF|\nP:B\nGABc|]\nV:2\nC4|\nD4|]\n"
    assert bar_order(tune_in_order(tune_of(text), Playing(part="1", repeats="written"))[0]) == [0, 0, 1]
    with pytest.raises(AbcError, match=r"voice 1 has a part \(P:\) that voice 2 lacks"):
        tune_in_order(tune_of(text), Playing(part="2", repeats="written"))
    assert voice_tokens(tune_of(text.replace("P:AAB\n", "")), "2", marks=True)  # without an order parts are names only


def test_the_last_of_several_header_fields_counts() -> None:
    tune = tune_of('X:1\nT:t\nT:other\nM:4/4\nL:1/8\nM:3/4\nL:1/4\nQ:1/4=60\nQ:1/4=80\nQ:"Allegro"\nK:C\nCDE|\n')
    melody = read_melody(tune)
    assert (melody.meter, melody.notes(), quarter_tempo(tune)) == ((3, 4), [(0, 1, 60), (1, 1, 62), (2, 1, 64)], 80)
    assert tune.title == "t"


@pytest.mark.parametrize("music", ["(3C(3DEFG z2|", "(3CD|(3EFG z2|"])
def test_a_tuplet_within_another_is_refused(music: str) -> None:
    with pytest.raises(AbcError, match=r"'\(3' begins before the tuplet before it ends"):
        read_melody(tune_of(f"{HEAD}K:C\n{music}\n"))


@pytest.mark.parametrize("text", ["Bflat", "F sharp minor", "Dmoll", "C dur"])
def test_a_key_in_other_words_is_refused(text: str) -> None:
    with pytest.raises(AbcError, match=f"cannot read key '{text}'"):
        parse_key(text)


def test_what_cannot_be_read_in_another_voice_does_no_harm() -> None:
    tune = tune_of(f"{VOICES}V:1\nCDEF|\nV:2\nC2&E2|\nV:3\nC,4|\n")
    assert [pitch for _, _, pitch in read_melody(tune, "1").notes()] == [60, 62, 64, 65]
    with pytest.raises(AbcError, match=r"cannot read '&E2\|.*of several voices in one \(&\) none is read"):
        read_melody(tune, "2")


def test_a_piece_of_the_name_of_one_voice_is_enough() -> None:
    tune = tune_of(f"{VOICES}V:1\nCDEF|\nV:2\nGABc|\nV:3\nC,4|\n")
    assert [pitch for _, _, pitch in read_melody(tune, "cel").notes()] == [48]
    assert [pitch for _, _, pitch in read_melody(tune, "Violin I").notes()] == [60, 62, 64, 65]
    for part in ("Violin", "piano"):
        with pytest.raises(AbcError, match=f"no voice '{part}'"):
            read_melody(tune_of(tune_text(part)), part)


def tune_text(part: str) -> str:
    """A tune with voices whose names begin with the part's, one voice for `piano`, which stands for two staves."""
    return VOICES.replace("Cello", f"{part} left") + "V:1\nCDEF|\nV:2\nGABc|\nV:3\nC,4|\n"


@pytest.mark.parametrize("music", ["CDEc|>|CDEF|", "CDEF>:|CDEF|", "CDEF>|1CDEF:|", "CDEF|GABc>|]", "CDEF|GABc>"])
def test_a_broken_rhythm_without_its_two_notes_in_a_row_is_refused(music: str) -> None:
    with pytest.raises(AbcError, match=r"'>' does not follow a note in its bar|> or < before .*, with no note between them"):
        read_melody(tune_of(f"{HEAD}K:C\n{music}\n"))


def test_a_broken_rhythm_may_reach_across_a_bar_line() -> None:
    """The standard says of the previous and the next note only."""
    melody = read_melody(tune_of(f"{HEAD}K:C\nCDEF>|GABc|\n"))
    assert [duration for _, duration, _ in melody.notes()] == [1, 1, 1, 1.5, 0.5, 1, 1, 1]


@pytest.mark.parametrize("text", ["x3", "^3x", "_play 3 times", "^3 times", "Repeat three times!", "<thrice", "^x 3", "x2"])
@pytest.mark.parametrize("place", ['|:"{}"CDEF|GABc:|', '|:CDEF|GABc"{}":|', '|:CDEF|GABc:|"{}"', '|:CDEF|GABc:|"{}"C4|'])
def test_a_number_of_times_in_words_must_be_that_of_the_signs(text: str, place: str) -> None:
    tune = tune_of(f"{HEAD}K:C\n{place.format(text)}\n")
    bars = [0, 1, 2] if "C4" in place else [0, 1]
    if "2" in text:
        assert bar_order(tune_in_order(tune, WRITTEN)[0]) == [0, 1, *bars]
        return
    with pytest.raises(EngravingError, match="its words say that a passage is played 3 times, its signs do not"):
        tune_in_order(tune, WRITTEN)
    thrice = tune_of(f"{HEAD}K:C\n{place.format(text).replace('|:', '|::').replace(':|', '::|')}\n")
    assert bar_order(tune_in_order(thrice, WRITTEN)[0]) == [0, 1, 0, 1, *bars]
    assert len(read_melody(tune).measures) == len(bars)  # each bar once: the words have no meaning


@pytest.mark.parametrize(
    "jump", ["!dcalfine!", '"^D.C. al Fine"', "!D.C.alcoda!", '"_D.S. al Coda"', '"Da Capo al Fine, senza rep."']
)
def test_a_jump_to_a_place_that_is_not_there_is_refused(jump: str) -> None:
    goal = "coda" if "coda" in jump.lower() else "fine"
    music = f"!segno!CDEF|GABc{jump}|]" if "S" in jump.split()[0] else f"CDEF|GABc{jump}|]"
    with pytest.raises(EngravingError, match=f"bar 2: its jump names a {goal}, and there is none"):
        tune_in_order(tune_of(f"{HEAD}K:C\n{music}\n"), WRITTEN)
