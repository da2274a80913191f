"""Data sets at other tempi, and agents under several tempi and sound fonts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_piece import write_small_piece

from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig
from score_following_game.data_processing import performance
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.data_processing.tempo import parse_tempi, scale_tempo
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import CM_PER_PX
from score_following_game.evaluation.results import Results
from score_following_game.evaluation.robustness import (
    Condition,
    all_conditions,
    condition_content,
    condition_rows,
    play_conditions,
    report,
    robustness_table,
)
from score_following_game.reinforcement_learning.run_directory import save_parameters


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "score_following_game"


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


# --- a data set at another tempo


def test_a_set_at_another_tempo_is_what_its_midis_at_that_tempo_would_be(folder: Path, config: GameConfig, cache: Path):
    write_small_piece(folder, "other", notes=5)
    load_data_set(folder, config)
    before = files_of(folder)
    slow = load_data_set(folder, config, tempo=0.8)
    assert files_of(folder) == before and len(list(cache.iterdir())) == 2
    for piece in slow:
        assert piece.source == piece.midi_path == folder / f"{piece.name}.mid"  # the score's own MIDI, whatever is heard
        (folder / f"{piece.name}_tempo_0800.mid").write_bytes(scale_tempo(piece.midi_path.read_bytes(), 0.8))
    variants = [piece for piece in load_data_set(folder, config) if piece.name.endswith("_tempo_0800")]
    for piece, same in zip(slow, variants, strict=True):
        for key in ("sheet", "onset_frames", "onset_x", "spectrogram"):
            np.testing.assert_array_equal(getattr(piece, key), getattr(same, key))
    assert slow[1].onset_frames.tolist() == list(range(0, 80, 10))


def test_each_tempo_has_its_own_cache(folder: Path, config: GameConfig, cache: Path, monkeypatch: pytest.MonkeyPatch):
    made = []
    synthesised = performance.synthesised
    monkeypatch.setattr(performance, "synthesised", lambda *a: made.append(1) or synthesised(*a))
    for _ in range(2):
        last = [int(load_data_set(folder, config, tempo=tempo)[0].onset_frames[-1]) for tempo in (2.0, 1.0, 0.5)]
        assert last == [28, 56, 112]
    assert len(made) == 3
    assert (len(list(folder.glob("*.cache.npz"))), len(list(cache.iterdir()))) == (1, 2)


def test_a_recording_has_only_its_own_tempo(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    write_small_piece(folder, "taped")
    soundfile.write(folder / "taped.wav", 0.1 * np.sin(np.arange(5 * 22050) / 8), 22050)
    assert [piece.name for piece in load_data_set(folder, config)] == ["taped", "tune"]
    assert [piece.name for piece in load_data_set(folder, config, tempo=0.5)] == ["tune"]
    assert "1 of 2 pieces left out" in caplog.text and "taped.wav: only a MIDI can be played 0.5 times as fast" in caplog.text
    with pytest.raises(UserError, match=r"taped\.wav: only a MIDI"):
        load_data_set(folder, config, piece="taped", tempo=0.5)


def test_a_broken_midi_at_another_tempo_is_named(folder: Path, config: GameConfig):
    (folder / "tune.mid").write_bytes(b"MThd")
    with pytest.raises(UserError, match=r"tune\.mid: cannot be read as MIDI"):
        load_data_set(folder, config, piece="tune", tempo=0.5)


def test_tempi_by_text():
    assert parse_tempi("1.5,0.5,1,1.0,0.33333") == (1.5, 0.5, 1.0, 0.333)
    for wrong in ("", "x", "0.5,,1", "0.2", "4.1", "nan", "0.5;1"):
        with pytest.raises(UserError, match=r"^--tempo .*: expected numbers from 0\.25 to 4"):
            parse_tempi(wrong)


# --- conditions and their table


def played(*names: str, error: float = 1.0) -> Results:
    """Two trials in which each piece of four onsets is lost at its third, with this error at its second and third."""

    def trials(unit: float) -> list[list[Episode]]:
        onsets = np.array([0, 8, 16, 24])
        return [[Episode(name, 16, onsets, onsets[1:3], np.full(2, error * unit)) for name in names]] * 2

    return Results({"px": trials(1), "cm": trials(0.1), "seconds": trials(0.04)})


ONE, TWO = Path("fonts/Fluid_R3.sf2"), Path("more/Fluid_R3.sf2")


def test_the_table_to_the_character():
    conditions = {
        Condition(1.0): played("a"),
        Condition(0.75): played("a", error=100),
        Condition(1.0, ONE): played("a", error=2),
    }
    assert (
        report(conditions)
        == robustness_table(conditions)
        == (
            "% tempo & sound font & R_tue & R_on & mean px & std px \\\\\n"
            "   1.00 & default    &  0.00 & 0.75 &    1.00 &   0.00 \\\\\n"
            "   0.75 & default    &  0.00 & 0.75 &  100.00 &   0.00 \\\\\n"
            "   1.00 & Fluid\\_R3  &  0.00 & 0.75 &    2.00 &   0.00 \\\\"
        )
    )
    header, first, second, third = robustness_table(conditions, "seconds", shares=True).splitlines()
    assert header.endswith(" & mean seconds & std seconds & <= 0.05 s & <= 0.1 s & <= 0.5 s & <= 1 s & <= 5 s \\\\")
    assert first.endswith(" &        0.040 &       0.000 &      0.75 &     0.75 &     0.75 &   0.75 &   0.75 \\\\")
    assert second.endswith(" &        4.000 &       0.000 &      0.25 &     0.25 &     0.25 &   0.25 &   0.75 \\\\")
    assert third.endswith(" &        0.080 &       0.000 &      0.25 &     0.75 &     0.75 &   0.75 &   0.75 \\\\")
    assert len({len(line) for line in (header, first, second, third)}) == 1


def test_fonts_of_one_name_are_distinguished_by_their_folders():
    header, first, second = robustness_table({Condition(1.0, ONE): played("a"), Condition(1.0, TWO): played("a")}).splitlines()
    assert first.startswith("      1 & fonts/Fluid\\_R3.sf2 & ") and second.startswith("      1 & more/Fluid\\_R3.sf2  & ")
    assert header.startswith("% tempo & sound font          & ")


def test_rows_are_of_the_same_pieces(caplog: pytest.LogCaptureFixture):
    given = {Condition(1.0): played("a", "taped", "z"), Condition(0.5): played("a", "z")}
    kept = play_conditions([*given], given.__getitem__)
    assert [results.pieces() for results in kept.values()] == [["a", "z"]] * 2
    assert all(len(trial) == 2 for results in kept.values() for trials in results.episodes.values() for trial in trials)
    assert "left out, not playable under every condition: 1 piece; the first: taped" in caplog.text
    with pytest.raises(UserError, match="no piece can be played under every condition; the first: a"):
        play_conditions([*given], {Condition(1.0): played("a"), Condition(0.5): played("b")}.__getitem__)


def test_conditions_are_every_tempo_with_every_font_once():
    font = default_sound_font()
    conditions = all_conditions((0.5, 1.0), (str(font), "default", str(font)))
    assert conditions == [Condition(0.5, font), Condition(1.0, font), Condition(0.5), Condition(1.0)]
    with pytest.raises(UserError, match=r"none\.sf2: no such sound font"):
        all_conditions((1.0,), ("default", "none.sf2"))


def test_files_tell_the_condition_only_where_there_are_several():
    one, two = {Condition(0.5): played("a")}, {Condition(0.5): played("a"), Condition(0.5, ONE): played("a")}
    assert "tempo" not in condition_rows(one)[0] and set(condition_content(one)) == {"mean", "trials", "pieces", "intervals"}
    assert [(row["tempo"], row["sound_font"]) for row in condition_rows(two)] == [(0.5, "default")] * 2 + [(0.5, str(ONE))] * 2
    assert [part["sound_font"] for part in condition_content(two)["conditions"]] == ["default", str(ONE)]


# --- the script


@pytest.fixture
def arguments(tmp_path: Path, data_set: Path, config: GameConfig) -> tuple:
    torch.manual_seed(3)
    save_parameters(network_for("ScoreFollowingNet", config), tmp_path / "net.pt")
    return (
        "eval_score_following.py",
        "--params",
        tmp_path / "net.pt",
        "--data_set",
        data_set,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        "game_configs/nottingham.yaml",
        "--threads",
        1,
        "--trials",
        3,
    )


def test_a_row_is_what_its_condition_alone_gives(run_here, arguments: tuple, data_set: Path, tmp_path: Path):
    alone = [run_here(*arguments, *extra).stdout.splitlines()[-1] for extra in ((), ("--tempo", "0.5"))]
    assert alone[0] != alone[1]
    before = files_of(data_set)
    lines = run_here(
        *arguments,
        "--tempo",
        "1.0,0.5",
        "--sound_font",
        "default",
        default_sound_font(),
        "--csv",
        tmp_path / "out.csv",
        "--json",
        tmp_path / "out.json",
    ).stdout.splitlines()
    assert files_of(data_set) == before
    cells = [[cell.strip() for cell in line.removesuffix(" \\\\").split("&")] for line in lines]
    assert [row[:2] for row in cells[1:]] == [["1.0", "default"], ["0.5", "default"], ["1.0", "TimGM6mb"], ["0.5", "TimGM6mb"]]
    assert ["& " + " & ".join(row[2:]) + " \\\\" for row in cells[1:]] == alone * 2  # it is the default font
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["about"]["tempo"] == "1.0,0.5"
    assert f"{content['conditions'][1]['mean']['alignment_errors_mean']:.2f}" == cells[2][4]
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert len(rows) == 4 * 3 * 3 and {row["tempo"] for row in rows} == {"1.0", "0.5"}


def test_one_condition_prints_the_published_rows(run_here, arguments: tuple):
    plain = run_here(*arguments).stdout
    assert plain == run_here(*arguments, "--tempo", "1", "--sound_font", default_sound_font(), "--unit", "px").stdout
    assert len(plain.splitlines()) == 5
    shared = run_here(*arguments, "--shares").stdout
    assert shared.startswith(plain) and len(shared.splitlines()) == 7
    ranged = run_here(*arguments, "--intervals").stdout
    assert ranged.startswith(plain)
    for cell, mean in zip(
        ranged.splitlines()[-1].strip("\\& ").split(" & "), plain.splitlines()[-1].split(" & ")[:2], strict=True
    ):
        low, high = map(float, cell.split("-"))
        assert low <= float(mean.strip("& ")) <= high
    in_cm = run_here(*arguments, "--unit", "cm").stdout.splitlines()[-1].split("&")
    in_px = plain.splitlines()[-1].split("&")
    assert in_cm[:3] == in_px[:3] and float(in_cm[3]) == pytest.approx(CM_PER_PX * float(in_px[3]), abs=0.006)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--tempo", "0.5,fast"), "--tempo 0.5,fast: expected numbers from 0.25 to 4"),
        (("--sound_font", "default", "none.sf2"), "none.sf2: no such sound font"),
        (("--unit", "m"), "argument --unit: invalid choice: 'm'"),
    ],
)
def test_mistakes_are_one_line(run_here, arguments: tuple, change: tuple, message: str):
    result = run_here(*arguments, *change)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert message in result.stderr
