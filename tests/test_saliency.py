"""Integrated gradients: their axioms on real networks; the pictures and the film of them."""

import cv2
import numpy as np
import pytest
import torch
from small_piece import write_small_piece
from torch import Tensor
from watching_tools import DISCRETE, HELD, run

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.networks import ActorCritic, get_network, initialise
from score_following_game.agents.parameters import load_parameters
from score_following_game.config import load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.picture import HEIGHT
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start
from score_following_game.evaluation.saliency import Saliency, integrated_gradients
from score_following_game.evaluation.saliency_film import (
    AGAINST,
    FOR,
    SHEET_PLACE,
    SOUND_PLACE,
    decisions,
    saliency_picture,
    saliency_pictures,
    tinted_grey,
)
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

LSTM = "ScoreFollowingNetLSTM"


def fresh(name: str, seed: int = 1) -> ActorCritic:
    """Of random parameters, decided enough for its probabilities to depend on what it sees."""
    torch.manual_seed(seed)
    network = get_network(name, 1 if "Continuous" in name else 3).eval()
    initialise(network, "orthogonal")
    if not network.architecture.continuous:
        network.policy_out.weight.data *= 5
    return network


@pytest.fixture(scope="module")
def observation(bank: ScoreBank) -> tuple[Tensor, Tensor]:
    """Of three games on their way."""
    game = Game(bank, 3)
    game.reset(Start.from_beginning(torch.arange(3)))
    for _ in range(9):
        game.step(torch.tensor([1, 2, 2]))
    return game.observe()


def everything(saliency: Saliency) -> Tensor:
    """(N,): the sum of all attributions."""
    return saliency.spectrogram.sum((1, 2, 3)) + saliency.sheet.sum((1, 2, 3))


@pytest.mark.parametrize(
    "name",
    [
        "nottingham",
        "ScoreFollowingNet",
        "ScoreFollowingNetBN",
        "ScoreFollowingNetSELU01",
        "ScoreFollowingNetContinuous",
        LSTM,
        "ScoreFollowingNetLSTMContinuous",
    ],
)
def test_attributions_sum_to_what_the_observation_changes(name, observation):
    """Completeness, to 1 %; target and blank are what the network itself says."""
    network = fresh("ScoreFollowingNet" if name == "nottingham" else name)
    if name == "nottingham":
        load_parameters(network, name)
    memory = None if network.initial_lstm_state(3) is None else torch.randn(3, 2, 256) / 2
    saliency = integrated_gradients(network, observation, memory, steps=256)
    with torch.no_grad():
        seen, blank = (
            network.policy(network(windows, lstm_state=memory)[0])
            for windows in (observation, [torch.zeros_like(part) for part in observation])
        )
    for policy, target in ((seen, saliency.target), (blank, saliency.blank)):
        if network.architecture.continuous:
            torch.testing.assert_close(target, policy.mean)
        else:
            torch.testing.assert_close(target, policy.log_probabilities.exp()[range(3), seen.mode()])
    change = saliency.target - saliency.blank
    assert float(change.abs().min()) > 1e-3
    torch.testing.assert_close(everything(saliency), change, rtol=0.01, atol=0)
    assert all(part.dtype == torch.float32 for part in saliency[:2])


def test_what_has_no_weight_has_no_attribution(observation):
    network = fresh("ScoreFollowingNet")
    network.spec_conv1.weight.data[:, 1] = 0
    saliency = integrated_gradients(network, observation)
    assert observation[0][:, 1].any() and not saliency.spectrogram[:, 1].any()
    assert saliency.spectrogram[:, 0].any() and saliency.sheet[:, 0].any() and saliency.sheet[:, 1].any()
    network.concat_fc.weight.data[:, :768] = 0  # 64 x 6 x 2 features of the spectrogram come first
    saliency = integrated_gradients(network, observation)
    assert not saliency.spectrogram.any() and saliency.sheet.any()


