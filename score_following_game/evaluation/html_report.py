"""The results of an evaluation as one page to look through, which needs no other file and no network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.environment.rendering.names import title
from score_following_game.evaluation.alignment_plots import error_histograms, piece_errors
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.html_page import Cell, data_uri, image, number, page, table
from score_following_game.evaluation.intervals import intervals
from score_following_game.evaluation.metrics import SHARE_SECONDS, mean_stats
from score_following_game.evaluation.results import Results, mean_of
from score_following_game.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "report.html"
OPEN = 5  # pieces; of more the courses are folded


@dataclass(frozen=True)
class Film:
    """An excerpt of a game. caption: what it shows. content: of an mp4 file. poster: its first picture, a JPEG."""

    piece: str
    caption: str
    content: bytes
    poster: bytes


@dataclass(frozen=True)
class PieceFigures:
    """What became of a piece, over all trials.

    ratio: mean share of its onsets that were tracked. ended: in how many trials it was tracked to its end. pixels, seconds:
    mean absolute error, nan when no onset was played.
    """

    piece: str
    onsets: int
    trials: int
    ratio: float
    ended: int
    pixels: float
    seconds: float


def piece_figures(results: Results) -> list[PieceFigures]:
    """The figures of each piece, in the bank's order."""
    found = []
    for own, timed in zip(zip(*results.episodes["px"]), zip(*results.episodes["seconds"])):
        found.append(
            PieceFigures(
                own[0].piece,
                len(own[0].onset_frames),
                len(own),
                float(np.mean([episode.ratio for episode in own])),
                sum(episode.ratio == 1 for episode in own),
                _mean_error(own),
                _mean_error(timed),
            )
        )
    return found


def best_and_worst(results: Results, each: int) -> tuple[list[str], list[str]]:
    """The names of the pieces that were followed best and worst, at most `each` of both, and none twice."""
    order = sorted(piece_figures(results), key=lambda row: (-row.ratio, np.nan_to_num(row.pixels, nan=np.inf)))
    names = [row.piece for row in order]
    worst = names[::-1][: min(each, len(names) // 2)]
    return names[: min(each, len(names) - len(worst))], worst


def write_report(
    folder: Path,
    heading: str,
    about: Mapping[str, str],
    played: Mapping[str, Results],
    threshold: int,
    fps: int,
    films: Sequence[Film] = (),
) -> Path:
    """Write the page into a folder, which is made. Returns its path.

    Args:
        folder: where report.html is written.
        heading: of the page.
        about: what was played and how: name -> text.
        played: results by label; the pieces of the first are listed and plotted.
        threshold: the game config's, in pixels.
        fps: frames per second.
        films: excerpts, best pieces first.

    Raises:
        WriteError: it cannot be written.
    """
    first = next(iter(played.values()))
    body = "\n".join(
        [
            f"<h1>{escape(heading)}</h1>",
            "<p>" + "<br>".join(f"{escape(name)}: <code>{escape(text)}</code>" for name, text in about.items()) + "</p>",
            "<h2>All pieces</h2>",
            _summary(played),
            "<h2>Errors</h2>",
            image(_svg(error_histograms(played, threshold)), "Histograms of the errors at the onsets"),
            *(["<h2>Films</h2>", _films(films)] if films else []),
            f"<h2>Pieces</h2><p>{'' if len(played) == 1 else escape(next(iter(played))) + '. '}A click on a column sorts.</p>",
            _pieces(first),
            "<h2>Course of each piece</h2>",
            *(_plot(index, first, fps) for index in range(len(first.pieces()))),
        ]
    )
    path = folder / NAME
    with replacing(path) as temporary:
        temporary.write_text(page(heading, body), encoding="utf-8")
    return path


def _summary(played: Mapping[str, Results]) -> str:
    names = "tracked_until_end_ratio", "global_tracking_ratio"
    rows = []
    for label, results in played.items():
        pixels, seconds = (mean_stats(results.stats(unit)) for unit in ("px", "seconds"))
        ranges = intervals(results)
        within = mean_of(results.shares())
        figures = [
            Cell(
                f"{getattr(pixels, name):.3f}<br><small>{ranges[name][0]:.2f}-{ranges[name][1]:.2f}</small>",
                getattr(pixels, name),
            )
            for name in names
        ]
        rows.append(
            [
                Cell(escape(label) or "agent"),
                *figures,
                number(pixels.alignment_errors_mean, 2),
                number(pixels.alignment_errors_median, 2),
                number(seconds.alignment_errors_mean, 3),
                *(number(share, 2) for share in within.values()),
            ]
        )
    head = ["", "R_tue", "R_on", "mean, px", "median, px", "mean, s", *(f"≤ {bound:g} s" for bound in SHARE_SECONDS)]
    note = "Below R_tue and R_on: 95 % of resamples of the pieces. ≤: shares of all onsets; one not tracked is a miss."
    return f"{table(head, rows)}<p>{note}</p>"


def _pieces(results: Results) -> str:
    figures = piece_figures(results)
    rows = [
        [
            Cell(f'<a href="#plot-{index}">{escape(title(row.piece))}</a>', title(row.piece)),
            Cell(str(row.onsets), row.onsets),
            Cell(f'<span class="bar" style="width:{4 * row.ratio:.2f}em"></span>{row.ratio:.3f}', row.ratio),
            Cell(f"{row.ended} of {row.trials}", row.ended),
            number(row.pixels, 2),
            number(row.seconds, 3),
        ]
        for index, row in enumerate(figures)
    ]
    return table(["piece", "onsets", "R_on", "to the end", "mean error, px", "mean error, s"], rows)


def _films(films: Sequence[Film]) -> str:
    parts = [
        f'<figure><video controls preload="none" poster="{data_uri(film.poster, "image/jpeg")}" '
        f'src="{data_uri(film.content, "video/mp4")}"></video>'
        f"<figcaption><b>{escape(title(film.piece))}</b>: {escape(film.caption)}</figcaption></figure>"
        for film in films
    ]
    return f'<div class="films">{"".join(parts)}</div>'


def _plot(index: int, results: Results, fps: int) -> str:
    episodes = [trial[index] for trial in results.episodes["seconds"]]
    name = escape(title(episodes[0].piece))
    picture = image(_svg(piece_errors(episodes, fps)), f"Errors over the time of {episodes[0].piece}")
    is_open = " open" if len(results.pieces()) <= OPEN else ""
    return f'<details id="plot-{index}"{is_open}><summary>{name}</summary>{picture}</details>'


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Text as text: smaller, and it can be searched. A fixed salt and no date: equal results make equal pages.
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _mean_error(episodes: Sequence[Episode]) -> float:
    errors = np.abs(np.concatenate([episode.errors for episode in episodes]))
    return float(errors.mean()) if len(errors) else float("nan")
