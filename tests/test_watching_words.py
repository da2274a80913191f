"""What the commands say: how a game ended, which agent and style a sheet needs, what the columns of an evaluation are."""

import re
from dataclasses import replace
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from conftest import ROOT
from small_piece import write_small_piece

import score_following_game as sfg
from score_following_game.agents.agents import ConstantSpeedAgent, OptimalAgent
from score_following_game.config import freely_moving, load_game_config, suitable_configs
from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.rendering.names import clock, title
from score_following_game.errors import counted
from score_following_game.evaluation import learning_curve
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import STATISTICS, alignment_stats
from score_following_game.evaluation.plots import episode_figure
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of
from score_following_game.watching.stage import Controls
from score_following_game.watching.summary import report, summary

CONTINUOUS = freely_moving(load_game_config("nottingham"))


@pytest.mark.parametrize(("speed", "end"), [(None, "Followed to the end"), (0.0, "Lost at"), (40.0, "Lost at")])
def test_the_summary_has_the_evaluation_s_figures(data_set: Path, speed: float | None, end: str):
    piece = load_data_set(data_set, CONTINUOUS, piece="b_long")[0]
    agent = OptimalAgent() if speed is None else ConstantSpeedAgent(speed)
    game = game_of(piece, CONTINUOUS)
    (episode,) = play_data_set(agent, game.bank)[0]
    watched = watch(game, agent)
    words = summary(watched, piece)
    assert words.startswith(end)
    r_on = alignment_stats([episode]).global_tracking_ratio
    assert f": {episode.tracked} of {len(piece.onset_frames)} onsets tracked (R_on {r_on:.2f})" in words
    assert words.endswith(f"reward {sum(watched.rewards):.1f} of at most {piece.onset_frames[-1]}")
    if speed is not None:
        assert f"Lost at {clock(episode.last_frame / 20)} of {clock(piece.onset_frames[-1] / 20)}" in words


def test_the_summary_names_the_bar_where_the_music_was_lost():
    (piece,) = sfg.load_pieces("test_sample", piece="Minuet")
    (*_, lost) = sfg.follow(ConstantSpeedAgent(1.0), piece, game_config=CONTINUOUS)
    counter = BarCounter.of(piece.midi_path)
    assert lost.lost and counter is not None
    watched = watch(game_of(piece, CONTINUOUS), ConstantSpeedAgent(1.0))
    bar, _ = counter.at(lost.seconds)
    assert re.match(rf"Lost at {clock(lost.seconds)} of 0:\d\d\.\d, in bar {bar}:", summary(watched, piece))


def test_a_window_of_reward_lowers_the_possible_maximum(data_set: Path):
    config = replace(CONTINUOUS, reward_window=1)
    piece = load_data_set(data_set, config, piece="a_short")[0]
    watched = watch(game_of(piece, config), OptimalAgent())
    assert watched.most_reward == pytest.approx(watched.score) and watched.most_reward < piece.onset_frames[-1]


def test_the_report_says_what_was_written(data_set: Path, capsys: pytest.CaptureFixture):
    piece = load_data_set(data_set, CONTINUOUS, piece="a_short")[0]
    watched = watch(game_of(piece, CONTINUOUS), OptimalAgent())
    report(watched, piece, ["film.mp4", None, Path("plot.png")])
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == [summary(watched, piece), "Written: film.mp4, plot.png"]


def test_the_plot_of_a_person_s_game_says_you(data_set: Path):
    piece = load_data_set(data_set, CONTINUOUS, piece="a_short")[0]
    for controls, name in ((None, "agent"), (Controls(), "you")):
        watched = watch(game_of(piece, CONTINUOUS), OptimalAgent(), controls=controls)
        panels = episode_figure(watched).axes
        labels = [text.get_text() for axes in panels if axes.get_legend() for text in axes.get_legend().get_texts()]
        assert name in labels and ("agent" in " ".join(labels)) == (controls is None)
        assert panels[0].get_title(loc="left").startswith("a short: ")


def test_titles_have_spaces():
    assert title("test_4_Minuet_in_G") == "test 4 Minuet in G" and title("_") == "_"


COMMANDS = {"test_score_following.py": ["--plot"], "eval_score_following.py": []}


