"""Recognises the music of the MSMD's validation and test pieces, which must not train an agent."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from score_following_game.data_preparation.building.duplicates import SAME_WORK, fragments, split_fragments
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote

_FRAGMENTS = Path(__file__).with_name("held_out_msmd.json")  # piece -> duplicates.fragments; see docs/data_sets.md


def held_out_piece(notes: Sequence[PlayedNote]) -> str:
    """Name of the held-out piece whose first notes these notes contain, wherever in the piece; "" if there is none."""
    own = split_fragments(fragments(notes, len(notes)))
    shares = {name: len(own & held) / min(len(own), len(held)) for name, held in _held_out().items()}
    closest = max(shares, key=lambda name: (shares[name], name))
    return closest if shares[closest] > SAME_WORK else ""


@functools.cache
def _held_out() -> dict[str, set[str]]:
    return {name: split_fragments(text) for name, text in json.loads(_FRAGMENTS.read_text(encoding="utf-8")).items()}
