#!/usr/bin/env python
"""Measure how well systems are found on pages: drawn ones, the same printed and scanned, and scans counted by eye.

    python benchmarks/pages.py --msmd DATA/msmd_lilypond --tunes DATA/nottingham_abc --songs DATA/openscore_lieder \\
        --scans DATA/scans

A system counts as found where its staves are as many as drawn and its middle line is within half a staff space at its middle.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pages_drawn import KnownPage, KnownSystem, lilypond_pages, scanned, song_pages, tune_pages

from score_following_game.command_line import Parser, script
from score_following_game.data_preparation.pages.corrections import Corrections
from score_following_game.data_preparation.pages.files import Page, read_pages
from score_following_game.data_preparation.pages.reading import ReadPage, find_music

# Systems on each page of the scans, counted by eye.
COUNTED = {
    "p119": [5] * 21,
    "p135": [4, 4, 4, 5, 5],
    "p153": [6, 7],
    "p165": [4, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5, 5],
    "p19": [5, 5, 5],
    "p59": [0, 4, 4, 4, 4, 5, 5, 2, 4, 5, 4, 4, 5, 6, 5, 5, 3, 4, 4, 4, 4],
    "p75": [4] * 8,
    "p80": [4, 4, 5, 5, 5, 5],
    "p89": [5, 5, 5],
    "p95": [6, 7, 7],
    "p99": [5] * 13,
}
# (page, system) -> staves, where these are not two.
THREE_STAVES = {"p135": {(2, 1), (2, 3), (3, 1), (3, 3), (4, 2)}}


@dataclass
class Tally:
    """What was found on the pages of one kind. Errors per found system: ends (pixels of the page), course and space (shares of
    a staff space).
    """

    pages: int = 0
    systems: int = 0
    found: int = 0
    false: int = 0
    disordered: int = 0
    ends: list[float] = field(default_factory=list)
    course: list[float] = field(default_factory=list)
    space: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self, kind: str) -> str:
        missed = self.systems - self.found
        shown = f"{kind:28}{self.pages:6}{self.systems:8}{self.found:7}{missed:7}{self.false:6}{self.disordered:6}"
        if not self.ends:
            return shown
        ends, course, space = (np.array(values) for values in (self.ends, self.course, self.space))
        return (
            f"{shown}{np.median(ends):7.1f}{ends.max():7.1f}{(ends <= 2).mean():8.1%}"
            f"{np.median(course):8.3f}{course.max():7.3f}{(space <= 0.02).mean():9.1%}"
        )


HEAD = (
    f"{'':28}{'pages':>6}{'systems':>8}{'found':>7}{'missed':>7}{'false':>6}{'order':>6}{'ends':>7}{'worst':>7}{'<= 2 px':>8}"
    f"{'course':>8}{'worst':>7}{'space 2%':>9}"
)


def compare(page: KnownPage, read: ReadPage, tally: Tally) -> None:
    """Add one page to the tally."""
    tally.pages += 1
    tally.systems += len(page.systems)
    left = dict(enumerate(read.systems))
    places = []
    for number, known in enumerate(page.systems, 1):
        match = next((place for place, system in left.items() if _is(known, system, read)), None)
        if match is None:
            tally.failures.append(f"{page.name}: system {number} missed")
            continue
        system = left.pop(match)
        places.append(match)
        tally.found += 1
        paper = read.paper
        assert paper is not None
        ends = np.array([system.left, system.right])
        x, _ = paper.to_page(ends, system.middle(ends))
        off = x - known.middle[[0, -1], 0]
        tally.ends += np.abs(off).tolist()
        if np.abs(off).max() > 2:
            tally.failures.append(f"{page.name}: system {number} ends {off[0]:+.1f} and {off[1]:+.1f} px off")
        tally.course.append(float(np.abs(_distance(known, system, read)).max()) / known.space)
        tally.space.append(abs(system.space * paper.page_pixels / known.space - 1))
    tally.false += len(left)
    tally.failures += [f"{page.name}: {len(system.staves)} staves that are not there" for system in left.values()]
    tally.disordered += sum(later < earlier for earlier, later in itertools.pairwise(places))


def _distance(known: KnownSystem, system, read: ReadPage) -> np.ndarray:
    """How far the middle line found is below the known one at each of its points, in pixels of the page."""
    assert read.paper is not None
    points = np.hstack([known.middle, np.ones((len(known.middle), 1))]) @ read.paper.from_page.T
    return (system.middle(points[:, 0]) - points[:, 1]) * read.paper.page_pixels


def _is(known: KnownSystem, system, read: ReadPage) -> bool:
    if len(system.staves) != known.staves or read.paper is None:
        return False
    return bool(abs(_distance(known, system, read)[len(known.middle) // 2]) < known.space / 2)


def drawn(kinds: dict[str, list[KnownPage]], seed: int) -> dict[str, Tally]:
    """The tallies of the pages as they were drawn, and printed and scanned."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    rng = np.random.default_rng(seed)
    for kind, pages in kinds.items():
        for page in pages:
            for name, seen in ((kind, page), (f"{kind}, scanned", scanned(page, rng))):
                compare(seen, find_music([Page(Path("page.png"), 1, seen.image)], Corrections())[0], tallies[name])
    return tallies


def counted(folder: Path) -> dict[str, Tally]:
    """The tallies of the scans. A system counts where its page has as many, with the right number of staves."""
    tallies = {}
    for name, systems in COUNTED.items():
        tally = tallies[name] = Tally()
        for number, (read, expected) in enumerate(
            zip(find_music(read_pages([folder / f"{name}.pdf"]), Corrections()), systems), 1
        ):
            three = THREE_STAVES.get(name, set())
            right = [3 if (number, place) in three else 2 for place in range(1, expected + 1)]
            got = [len(system.staves) for system in read.systems]
            same = sum(min(right.count(size), got.count(size)) for size in {*right})
            tally.pages, tally.systems, tally.found = tally.pages + 1, tally.systems + expected, tally.found + same
            tally.false += len(got) - same
            tally.failures += [f"{name} page {number}: {right} staves were counted, {got} found"] if got != right else []
    return tallies


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--msmd", type=Path, metavar="DIR", help="LilyPond sources with pieces.json")
    parser.add_argument("--tunes", type=Path, metavar="DIR", help="tune books (ABC)")
    parser.add_argument("--songs", type=Path, metavar="DIR", help="songs (MusicXML)")
    parser.add_argument("--scans", type=Path, metavar="DIR", help="the PDFs that were counted")
    parser.add_argument(
        "--limit", type=int, default=15, help="pieces of each kind (default %(default)s; half as many songs and tunes)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    half = (arguments.limit + 1) // 2
    kinds = {}
    if arguments.msmd:
        kinds["piano, LilyPond"] = list(lilypond_pages(arguments.msmd, arguments.limit))
    if arguments.tunes:
        kinds["tunes, verovio"] = list(tune_pages(arguments.tunes, half))
    if arguments.songs:
        kinds["songs, verovio"] = list(song_pages(arguments.songs, half))
    tallies = drawn(kinds, arguments.seed)
    if arguments.scans:
        tallies |= counted(arguments.scans)
    print(HEAD, *(tally.row(kind) for kind, tally in tallies.items()), sep="\n")
    print(*(failure for tally in tallies.values() for failure in tally.failures), sep="\n", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps({kind: vars(tally) for kind, tally in tallies.items()}, indent=1))


if __name__ == "__main__":
    with script():
        main()
