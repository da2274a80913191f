"""Evaluation at several tempi and with several sound fonts: shows how much an agent depends on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError, counted
from score_following_game.evaluation.intervals import interval_cells
from score_following_game.evaluation.metrics import SHARE_SECONDS, mean_stats
from score_following_game.evaluation.report import DECIMALS, json_content, piece_rows, printed_report, stats_cells
from score_following_game.evaluation.results import Results, mean_of

DEFAULT_FONT = "default"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Condition:
    """How pieces are performed. tempo: factor of their speed. sound_font: None for the set's own font, else the default."""

    tempo: float = 1.0
    sound_font: Path | None = None


def all_conditions(tempi: Sequence[float], sound_fonts: Sequence[str]) -> list[Condition]:
    """All combinations of tempo and font, once each. sound_fonts: files or DEFAULT_FONT. Raises UserError for others."""
    fonts = [None if font == DEFAULT_FONT else Path(font) for font in dict.fromkeys(sound_fonts)]
    for font in fonts:
        if font is not None:
            require_sound_font(font)
    return [Condition(tempo, font) for font in fonts for tempo in tempi]


def play_conditions(conditions: Sequence[Condition], play: Callable[[Condition], Results]) -> dict[Condition, Results]:
    """Call `play` for each condition and return the results, limited to pieces that can be played under all conditions.

    Raises UserError when there is no such piece.
    """
    played = {condition: play(condition) for condition in conditions}
    names = [results.pieces() for results in played.values()]
    common = set(names[0]).intersection(*names)
    apart = sorted(set().union(*names) - common)
    if not common:
        raise UserError(f"no piece can be played under every condition; the first: {apart[0]}")
    if apart:
        log.warning("left out, not playable under every condition: %s; the first: %s", counted(len(apart), "piece"), apart[0])
        return {condition: results.only(common) for condition, results in played.items()}
    return played


def report(played: Mapping[Condition, Results], unit: str = "px", shares: bool = False, with_intervals: bool = False) -> str:
    """The printed report for a single condition, the robustness table for several."""
    if len(played) == 1:
        return printed_report(next(iter(played.values())), unit, shares, with_intervals)
    return robustness_table(played, unit, shares, with_intervals)


def robustness_table(
    played: Mapping[Condition, Results], unit: str = "px", shares: bool = False, with_intervals: bool = False
) -> str:
    """A table with one row per condition: tempo, sound font, and the figures of aligned_table."""
    return aligned_table(["tempo", "sound font"], _labels(played), list(played.values()), unit, shares, with_intervals)


def comparison_table(
    played: Mapping[str, Mapping[Condition, Results]],
    unit: str = "px",
    shares: bool = False,
    with_intervals: bool = False,
) -> str:
    """A table with one row per agent, or, for several conditions, per agent and condition. played: keyed by agent name."""
    conditions = next(iter(played.values()))
    results = [result for own in played.values() for result in own.values()]
    if len(conditions) == 1:
        return aligned_table(["agent"], [(name,) for name in played], results, unit, shares, with_intervals)
    labels = [(name, *condition) for name in played for condition in _labels(conditions)]
    return aligned_table(["agent", "tempo", "sound font"], labels, results, unit, shares, with_intervals)


def by_label(played: Mapping[str, Mapping[Condition, Results]]) -> dict[str, Results]:
    """Results keyed by agent, tempo and sound font; factors that do not vary are left out of the key."""
    found = {}
    for name, own in played.items():
        for results, (tempo, font) in zip(own.values(), _labels(own), strict=True):
            parts = [*([name] if len(played) > 1 else []), *([f"tempo {tempo}", font] if len(own) > 1 else [])]
            found[", ".join(parts)] = results
    return found


def aligned_table(
    names: Sequence[str],
    labels: Sequence[Sequence[str]],
    results: Sequence[Results],
    unit: str,
    shares: bool,
    with_intervals: bool,
) -> str:
    """Aligned LaTeX rows, labels & R_tue & R_on & mean & std \\\\, means over trials. The header is a LaTeX comment.

    names: of the labels. shares: a column for each of SHARE_SECONDS, the share of all onsets within it. with_intervals: columns
    of the intervals of R_tue and R_on.
    """
    bounds = [f"<= {seconds:g} s" for seconds in SHARE_SECONDS] if shares else []
    ranges = ["R_tue 95 %", "R_on 95 %"] if with_intervals else []
    rows = [[f"% {names[0]}", *names[1:], "R_tue", "R_on", f"mean {unit}", f"std {unit}", *bounds, *ranges]]
    for label, result in zip(labels, results, strict=True):
        within = [f"{share:.2f}" for share in mean_of(result.shares()).values()] if shares else []
        rows.append(
            [
                *(part.replace("_", r"\_") for part in label),
                *stats_cells(mean_stats(result.stats(unit)), DECIMALS[unit]),
                *within,
                *(interval_cells(result) if with_intervals else []),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = {number for number, name in enumerate(names) if name != "tempo"}
    return "\n".join(
        " & ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + r" \\"
        for row in rows
    )


def condition_rows(played: Mapping[Condition, Results]) -> list[dict[str, Any]]:
    """piece_rows; for several conditions those of all, with columns that name the condition."""
    if len(played) == 1:
        return piece_rows(*played.values())
    return [_as_columns(condition) | row for condition, results in played.items() for row in piece_rows(results)]


def condition_content(played: Mapping[Condition, Results]) -> dict[str, Any]:
    """json_content; for several conditions a list with that of each."""
    if len(played) == 1:
        return json_content(*played.values())
    return {"conditions": [_as_columns(condition) | json_content(results) for condition, results in played.items()]}


def agent_rows(played: Mapping[str, Mapping[Condition, Results]]) -> list[dict[str, Any]]:
    """condition_rows of every agent, with a column of its name."""
    return [{"agent": name} | row for name, own in played.items() for row in condition_rows(own)]


def agent_content(played: Mapping[str, Mapping[Condition, Results]]) -> dict[str, Any]:
    """condition_content of every agent, keyed by its name."""
    return {"agents": {name: condition_content(own) for name, own in played.items()}}


def _as_columns(condition: Condition) -> dict[str, Any]:
    return {"tempo": condition.tempo, "sound_font": str(condition.sound_font or DEFAULT_FONT)}


def _labels(conditions: Mapping[Condition, Results]) -> list[tuple[str, str]]:
    """Tempo and sound font of each condition, as printed."""
    return list(zip(_aligned([condition.tempo for condition in conditions]), _font_names(conditions), strict=True))


def _aligned(tempi: Sequence[float]) -> list[str]:
    """Tempi as strings, all with the decimals of the longest."""
    decimals = max(len(f"{tempo:g}".partition(".")[2]) for tempo in tempi)
    return [f"{tempo:.{decimals}f}" for tempo in tempi]


def _font_names(conditions: Mapping[Condition, Results]) -> list[str]:
    """The fonts' file names without suffix; full paths when two of these would be equal."""
    fonts = {condition.sound_font for condition in conditions}
    short = {font: font.stem if font else DEFAULT_FONT for font in fonts}
    names = short if len(set(short.values())) == len(fonts) else {font: str(font or DEFAULT_FONT) for font in fonts}
    return [names[condition.sound_font] for condition in conditions]
