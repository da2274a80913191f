"""The table of a paper from one command, and the supervised baseline from a file."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from score_following_game.agents.loading import load_trained_agent
from score_following_game.agents.localisation import LocalisationAgent, localisation_network
from score_following_game.agents.reading.agent import ReadingAgent, View
from score_following_game.agents.reading.network import place_at, reading_network
from score_following_game.agents.reading.placing import PlacingAgent
from score_following_game.agents.shipped import find_parameters
from score_following_game.config import GameConfig, freely_moving
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.baselines import mean_speed
from score_following_game.evaluation.evaluator import play_data_set


@pytest.fixture(scope="module")
def localisation(tmp_path_factory: pytest.TempPathFactory, config: GameConfig) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("params") / "localisation-BaselineNet-some_set-nottingham_20260102_030405-user"
    folder.mkdir()
    torch.save(localisation_network("BaselineNet", config).state_dict(), folder / "best_model.pt")
    return folder / "best_model.pt"


def rows(table: str) -> dict[str, list[float]]:
    lines = [line.removesuffix(r" \\").split(" & ") for line in table.splitlines()]
    return {cells[0].strip(): [float(cell) for cell in cells[1:]] for cells in lines if not cells[0].startswith("%")}


def test_the_table_has_every_baseline(run_here, localisation: Path, tmp_path: Path):
    result = run_here(
        "eval_score_following.py",
        "--baselines",
        "--params",
        "nottingham",
        "--localisation",
        localisation,
        "--data_set",
        "test_sample",
        "--threads",
        1,
        "--json",
        tmp_path / "all.json",
        "--csv",
        tmp_path / "all.csv",
    )
    assert result.returncode == 0, result.stderr
    found = rows(result.stdout)
    assert list(found) == ["nottingham", "constant speed", "localisation (supervised)", "online time warping", "optimal"]
    assert found["optimal"] == [1, 1, 0, 0]
    assert found["online time warping"][1] == 1  # the score's own sound is what is played
    assert found["constant speed"][1] < found["nottingham"][1]
    assert found["localisation (supervised)"][1] < 0.5  # it has learnt nothing
    content = json.loads((tmp_path / "all.json").read_text())
    assert content["agents"]["optimal"]["mean"]["global_tracking_ratio"] == 1
    header = (tmp_path / "all.csv").read_text().splitlines()[0]
    assert header.startswith("agent,trial,piece")


def test_baselines_need_no_agent_and_play_every_condition(run_here, data_set: Path):
    result = run_here("eval_score_following.py", "--baselines", "--data_set", data_set, "--tempo", "0.8,1.0", "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert len(re.findall(r"(?m)^optimal +&   0\.8 & default", result.stdout)) == 1
    assert len(re.findall(r"(?m)^online time warping +& ", result.stdout)) == 2


def test_localisation_moves_freely_in_a_continuous_game_too(bank: ScoreBank, config: GameConfig):
    (episode,), (other,) = (
        play_data_set(agent, ScoreBank(bank.pieces[:1], agent.rules(game)))[0]
        for game in (config, freely_moving(config))
        for agent in [load_trained_agent("localisation", "BaselineNet", game, seed=0)]
    )
    assert episode.errors.tolist() == other.errors.tolist()


def test_what_is_no_baseline_is_refused(run_here, localisation: Path, data_set: Path):
    for arguments, message in (
        (("--baselines", "--localisation", "nottingham"), "--localisation nottingham: chooses among actions, not places"),
        (
            ("--params", "nottingham", "--localisation", localisation),
            "--localisation sets the supervised baseline of --baselines",
        ),
        ((), "--params is missing"),
    ):
        result = run_here("eval_score_following.py", "--data_set", data_set, *arguments)
        assert result.returncode == 2 and message in result.stderr, result.stderr


def test_an_agent_in_a_folder_of_a_baselines_name_keeps_its_row(run_here, localisation: Path, data_set: Path, tmp_path: Path):
    (tmp_path / "optimal").mkdir()
    for name in ("best_model.pt", "config.yaml", "game_config.yaml"):
        shutil.copy(find_parameters("localisation").with_name(name), tmp_path / "optimal" / name)
    params = tmp_path / "optimal" / "best_model.pt"
    result = run_here(
        "eval_score_following.py",
        "--baselines",
        "--data_set",
        data_set,
        "--params",
        params,
        "--localisation",
        localisation,
        "--threads",
        1,
    )
    assert list(rows(result.stdout))[::4] == [str(params).replace("_", r"\_"), "optimal"], result.stderr


def test_a_localisation_agent_is_loaded_and_goes_where_its_network_says(bank: ScoreBank, localisation: Path):
    agent = load_trained_agent(localisation, "BaselineNet", bank.config, seed=0)
    assert isinstance(agent, LocalisationAgent)
    with torch.no_grad():
        for parameter in agent.network.policy_out.parameters():
            parameter.zero_()
        agent.network.policy_out.bias[43] = 50.0  # whatever it sees: 12 px to the right of the middle
    own = ScoreBank(bank.pieces[:1], agent.rules(bank.config))
    ((episode,),) = play_data_set(agent, own)
    assert own.config == freely_moving(bank.config)
    true_x = own.true_x.numpy()
    assert episode.last_frame == next(
        frame for frame in range(1, len(true_x)) if math.floor(abs(true_x[0] + 12 * frame - true_x[frame])) > 50
    )


def test_beside_a_reading_agent_its_network_places_the_music_alone(run_here):
    """It reads and hears as the agent does; only the belief is missing."""
    result = run_here("eval_score_following.py", "--baselines", "--params", "folk", "--data_set", "test_sample", "--threads", 1)
    assert result.returncode == 0 and "no row for localisation" not in result.stderr, result.stderr
    assert 0.3 < rows(result.stdout)["localisation (its network)"][1] <= rows(result.stdout)["folk"][1]


def test_a_network_alone_moves_to_its_likeliest_place(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    reader = ReadingAgent(reading_network("ReadingNet", bank.config), torch.Generator())
    read = reader.view

    def sees_the_music_at_50(game: Game) -> View:
        view = read(game)
        places = view.first + torch.arange(view.log_likelihood.shape[1])
        return view._replace(heard=torch.where(places == 50, 0.0, -9.0))

    monkeypatch.setattr(reader, "view", sees_the_music_at_50)
    agent = PlacingAgent(reader)
    game = Game(ScoreBank(bank.pieces[:1], agent.rules(bank.config)), 1)
    game.step(agent.perform_action(game))
    assert float(place_at(game.x, bank.config)) == pytest.approx(50)


def test_the_one_speed_is_the_mean_of_all(bank: ScoreBank):
    first = bank.pieces[0]
    still = replace(first, onset_frames=np.array([0, 100]), onset_x=np.array([50, 50], np.float32))
    frames = first.onset_frames[-1] - first.onset_frames[0]
    assert mean_speed([first, still]) == pytest.approx((first.onset_x[-1] - first.onset_x[0]) / (frames + 100))
