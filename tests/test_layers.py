"""Layers against torch's own modules; recorded passes, their gradients and A2C in one forward pass."""

import threading

import pytest
import torch
from torch import nn

from score_following_game.agents import elu_kernel
from score_following_game.agents.inference import act, replay
from score_following_game.agents.layers import ACTIVATIONS, Activation, Trace, dropout, dropout_factors, unchanged_parameters
from score_following_game.agents.networks import ActorCritic, get_network
from score_following_game.compiled import RUN_VALUES
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.rollouts import collector
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.settings import Settings

DEEP = "ScoreFollowingNetMSMDLCHSDeepDoLight"


def observation_of(network: ActorCritic, n: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    sizes = network.architecture.spec_size, network.architecture.sheet_size
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(n, 2, *size, generator=generator).to(dtype, memory_format=torch.channels_last) for size in sizes]


def by_modules(network: ActorCritic, observation: list[torch.Tensor]) -> list[torch.Tensor]:
    """The network out of its modules and torch's ELU, without dropout."""

    def run(values: torch.Tensor, prefix: str) -> torch.Tensor:
        for name, module in network.named_children():
            if name.startswith(prefix) and not isinstance(module, nn.Dropout):
                values = module(values.flatten(1) if isinstance(module, nn.Linear) else values)
                values = values if name.endswith("out") else nn.functional.elu(values)
        return values.flatten(1)

    hidden = run(torch.cat([run(seen, name) for seen, name in zip(observation, ("spec", "sheet"))], 1), "concat")
    return [run(hidden, "policy"), run(hidden, "critic")]


def gradients(network: ActorCritic, output: tuple[torch.Tensor, ...] | list[torch.Tensor]) -> list[torch.Tensor]:
    network.zero_grad()
    (output[0].square().sum() + 3 * output[1].square().sum()).backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize("name", ["ScoreFollowingNet", DEEP])
def test_networks_are_their_modules_in_value_and_gradient(name: str):
    network = get_network(name, 3).to(memory_format=torch.channels_last).eval()
    observation = observation_of(network, 2)
    expected, got = by_modules(network, observation), network(observation)
    torch.testing.assert_close(list(got), expected, atol=2e-6, rtol=1e-5)
    for ours, theirs in zip(gradients(network, got), gradients(network, expected)):
        torch.testing.assert_close(ours, theirs, atol=1e-5 * float(theirs.abs().max()), rtol=1e-4)


def test_bfloat16_comes_with_the_observation_and_ends_at_the_heads():
    network = get_network("ScoreFollowingNet", 3)
    exact, rough = network(observation_of(network, 3)), network(observation_of(network, 3, torch.bfloat16))
    assert rough[0].dtype == rough[1].dtype == torch.float32
    assert not torch.equal(rough[1].bfloat16().float(), rough[1])  # a critic's value is not rounded to three digits
    torch.testing.assert_close(rough, exact, atol=0.02, rtol=0)
    for ours, theirs in zip(gradients(network, rough), gradients(network, exact)):
        assert ours.dtype == torch.float32
        assert nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), 0) > 0.99


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_elu_is_torch_s(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    special = [0.0, -0.0, 1e-30, -1e-30, -1e-4, -100.0, float("-inf"), float("inf"), float("nan")]
    values = torch.cat([torch.linspace(-30, 5, 2 * RUN_VALUES + 77), torch.tensor(special)]).to(dtype)
    expected = nn.functional.elu(values)
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        ours = values.clone()
        assert elu_kernel.elu_(ours) is ours
        torch.testing.assert_close(ours, expected, atol=1e-7, rtol=0 if dtype == torch.float32 else 2**-8, equal_nan=True)
    assert elu_kernel.elu_(torch.empty(0, dtype=dtype)).numel() == 0


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_know_their_slope_by_their_result(name: str):
    values = torch.linspace(-4, 4, 102, dtype=torch.float64, requires_grad=True)  # not 0, where relu has no slope
    result = getattr(nn.functional, name)(values)
    result.sum().backward()
    activation: Activation = ACTIVATIONS[name]
    torch.testing.assert_close(activation.in_place(values.detach().clone()), result.detach())
    torch.testing.assert_close(activation.backward(torch.ones_like(result), result.detach()), values.grad)


def test_dropout_factors():
    values = torch.rand(16, 8, 30, 31).to(memory_format=torch.channels_last)
    torch.manual_seed(0)
    factors = dropout_factors(values, 0.2)
    assert factors.stride() == values.stride()
    assert set(factors.unique().tolist()) == {0.0, 1.25}
    n = factors.numel()
    assert (factors == 0).float().mean().item() == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / n) ** 0.5)
    dropped = factors.permute(0, 2, 3, 1).flatten() == 0  # as they lie in memory
    assert (dropped[:-1] & dropped[1:]).float().mean().item() == pytest.approx(0.04, abs=4 * (0.04 / n) ** 0.5)
    assert not torch.equal(factors, dropout_factors(values, 0.2))
    torch.manual_seed(0)
    torch.testing.assert_close(dropout(values, 0.2, None), values * factors)


@pytest.fixture(scope="module")
def deep_bank(tmp_path_factory: pytest.TempPathFactory) -> ScoreBank:
    from small_piece import write_small_piece

    config = load_game_config("mutopia_lchs1.yaml")
    folder = write_small_piece(tmp_path_factory.mktemp("piano"), height=200, spacing=60)
    return ScoreBank(load_data_set(folder, config), config)


