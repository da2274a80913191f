"""Copies the published numbers into tests/data/reference: python tests/extract_reference.py [FOLDER]

FOLDER (default: ../shared) holds the specification and the arrays measured from the code of 2018. A clone does not need it: the
extracted files are committed, and the tests read those.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "data" / "reference"


def published_networks() -> list[dict[str, Any]]:
    """Returns the committed facts of every published network, as `extract_networks`."""
    return json.loads((REFERENCE / "networks.json").read_text())


def extract_networks(folder: Path) -> list[dict[str, Any]]:
    """Returns one dict per published network: shapes, counts, fingerprint, and the table of its operations in order."""
    networks = json.loads((folder / "spec" / "networks.json").read_text())["networks"]
    tables = read_tables((folder / "spec" / "networks.md").read_text())
    if len(tables) != len(networks):
        raise ValueError(f"{folder}: {len(tables)} tables for {len(networks)} networks")
    return [network | {"operations": tables[network["class"], network["branch"]]} for network in networks]


def read_tables(text: str) -> dict[tuple[str, str], list[list[str]]]:
    """Returns (class, branch) -> rows of [operation, layer name, shape of the result]."""
    tables = {}
    for section in re.split(r"(?m)^### ", text)[1:]:
        name, branch = re.match(r"(\w+) \(([\w-]+)\)", section).groups()
        rows = re.findall(r"(?m)^\| (\d+) \| (.+?) \| (\w*) *\| (\S+) \|$", section)
        if [int(number) for number, *_ in rows] != list(range(1, len(rows) + 1)):
            raise ValueError(f"{name} ({branch}): rows are not numbered 1, 2, ...")
        tables[name, branch] = [row for _, *row in rows]
    return tables


def extract_spectrogram(folder: Path) -> dict[str, np.ndarray]:
    """Returns the filterbank and the spectrograms of a chirp; the samples are left out, since a formula gives them."""
    with np.load(folder / "reference" / "spectrogram.npz") as arrays:
        return {key: arrays[key] for key in arrays.files if not key.startswith("signal/")}


def main(folder: Path) -> None:
    rows = ",\n".join(json.dumps(network, separators=(",", ":")) for network in extract_networks(folder))
    (REFERENCE / "networks.json").write_text(f"[\n{rows}\n]\n")
    np.savez_compressed(REFERENCE / "spectrogram.npz", **extract_spectrogram(folder))


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or [ROOT.parent / "shared"]))
