"""The options of eval_score_following.py reach those who play: sound font, precision, trials; the font a score is heard by."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_piece import write_small_piece

from score_following_game.agents.loading import load_trained_agent
from score_following_game.agents.localisation import N_PLACES
from score_following_game.agents.networks import ActorCritic
from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import Manifest, PieceEntry, write_manifest
from score_following_game.data_processing.renditions import score_renditions
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.files import file_digest


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that sounds otherwise than the default: its samples backwards, so that its instruments have each other's."""
    content = bytearray(default_sound_font().read_bytes())
    begin = content.index(b"smpl") + 8  # a chunk of 16-bit samples: its name, its size
    size = int.from_bytes(content[begin - 4 : begin], "little")
    content[begin : begin + size] = np.frombuffer(content[begin : begin + size], "<i2")[::-1].tobytes()
    path = tmp_path_factory.mktemp("fonts") / "backwards.sf2"
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pieces")
    for name, notes, spacing in (("a_long", 24, 30), ("b_wide", 12, 45)):
        write_small_piece(folder, name, notes=notes, spacing=spacing)
    return folder


@pytest.fixture
def evaluate(run_here, pieces: Path, tmp_path: Path):
    """Arguments -> --json's content; --csv is beside it."""

    def run(*arguments: object) -> dict[str, Any]:
        result = run_here(
            "eval_score_following.py",
            "--data_set",
            pieces,
            "--threads",
            1,
            "--json",
            tmp_path / "out.json",
            "--csv",
            tmp_path / "out.csv",
            *arguments,
        )
        assert result.returncode == 0, result.stderr
        return json.loads((tmp_path / "out.json").read_text())

    return run


# --- sound fonts


def test_another_font_is_heard(evaluate, font: Path):
    both = evaluate("--baselines", "--sound_font", "default", font)["agents"]
    own, other = both["online time warping"]["conditions"]  # it knows the scores by the default font
    assert (own["sound_font"], other["sound_font"]) == ("default", str(font))
    assert own["mean"]["alignment_errors_mean"] < 0.1 and other["mean"]["alignment_errors_mean"] > 2
    assert both["optimal"]["conditions"][0]["pieces"] == both["optimal"]["conditions"][1]["pieces"]
    alone = evaluate("--baselines", "--sound_font", font)["agents"]["online time warping"]
    assert alone["pieces"] == other["pieces"]


def test_another_font_is_heard_by_the_agent_of_a_file(evaluate, font: Path):
    own, other = evaluate("--params", "nottingham", "--deterministic", "--sound_font", "default", font)["conditions"]
    assert own["pieces"] != other["pieces"]


def test_a_score_is_heard_by_the_default_font_whatever_the_sets_own_is(folder: Path, config: GameConfig, font: Path):
    (plain,) = load_data_set(folder, config)
    entry = PieceEntry("tune.abc", "0", {}, performances={"tune.mid": {"tempo": 1.0, "sound_font": "own"}})
    write_manifest(folder, Manifest("set", {}, {}, {"tune": entry}, {"own": {"path": str(font), "sha256": file_digest(font)}}))
    (piece,) = load_data_set(folder, config)
    assert piece.source == piece.midi_path and np.abs(piece.spectrogram - plain.spectrogram).max() > 0.5
    (rendition,) = score_renditions([piece], config)
    np.testing.assert_array_equal(rendition.spectrogram, plain.spectrogram)
    np.testing.assert_array_equal(rendition.onset_frames, plain.onset_frames)


# --- precision


