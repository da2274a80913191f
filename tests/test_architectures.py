"""What each network of the table executes, operation by operation, against the specification and against a table by hand."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import torch
from extract_reference import published_networks
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from score_following_game.agents import elu_kernel, layers, networks
from score_following_game.agents.architectures import PUBLISHED
from score_following_game.agents.layers import SELU_ALPHA, SELU_SCALE
from score_following_game.agents.networks import ActorCritic, get_network

Steps = dict[str, list[tuple[str, str, str]]]  # part of the network -> its operations: what, name, shape of the result

# What moves values or types and computes nothing of the layers' own.
MOVES = {"t", "view", "unsqueeze", "select", "slice", "stack", "empty", "new_zeros"}
dropout_factors = layers.dropout_factors


class Recorder(TorchDispatchMode):
    """Notes what torch computes while a network runs, by the part it belongs to."""

    def __init__(self, network: ActorCritic) -> None:
        super().__init__()
        self.names = {
            id(tensor): key.rpartition(".")[0] for key, tensor in (*network.named_parameters(), *network.named_buffers())
        }
        self.steps: Steps = defaultdict(list)
        self.latest: dict[str, Tensor] = {}  # result, by part
        self.factors: dict[int, Tensor] = {}  # dropout's
        self.inside_lstm = False

    def note(self, what: str, result: Tensor, name: str) -> None:
        part = name.partition("_")[0]
        self.latest[part] = result
        self.steps[part].append((what, name if name != part or part == "lstm" else "", "x".join(map(str, result.shape[1:]))))

    def part_of(self, values: Tensor) -> str:
        """Whose latest result these values are."""
        (part,) = [part for part, latest in self.latest.items() if latest.data_ptr() == values.data_ptr()]
        return part

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if not self.inside_lstm:
            self.look(function.overloadpacket.__name__.removesuffix("_"), args, result)
        return result

    def look(self, operation: str, args: tuple, result: Any) -> None:
        if operation == "convolution":
            values, weight, bias, stride, padding = args[:5]
            kernel, stride, padding = ("x".join(map(str, pair)) for pair in (weight.shape[2:], stride, padding))
            self.note(f"conv {values.shape[1]}->{len(weight)} k{kernel} s{stride} p{padding}", result, self.names[id(bias)])
        elif operation == "addmm":
            bias, values, _weight = args
            self.note(f"fc {values.shape[1]}->{result.shape[1]}", result, self.names[id(bias)])
        elif operation == "native_batch_norm":
            values, weight, _bias, mean, _variance, _training, momentum, eps = args
            self.note(
                f"BatchNorm{values.dim() - 2 or 1}d({values.shape[1]}){' affine=False' * (weight is None)} momentum "
                f"{momentum:g} eps {eps:g}",
                result[0],
                self.names[id(mean)],
            )
        elif operation == "elu":
            alpha, scale = (*args[1:3], 1, 1)[:2] if len(args) > 1 else (1, 1)
            self.note({(1, 1): "elu", (SELU_ALPHA, SELU_SCALE): "selu"}[alpha, scale], result, self.part_of(args[0]))
        elif operation in ("relu", "exp"):
            self.note(operation, result, self.part_of(args[0]))
        elif operation == "cat" and "concat" not in self.steps:
            order = [self.part_of(tensor) for tensor in args[0]]
            self.note("cat" if order == ["spec", "sheet"] else f"cat of {order}", result, "concat")
        elif operation == "mul" and id(args[1]) in self.factors:
            self.note(f"dropout p={probability(args[1]):.3g}", result, self.part_of(args[0]))
        elif operation == "cat" or (operation == "add" and not (isinstance(args[1], Tensor) and args[1].dim())):
            pass  # mean and deviation side by side, its smallest value; batches counted
        else:
            assert operation in MOVES, operation

    def drop(self, values: Tensor, p: float) -> Tensor:
        """In place of layers.dropout_factors: the same, outside the record."""
        with _disable_current_modes():
            factors = dropout_factors(values, p)
        self.factors[id(factors)] = factors
        return factors

    def begin_lstm(self, module: nn.LSTM, args: tuple) -> None:
        self.inside_lstm = True

    def end_lstm(self, module: nn.LSTM, args: tuple, output: tuple) -> None:
        self.inside_lstm = False
        self.note(f"LSTM in{module.input_size} hid{module.hidden_size} layers{module.num_layers}", output[0][:, :1], "lstm")


def probability(factors: Tensor) -> float:
    """Of dropout: what is kept is multiplied by 1 / (1 - p). Refuses factors that do not drop so many."""
    p = 1 - 1 / float(factors.max())
    share = float((factors == 0).float().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / factors.numel()) ** 0.5 + 1e-4, (share, p)
    return p


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch):
    """Name -> the steps of a pass in training, or in evaluation; of a batch of two, which batch norm needs."""
    # numba's kernel, held against torch's in test_layers.py, is nothing torch would tell of; first values are not looked at
    monkeypatch.setattr(elu_kernel, "elu_", nn.functional.elu_)
    monkeypatch.setattr(networks, "initialise", lambda network, scheme: None)

    def run(name: str, training: bool = True) -> Steps:
        torch.manual_seed(0)
        network = get_network(name, 3).train(training)
        recorder = Recorder(network)
        monkeypatch.setattr(layers, "dropout_factors", recorder.drop)
        if network.architecture.lstm:
            network.lstm.register_forward_pre_hook(recorder.begin_lstm)
            network.lstm.register_forward_hook(recorder.end_lstm)
        observation = [torch.rand(2, 2, *size) for size in (network.architecture.spec_size, network.architecture.sheet_size)]
        with torch.no_grad(), recorder:
            network(observation)
        return dict(recorder.steps)

    return run


# --- the specification


def specified() -> dict[str, list[Steps]]:
    """Class -> the steps of each version of it; parts that do not read each other's results may come in any order."""
    found: dict[str, list[Steps]] = defaultdict(list)
    for network in published_networks():
        steps, part = defaultdict(list), ""
        for what, name, shape in network["operations"]:
            if what.startswith("dropout"):  # has no parameters, hence no name anyone could load
                name = ""
            part = "concat" if what == "cat" else "sigma" if what == "exp" else name.partition("_")[0] or part
            steps[part].append((what, name, shape))
        found[network["class"]].append(dict(steps))
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_operation_is_the_specified_one(executed, name: str):
    versions = specified()
    assert set(versions) == set(PUBLISHED) and sum(map(len, versions.values())) == 29
    ours = executed(name)
    assert sum(map(len, ours.values())) >= 20
    for theirs in versions[name]:
        assert ours == theirs