def play(bank: ScoreBank, name: str, keep: bool, precision: torch.dtype = torch.float32) -> tuple[ActorCritic, Rollout]:
    torch.manual_seed(0)
    network = get_network(name, 3).to(memory_format=torch.channels_last).train()
    games, steps = (2, 2) if name == DEEP else (3, 4)
    return network, RolloutCollector(bank, games, network, StartSampler(bank, 0, 0.5), 0, precision, keep).collect(steps)


@pytest.mark.parametrize(
    ("name", "precision"), [("ScoreFollowingNet", torch.float32), ("ScoreFollowingNet", torch.bfloat16), (DEEP, torch.float32)]
)
def test_a2c_takes_the_gradient_of_the_passes_that_acted(
    bank: ScoreBank,
    deep_bank: ScoreBank,
    name: str,
    precision: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
):
    """Also with dropout; without computing a layer again; as two passes do."""
    bank = deep_bank if name == DEEP else bank
    losses, found = [], []
    for keep in (False, True):
        network, rollout = play(bank, name, keep, precision)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.0)
        assert len(rollout.recorded) == (len(rollout.actions) if keep else 0)
        if keep:
            monkeypatch.setattr(nn.functional, "conv2d", None)
        losses.append(A2C(network, optimiser, bank, Settings(), precision, torch.Generator()).update(rollout))
        found.append([parameter.grad for parameter in network.parameters()])
        assert not rollout.recorded  # used up: its memory is free before the next rollout
    tolerance = 1e-4 if precision == torch.float32 else 0.05
    for twice, once in zip(*found):
        torch.testing.assert_close(once, twice, atol=tolerance * float(twice.abs().max()), rtol=0)
    assert losses[1].value == pytest.approx(losses[0].value, rel=tolerance)


def test_recorded_passes_are_joined_to_chunks_in_order(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    network, kept = play(bank, "ScoreFollowingNet", True)
    monkeypatch.setattr("score_following_game.agents.inference.CHUNK_VALUES", 7 * 13560)  # two steps of three games, not three
    parts = list(kept.passes(network, bank, torch.float32))
    assert [part for part, _, _ in parts] == [slice(0, 6), slice(6, 12)]
    torch.testing.assert_close(torch.cat([values for _, _, values in parts]), kept.values.flatten())
    log_probabilities = torch.cat([logits for _, logits, _ in parts]).log_softmax(1)
    chosen = log_probabilities.gather(1, kept.actions.flatten()[:, None])[:, 0]
    torch.testing.assert_close(chosen, kept.log_probabilities.flatten())


def test_rollouts_too_large_to_keep_are_not_kept(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    _, kept = play(bank, "ScoreFollowingNet", True)
    size = collector._bytes(kept.recorded)
    assert 200_000 < size / 12 < 400_000  # bytes per window in float32
    for limit, steps in ((size, 4), (size - 1, 0)):
        monkeypatch.setattr(collector, "RECORDED_BYTES", limit)
        assert len(play(bank, "ScoreFollowingNet", True)[1].recorded) == steps


def test_a_replay_gives_what_was_recorded(deep_bank: ScoreBank, config: GameConfig):
    network, kept = play(deep_bank, DEEP, False)
    tensors: list[list[torch.Tensor]] = []
    logits, values, _ = act(network, deep_bank, kept.positions, torch.float32, recorded=tensors)
    again = replay(network, tensors[0])
    torch.testing.assert_close(again[:2], (logits, values))
    assert again[0].requires_grad and not any(tensor.requires_grad for tensor in tensors[0])
    with pytest.raises(StopIteration):
        network(observation_of(network, 1), Trace([]))


def converted_once(network: torch.nn.Module, observation: list[torch.Tensor]) -> bool:
    """Does a second pass use the parameters that the first one converted?"""
    conversions: list[torch.Tensor] = []
    to = torch.Tensor.to

    def spy(values: torch.Tensor, *arguments: object, **options: object) -> torch.Tensor:
        if isinstance(values, torch.nn.Parameter) and torch.bfloat16 in arguments:
            conversions.append(values)
        return to(values, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(torch.Tensor, "to", spy)
        network(observation)
        conversions.clear()
        network(observation)
    return not conversions


def test_parameters_are_converted_once_where_they_stay():
    network = get_network("ScoreFollowingNet", 3)
    observation = observation_of(network, 2, torch.bfloat16)
    assert not converted_once(network, observation)
    with unchanged_parameters():
        assert converted_once(network, observation)
        with unchanged_parameters():
            assert converted_once(network, observation)
        assert converted_once(network, observation)
    assert not converted_once(network, observation)


def test_a_changed_parameter_is_converted_again():
    network = get_network("ScoreFollowingNet", 3)
    observation = observation_of(network, 2, torch.bfloat16)
    doubled = {key: 2 * value for key, value in network.state_dict().items()}
    with torch.no_grad(), unchanged_parameters():
        before = network(observation)[1]
        network.load_state_dict(doubled)
        changed = network(observation)[1]
    assert not torch.allclose(changed, before)
    with torch.no_grad():
        torch.testing.assert_close(network(observation)[1], changed, atol=1e-6, rtol=0)


def test_threads_do_not_share_converted_parameters():
    """A second thread enters while the first is within, and leaves after it."""
    network = get_network("ScoreFollowingNet", 3)
    observation = observation_of(network, 2, torch.bfloat16)
    entered, left, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        with unchanged_parameters():
            entered.set()
            assert left.wait(10)
            seen.append(converted_once(network, observation))

    thread = threading.Thread(target=other)
    with unchanged_parameters():
        thread.start()
        assert entered.wait(10)
    left.set()
    thread.join()
    assert seen == [True]
    assert not converted_once(network, observation)
