"""Recognises the music of validation and test pieces of a set, which must not train an agent."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from score_following_game.data_preparation.building.duplicates import SAME_WORK, fragments, split_fragments
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote

# Sets with such pieces. held_out_SET.json: piece -> duplicates.fragments (see docs/data_sets.md)
MSMD, NOTTINGHAM = "MSMD", "Nottingham"


def held_out_piece(notes: Sequence[PlayedNote], of: str) -> str:
    """The held-out piece of the set `of` whose first notes these notes contain, wherever in the piece; "" if there is none."""
    own = split_fragments(fragments(notes, len(notes)))
    shares = {name: len(own & held) / min(len(own), len(held)) for name, held in _held_out(of).items()}
    closest = max(shares, key=lambda name: (shares[name], name))
    return closest if shares[closest] > SAME_WORK else ""


@functools.cache
def _held_out(of: str) -> dict[str, set[str]]:
    listed = json.loads(Path(__file__).with_name(f"held_out_{of.lower()}.json").read_text(encoding="utf-8"))
    return {name: split_fragments(text) for name, text in listed.items()}