@pytest.mark.parametrize(("params", "net"), [("nottingham", "ScoreFollowingNet"), ("localisation", "BaselineNet")])
def test_an_agent_calculates_in_the_precision_it_is_given(config: GameConfig, params: str, net: str):
    def precision(**options: str) -> torch.dtype:
        return load_trained_agent(params, net, config, seed=0, **options).precision

    assert (precision(), precision(precision="bfloat16")) == (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("options", [(), ("--precision", "bfloat16")])
def test_the_precision_is_that_of_every_network(evaluate, monkeypatch: pytest.MonkeyPatch, options: tuple):
    seen, branch = set(), ActorCritic.branch

    def spy(network: ActorCritic, name: str, windows: torch.Tensor, *more: object) -> torch.Tensor:
        if len(windows) > 1:  # loading tries each network on one window of noise
            seen.add((network.policy_out.out_features, windows.dtype))
        return branch(network, name, windows, *more)

    monkeypatch.setattr(ActorCritic, "branch", spy)
    evaluate("--baselines", "--params", "nottingham", *options)
    expected = torch.bfloat16 if options else torch.float32
    assert seen == {(3, expected), (N_PLACES, expected)}  # the agent, the supervised baseline


# --- trials


def test_only_chance_is_tried_again(evaluate, tmp_path: Path):
    agents = evaluate("--baselines", "--params", "nottingham", "--trials", 3)["agents"]
    tried = {"nottingham": 3, "constant speed": 1, "localisation (supervised)": 1, "online time warping": 1, "optimal": 1}
    assert {name: len(content["trials"]) for name, content in agents.items()} == tried
    rows = Counter(row["agent"] for row in csv.DictReader((tmp_path / "out.csv").open()))
    assert rows == {name: 2 * trials for name, trials in tried.items()}


# --- options that collide, or have no effect


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (("--csv", "a", "--json", "a"), "--csv and --json name the same file (a)"),
        (("--csv", "a", "--json", "tests/../a"), "--csv and --json name the same file"),
        (("--csv", "a", "--json", Path("a").absolute()), "--csv and --json name the same file"),
        (("--csv", "a.png", "--plot", "a.png"), "--csv and --plot name the same file"),
        (("--json", "a.png", "--plot", "./a.png"), "--json and --plot name the same file"),
        (("--csv", "game_configs/nottingham.yaml", "--game_config", "game_configs/nottingham.yaml"), "--game_config and --csv"),
    ],
)
def test_outputs_do_not_overwrite_files_of_other_options(run_here, pieces: Path, outputs: tuple, message: str):
    result = run_here("eval_score_following.py", "--params", "nottingham", "--data_set", pieces, *outputs)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert message in result.stderr


def test_a_link_to_an_output_is_that_output(run_here, pieces: Path, tmp_path: Path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "out.json")
    outputs = ("--csv", tmp_path / "link.csv", "--json", tmp_path / "out.json")
    result = run_here("eval_score_following.py", "--params", "nottingham", "--data_set", pieces, *outputs)
    assert result.returncode == 2 and "name the same file" in result.stderr


@pytest.mark.parametrize(
    ("options", "warnings"),
    [
        (("--params", "nottingham", "--deterministic"), []),
        (("--params", "nottingham", "--deterministic", "--trials", 2), ["--trials has no effect on a deterministic agent"]),
        (("--params", "localisation", "--deterministic"), ["--deterministic has no effect on a localisation agent"]),
        (("--params", "localisation", "--trials", 2), ["--trials has no effect on a deterministic agent"]),
        (
            ("--baselines", "--net", "BaselineNet", "--trials", 2, "--deterministic"),
            ["--net has no effect without --params", "--deterministic has no effect", "--trials has no effect"],
        ),
    ],
)
def test_options_without_effect_are_reported(run_here, pieces: Path, options: tuple, warnings: list[str]):
    result = run_here("eval_score_following.py", "--data_set", pieces, "--piece", "b_wide", "--threads", 1, *options)
    lines = result.stderr.splitlines()
    assert result.returncode == 0 and len(lines) == len(warnings), result.stderr
    for line, warning in zip(lines, warnings):
        assert line.startswith(f"warning: {warning}")


def test_a_font_without_effect_is_reported(run_here, folder: Path, config: GameConfig, font: Path):
    np.save(folder / "tune.spec.npy", load_data_set(folder, config)[0].spectrogram)
    arguments = ("--params", "nottingham", "--data_set", folder, "--threads", 1, "--sound_font")
    result = run_here("eval_score_following.py", *arguments, font)
    assert result.returncode == 0
    fixed = "pieces with a recording or a precomputed spectrogram: 1 of 1 (the first"
    assert f"warning: --sound_font {font} has no effect on {fixed}" in result.stderr
    assert "has no effect" not in run_here("eval_score_following.py", *arguments, "default").stderr
