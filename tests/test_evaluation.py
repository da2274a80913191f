"""The papers' numbers by hand, the printed format to the character, and the evaluation script."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from score_following_game.agents.agents import ConstantSpeedAgent, OptimalAgent, TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import Episode, play_data_set
from score_following_game.evaluation.metrics import CM_PER_PX, alignment_stats, errors_in_seconds, onset_shares
from score_following_game.evaluation.report import printed_report
from score_following_game.evaluation.results import Results
from score_following_game.reinforcement_learning.run_directory import save_parameters


def episode(name: str, last_frame: int, onsets: list[int], frames: list[int], errors: list[float]) -> Episode:
    return Episode(name, last_frame, np.array(onsets), np.array(frames), np.array(errors))


TRIAL = [
    episode("long/name", 20, [0, 5, 10, 15, 30], [5, 10, 15], [1.0, -3.0, 2.0]),  # lost at 20: four of five onsets
    episode("whole", 8, [4, 8], [4, 8], [0.0, -6.0]),
]


def test_statistics_by_hand():
    stats = alignment_stats(TRIAL)
    assert stats.tracked_until_end_ratio == 0.5
    assert stats.global_tracking_ratio == 6 / 7
    assert stats.tracking_ratios_mean == pytest.approx(0.9)
    assert stats.alignment_errors_mean == pytest.approx(2.4)
    assert stats.alignment_errors_median == 2
    assert stats.alignment_errors_std == pytest.approx(np.std([1, 3, 2, 0, 6]))


@pytest.mark.filterwarnings("error")
def test_no_onset_noted_gives_nan_without_a_warning():
    stats = alignment_stats([episode("lost", 2, [0, 5], [], [])])
    assert np.isnan(stats.alignment_errors_mean)
    assert stats.global_tracking_ratio == 0.5
    assert "& 0.00 & 0.50 & nan & nan \\\\" in printed_report(Results({"px": [[episode("lost", 2, [0, 5], [], [])]]}))
    assert set(onset_shares([episode("lost", 2, [0, 5], [], [])]).values()) == {0.5}


def test_printed_rows_to_the_character():
    one = printed_report(Results({"px": [TRIAL]}))
    assert one == (
        "long/name" + " " * 51 + " tracking ratio: 0.80\n"
        "whole" + " " * 55 + " tracking ratio: 1.00 +\n"
        "& 0.50 & 0.86 & 2.40 & 2.06 \\\\\n" + "-" * 50 + "\n"
        "& 0.50 & 0.86 & 2.40 & 2.06 \\\\"
    )
    perfect = [episode("whole", 8, [4, 8], [4, 8], [0.0, 0.0])]
    two = printed_report(Results({"px": [TRIAL, perfect]}))
    assert two == (
        "& 0.50 & 0.86 & 2.40 & 2.06 \\\\\n& 1.00 & 1.00 & 0.00 & 0.00 \\\\\n" + "-" * 50 + "\n& 0.75 & 0.93 & 1.20 & 1.03 \\\\"
    )


def test_errors_in_seconds():
    x = np.array([100, 120, 160, 160], np.float32)
    played = episode("tune", 30, [0, 10, 20, 30], [10, 20, 30], [10.0, -20.0, 0.0])
    # 120 + 10 px is a quarter of the way to frame 20; 160 - 20 px is half a segment back; at 160 it is on time.
    np.testing.assert_allclose(errors_in_seconds(played, x, 20), [2.5 / 20, -5 / 20, 0])


def test_shares_of_onsets_by_hand():
    late = [
        episode("lost", 20, [0, 5, 10, 15, 30], [5, 10, 15], [0.05 + 1e-12, -0.3, 2.0]),
        episode("whole", 8, [4, 8], [4, 8], [0.0, -0.0500021]),
    ]
    # Of seven onsets one is at frame 0, where games begin, and one was not reached.
    assert onset_shares(late) == {0.05: 3 / 7, 0.1: 4 / 7, 0.5: 5 / 7, 1.0: 5 / 7, 5.0: 6 / 7}
    assert set(onset_shares([episode("perfect", 8, [0, 4, 8], [4, 8], [0.0, 0.0])]).values()) == {1.0}


def test_errors_in_every_unit(continuous_bank: ScoreBank):
    trials = play_data_set(ConstantSpeedAgent(3.0), continuous_bank, trials=2)
    results = Results.of(trials, continuous_bank)
    px, cm, seconds = (results.stats(unit)[1] for unit in ("px", "cm", "seconds"))
    assert px == alignment_stats(trials[1])
    assert cm.alignment_errors_std == pytest.approx(CM_PER_PX * px.alignment_errors_std) and CM_PER_PX == 0.035277778
    assert seconds.alignment_errors_mean == pytest.approx(
        np.abs(
            np.concatenate([errors_in_seconds(e, piece.onset_x, 20) for e, piece in zip(trials[1], continuous_bank.pieces)])
        ).mean()
    )
    assert len({stats.global_tracking_ratio for stats in (px, cm, seconds)}) == 1
    rows = printed_report(results, "seconds", shares=True).splitlines()
    assert rows[0].endswith(f" & {seconds.alignment_errors_mean:.3f} & {seconds.alignment_errors_std:.3f} \\\\")
    assert rows[4] == "within 0.05, 0.1, 0.5, 1, 5 seconds, of all onsets (one not tracked is a miss):"
    shares = onset_shares(results.episodes["seconds"][0])
    assert rows[5] == " ".join(f"& {share:.2f}" for share in shares.values()) + " \\\\"
    assert 0 < shares[0.05] < shares[0.5] < 1
    assert results.only({"b_long"}).pieces() == ["b_long"] and results.pieces() == ["a_short", "b_long", "c_wide"]


def test_the_optimal_agent_is_perfect(continuous_bank: ScoreBank):
    trials = play_data_set(OptimalAgent(), continuous_bank, trials=2)
    assert [[e.piece for e in trial] for trial in trials] == [["a_short", "b_long", "c_wide"]] * 2
    for trial in trials:
        stats = alignment_stats(trial)
        assert (stats.tracked_until_end_ratio, stats.global_tracking_ratio, stats.alignment_errors_mean) == (1, 1, 0)
    # The onset at frame 0 counts as tracked but is never inspected.
    assert [len(e.frames) for e in trials[0]] == [len(e.onset_frames) - 1 for e in trials[0]]


def test_a_batch_is_evaluated_as_one_game_at_a_time(continuous_bank: ScoreBank):
    agent = ConstantSpeedAgent(3.0)
    (together,) = play_data_set(agent, continuous_bank)
    assert len({e.last_frame for e in together}) == 3
    for index, piece in enumerate(continuous_bank.pieces):
        (alone,) = play_data_set(agent, ScoreBank([piece], continuous_bank.config))
        assert alone[0].last_frame == together[index].last_frame
        np.testing.assert_array_equal(alone[0].frames, together[index].frames)
        np.testing.assert_allclose(alone[0].errors, together[index].errors)


def test_the_frame_of_the_loss_is_noted_and_counts(continuous_bank: ScoreBank):
    # 20 px per 8 frames is 2.5 px a frame; at 10 px a frame 51 px are exceeded at frame 7, at 9.0 at frame 8: an onset.
    short = ScoreBank([continuous_bank.pieces[0]], continuous_bank.config)
    ((lost,),) = play_data_set(ConstantSpeedAgent(9.0), short)
    assert lost.last_frame == 8
    assert lost.frames.tolist() == [8]
    assert lost.errors.tolist() == [52.0]
    assert lost.tracked == 2


def test_a_piece_whose_only_onset_is_at_frame_0_has_no_error(continuous_bank: ScoreBank):
    piece = replace(continuous_bank.pieces[0], onset_frames=np.array([0]), onset_x=np.array([100], np.float32))
    ((played,),) = play_data_set(ConstantSpeedAgent(0.0), ScoreBank([piece], continuous_bank.config))
    assert (played.last_frame, played.ratio, len(played.frames)) == (1, 1.0, 0)


def test_agents_need_the_right_kind_of_game(bank: ScoreBank):
    with pytest.raises(UserError, match="use a continuous game config"):
        OptimalAgent().perform_action(Game(bank, 1))


def test_deterministic_play_is_the_likeliest_action(bank: ScoreBank, config: GameConfig):
    torch.manual_seed(0)
    network = network_for("ScoreFollowingNet", config)
    agent = TrainedAgent(network, deterministic=True)
    game = Game(bank, 50)
    assert torch.equal(agent.perform_action(game), agent.policy.log_probabilities.argmax(1))
    assert agent.value.shape == (50,)
    sampled = TrainedAgent(network, torch.Generator().manual_seed(0)).perform_action(game)
    assert len(sampled.unique()) > 1


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory, config: GameConfig) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("params") / "net.pt"
    save_parameters(network_for("ScoreFollowingNet", config), path)
    return path


def arguments(params: Path, data_set: Path) -> tuple:
    return (
        "eval_score_following.py",
        "--params",
        params,
        "--data_set",
        data_set,
        "--net",
        "ScoreFollowingNet",
        "--game_config",
        "game_configs/nottingham.yaml",
        "--threads",
        1,
    )


def test_the_script_prints_rows_and_writes_files(run, params: Path, data_set: Path, tmp_path: Path):
    result = run(*arguments(params, data_set), "--trials", 2, "--csv", tmp_path / "out.csv", "--json", tmp_path / "out.json")
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert lines[2] == "-" * 50
    assert all(line.startswith("& ") and line.endswith(" \\\\") for line in (lines[0], lines[1], lines[3]))
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["trial"], row["piece"]) for row in rows] == [(t, p) for t in "12" for p in ("a_short", "b_long", "c_wide")]
    assert {"error_median_px", "error_mean_seconds", "error_median_cm", "tracking_ratio", "onsets_within_0.05_seconds"} <= set(
        rows[0]
    )
    content = json.loads((tmp_path / "out.json").read_text())
    assert len(content["trials"]) == 2
    assert f"& {content['trials'][0]['tracked_until_end_ratio']:.2f} &" in lines[0]
    assert content["pieces"][0]["piece"] == "a_short"
    for name in (
        "alignment_errors_mean",
        "alignment_errors_std_cm",
        "alignment_errors_median_seconds",
        "onsets_within_5_seconds",
    ):
        assert content["mean"][name] == pytest.approx(np.mean([trial[name] for trial in content["trials"]]))


def test_the_script_is_repeatable_and_seeded(run, params: Path, data_set: Path):
    outputs = {
        (seed, number): run(*arguments(params, data_set), "--trials", 5, "--seed", seed, afresh=number == 2).stdout
        for seed, number in ((1, 1), (1, 2), (2, 1))
    }
    assert outputs[1, 1] == outputs[1, 2]
    assert outputs[1, 1] != outputs[2, 1]
    single = run(*arguments(params, data_set), "--deterministic").stdout.splitlines()
    assert len(single) == 6
    assert single[0].startswith("a_short".ljust(60) + " tracking ratio: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--params", "none.pt"), "none.pt: no such parameter file"),
        (("--params", "tests"), "tests: is a folder; give a parameter file"),
        (("--trials", "0"), "--trials 0"),
        (("--trials", "10000000000000"), "out of memory"),
        (("--csv", "tests"), "tests: is a folder; name a file in it"),
        (("--trials", "1e3"), "argument --trials: invalid int value: '1e3'; see eval_score_following.py --help"),
        (("--csv", "/proc/none/a.csv"), "/proc/none/a.csv: cannot be written"),
        (("--piece", "zzz"), "piece zzz: is no piece"),
        (("--net", "ScoreFollowingNetMSMDLCHSDeepDo"), "the game config shows"),
    ],
)
def test_mistakes_are_one_line(run_here, params: Path, data_set: Path, change: tuple, message: str):
    result = run_here(*arguments(params, data_set), *change)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert message in result.stderr