def test_a_batch_is_each_alone_with_its_memory(observation):
    network, memory = fresh(LSTM), torch.randn(3, 2, 256, generator=torch.Generator().manual_seed(0))
    kept = memory.clone()
    together = integrated_gradients(network, observation, memory, steps=50)  # more windows than go at a time
    for index in range(3):
        one = slice(index, index + 1)
        alone = integrated_gradients(network, [part[one] for part in observation], memory[one], steps=50)
        for mine, theirs in zip(alone, together):
            torch.testing.assert_close(mine, theirs[one], rtol=1e-3, atol=1e-6)
    forgetful = integrated_gradients(network, observation, steps=50)
    assert not torch.allclose(forgetful.target, together.target, atol=1e-3)
    assert torch.equal(memory, kept) and all(parameter.grad is None for parameter in network.parameters())


def test_networks_in_training_mode_are_refused(observation):
    with pytest.raises(ValueError, match="evaluation mode"):
        integrated_gradients(fresh("ScoreFollowingNet").train(), observation)


# Pictures


def test_tint_tells_the_sign_and_nothing_stays_grey():
    attribution = np.zeros((40, 60))
    attribution[10, 10], attribution[30, 50] = 2.0, -1.0
    picture = tinted_grey(np.eye(40, 60), attribution).astype(int)
    spoke_for, against = picture[10, 11], picture[30, 50]
    assert np.argmax(spoke_for) == np.argmax(FOR) and np.argmax(against) == np.argmax(AGAINST)
    assert picture[20, 20].tolist() == [0, 0, 0] and picture[0, 50].tolist() == [255, 255, 255]
    flat = tinted_grey(np.zeros((40, 60)), np.zeros((40, 60)))
    assert (flat == 255).all()


def tinted_part(picture: np.ndarray, place: tuple, colour: tuple) -> np.ndarray:
    """Rows and columns, within a place, that are much nearer a colour than grey is: (n, 2)."""
    left, top, width, height = place
    part = picture[top : top + height, left : left + width].astype(int)
    return np.argwhere(np.abs(part - colour).sum(2) < 100)


def test_picture_is_upright_with_the_present_at_the_right():
    """An attribution of the lowest band in the last frame, and one at the sheet's top left."""
    sound, sheet = torch.zeros(2, 2, 39, 20), torch.zeros(2, 2, 40, 150)
    heard, seen = torch.zeros_like(sound), torch.zeros_like(sheet)
    heard[1, 1, 0, 19], seen[1, 0, 2, 3] = 0.6, -0.2
    saliency = Saliency(heard, seen, torch.tensor([0, 2]), torch.tensor([0.5, 0.9]), torch.tensor([0.3, 0.4]))
    empty, picture = (saliency_picture((sound, sheet), saliency, (-0.5, 0.0, 0.5), index) for index in (0, 1))
    assert picture.shape == (312, 1280, 3) and picture.dtype == np.uint8
    low, corner = tinted_part(picture, SOUND_PLACE, FOR), tinted_part(picture, SHEET_PLACE, AGAINST)
    assert len(low) and low[:, 0].min() > 39 * 6 - 4 * 6 and low[:, 1].min() > 18 * 16  # enlarged 6 x 16
    assert len(corner) and corner[:, 0].max() < 5 * 5 and corner[:, 1].max() < 7 * 5  # 5 x 5
    assert not len(tinted_part(empty, SOUND_PLACE, FOR)) and not len(tinted_part(empty, SHEET_PLACE, AGAINST))


