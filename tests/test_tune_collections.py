"""The bundled tunes are complete and different, and the Nottingham collection can be read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, read_tune_book

ROOT = Path(__file__).parents[1]
TUNES = ROOT / "score_following_game" / "bundled" / "tunes"


@pytest.mark.parametrize(("name", "fewest"), [("train", 18), ("valid", 4), ("test", 4)])
def test_bundled_tunes(name: str, fewest: int) -> None:
    """Every bar is complete (the upbeat and the last bar together make one), and each tune lasts 20 to 60 seconds."""
    tunes = read_tune_book((TUNES / f"{name}.abc").read_text())
    assert len(tunes) >= fewest
    for tune in tunes:
        melody = read_melody(tune)
        full = 4 * Fraction(*melody.meter)
        first, *middle, last = [measure.quarters for measure in melody.measures]
        assert set(middle) == {full}, tune.title
        assert (first, last) == (full, full) or first + last == full, tune.title
        seconds = float(sum(measure.quarters for measure in melody.measures)) * 60 / quarter_tempo(tune)
        assert 20 <= seconds <= 60, tune.title


def test_bundled_titles_differ() -> None:
    titles = [tune.title for path in TUNES.glob("*.abc") for tune in read_tune_book(path.read_text())]
    assert len(titles) == len(set(titles)) >= 26


def test_the_nottingham_collection_reads(shared: Path) -> None:
    """Only one tune cannot be read, because a chord bracket is never closed."""
    refused = []
    tunes = [
        tune
        for path in sorted((shared / "data" / "nottingham_abc").glob("*.abc"))
        for tune in read_tune_book(path.read_text("latin-1"))
    ]
    for tune in tunes[::3] + [tune for tune in tunes if tune.title == "Joy of the Dance"]:
        try:
            melody_to_mei(read_melody(tune))
        except AbcError:
            refused.append(tune.title)
    assert len(tunes) == 1034
    assert set(refused) == {"Joy of the Dance"}
