"""ActorCritic builds every network of the table of architectures, with the published parameter names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from score_following_game.agents.architectures import ARCHITECTURES, Architecture, Conv, Dropout, Layer
from score_following_game.agents.layers import (
    ACTIVATIONS,
    Activation,
    Trace,
    activated,
    dropout,
    normalised,
    normalised_and_activated,
    with_past,
)
from score_following_game.agents.policy import CategoricalPolicy, NormalPolicy, Policy
from score_following_game.config import GameConfig
from score_following_game.errors import UserError

MIN_POLICY_STD = 1e-3  # pixels per frame; smallest standard deviation of a continuous policy


class ActorCritic(nn.Module):
    """A network with policy and critic, built from an Architecture.

    The dtype of the observations, float32 or bfloat16, is that of the arithmetic; parameters, LSTM state and outputs are
    float32. An LSTM's state is (B, 2, size), hidden and cell state, and zero at the beginning of a game.

    Args:
        architecture: an entry of the table of architectures.
        n_actions: number of discrete actions; ignored by continuous networks.
        spec_channels: channels of the spectrogram observation.
        sheet_channels: channels of the sheet observation.
    """

    def __init__(self, architecture: Architecture, n_actions: int, spec_channels: int, sheet_channels: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.channels = spec_channels, sheet_channels
        self._activation = ACTIVATIONS[architecture.activation]
        self._branches: dict[str, list[str]] = {"spec": [], "sheet": []}
        if architecture.input_norm:
            for branch, channels in (("spec", spec_channels), ("sheet", sheet_channels)):
                self.add_module(f"{branch}_bn", nn.BatchNorm2d(channels, affine=False, momentum=0.01))
                self._branches[branch].append(f"{branch}_bn")
        rows, columns = architecture.spec_size
        heard = (spec_channels + bool(architecture.past), rows, columns // (1 + architecture.past))
        spec = self._add_branch("spec", architecture.spec, heard)
        sheet = self._add_branch("sheet", architecture.sheet, (sheet_channels, *architecture.sheet_size))
        self.concat_fc = nn.Linear(spec + sheet, architecture.concat)
        if architecture.concat_dropout:
            self.concat_do = nn.Dropout(architecture.concat_dropout)
        if architecture.lstm:
            self.lstm = nn.LSTM(architecture.concat, architecture.lstm)
        for head in architecture.heads:
            self._add_head(head, n_actions if head == "policy" else 1)
        initialise(self, architecture.initialisation)

    def forward(
        self,
        observation: Sequence[Tensor],
        trace: Trace | None = None,
        lstm_state: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Run the network on a batch.

        Args:
            observation: spectrogram (B, C, H, W) and sheet (B, C, H, W).
            trace: records the layers' outputs, or replays those recorded before.
            lstm_state: (B, 2, size) of networks with an LSTM; None for the state at a game's beginning.

        Returns:
            The policy's parameters: logits (B, n_actions), or mean and standard deviation of the speed change (B, 2).
            `policy` makes a distribution of them.
            The value (B, 1); zero without a critic.
            With an LSTM, its state after this step.
        """
        spec, sheet = observation
        return self.decide(self.branch("spec", spec, trace), self.branch("sheet", sheet, trace), trace, lstm_state)

    def branch(self, name: str, windows: Tensor, trace: Trace | None = None) -> Tensor:
        """Run the branch `name`, spec or sheet, on its windows (B, C, H, W). Returns (B, features)."""
        if name == "spec" and self.architecture.past:
            windows = with_past(windows, self.architecture.past)
        for layer in self._branches[name]:
            windows = self._run(layer, windows, trace)
        return windows.flatten(1)

    def decide(
        self,
        spec: Tensor,
        sheet: Tensor,
        trace: Trace | None = None,
        lstm_state: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The rest of `forward`, from the outputs of the branches."""
        joined = self.join(spec, sheet, trace)
        if not self.architecture.lstm:
            return self.judge(joined, trace)
        recalled, lstm_state = self.recall(joined, lstm_state)
        return *self.judge(recalled, trace), lstm_state

    def join(self, spec: Tensor, sheet: Tensor, trace: Trace | None = None) -> Tensor:
        """Join the branches' outputs. Returns (B, concat)."""
        joined = self._run("concat_fc", torch.cat([spec, sheet], dim=1), trace)
        return self._run("concat_do", joined, trace) if self.architecture.concat_dropout else joined

    def recall(self, joined: Tensor, lstm_state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run one step of the LSTM in float32. Returns its output (B, size) and its state (B, 2, size)."""
        states = None if lstm_state is None else tuple(state[None].contiguous() for state in lstm_state.unbind(1))
        recalled, (hidden, cell) = self.lstm(joined.float()[None], states)
        return recalled[0].to(joined.dtype), torch.stack([hidden[0], cell[0]], dim=1)

    def judge(self, joined: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Run the heads. Returns the policy's parameters and the value, as `forward`."""
        outputs = {head: self._run_head(head, joined, trace) for head in self.architecture.heads}
        value = outputs["critic"] if "critic" in outputs else joined.new_zeros(len(joined), 1, dtype=torch.float32)
        if "policy" in outputs:
            return outputs["policy"], value
        return torch.cat([outputs["mu"], outputs["sigma"].exp() + MIN_POLICY_STD], dim=1), value

    def policy(self, output: Tensor) -> Policy:
        """The distribution over actions with these parameters, which `forward` returns."""
        return NormalPolicy.from_output(output) if self.architecture.continuous else CategoricalPolicy.from_logits(output)

    def initial_lstm_state(self, n: int) -> Tensor | None:
        """The state of n games at their beginning: zeros (n, 2, size); None without an LSTM."""
        size = self.architecture.lstm
        return torch.zeros(n, 2, size, device=self.concat_fc.weight.device) if size else None

    @property
    def has_dropout(self) -> bool:
        return any(isinstance(module, nn.Dropout) for module in self.modules())

    @property
    def has_batch_norm(self) -> bool:
        return self.architecture.batch_norm or self.architecture.input_norm

    def _add_branch(self, branch: str, layers: tuple[Layer, ...], shape: tuple[int, int, int]) -> int:
        """Add the layers of a branch. Returns its number of output features."""
        names = self._branches[branch]
        count = 0
        for layer in layers:
            if isinstance(layer, Conv):
                count += 1
                name = f"{branch}_conv{count}"
                module: nn.Module = nn.Conv2d(shape[0], layer.channels, layer.kernel, layer.stride)
                rows, columns = (
                    (size - kernel) // stride + 1 for size, kernel, stride in zip(shape[1:], layer.kernel, layer.stride)
                )
                shape = (layer.channels, rows, columns)
            elif isinstance(layer, Dropout):
                name, module = f"{branch}_do{count}", nn.Dropout(layer.p)
            else:
                name, module = f"{branch}_fc", nn.Linear(shape[0] * shape[1] * shape[2], layer.features)
                shape = (layer.features, 1, 1)
            self.add_module(name, module)
            names.append(name)
            if isinstance(layer, Conv) and self.architecture.batch_norm:
                self.add_module(f"{name}_bn", nn.BatchNorm2d(layer.channels))
        return shape[0] * shape[1] * shape[2]

    def _add_head(self, head: str, n_outputs: int) -> None:
        architecture = self.architecture
        self.add_module(f"{head}_fc", nn.Linear(architecture.lstm or architecture.concat, architecture.head))
        if architecture.batch_norm:
            self.add_module(f"{head}_fc_bn", nn.BatchNorm1d(architecture.head))
        if architecture.head_dropout:
            self.add_module(f"{head}_fc_do", nn.Dropout(architecture.head_dropout))
        self.add_module(f"{head}_out", nn.Linear(architecture.head, n_outputs))

    def _run_head(self, head: str, joined: Tensor, trace: Trace | None) -> Tensor:
        activation = ACTIVATIONS[self.architecture.speed_activation] if head in ("mu", "sigma") else self._activation
        hidden = self._run(f"{head}_fc", joined, trace, activation)
        if self.architecture.head_dropout:
            hidden = self._run(f"{head}_fc_do", hidden, trace)
        return self.get_submodule(f"{head}_out")(hidden.float())  # float32 costs nothing for so few outputs

    def _run(self, name: str, values: Tensor, trace: Trace | None, activation: Activation | None = None) -> Tensor:
        module, activation = self.get_submodule(name), activation or self._activation
        if isinstance(module, nn.Dropout):
            return dropout(values, module.p, trace) if self.training else values
        if isinstance(module, nn.BatchNorm2d):
            return normalised(module, values)
        assert isinstance(module, (nn.Conv2d, nn.Linear))
        norm = getattr(self, f"{name}_bn", None)
        return (
            activated(module, values, activation, trace)
            if norm is None
            else normalised_and_activated(module, norm, values, activation)
        )


def initialise(network: nn.Module, scheme: str) -> None:
    """Initialise the weights of convolutions and linear layers by a scheme; biases become zero.

    `orthogonal`: gain 1, a convolution's weight flattened to (out, rest). `selu`: normal with variance 1 / number of weights,
    as published, although SELU networks are meant to have 1 / fan-in. Raises ValueError for other schemes.
    """
    if scheme not in ("orthogonal", "selu"):
        raise ValueError(f"unknown initialisation {scheme!r}")
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if scheme == "orthogonal":
                nn.init.orthogonal_(module.weight)
            else:
                nn.init.normal_(module.weight, std=module.weight.numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def get_network(name: str, n_actions: int, spec_channels: int = 2, sheet_channels: int = 2) -> ActorCritic:
    """A new network by its published name. Raises UserError for an unknown name and suggests the most similar one."""
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, 1, cutoff=0.0)[0]
        raise UserError(
            f"network {name}: no such network; did you mean {near}? python -m score_following_game.agents.networks "
            "lists all networks"
        )
    return ActorCritic(ARCHITECTURES[name], n_actions, spec_channels, sheet_channels)


def network_for(name: str, config: GameConfig) -> ActorCritic:
    """A new network that plays games of a config. Raises UserError when they do not fit."""
    network = get_network(name, 1 if config.continuous else len(config.actions), config.spec_shape[0], config.sheet_shape[0])
    if network.architecture.continuous and not config.continuous:
        raise UserError(
            f"network {name} chooses its speed freely, but the game config has discrete actions; use the config of that "
            "name with _continuous, or the network of that name without Continuous"
        )
    if config.continuous and not network.architecture.continuous:
        raise UserError(
            f"network {name} chooses among discrete actions, but the game config is continuous; use the config of that "
            "name without _continuous, or the network of that name with Continuous"
        )
    expected = network.architecture.spec_size, network.architecture.sheet_size
    if expected != (config.spec_shape[1:], config.sheet_shape[1:]):
        raise UserError(
            f"network {name} expects spectrogram {expected[0]} and sheet {expected[1]}, but the game config shows "
            f"{config.spec_shape[1:]} and {config.sheet_shape[1:]}; choose a game config of these sizes"
        )
    return network


def features(network: ActorCritic) -> list[str]:
    """What sets a network apart from ScoreFollowingNet besides its sizes, in words."""
    architecture = network.architecture
    words = (
        ("LSTM", architecture.lstm),
        ("dropout", network.has_dropout),
        ("batch norm", architecture.batch_norm),
        ("normalised input", architecture.input_norm),
        ("no critic", not architecture.has_critic),
        ("long past", architecture.past > 0),
        (architecture.activation, architecture.activation != "elu"),
    )
    return [word for word, present in words if present]


def main() -> None:
    """Print the table of networks."""
    print(f"{'network':46}{'parameters':>10}  spectrogram  sheet     actions     also")
    for name, architecture in ARCHITECTURES.items():
        network = get_network(name, 3)
        sizes = [f"{rows} x {columns}" for rows, columns in (architecture.spec_size, architecture.sheet_size)]
        kind = "continuous" if architecture.continuous else "discrete"
        parameters = sum(parameter.numel() for parameter in network.parameters())
        print(f"{name:46}{parameters:>10}  {sizes[0]:11}  {sizes[1]:8}  {kind:10}  {', '.join(features(network))}".rstrip())


if __name__ == "__main__":
    from score_following_game.command_line import Parser, script

    with script():
        Parser(description=main.__doc__).parse_args()
        main()