@pytest.mark.parametrize("config", ["nottingham.yaml", "mutopia.yaml", "mutopia_lchs1.yaml", "mutopia_lchs1a.yaml"])
def test_pictures_of_every_size_of_observation_fit(config):
    """Sheet and sound are enlarged as far as there is room: seen by their frames."""
    loaded = load_game_config(config)
    sound, sheet = torch.ones(1, *loaded.spec_shape), torch.ones(1, *loaded.sheet_shape)
    one = torch.zeros(1)
    picture = saliency_picture((sound, sheet), Saliency(sound * 0, sheet * 0, one.long(), one, one), loaded.actions)
    black = np.argwhere((picture == 0).all(axis=2))
    for (left, top, width, height), shape in ((SHEET_PLACE, loaded.sheet_shape), (SOUND_PLACE, loaded.spec_shape)):
        inside = black[(black[:, 1] >= left) & (black[:, 1] < left + width)]
        assert inside.min(0).tolist() == [top, left]
        size = inside.max(0) + 1 - [top, left]
        assert (size <= [height, width]).all() and (2 * size > [height, width]).any()
        assert not (size % shape[1:]).any()


# The film


@pytest.mark.parametrize("name", ["ScoreFollowingNet", LSTM, "ScoreFollowingNetLSTMContinuous"])
def test_decisions_are_those_of_the_game_watched(name, tmp_path):
    """What is explained is what the agent thought, memory included; the view above is the one there was."""
    config = load_game_config("nottingham_continuous.yaml" if "Continuous" in name else "nottingham.yaml")
    game = game_of(load_data_set(write_small_piece(tmp_path), config)[0], config)
    network, views = fresh(name), []
    episode = watch(game, TrainedAgent(network, torch.Generator().manual_seed(0)), [views.append])
    n = len(episode.frames)
    assert n > 5 and len(episode.states) == n + 1 and len(episode.policies) == len(episode.values) == n
    saliency = [saliency for _, _, saliency in decisions(episode, game.bank, network, steps=2)]
    targets, actions = (torch.cat([getattr(part, name) for part in saliency]) for name in ("target", "action"))
    policies = np.array(episode.policies)
    np.testing.assert_allclose(targets[:n], policies[:, 0] if config.continuous else policies.max(1), atol=1e-5)
    if not config.continuous:
        assert actions[:n].tolist() == policies.argmax(1).tolist()
    pictures = list(saliency_pictures(episode, game.bank, network, steps=2))
    assert len(pictures) == n + 1
    for picture, view in zip(pictures, views):
        assert picture.shape == (1032, 1280, 3) and (picture[:HEIGHT] == view).all()
    assert (pictures[0][HEIGHT:] != pictures[-1][HEIGHT:]).any()


def test_the_script_writes_the_film_after_the_game(tmp_path):
    folder, film = write_small_piece(tmp_path / "set", notes=3), tmp_path / "saliency.mp4"
    code, out, err = run(
        "test_score_following.py",
        "--params",
        "nottingham",
        "--data_set",
        folder,
        "--saliency",
        film,
        "--alignment",
        tmp_path / "alignment.png",
        "--seed",
        1,
    )
    assert code == 0 and "Total reward" in out, err
    reader = cv2.VideoCapture(str(film))
    size = [reader.get(what) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT)]
    assert size == [1280, 1032, 1 + 16 + HELD]
    assert cv2.imread(str(tmp_path / "alignment.png")).shape == (720, 1280, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--saliency", "film.txt"], "film.txt: "),
        (["--alignment", "plot.xyz"], "--alignment plot.xyz: expected a name that ends in .png"),
        (["--video", "a.txt"], "a.txt: "),
        (["--saliency", "a.mp4", "--video", "a.mp4"], "--video and --saliency name the same file (a.mp4)"),
        (["--saliency", "tests/../a.mp4", "--video", "./a.mp4"], "--video and --saliency name the same file"),
        (["--alignment", "a.png", "--video", "a.mp4"], "--plot and --alignment name the same file (a.png)"),
        (["--alignment", "tests/../a.png", "--plot", "a.png"], "--plot and --alignment name the same file"),
        (["--saliency", "a.mp4", "--params", "localisation"], "--saliency explains choices among actions"),
    ],
)
def test_mistakes_are_reported_before_the_game(run_here, more, message):
    result = run_here("test_score_following.py", "--params", "nottingham", "--game_config", DISCRETE, *more)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr and result.stderr.count("\n") == 1
