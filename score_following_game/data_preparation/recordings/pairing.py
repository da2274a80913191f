"""Pairing of recordings with scores: by name, or because there is one of each."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_processing.audio import RECORDING_SUFFIXES, is_recording, unread_sound
from score_following_game.errors import UserError

log = logging.getLogger(__name__)

_SUFFIXES = ", ".join(RECORDING_SUFFIXES)


@dataclass(frozen=True)
class Pairs:
    """recordings: score name -> its recording.  without_score: recordings that belong to no score, by path."""

    recordings: dict[str, Path]
    without_score: list[Path]


def find_recordings(place: Path) -> dict[str, Path]:
    """Stem -> path of one recording, or of all recordings below a folder, sorted by stem.

    Raises UserError when the place is missing or has no recording, and when two recordings have the same stem.
    """
    if place.is_file():
        if not is_recording(place):
            raise UserError(unread_sound([place]) or f"{place}: is no recording; expected {_SUFFIXES}")
        return {place.stem: place}
    if not place.is_dir():
        raise UserError(f"{place}: no such recording or folder of recordings")
    found: dict[str, Path] = {}
    files = sorted(path for path in place.rglob("*") if path.is_file())
    if unread := unread_sound(files):
        log.warning("%s: %s", place, unread)
    for path in filter(is_recording, files):
        if (other := found.setdefault(path.stem, path)) != path:
            raise UserError(
                f"{other} and {path} have the same name, so it is not clear which one to use; rename one or move it away"
            )
    if not found:
        raise UserError(f"{place}: no recording in this folder; expected {_SUFFIXES}")
    return dict(sorted(found.items()))


def pair(names: Iterable[str], recordings: dict[str, Path]) -> Pairs:
    """Pair score names and recordings: by exact name first, then by equal letters and digits, ignoring case.

    One score and one recording belong together, whatever their names. recordings: stem -> path. Raises UserError when the
    second rule is ambiguous.
    """
    names = list(names)
    if len(names) == len(recordings) == 1:
        return Pairs(dict(zip(names, recordings.values())), [])
    pairs = {name: recordings[name] for name in names if name in recordings}
    scores, stems = defaultdict(list), defaultdict(list)
    for name in names:
        if name not in pairs:
            scores[_key(name)].append(name)
    for stem in recordings:
        if stem not in pairs:
            stems[_key(stem)].append(stem)
    for key in sorted(scores.keys() & stems.keys()):
        if len(scores[key]) + len(stems[key]) > 2:
            files = ", ".join(str(recordings[stem]) for stem in stems[key])
            raise UserError(
                f"scores {', '.join(scores[key])} and recordings {files}: it is not clear which belongs to which; "
                "give each recording the exact name of its score"
            )
        pairs[scores[key][0]] = recordings[stems[key][0]]
    used = set(pairs.values())
    return Pairs(
        {name: pairs[name] for name in names if name in pairs},
        sorted(path for path in recordings.values() if path not in used),
    )


def _key(name: str) -> str:
    return (slug(name) or name).casefold()
