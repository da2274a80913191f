"""A few damaged inputs for every reader, and those that once failed. `make fuzz` reads as many as there is time for."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
sys.path.insert(0, str(FUZZ))

from fuzz_readers import READERS, damaged, violation  # noqa: E402
from mutations import mutated  # noqa: E402

CORPUS = sorted(path for path in (FUZZ / "corpus").iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_end_in_a_value_or_a_reason(reader: str, tmp_path: Path):
    for data in READERS[reader].originals():
        assert violation(reader, data, tmp_path) == ""
    for number in range(8):
        assert violation(reader, damaged(reader, 0, number), tmp_path) == "", number


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_once_failed_ends_in_a_value_or_a_reason(path: Path, tmp_path: Path):
    """A file of the corpus is named READER-ANYTHING."""
    assert violation(path.name.partition("-")[0].replace("_", " "), path.read_bytes(), tmp_path) == ""


def test_the_same_seed_damages_alike_and_nearly_everything_is_damaged():
    data = bytes(range(256))
    damages = [mutated(data, [data], random.Random(seed)) for seed in range(100)]
    assert damages == [mutated(data, [data], random.Random(seed)) for seed in range(100)]
    assert len(set(damages)) > 90 and data not in damages[:10]


def test_a_violation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(READERS, "score", type(READERS["score"])("a", READERS["score"].originals, fail))
    assert "ZeroDivisionError" in violation("score", b"", tmp_path)
