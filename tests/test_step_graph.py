"""The step of the games for a CUDA graph: static tensors, no synchronisation; on a CUDA device, the graph itself."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from score_following_game.agents import elu_kernel, inference
from score_following_game.agents.inference import chunk_size
from score_following_game.agents.networks import network_for
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.environment import gather
from score_following_game.environment.observation import indexed_windows
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.rollouts.step_graph import WARM_UP, StepGraph

GAMES, STEPS = 6, 12


def collector_of(bank: ScoreBank, precision: torch.dtype = torch.float32, graph: bool = True) -> RolloutCollector:
    torch.manual_seed(0)
    network = network_for("ScoreFollowingNet", bank.config).to(bank.device, memory_format=torch.channels_last)
    sampler = StartSampler(bank, 1, 0.5, prioritized=True)
    return RolloutCollector(bank, GAMES, network, sampler, 2, precision, graph=graph)


def tensors_of(rollout: Rollout) -> list[Tensor]:
    return [
        *rollout.positions,
        rollout.states.speed,
        rollout.actions,
        rollout.log_probabilities,
        rollout.values,
        rollout.rewards,
        rollout.masks,
        rollout.last_values,
        *rollout.last_state.position,
    ]


class Repeated:
    """Replaces a CUDA graph on the CPU: runs the static step again and copies the result into the first one's tensors."""

    def __init__(self, step: StepGraph) -> None:
        self.step = step
        for _ in range(WARM_UP):
            step._static.run()
        self.result = step._static.run()

    def replay(self) -> None:
        for theirs, own in self.step._generators:  # a graph's kernels draw from its own, the step here from theirs
            theirs.set_state(own.get_state())
        for kept, new in zip(self.result, self.step._static.run()):
            kept.copy_(new)
        for theirs, own in self.step._generators:
            own.set_state(theirs.get_state())


@pytest.fixture
def no_cuda_needed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def capture(step: StepGraph) -> tuple[Repeated, object]:
        repeated = Repeated(step)
        return repeated, repeated.result

    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    monkeypatch.setattr(StepGraph, "_capture", capture)
    return monkeypatch


def require_equal_play(one: RolloutCollector, other: RolloutCollector) -> None:
    """Also after parameters change, after a saved state is restored, and in the saved states themselves."""
    ends = 0
    kept = one.state_dict()
    for number in range(4):
        if number == 3:
            one.load_state_dict(kept)
            other.load_state_dict(kept)
        rollouts = one.collect(STEPS), other.collect(STEPS)
        for ours, theirs in zip(*map(tensors_of, rollouts)):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        ends += int((1 - rollouts[0].masks).sum())
        for collector in (one, other):
            with torch.no_grad():
                for parameter in collector.network.parameters():
                    parameter.mul_(0.9)
    assert ends > GAMES
    for name in ("generator", "running_return", "last_return"):
        assert_same(one.state_dict()[name], other.state_dict()[name])
    for name in ("generator", "latest_ratio"):
        assert_same(one.sampler.state_dict()[name], other.sampler.state_dict()[name])
    assert other.sampler.latest_ratio.any()


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_static_step_plays_as_the_plain_one(bank: ScoreBank, precision: torch.dtype, no_cuda_needed: pytest.MonkeyPatch):
    plain, static = collector_of(bank, precision), collector_of(bank, precision)
    static.has_graph = True
    generators = static.generator, static.sampler.generator
    require_equal_play(plain, static)
    assert static._replay is not None and plain._replay is None
    assert generators == (static.generator, static.sampler.generator)  # the learner draws from the same
    state = [getattr(holder, name) for holder, name in static.step_state]
    static.collect(2)
    assert all(getattr(holder, name) is before for (holder, name), before in zip(static.step_state, state))


def test_a_failed_capture_is_reported_and_changes_nothing(
    bank: ScoreBank,
    no_cuda_needed: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    def fail(step: StepGraph) -> None:
        step._static.run()
        raise RuntimeError("CUDA error: operation not permitted\nand more")

    no_cuda_needed.setattr(StepGraph, "_capture", fail)
    plain, fallen = collector_of(bank), collector_of(bank)
    fallen.has_graph = True
    require_equal_play(plain, fallen)
    assert not fallen.has_graph
    assert capsys.readouterr().err == (
        "warning: no CUDA graph of the game steps, which makes them slower: CUDA error: operation not permitted\n"
    )


class Watched(TorchDispatchMode):
    """Records each operation and its input shapes; fails on those that make the host wait for a device."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "multinomial", "unique", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name.removeprefix("_") not in self.WAITING and name not in self.WAITING, name
        given = [value for value in args if isinstance(value, Tensor)]
        if name in ("index", "index_put", "index_put_"):
            assert not any(index is not None and index.dtype == torch.bool for index in args[1]), "an index by a mask"
        self.operations.append((name, *(tuple(value.shape) for value in given)))
        return function(*args, **(kwargs or {}))


def test_a_step_does_not_synchronise_and_runs_the_same_operations_whatever_happens(
    bank: ScoreBank,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(gather, "compiled_windows", indexed_windows)  # as on a GPU
    monkeypatch.setattr(elu_kernel, "elu_", torch.nn.functional.elu_)
    collector = collector_of(bank)
    seen, ends = [], []
    for _ in range(30):
        with Watched() as watched:
            played = collector.play()
        seen.append(watched.operations)
        ends.append(int((1 - played.masks).sum()))
    assert len(set(ends)) > 1
    assert all(operations == seen[0] for operations in seen)


def test_actions_are_drawn_as_by_multinomial_and_arbitrary_for_nan():
    policy = CategoricalPolicy.from_logits(torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)))
    expected = torch.multinomial(policy.log_probabilities.exp(), 1, generator=torch.Generator().manual_seed(5))[:, 0]
    assert torch.equal(policy.sample(torch.Generator().manual_seed(5)), expected)
    lost = CategoricalPolicy.from_logits(torch.full((9, 3), float("nan"))).sample()
    assert ((lost >= 0) & (lost < 3)).all()


def test_chunks_grow_with_the_device(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    assert chunk_size(bank) == 2**22 // 13560
    there = SimpleNamespace(config=bank.config, device=torch.device("cuda"))
    for memory, values in ((85e9, 2**27), (6e9, 10**7)):
        found = SimpleNamespace(total_memory=int(memory))
        monkeypatch.setattr(inference.torch.cuda, "get_device_properties", lambda device, found=found: found)
        assert chunk_size(there) == values // 13560


def test_measuring_without_a_device_is_refused(run_here, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    result = run_here("benchmarks/speed.py", "--device", "cuda")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: --device cuda: torch sees 0 CUDA devices here; use --device cpu\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_graph_plays_as_the_plain_loop(bank: ScoreBank, precision: torch.dtype):
    there = ScoreBank(bank.pieces, bank.config, "cuda")
    plain, replayed = collector_of(there, precision, graph=False), collector_of(there, precision)
    require_equal_play(plain, replayed)
    assert replayed._replay is not None
