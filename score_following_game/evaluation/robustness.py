"""The same pieces at other tempi and with other sound fonts: how much an agent depends on either."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError
from score_following_game.evaluation.metrics import SHARE_SECONDS, mean_stats
from score_following_game.evaluation.report import DECIMALS, json_content, piece_rows, printed_report, stats_cells
from score_following_game.evaluation.results import Results, mean_of

DEFAULT_FONT = "default"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Condition:
    """How pieces are played. tempo: times their speed.  sound_font: None for the set's own, else the default."""

    tempo: float = 1.0
    sound_font: Path | None = None


def all_conditions(tempi: Sequence[float], sound_fonts: Sequence[str]) -> list[Condition]:
    """Every tempo with every font, each once. sound_fonts: files, or DEFAULT_FONT. Raises UserError for what is no font."""
    fonts = [None if font == DEFAULT_FONT else Path(font) for font in dict.fromkeys(sound_fonts)]
    for font in fonts:
        if font is not None:
            require_sound_font(font)
    return [Condition(tempo, font) for font in fonts for tempo in tempi]


def play_conditions(conditions: Sequence[Condition], play: Callable[[Condition], Results]) -> dict[Condition, Results]:
    """`play` under each condition -> its results, of the pieces that could be played under all of them.

    Raises UserError where no piece could.
    """
    played = {condition: play(condition) for condition in conditions}
    names = [results.pieces() for results in played.values()]
    common = set(names[0]).intersection(*names)
    apart = sorted(set().union(*names) - common)
    if not common:
        raise UserError(f"no piece can be played under every condition; the first: {apart[0]}")
    if apart:
        log.warning("%d pieces cannot be played under every condition and are in no row; the first: %s", len(apart), apart[0])
        return {condition: results.only(common) for condition, results in played.items()}
    return played


def report(played: Mapping[Condition, Results], unit: str = "px", shares: bool = False) -> str:
    """The printed report of a single condition; of several the robustness table."""
    if len(played) == 1:
        return printed_report(*played.values(), unit, shares)
    return robustness_table(played, unit, shares)


def robustness_table(played: Mapping[Condition, Results], unit: str = "px", shares: bool = False) -> str:
    """A row per condition: tempo & font & the figures of aligned_table."""
    return aligned_table(["tempo", "sound font"], _labels(played), list(played.values()), unit, shares)


def comparison_table(
    played: Mapping[str, Mapping[Condition, Results]],
    unit: str = "px",
    shares: bool = False,
) -> str:
    """A row per agent, or, under several conditions, per agent and condition; played: by the agents' names."""
    conditions = next(iter(played.values()))
    results = [result for own in played.values() for result in own.values()]
    if len(conditions) == 1:
        return aligned_table(["agent"], [(name,) for name in played], results, unit, shares)
    labels = [(name, *condition) for name in played for condition in _labels(conditions)]
    return aligned_table(["agent", "tempo", "sound font"], labels, results, unit, shares)


def by_label(played: Mapping[str, Mapping[Condition, Results]]) -> dict[str, Results]:
    """All results by what tells them apart: the agent, tempo and font, those of them of which there are several."""
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
) -> str:
    """Labels & R_tue & R_on & mean & std \\\\, the means over trials, columns aligned; the header is a comment to LaTeX.

    names: of the labels. shares: a column for each of SHARE_SECONDS, the share of all onsets within it.
    """
    bounds = [f"<= {seconds:g} s" for seconds in SHARE_SECONDS] if shares else []
    rows = [[f"% {names[0]}", *names[1:], "R_tue", "R_on", f"mean {unit}", f"std {unit}", *bounds]]
    for label, result in zip(labels, results, strict=True):
        within = [f"{share:.2f}" for share in mean_of(result.shares()).values()] if shares else []
        rows.append(
            [
                *(part.replace("_", r"\_") for part in label),
                *stats_cells(mean_stats(result.stats(unit)), DECIMALS[unit]),
                *within,
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
    """piece_rows; of several conditions all, each told in its rows."""
    if len(played) == 1:
        return piece_rows(*played.values())
    return [_told(condition) | row for condition, results in played.items() for row in piece_rows(results)]


def condition_content(played: Mapping[Condition, Results]) -> dict[str, Any]:
    """json_content; of several conditions that of each, in a list."""
    if len(played) == 1:
        return json_content(*played.values())
    return {"conditions": [_told(condition) | json_content(results) for condition, results in played.items()]}


def agent_rows(played: Mapping[str, Mapping[Condition, Results]]) -> list[dict[str, Any]]:
    """condition_rows of every agent, by its name."""
    return [{"agent": name} | row for name, own in played.items() for row in condition_rows(own)]


def agent_content(played: Mapping[str, Mapping[Condition, Results]]) -> dict[str, Any]:
    """condition_content of every agent, by its name."""
    return {"agents": {name: condition_content(own) for name, own in played.items()}}


def _told(condition: Condition) -> dict[str, Any]:
    return {"tempo": condition.tempo, "sound_font": str(condition.sound_font or DEFAULT_FONT)}


def _labels(conditions: Mapping[Condition, Results]) -> list[tuple[str, str]]:
    """Tempo and font of each."""
    return list(zip(_aligned([condition.tempo for condition in conditions]), _font_names(conditions), strict=True))


def _aligned(tempi: Sequence[float]) -> list[str]:
    """As many decimals as the longest has."""
    decimals = max(len(f"{tempo:g}".partition(".")[2]) for tempo in tempi)
    return [f"{tempo:.{decimals}f}" for tempo in tempi]


def _font_names(conditions: Mapping[Condition, Results]) -> list[str]:
    """File names without suffix; whole paths where two fonts would have one name."""
    fonts = {condition.sound_font for condition in conditions}
    short = {font: font.stem if font else DEFAULT_FONT for font in fonts}
    names = short if len(set(short.values())) == len(fonts) else {font: str(font or DEFAULT_FONT) for font in fonts}
    return [names[condition.sound_font] for condition in conditions]
