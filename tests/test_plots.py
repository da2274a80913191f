"""What the plots of a game and of an evaluation show, read off their lines, areas and bars."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from score_following_game.agents.agents import ConstantSpeedAgent, OptimalAgent, TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.config import load_game_config
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.alignment_plots import (
    alignment_figure,
    error_histograms,
    music_seconds,
    plot_alignment,
    plot_error_histograms,
    tempo_curve,
)
from score_following_game.evaluation.evaluator import Episode, play_data_set
from score_following_game.evaluation.metrics import errors_in_seconds
from score_following_game.evaluation.plots import episode_figure, episode_picture
from score_following_game.evaluation.results import Results
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of


@pytest.fixture(scope="module")
def continuous(bank: ScoreBank) -> ScoreBank:
    return ScoreBank(bank.pieces, load_game_config("nottingham_continuous.yaml"))


def watched(bank: ScoreBank, agent: object, piece: int = 1) -> WatchedGame:
    return watch(game_of(bank.pieces[piece], bank.config), agent)


def trained(bank: ScoreBank, name: str) -> TrainedAgent:
    torch.manual_seed(0)
    return TrainedAgent(network_for(name, bank.config), torch.Generator().manual_seed(0))


def labels(figure: Figure) -> list[str]:
    return [axes.get_ylabel() for axes in figure.axes]


# One episode


def test_policy_and_value_of_a_discrete_agent(bank: ScoreBank):
    episode = watched(bank, trained(bank, "ScoreFollowingNet"))
    assert np.sum(episode.policies, axis=1) == pytest.approx(1, abs=1e-5)
    figure = episode_figure(episode)
    assert labels(figure)[3:] == ["probability", "value"]
    areas = figure.axes[3].collections
    assert [text.get_text() for text in figure.axes[3].get_legend().get_texts()] == ["speed -0.5", "speed +0", "speed +0.5"]
    # At the seventh frame the areas lie on each other, as high as the probabilities.
    heights = [[y for x, y in area.get_paths()[0].vertices if x == episode.frames[6] / 20] for area in areas]
    assert [max(ys) for ys in heights] == pytest.approx(np.cumsum(episode.policies[6]).tolist(), abs=1e-5)
    assert figure.axes[4].lines[0].get_ydata().tolist() == episode.values
    assert episode_picture(episode).shape == (720, 1280, 3)


def test_policy_of_a_continuous_agent(continuous: ScoreBank):
    episode = watched(continuous, trained(continuous, "ScoreFollowingNetContinuous"))
    mean, std = np.array(episode.policies).T
    axes = episode_figure(episode).axes[3]
    assert axes.get_ylabel() == "policy,\npx/frame"
    assert axes.lines[0].get_ydata().tolist() == mean.tolist()
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx(((mean - std).min(), (mean + std).max()))


def test_agents_that_tell_nothing_have_no_such_panels(bank: ScoreBank, continuous: ScoreBank):
    assert len(episode_figure(watched(continuous, OptimalAgent())).axes) == 3
    without_critic = watched(bank, trained(bank, "BaselineNet"))
    assert labels(episode_figure(without_critic))[3:] == ["probability"]


def test_a_single_frame_can_be_plotted(bank: ScoreBank):
    episode = watched(bank, trained(bank, "ScoreFollowingNet"))
    for field in ("frames", "x", "true_x", "speeds", "actions", "errors", "rewards", "values", "policies"):
        del getattr(episode, field)[1:]
    assert episode_picture(episode).std() > 0
    assert np.isnan(tempo_curve(episode)).all() and alignment_figure(episode, bank.pieces[1])


# Alignment and tempo


def game_with(true_x: list[float], x: list[float]) -> WatchedGame:
    frames = list(range(1, len(x) + 1))
    return WatchedGame("tune", 20, 50, len(x), frames=frames, x=x, true_x=true_x, errors=np.subtract(x, true_x).tolist())


def test_tempo_by_hand():
    music = 3.0 * np.arange(100)
    even = tempo_curve(game_with(music.tolist(), (40 + 1.2 * music).tolist()))
    assert even == pytest.approx(1.2)
    # Twice the music's tempo from frame 50 on: three quarters through the change half of the two seconds are fast.
    faster = np.where(np.arange(100) > 50, 2 * music - music[50], music)
    curve = tempo_curve(game_with(music.tolist(), faster.tolist()))
    assert curve[[10, 29, 50, 71, 99]] == pytest.approx([1, 1, 1.5, 2, 2])
    assert tempo_curve(game_with(music.tolist(), faster.tolist()), seconds=0.2)[[47, 53]] == pytest.approx([1, 2])


@pytest.mark.filterwarnings("error")
def test_music_that_stands_or_goes_back_has_no_tempo():
    for music in (np.zeros(50), -3.0 * np.arange(50)):
        assert np.isnan(tempo_curve(game_with(music.tolist(), np.arange(50.0).tolist()))).all()


def test_alignment_tells_where_in_the_music_the_agent_is(continuous: ScoreBank, tmp_path):
    piece = continuous.pieces[1]  # 30 px per 0.4 s
    perfect = watched(continuous, OptimalAgent())
    assert music_seconds(perfect, piece) == pytest.approx(np.array(perfect.frames) / 20)
    slow = watched(continuous, ConstantSpeedAgent(3.0))  # the music has 3.75
    seconds = np.array(slow.frames) / 20
    score, ahead, tempo = alignment_figure(slow, piece).axes
    assert music_seconds(slow, piece) == pytest.approx(0.8 * seconds, abs=1e-6)
    assert ahead.lines[0].get_ydata() == pytest.approx(-0.2 * seconds, abs=1e-6)
    assert score.lines[1].get_ydata() == pytest.approx(1 + 0.8 * seconds / 0.4, abs=1e-5)
    assert score.lines[0].get_xdata().tolist() == pytest.approx([0.4 * k for k in range(int(seconds[-1] / 0.4) + 1)])
    assert tempo.lines[0].get_ydata() == pytest.approx(0.8)
    assert score.get_title(loc="left").startswith("b long: lost at 0:")
    plot_alignment(slow, piece, tmp_path / "alignment.png")
    assert cv2.imread(str(tmp_path / "alignment.png")).shape == (720, 1280, 3)


# Errors of an evaluation


def counts(axes) -> np.ndarray:
    return np.array([bar.get_height() for bar in axes.patches])


def test_histogram_counts_every_onset(continuous: ScoreBank, tmp_path):
    trials = play_data_set(ConstantSpeedAgent(3.04), continuous, trials=2)
    errors = np.concatenate([episode.errors for trial in trials for episode in trial])
    assert np.abs(errors).max() > 50  # one was lost at an onset
    figure = error_histograms({"": Results.of(trials, continuous)}, 50)
    left, right = figure.axes
    assert counts(left).sum() == counts(right).sum() == len(errors)
    edges = np.array([bar.get_x() for bar in left.patches])
    assert counts(left)[edges >= 0].sum() == (errors >= 0).sum()
    assert sorted(line.get_xdata()[0] for line in left.lines) == [-51, 0, 51]
    own = [
        errors_in_seconds(episode, piece.onset_x, 20) for trial in trials for episode, piece in zip(trial, continuous.pieces)
    ]
    assert f"mean {np.abs(np.concatenate(own)).mean():.2f}" in right.get_title(loc="left")
    assert f"mean {np.abs(errors).mean():.2f}" in left.get_title(loc="left")
    plot_error_histograms({"": Results.of(trials, continuous)}, 50, tmp_path / "errors.png")
    assert cv2.imread(str(tmp_path / "errors.png")).shape == (520, 1280, 3)
    plot_error_histograms({"a": Results.of(trials, continuous), "b": Results.of(trials, continuous)}, 50, tmp_path / "two.png")
    assert cv2.imread(str(tmp_path / "two.png")).shape == (1040, 1280, 3)
    trials[0][0].errors[-1] = 400.0  # far beyond: in the last bar
    far = error_histograms({"": Results.of(trials, continuous)}, 50).axes
    assert counts(far[0]).sum() == counts(far[1]).sum() == len(errors) and counts(far[0])[-1] == 1
    with pytest.raises(UserError, match="expected a name that ends in"):
        plot_error_histograms({"": Results.of(trials, continuous)}, 50, tmp_path / "errors.txt")


@pytest.mark.filterwarnings("error")
def test_histogram_of_no_onset_and_of_no_error(continuous: ScoreBank, tmp_path):
    lost = [Episode(piece.name, 1, piece.onset_frames, np.zeros(0, np.int64), np.zeros(0)) for piece in continuous.pieces]
    plot_error_histograms({"": Results.of([lost], continuous)}, 50, tmp_path / "none.png")
    perfect = [
        replace(
            episode,
            last_frame=int(episode.onset_frames[-1]),
            frames=episode.onset_frames,
            errors=np.zeros(len(episode.onset_frames)),
        )
        for episode in lost
    ]
    plot_error_histograms({"": Results.of([perfect], continuous)}, 50, tmp_path / "perfect.png")
    assert (cv2.imread(str(tmp_path / "none.png")) != cv2.imread(str(tmp_path / "perfect.png"))).any()