@pytest.mark.parametrize("script", COMMANDS)
def test_an_agent_for_other_sheets_is_refused_and_the_right_one_named(script: str, run_here, tmp_path: Path):
    folder = write_small_piece(tmp_path / "set", height=200)
    plot = [option for name in COMMANDS[script] for option in (name, tmp_path / "plot.png")]
    piano = run_here(script, "--params", "nottingham", "--data_set", folder, *plot)
    assert (piano.returncode, piano.stdout) == (2, "")
    assert re.search(
        r"^error: tune: its sheet is 200 px high, and nottingham sees 40 px of it: .*; use --params piano$",
        piano.stderr.splitlines()[-1],
    )
    assert run_here(script, "--data_set", folder).stderr.count("localisation, nottingham") == 1


def test_configs_that_suit_a_sheet():
    assert suitable_configs(40)[0] == "nottingham" and not any("mutopia" in name for name in suitable_configs(40))
    assert all("mutopia" in name for name in suitable_configs(200)) and suitable_configs(200)
    assert suitable_configs(10) == []
    with pytest.raises(sfg.UserError, match="choose a config that fits this data set, for instance nottingham"):
        sfg.load_pieces("test_sample", piece="Joy", game_config=suitable_configs(200)[-1])


def test_the_header_is_printed_on_request(run_here, tmp_path: Path):
    folder = write_small_piece(tmp_path / "set")
    plain = run_here("eval_score_following.py", "--params", "nottingham", "--data_set", folder, "--threads", 1)
    headed = run_here("eval_score_following.py", "--params", "nottingham", "--data_set", folder, "--threads", 1, "--header")
    assert headed.stdout == f"% & R_tue & R_on & mean px & std px\n{plain.stdout}"
    assert "R_tue" not in plain.stderr + plain.stdout
    table = run_here("eval_score_following.py", "--baselines", "--data_set", folder, "--threads", 1, "--header")
    assert "--header has no effect on a table, which always has one" in table.stderr


def test_a_score_for_another_style_is_refused_with_the_right_one(run_here, tmp_path: Path):
    for file, style, message in (
        ("piano.mei", "nottingham", "the score has 2 staves: --style msmd; --part takes one part of it"),
        ("song.krn", "msmd", "the score has 1 staff: --style nottingham"),
    ):
        source = ROOT / "tests" / "data" / file
        made = run_here("prepare_game_data.py", "--source", source, "--destination", tmp_path / style, "--style", style)
        assert made.returncode == 2 and message in made.stderr


@pytest.mark.parametrize("steps", [[0.0], [50_000.0], [0.0, 40_000.0]])
def test_a_curve_of_one_point_has_a_range(tmp_path: Path, steps: list[float], monkeypatch: pytest.MonkeyPatch):
    table = tmp_path / "run-x" / "learning_curve.csv"
    table.parent.mkdir()
    rows = [",".join(map(str, [0, step, step / 100, *np.full(len(STATISTICS), 0.5)])) for step in steps]
    table.write_text("\n".join([",".join(["update", "steps", "seconds", *STATISTICS]), *rows]) + "\n")
    figures: list[matplotlib.figure.Figure] = []
    monkeypatch.setattr(learning_curve, "write_figure", lambda figure, path: figures.append(figure))
    learning_curve.plot_learning_curve(table, tmp_path / "one.png")
    learning_curve.compare_learning_curves([table], tmp_path / "two.png", 0.5)
    for figure in figures:
        for axes in figure.axes:
            left, right = axes.get_xlim()
            assert left == 0 and right >= (max(steps) * 1e-6 or 1)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 minutes"), (1, "1 minute"), (1.0, "1 minute"), (0.5, "0.5 minutes"), (2_000_000, "2000000 minutes")],
)
def test_numbers_agree_with_their_nouns(number: float, words: str):
    assert counted(number, "minute") == words


def test_no_message_puts_a_plural_after_any_number():
    """Numbers that may be 1 are written by `counted`, or so that no noun follows them."""
    code = "\n".join(path.read_text() for path in (ROOT / "score_following_game").rglob("*.py"))
    assert not re.findall(r"(?:%d|\{len\(\w+\)\}|\bof \{[\w.]+\}) (?:pieces|onsets)\b", code)
