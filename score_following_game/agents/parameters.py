"""The parameters of networks: read from files that are not trusted, checked, and put into a network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from score_following_game import limits
from score_following_game.agents.networks import ActorCritic
from score_following_game.agents.reading.network import ReadingNetwork
from score_following_game.agents.shipped import find_parameters
from score_following_game.agents.torch_files import read_tensors
from score_following_game.errors import UserError, printable


def read_parameters(path: str | Path) -> dict[str, Tensor]:
    """Read a network's state_dict.

    Args:
        path: a state_dict saved by torch.save or as safetensors, a run's checkpoint, or the short name of a shipped agent. From
            the checkpoint of a run that averages its parameters the average is read, since the run evaluates that.

    Returns:
        Tensors by their names.

    Raises:
        UserError: there is no such file, or it holds no parameters.
    """
    path = find_parameters(path)
    state = read_tensors(path, "not a file of network parameters")
    if isinstance(state, dict) and isinstance(state.get("network"), dict):  # a run's checkpoint
        average = state.get("average") or {}
        state = state["network"]
        if isinstance(average, dict) and average:
            state = {str(key).removeprefix("module."): value for key, value in average.items() if key != "n_averaged"}
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise UserError(f"{path}: not a state_dict of network parameters")
    return dict(state)


def load_initial_parameters(network: nn.Module, path: str | Path) -> None:
    """Load parameters from which training begins: as load_parameters, or those of the same network without a long past.

    The latter hears nothing of the past at first, and so plays as it did.
    """
    state = read_parameters(path)
    if isinstance(network, ActorCritic):
        state = _with_silent_past(state, network)
    _load(network, state, find_parameters(path))


def load_parameters(network: nn.Module, path: str | Path) -> None:
    """Load the parameters of read_parameters into a network.

    Raises UserError when names or shapes do not fit, when a value is not finite or absurdly large, and when the network
    answers with values that are not finite.
    """
    _load(network, read_parameters(path), find_parameters(path))


def _with_silent_past(state: dict[str, Tensor], network: ActorCritic) -> dict[str, Tensor]:
    """The parameters, with zeros for the channel of the past if they lack it."""
    name = "spec_conv1.weight"
    weight, own = state.get(name), network.state_dict()[name]
    if not network.architecture.past or weight is None or weight.dim() != 4 or weight.shape[1] != own.shape[1] - 1:
        return state
    return state | {name: torch.cat([weight, torch.zeros_like(weight[:, :1])], dim=1)}


def _load(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    own = network.state_dict()
    # Parameters saved by torch 0.3 lack the number of batches, on which nothing here depends.
    state = {**{key: value for key, value in own.items() if key.endswith("num_batches_tracked")}, **state}
    if set(state) != set(own):
        differing = sorted(set(state) ^ set(own))
        first = printable(differing[0], 80)
        raise UserError(f"{path}: parameters of another network ({len(differing)} names differ, the first is {first})")
    for key, value in state.items():
        if value.shape != own[key].shape:
            raise UserError(
                f"{path}: {key} has shape {tuple(value.shape)}, this network expects {tuple(own[key].shape)}; "
                "check that network and game config are those it was trained with"
            )
        if value.is_floating_point() != own[key].is_floating_point():
            raise UserError(f"{path}: {key} is {value.dtype}, expected {own[key].dtype}")
        if value.is_floating_point() and not bool((value.abs() <= limits.WEIGHT).all()):  # false for nan too
            raise UserError(f"{path}: {key} has a value that is not finite or beyond {limits.WEIGHT:g}; the file is damaged")
    network.load_state_dict(state)
    if not _answers(network):
        raise UserError(f"{path}: the network's output with these parameters is not finite; the file is damaged")


@torch.no_grad()
def _answers(network: nn.Module) -> bool:
    """Whether the output for an observation is finite. Draws no random numbers."""
    if isinstance(network, ReadingNetwork):
        return network.is_finite()
    if not isinstance(network, ActorCritic):
        return True  # its observations are unknown
    sizes = network.architecture.spec_size, network.architecture.sheet_size
    place = network.concat_fc.weight.device
    windows = [
        torch.linspace(0, 1, channels * height * width, device=place).view(1, channels, height, width)
        for channels, (height, width) in zip(network.channels, sizes)
    ]
    trains = network.training
    output, value, *_ = network.eval()(windows)
    network.train(trains)
    return bool(output.isfinite().all() and value.isfinite().all())