# --- by hand, for machines without it

KINDS = {
    "ScoreFollowingNetMSMDLCHSDeepRELU": "relu",
    "ScoreFollowingNetSELU": "selu",
    "ScoreFollowingNetSELU01": "selu",
    "ScoreFollowingNetMSMDLCHSDeepSELU": "selu",
    "ScoreFollowingNetMSMDLCHSDeepSELU01": "selu",
}  # elsewhere elu
SPEED_KINDS = {
    "ScoreFollowingNetContinuous": "relu",
    "ScoreFollowingNetLSTMContinuous": "relu",
    "ScoreFollowingNetMSMDLCHSContinuous": "relu",
    "ScoreFollowingNetMSMDLCHSDeepLSTMContinuous": "relu",
    "ScoreFollowingNetMSMDLCHSDeepContinuous": "elu",
    "ScoreFollowingNetMSMDLCHSDeepDoContinuous": "elu",
}
DEEP_PLACES = "spec_conv4 spec_conv7 sheet_conv4 sheet_conv6 sheet_conv8"
DROPPED = {  # after which layers, always with probability 0.2
    "ScoreFollowingNetDo": "spec_conv3 sheet_conv4 concat_fc policy_fc critic_fc",
    "ScoreFollowingNetMSMDLCHSdo": "spec_conv3 spec_conv4 sheet_conv3 sheet_conv5 policy_fc critic_fc",
    "ScoreFollowingNetMSMDLCHSDeepDo": f"{DEEP_PLACES} policy_fc critic_fc",
    "ScoreFollowingNetMSMDLCHSDeepDoLight": f"{DEEP_PLACES} policy_fc critic_fc",
    "ScoreFollowingNetMSMDLCHSADeepDo": "spec_conv4 spec_conv8 sheet_conv4 sheet_conv6 sheet_conv8 policy_fc critic_fc",
    "ScoreFollowingNetMSMDLCHSDeepDoContinuous": f"{DEEP_PLACES} mu_fc sigma_fc critic_fc",
}
NORMED = {  # which layers' values before the activation; of two the observations
    "ScoreFollowingNetBN": "spec_conv1 spec_conv2 spec_conv3 sheet_conv1 sheet_conv2 sheet_conv3 sheet_conv4 "
    "policy_fc critic_fc",
    "ScoreFollowingNetSELU01": "spec sheet",
    "ScoreFollowingNetMSMDLCHSDeepSELU01": "spec sheet",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_activations_dropout_and_norms_by_hand(executed, name: str):
    assert (name in SPEED_KINDS) == name.endswith("Continuous") and (name in DROPPED) == ("do" in name.lower())
    steps, dropped, normed = executed(name), {}, set()
    assert steps["concat"][0][0] == "cat"  # the spectrogram's features first
    for part, own in steps.items():
        kind = SPEED_KINDS[name] if part in ("mu", "sigma") else KINDS.get(name, "elu")
        layer, activated = "", False
        for what, layer_name, _ in own:
            if what.startswith(("conv ", "fc ")):
                assert activated or not layer, layer
                layer, activated = layer_name, layer_name.endswith("_out")
            elif what.startswith("dropout"):
                assert activated
                dropped[layer] = what
            elif what.startswith("BatchNorm"):
                assert not activated
                normed.add(layer_name)
            elif what in ("elu", "relu", "selu"):
                assert what == kind and layer and not layer.endswith("_out")
                activated = True
        assert activated or part == "lstm"
    assert dropped == dict.fromkeys(DROPPED.get(name, "").split(), "dropout p=0.2")
    assert normed == {f"{layer}_bn" for layer in NORMED.get(name, "").split()}


def test_nothing_is_dropped_in_evaluation(executed):
    name = "ScoreFollowingNetMSMDLCHSDeepDoLight"
    assert executed(name, training=False) == {
        part: [step for step in own if not step[0].startswith("dropout")] for part, own in executed(name).items()
    }
