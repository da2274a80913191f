"""The tempi of scores that are only played: the printed scores of the same music take them over.

Many files have one score for print and one for MIDI, and the tempo stands in the latter.
"""

from __future__ import annotations

from dataclasses import replace

import mido

from score_following_game.data_preparation.engraving.lilypond.midi import ScoreMidi

_DEFAULT = 1_000_000  # microseconds per quarter where a score states no tempo: LilyPond's 60 quarters per minute
_SAME_MUSIC = 0.9  # share of the printed score's notes that the other plays at the same time

TempoEvent = tuple[int, int, mido.Message]


def with_played_tempi(midis: list[ScoreMidi]) -> list[ScoreMidi]:
    """The printed scores, with the tempi of those that are only played. midis: in the order of the file.

    A score whose notes have the same times takes over all tempi. Otherwise the tempo of the beginning goes to the score before
    (or else after) it, if that has none: the times of later changes are not known there.
    """
    scores = list(midis)
    for place, source in enumerate(midis):
        if source.printed or not _states_tempo(source):
            continue
        same = [number for number, score in enumerate(scores) if score.printed and _is_same_music(score, source)]
        beside = [number for number in (place - 1, place + 1) if 0 <= number < len(scores) and scores[number].printed]
        silent = [number for number in beside if not _states_tempo(scores[number])]
        for number in same:
            scores[number] = _with_tempi(scores[number], _tempi(source))
        if not same and silent:
            scores[silent[0]] = _with_tempi(scores[silent[0]], [event for event in _tempi(source) if event[0] == 0])
    return [score for score in scores if score.printed]


def _tempi(score: ScoreMidi) -> list[TempoEvent]:
    return [event for event in score.events if event[2].type == "set_tempo"]


def _states_tempo(score: ScoreMidi) -> bool:
    return any(message.tempo != _DEFAULT for _, track, message in _tempi(score)[1:])


def _is_same_music(printed: ScoreMidi, played: ScoreMidi) -> bool:
    heard = {(note.tick, note.pitch) for note in played.notes}
    shared = sum((note.tick, note.pitch) in heard for note in printed.notes)
    return shared >= _SAME_MUSIC * len(printed.notes)


def _with_tempi(score: ScoreMidi, tempi: list[TempoEvent]) -> ScoreMidi:
    others = [event for event in score.events if event[2].type != "set_tempo"]
    return replace(score, events=[*tempi, *others])
