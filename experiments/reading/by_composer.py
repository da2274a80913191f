"""The results of an evaluation by composer: the part of a piece's name before the first "__", as in the MSMD.

python eval_score_following.py --params piano --data_set msmd_all_test --trials 10 --csv plays.csv
python experiments/reading/by_composer.py plays.csv
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean


def main() -> None:
    plays = defaultdict(list)
    with Path(sys.argv[1]).open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            plays[row["piece"].partition("__")[0]].append(row)
    print("| composer | pieces | R_tue | R_on | px |\n|---|---|---|---|---|")
    for composer, rows in sorted(plays.items()):
        ended = mean(row["tracked_until_end"] == "True" for row in rows)
        tracked = [int(row["onsets_tracked"]) for row in rows]
        onsets = sum(int(row["onsets"]) for row in rows)
        pixels = sum(n * float(row["error_mean_px"]) for n, row in zip(tracked, rows, strict=True) if n) / max(sum(tracked), 1)
        pieces = len({row["piece"] for row in rows})
        print(f"| {composer} | {pieces} | {ended:.2f} | {sum(tracked) / onsets:.2f} | {pixels:.1f} |")


if __name__ == "__main__":
    main()
