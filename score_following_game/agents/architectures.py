"""The published networks as a table: one entry each, built by networks.ActorCritic.

No padding anywhere; every convolution and linear layer has a bias. The layers' names, hence those of published parameters,
follow from their place: spec_conv1, spec_conv2, ... spec_fc, sheet_conv1, ... concat_fc, policy_fc, policy_out, critic_fc,
critic_out.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conv:
    """Convolution and activation: output channels, kernel and stride as (height, width)."""

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True)
class Dropout:
    """Dropout of single values; named after the layer before it."""

    p: float = 0.2


@dataclass(frozen=True)
class Linear:
    """Flatten, linear layer and activation: output features."""

    features: int


Layer = Conv | Dropout | Linear


@dataclass(frozen=True)
class Architecture:
    """Two branches, joined by concatenation (spectrogram first), and a head each for policy and critic.

    spec_size, sheet_size: (height, width) of the observations it takes; head_dropout: dropout after the heads' hidden layers.
    """

    spec_size: tuple[int, int]
    sheet_size: tuple[int, int]
    spec: tuple[Layer, ...]
    sheet: tuple[Layer, ...]
    concat: int
    head: int = 256
    head_dropout: float = 0.0
    activation: str = "elu"
    initialisation: str = "orthogonal"


def _square(channels: int, kernel: int, stride: int) -> Conv:
    return Conv(channels, (kernel, kernel), (stride, stride))


def _deep(first: int, second: int) -> dict[str, tuple[Layer, ...]]:
    """The deep piano branches with dropout: `first` channels in layers 1-2, `second` in 3-4 (and 5 of the sheet)."""
    return {
        "spec": (_square(first, 3, 1), _square(first, 3, 1), _square(second, 3, 2), _square(second, 3, 1), Dropout(),
                 _square(64, 3, 2), _square(96, 3, 2), _square(96, 1, 1), Dropout(), Linear(512)),
        "sheet": (Conv(first, (5, 5), (1, 2)), _square(first, 3, 1), _square(second, 3, 2), _square(second, 3, 1), Dropout(),
                  _square(second, 3, 2), _square(64, 3, 2), Dropout(),
                  _square(96, 3, 2), _square(96, 1, 1), Dropout(), Linear(512)),
    }


ARCHITECTURES: dict[str, Architecture] = {
    "ScoreFollowingNet": Architecture(
        spec_size=(39, 20), sheet_size=(40, 150), concat=256,
        spec=(_square(16, 4, 2), _square(32, 3, 2), _square(64, 3, 1)),
        sheet=(Conv(16, (4, 8), (2, 2)), Conv(32, (3, 3), (1, 2)), Conv(32, (3, 3), (1, 2)), _square(32, 4, 2)),
    ),
    "ScoreFollowingNetNottinghamLS": Architecture(
        spec_size=(78, 40), sheet_size=(40, 150), concat=256,
        spec=(_square(16, 3, 2), _square(32, 3, 2), _square(32, 3, 2), _square(64, 3, 1)),
        sheet=(Conv(16, (5, 5), (1, 2)), _square(32, 3, 2), _square(32, 3, 2), Conv(64, (3, 3), (1, 2))),
    ),
    "ScoreFollowingNetMSMDLCHSDeepDo": Architecture(
        spec_size=(78, 40), sheet_size=(80, 256), concat=512, head_dropout=0.2, **_deep(32, 64),
    ),
    "ScoreFollowingNetMSMDLCHSDeepDoLight": Architecture(
        spec_size=(78, 40), sheet_size=(80, 256), concat=512, head_dropout=0.2, **_deep(16, 32),
    ),
}
