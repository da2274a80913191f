"""The Python API: what `score_following_game` offers, and that it agrees with the command line."""

import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import torch
from conftest import ROOT

import score_following_game as sfg
from score_following_game.agents.agents import OptimalAgent, TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.data_processing.bars import BarCounter
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank


@pytest.fixture(scope="module")
def pieces() -> list[sfg.Piece]:
    return sfg.load_pieces("test_sample")


def test_the_package_shows_what_it_offers_and_loads_nothing_heavy() -> None:
    assert set(dir(sfg)) == {*sfg.__all__, "__version__"}
    assert all(getattr(sfg, name).__doc__ for name in sfg.__all__)
    with pytest.raises(AttributeError, match="it offers GameConfig"):
        _ = sfg.load_agents
    code = (
        "import sys, score_following_game as sfg; assert 'torch' not in sys.modules\n"
        "agent = sfg.load_agent('nottingham')\n"
        "sfg.evaluate(agent, 'test_sample', trials=1)\n"
        "print([name for name in sys.modules if 'reinforcement_learning' in name or 'data_preparation' in name])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout == "[]\n"


def test_agent_acts_on_one_observation_and_on_many_as_the_network_says(pieces: list[sfg.Piece]) -> None:
    agent = sfg.load_agent("nottingham", deterministic=True)
    envs = sfg.make_vec(3, "test_sample", game_config=agent.config)
    observations, _ = envs.reset(seed=1)
    for _ in range(30):
        actions = agent.act(observations)
        singly = [agent.act((observations[0][game], observations[1][game])) for game in range(3)]
        assert actions.dtype == np.int64 and actions.tolist() == singly
        assert agent.act({"spectrogram": observations[0], "sheet": observations[1]}).tolist() == singly
        player = agent.player()
        assert player.perform_action(envs.game).tolist() == singly
        observations, *_ = envs.step(actions)
    assert all(isinstance(action, int) for action in singly)


def test_sampled_actions_are_those_of_the_seed() -> None:
    env = sfg.make_env("test_sample", piece="Joy")
    observation, _ = env.reset(seed=1)
    batch = tuple(np.repeat(part[None], 200, axis=0) for part in observation)
    first, second, other = (sfg.load_agent("nottingham", seed=seed).act(batch) for seed in (1, 1, 2))
    assert (first == second).all() and (first != other).any()
    agent = sfg.load_agent("nottingham", seed=1, game_config=sfg.load_game_config("nottingham"))
    assert (agent.act(batch) == first).all() and (agent.act(batch) != first).any()
    agent.reset(seed=1)
    assert (agent.act(batch) == first).all()


def test_agent_refuses_what_it_cannot_hear_or_see() -> None:
    agent = sfg.load_agent("nottingham")
    env = sfg.make_env("test_sample")
    spec, sheet = env.reset(seed=1)[0]
    for wrong in ((spec, sheet[:, :20]), (spec[None], sheet), (spec,), {"spectrogram": spec}):
        with pytest.raises(sfg.UserError, match=r"observation of shapes .* expected .*\(2, 39, 20\) and \(2, 40, 150\)"):
            agent.act(wrong)
    with pytest.raises(sfg.UserError, match="chooses positions, not actions; use evaluate"):
        sfg.load_agent("localisation").act((spec, sheet))
    for name, options, message in (
        ("nobody", {}, "nobody: no such parameter file"),
        ("nottingham", {"device": "tpu"}, "tpu: expected cpu, cuda"),
        ("nottingham", {"precision": "float8"}, "'float8': expected one of float32"),
        ("nottingham", {"seed": -1}, "expected a whole number from 0"),
    ):
        with pytest.raises(sfg.UserError, match=message):
            sfg.load_agent(name, **options)


@pytest.fixture
def lstm_agent(tmp_path: Path) -> sfg.LoadedAgent:
    torch.manual_seed(1)
    config = sfg.load_game_config("nottingham")
    net = "ScoreFollowingNetLSTM"
    torch.save(network_for(net, config).state_dict(), tmp_path / "lstm.pt")
    return sfg.load_agent(tmp_path / "lstm.pt", net=net, game_config="nottingham", deterministic=True)


def test_lstm_agent_remembers_until_it_is_reset(lstm_agent: sfg.LoadedAgent) -> None:
    """Over an episode it acts as the player of the evaluation does, whose state the game keeps."""
    envs = sfg.make_vec(2, "test_sample", game_config=lstm_agent.config)
    observations, _ = envs.reset(seed=1)
    first = observations
    player = lstm_agent.player()
    assert isinstance(player, TrainedAgent)
    states = []
    for _ in range(5):
        expected = player.perform_action(envs.game).tolist()
        actions = lstm_agent.act(observations)
        assert actions.tolist() == expected
        assert lstm_agent._lstm_state is not None
        states.append(lstm_agent._lstm_state.clone())
        observations, _, terminated, *_ = envs.step(actions)
        assert not terminated.any()
    with pytest.raises(sfg.UserError, match=r"reset\(\) of \(3,\) games, but 2 are played"):
        lstm_agent.reset(np.array([True, False, True]))
    lstm_agent.reset(np.array([True, False]))
    lstm_agent.act(first)
    torch.testing.assert_close(lstm_agent._lstm_state[0], states[0][0])
    assert not torch.allclose(lstm_agent._lstm_state[1], states[0][1])
    with pytest.raises(sfg.UserError, match=r"1 game, but 2 before; call agent\.reset"):
        lstm_agent.act((first[0][:1], first[1][:1]))
    lstm_agent.reset()
    lstm_agent.act((first[0][:1], first[1][:1]))


def test_evaluate_gives_the_rows_of_the_command_line(run, pieces: list[sfg.Piece]) -> None:
    chosen = ("--data_set", "test_sample", "--piece", pieces[0].name)
    printed = run("eval_score_following.py", "--params", "nottingham", *chosen, "--trials", 2, "--threads", 1)
    agent = sfg.load_agent("nottingham")
    agent.act(sfg.make_env("test_sample").reset(seed=1)[0])  # what it did before has no effect
    results = sfg.evaluate(agent, pieces[:1], trials=2)
    assert str(results) + "\n" == printed.stdout
    content = results.to_dict()
    assert set(content) == {"mean", "intervals", "trials", "pieces"} and len(content["pieces"]) == 2
    assert {"error_mean_px", "error_mean_cm", "error_mean_seconds", "onsets_within_0.5_seconds"} <= set(content["pieces"][0])
    assert content["mean"]["global_tracking_ratio"] == np.mean([row["global_tracking_ratio"] for row in content["trials"]])


def test_evaluate_takes_any_agent_and_refuses_pieces_of_other_games(pieces: list[sfg.Piece]) -> None:
    assert sfg.evaluate(OptimalAgent(), pieces, trials=1).to_dict()["mean"]["global_tracking_ratio"] == 1
    with pytest.raises(sfg.UserError, match="trials is 0"):
        sfg.evaluate(OptimalAgent(), pieces, trials=0)
    with pytest.raises(sfg.UserError, match="list of pieces is empty"):
        sfg.evaluate(OptimalAgent(), [], trials=1)
    with pytest.raises(sfg.UserError, match=r"40 px high, .* staff_height"):
        sfg.evaluate(OptimalAgent(), pieces, trials=1, game_config="mutopia_lchs1")
    loud = [replace(piece, heard_for=replace(piece.heard_for, audio_peak=0.5)) for piece in pieces]
    agent = sfg.load_agent("nottingham")
    for use in (lambda: sfg.evaluate(agent, loud[:1], trials=1), lambda: next(sfg.follow(agent, loud[0]))):
        with pytest.raises(sfg.UserError, match=r"other audio settings .* game_config=agent\.config"):
            use()
    with pytest.raises(sfg.UserError, match="is no piece; load_pieces"):
        next(sfg.follow(agent, "test_sample"))
    with pytest.raises(sfg.UserError, match="expected a whole number"):
        sfg.evaluate(agent, pieces, trials="1")


def test_follow_gives_every_frame_of_the_game(pieces: list[sfg.Piece]) -> None:
    piece = pieces[0]
    agent = sfg.load_agent("nottingham", deterministic=True)
    moments = list(sfg.follow(agent, piece))
    assert len(moments) == piece.onset_frames[-1] and not moments[-1].lost
    assert [moment.seconds for moment in moments] == pytest.approx(np.arange(1, len(moments) + 1) / 20)
    game, player = Game(ScoreBank([piece], agent.config), 1), agent.player()
    for moment in moments:
        step = game.step(player.perform_action(game))
        assert moment.x == float(game.x[0]) - agent.config.sheet_pad and moment.error == float(step.error[0])
    followed = [moment.onset for moment in sfg.follow(OptimalAgent(), piece)]
    heard = [int(np.searchsorted(piece.onset_frames, frame, side="right")) - 1 for frame in range(1, len(followed) + 1)]
    assert np.mean(np.equal(followed, heard)) > 0.95  # apart from rounding at the noteheads


def test_follow_ends_where_the_agent_is_lost(pieces: list[sfg.Piece]) -> None:
    class Still(OptimalAgent):
        def next_speed(self, game):
            return torch.zeros(1, dtype=torch.float64)

    moments = list(sfg.follow(Still(), pieces[0]))
    assert [moment.lost for moment in moments] == [False] * (len(moments) - 1) + [True]
    assert moments[-1].error < -50 and moments[-1].onset == 0


def write_midi(path: Path, events: list[tuple[float, mido.MetaMessage]]) -> Path:
    """events: (quarter, message)"""
    midi, track, before = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack(), 0
    for quarter, message in events:
        track.append(message.copy(time=round(quarter * 480) - before))
        before = round(quarter * 480)
    midi.tracks.append(track)
    midi.save(path)
    return path


def test_bars_are_those_of_the_time_signatures(tmp_path: Path) -> None:
    def signature(numerator: int, denominator: int) -> mido.MetaMessage:
        return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)

    def tempo(bpm: float) -> mido.MetaMessage:
        return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))

    # A pickup of one quarter, two bars of 3/4 at 60, then 6/8 from quarter 7 at 120.
    path = write_midi(
        tmp_path / "a.mid", [(0, signature(1, 4)), (0, tempo(60)), (1, signature(3, 4)), (7, signature(6, 8)), (7, tempo(120))]
    )
    counter = BarCounter.of(path)
    assert counter is not None
    for seconds, place in ((0, (1, 1)), (0.5, (1, 1.5)), (1, (2, 1)), (3.5, (2, 3.5)), (4, (3, 1)), (7, (4, 1)), (8.5, (5, 1)),
                           (9.25, (5, 4))):  # fmt: skip
        bar, beat = counter.at(seconds)
        assert (bar, beat) == (place[0], pytest.approx(place[1], abs=1e-6)), seconds
    assert BarCounter.of(write_midi(tmp_path / "b.mid", [(0, tempo(60))])) is None
    assert BarCounter.of(write_midi(tmp_path / "c.mid", [(0, tempo(60)), (4, signature(4, 4))])) is None


