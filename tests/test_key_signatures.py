"""Keys without signs that begin within a bar, or after a key with signs of its own: the naturals are drawn."""

from __future__ import annotations

import pytest
from engraving_tools import engraved, notes_of
from mei_tools import bar, note, notes, score
from musicxml_tools import note as xml_note
from musicxml_tools import notes as xml_notes
from musicxml_tools import part
from musicxml_tools import score as xml_score

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.style import STYLES

LINE = [65, 67, 69, 71]  # F G A B


@pytest.mark.parametrize(("key", "first"), [("f#", [66, 67]), ("b-", [70, 69]), ("f#c#", [66, 73]), ("b-e-", [70, 75])])
def test_humdrum(key: str, first: list[int]) -> None:
    names = {66: "f#", 67: "g", 69: "a", 70: "b-", 73: "cc#", 75: "ee-"}
    before = [f"4{names[pitch]}" for pitch in first]
    bars = ["4f", "4b", "=2", "4f", "4g", "4a", "4b", "=3", "4f", "4g", "4a", "4b", "=="]
    text = "\n".join(["**kern", f"*k[{key}]", "*M4/4", "=1", *before, "*k[]", *bars, "*-", ""])
    piece = engraved("x.krn", text)
    assert [pitch for _, pitch in notes_of(piece)] == [*first, 65, 71, *LINE, *LINE]
    assert piece.unshown == {}


def test_humdrum_with_another_key_after_the_one_without_signs() -> None:
    bars = ["4f#", "4g", "*k[]", "4f", "4b", "=2", "*k[b-]", "4f", "4g", "4a", "4b-", "=3", "4f#", "4g", "4a", "4bn", "=="]
    text = "\n".join(["**kern", "*k[f#]", "*M4/4", "=1", *bars, "*-", ""])
    assert [pitch for _, pitch in notes_of(engraved("x.krn", text))] == [66, 67, 65, 71, 65, 67, 69, 70, 66, 67, 69, 71]


def test_musicxml_and_mei() -> None:
    change = "<attributes><key><fifths>0</fifths></key></attributes>"
    first = xml_note("F4", alter=1) + xml_note("G4") + change + xml_notes("F4 B4")
    text = xml_score(part(first, xml_notes("F4 G4 A4 B4"), fifths=1))
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text))] == [66, 67, 65, 71, *LINE]
    first = note("f4", 4, 'accid.ges="s"') + note("g4") + '<keySig sig="0"/>' + notes("f4 b4")
    text = score(bar(first), bar(notes("f4 g4 a4 b4")), definition='meter.count="4" meter.unit="4" keysig="1s"')
    assert [pitch for _, pitch in notes_of(engraved("x.mei", text))] == [66, 67, 65, 71, *LINE]


@pytest.mark.parametrize("change", ["\nK:C\n", "[K:C]", "\nK:Am\n", "\nK:none\n"])
@pytest.mark.parametrize("key", ["Gm ^f", "D exp _b _e ^f", "C ^f"])
def test_abc(key: str, change: str, tmp_path) -> None:
    text = f"X:1\nT:t\nM:4/4\nL:1/4\nK:{key}\nFGAB|{change}FGAB|FGAB|\nK:D\nFGAB|\n"
    (tmp_path / "x.abc").write_text(text)
    (source,) = find_sources([tmp_path / "x.abc"])
    piece, _ = engrave_source(source, STYLES["nottingham"])
    flat = 71 if key == "C ^f" else 70
    assert [pitch for _, pitch in notes_of(piece)] == [66, 67, 69, flat, *LINE, *LINE, 66, 67, 69, 71]
    assert piece.unshown == {}
