"""The benchmarks run: what they print is looked at by people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from musicxml_tools import TWO_STAVES, back, note, notes, part, score
from small_piece import write_small_piece

from score_following_game.evaluation.recovery import INTERRUPTIONS, OTHER_PIECE


@pytest.mark.parametrize("net", ["ScoreFollowingNet", "ReadingNet"])
def test_latency_of_a_few_frames(run, net: str):
    task = {
        "net": net,
        "config": "nottingham.yaml",
        "frames": 4,
        "target": 10.0,
        "precision": "float32",
        "data_set": "test_sample",
        "paced": False,
    }
    figures = json.loads(run("benchmarks/latency.py", "--task", json.dumps(task)).stdout)
    assert list(figures) == ["spectrogram", "observation", "network", "action", "whole", "whole, processor time", "disturbed"]
    median, late, worst, over = figures["whole"]
    assert 0 < median <= late <= worst
    assert 0 <= over <= 1
    assert sum(figures[stage][0] for stage in ("spectrogram", "observation", "network", "action")) <= 2 * worst


def test_alignment_of_a_few_performances(run, tmp_path):
    options = ("--kinds", "left out", "drifting", "--json", tmp_path / "a.json")
    shown = run("benchmarks/alignment.py", "score_following_game/bundled/test_sample", *options).stdout
    kinds = {line[:22].strip(): line.split() for line in shown.splitlines()}
    assert "to be refused" in " ".join(kinds["left out"]) and "drifting gain" in kinds
    cases = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert {case["kind"] for case in cases} == {"left out", "drifting gain"}
    assert all(case["errors"] and not case["refusal"] for case in cases if case["right"])


@pytest.mark.needs("music21")
def test_a_third_reading(run, tmp_path: Path) -> None:
    tied = note("C5", 2, staff=1, notations='<tied type="start"/>', more='<tie type="start"/>')
    held = note("C5", 2, staff=1, notations='<tied type="stop"/>', more='<tie type="stop"/>')
    strokes = "<ornaments><tremolo>1</tremolo></ornaments>"
    low = back(4) + notes("C3 G3 E3 G3", staff=2, voice=2)
    source = tmp_path / "scores" / "song.musicxml"
    source.parent.mkdir()
    bars = notes("E5 F5", staff=1) + tied + low, held + note("G5", 2, staff=1, notations=strokes) + low
    source.write_text(score(part(*bars, staves=TWO_STAVES)))
    made = tmp_path / "made"
    run("prepare_game_data.py", "--source", source, "--style", "msmd", "--destination", made, "--jobs", "1")

    def compared() -> list[str]:
        return run("benchmarks/third_reading.py", "--source", source.parent, "--made", made).stdout.splitlines()

    agreeing = "12 notes in both, 0 only here, 0 only in music21, 0 unshown, 3 strokes, 0 bars of other lengths"
    assert compared() == [f"song.musicxml song: {agreeing}", f"1 pieces, {agreeing}"]
    source.write_text(source.read_text().replace("<step>F</step>", "<step>A</step>"))
    assert [line.strip() for line in compared()[1:3]] == [
        "only here: bar 1, quarter 1: F♮5",
        "only music21: bar 1, quarter 1: A♮5",
    ]


def test_recovery_of_pieces_too_short_for_most(run, tmp_path: Path):
    """Two pieces of three seconds; only under the sound of the other one does anything happen."""
    data, kept, plot = tmp_path / "data", tmp_path / "figures.json", tmp_path / "light.svg"
    for name in ("one", "two"):
        write_small_piece(data, name)
    options = ("--params", "reading", "--conditions", "--json", kept, "--plot", plot, "--threads", "1")
    shown = run("benchmarks/recovery.py", "--data_set", data, *options).stdout
    assert shown.count("no piece is long enough") == len(INTERRUPTIONS) - 1
    assert [line.split()[2:4] for line in shown.splitlines() if line.startswith(OTHER_PIECE)] == [["no", "2"], ["yes", "2"]]
    figures = json.loads(kept.read_text())
    assert figures["seconds"] == {f"{OTHER_PIECE}, {looks}": [None, None] for looks in ("not looking", "looking")}
    for classes in figures["confidence"].values():
        assert sum(one["share"] for one in classes) == pytest.approx(1)
        assert all(one["right"] == 0 for one in classes if one["share"])
    assert plot.read_text().startswith("<?xml")
    mistaken = run("benchmarks/recovery.py", "--data_set", data, "--params", "reading", "--font", "a.sf2", check=False)
    assert mistaken.returncode == 2 and "without --conditions" in mistaken.stderr