def test_moments_know_bar_and_beat_where_the_midi_states_them(pieces: list[sfg.Piece], tmp_path: Path) -> None:
    (moment, *_) = sfg.follow(OptimalAgent(), pieces[0])
    assert (moment.bar, moment.beat) == (1, pytest.approx(1, abs=0.2))
    fast = list(sfg.follow(OptimalAgent(), sfg.load_pieces("test_sample", piece="Joy", tempo=2.0)[0]))
    slow = list(sfg.follow(OptimalAgent(), pieces[0]))
    assert fast[-1].seconds == pytest.approx(slow[-1].seconds / 2, abs=0.1) and fast[-1].bar == slow[-1].bar
    buffer = io.BytesIO(pieces[0].midi_path.read_bytes())
    midi = mido.MidiFile(file=buffer)
    for track in midi.tracks:
        track[:] = [message for message in track if message.type != "time_signature"]
    midi.save(tmp_path / "plain.mid")
    shutil.copy(pieces[0].midi_path.with_suffix(".npz"), tmp_path / "plain.npz")
    (moment, *_) = sfg.follow(OptimalAgent(), sfg.load_pieces(tmp_path)[0])
    assert moment.bar is None and moment.beat is None


def test_docstrings_of_the_api_show_an_example() -> None:
    for name in ("load_agent", "load_pieces", "load_score", "evaluate", "follow", "make_env", "make_vec", "LoadedAgent"):
        assert "Examples:" in getattr(sfg, name).__doc__, name
