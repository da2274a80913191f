"""One class that builds every network of the table, with the published parameter names."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from score_following_game.agents.architectures import ARCHITECTURES, Architecture, Conv, Dropout, Layer
from score_following_game.agents.layers import ACTIVATIONS, Trace, activated, dropout
from score_following_game.agents.shipped import find_parameters
from score_following_game.config import GameConfig
from score_following_game.errors import UserError


class ActorCritic(nn.Module):
    """A network of the table: [spec (B, C, H, W), sheet (B, C, H, W)] -> (logits (B, n_actions), value (B, 1)).

    The observation's type, float32 or bfloat16, is that of the arithmetic; parameters, logits and values are float32.
    """

    def __init__(self, architecture: Architecture, n_actions: int, spec_channels: int, sheet_channels: int) -> None:
        super().__init__()
        self.architecture = architecture
        self._activation = ACTIVATIONS[architecture.activation]
        self._branches: dict[str, list[str]] = {}
        spec = self._add_branch("spec", architecture.spec, (spec_channels, *architecture.spec_size))
        sheet = self._add_branch("sheet", architecture.sheet, (sheet_channels, *architecture.sheet_size))
        self.concat_fc = nn.Linear(spec + sheet, architecture.concat)
        self._add_head("policy", n_actions)
        self._add_head("critic", 1)
        initialise(self, architecture.initialisation)

    def forward(self, observation: Sequence[Tensor], trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """trace: records the layers' outputs, or gives those recorded before."""
        spec, sheet = observation
        return self.decide(self.branch("spec", spec, trace), self.branch("sheet", sheet, trace), trace)

    def branch(self, name: str, windows: Tensor, trace: Trace | None = None) -> Tensor:
        """What a branch, spec or sheet, makes of its windows: (B, C, H, W) -> (B, features)."""
        for layer in self._branches[name]:
            windows = self._run(layer, windows, trace)
        return windows.flatten(1)

    def decide(self, spec: Tensor, sheet: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """The rest of `forward`, from what the branches made."""
        hidden = activated(self.concat_fc, torch.cat([spec, sheet], dim=1), self._activation, trace)
        return self._run_head("policy", hidden, trace), self._run_head("critic", hidden, trace)

    def _add_branch(self, branch: str, layers: tuple[Layer, ...], shape: tuple[int, int, int]) -> int:
        """Add the layers of a branch; -> its number of output features."""
        names = self._branches[branch] = []
        count = 0
        for layer in layers:
            if isinstance(layer, Conv):
                count += 1
                name = f"{branch}_conv{count}"
                module: nn.Module = nn.Conv2d(shape[0], layer.channels, layer.kernel, layer.stride)
                rows, columns = ((size - kernel) // stride + 1
                                 for size, kernel, stride in zip(shape[1:], layer.kernel, layer.stride))
                shape = (layer.channels, rows, columns)
            elif isinstance(layer, Dropout):
                name, module = f"{branch}_do{count}", nn.Dropout(layer.p)
            else:
                name, module = f"{branch}_fc", nn.Linear(shape[0] * shape[1] * shape[2], layer.features)
                shape = (layer.features, 1, 1)
            self.add_module(name, module)
            names.append(name)
        return shape[0] * shape[1] * shape[2]

    def _add_head(self, head: str, n_outputs: int) -> None:
        self.add_module(f"{head}_fc", nn.Linear(self.architecture.concat, self.architecture.head))
        if self.architecture.head_dropout:
            self.add_module(f"{head}_fc_do", nn.Dropout(self.architecture.head_dropout))
        self.add_module(f"{head}_out", nn.Linear(self.architecture.head, n_outputs))

    def _run_head(self, head: str, hidden: Tensor, trace: Trace | None) -> Tensor:
        hidden = self._run(f"{head}_fc", hidden, trace)
        if self.architecture.head_dropout:
            hidden = self._run(f"{head}_fc_do", hidden, trace)
        return self.get_submodule(f"{head}_out")(hidden.float())  # three numbers: exact ones cost nothing

    def _run(self, name: str, values: Tensor, trace: Trace | None) -> Tensor:
        module = self.get_submodule(name)
        if isinstance(module, nn.Dropout):
            return dropout(values, module.p, trace) if self.training else values
        return activated(module, values, self._activation, trace)


def initialise(network: nn.Module, scheme: str) -> None:
    """Set the first parameters: `orthogonal` (gain 1, a convolution flattened to out x rest), biases zero."""
    if scheme != "orthogonal":
        raise ValueError(f"unknown initialisation {scheme!r}")
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.orthogonal_(module.weight)
            nn.init.zeros_(module.bias)


def get_network(name: str, n_actions: int, spec_channels: int = 2, sheet_channels: int = 2) -> ActorCritic:
    """A fresh network by its published name. Raises UserError with the names there are."""
    if name not in ARCHITECTURES:
        raise UserError(f"--net {name}: no such network; there are {', '.join(ARCHITECTURES)}")
    return ActorCritic(ARCHITECTURES[name], n_actions, spec_channels, sheet_channels)


def network_for(name: str, config: GameConfig) -> ActorCritic:
    """A fresh network that plays games of a config. Raises UserError where the two do not fit."""
    if config.continuous:
        raise UserError(f"--net {name} chooses among discrete actions, the game config is continuous; take the config of "
                        "that name without _continuous")
    network = get_network(name, len(config.actions), config.spec_shape[0], config.sheet_shape[0])
    wanted = network.architecture.spec_size, network.architecture.sheet_size
    if wanted != (config.spec_shape[1:], config.sheet_shape[1:]):
        raise UserError(f"--net {name} sees spectrogram {wanted[0]} and sheet {wanted[1]}, the game config shows "
                        f"{config.spec_shape[1:]} and {config.sheet_shape[1:]}; choose a matching --game_config")
    return network


def load_parameters(network: nn.Module, path: str | Path) -> None:
    """Load a state_dict saved by torch.save, tensors only, the one in a run's checkpoint (their average, where the run keeps
    one: that is what it evaluates), or a shipped agent's by its name.

    Raises UserError naming the file and what does not fit.
    """
    path = find_parameters(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on files that are no parameters
        raise UserError(f"{path}: not a file of network parameters ({type(error).__name__})") from None
    if isinstance(state, dict) and isinstance(state.get("network"), dict):  # a run's checkpoint
        average = {key.removeprefix("module."): value for key, value in (state.get("average") or {}).items()}
        average.pop("n_averaged", None)
        state = average or state["network"]
    own = network.state_dict()
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: not a state_dict of network parameters")
    if set(state) != set(own):
        differing = sorted(set(state) ^ set(own))
        raise UserError(f"{path}: parameters of another network ({len(differing)} names differ, the first is {differing[0]})")
    for key, value in state.items():
        if value.shape != own[key].shape:
            raise UserError(f"{path}: {key} has shape {tuple(value.shape)}, this network wants {tuple(own[key].shape)}; "
                            "check --net and --game_config")
    network.load_state_dict(state)
