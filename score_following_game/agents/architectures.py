"""The networks as a table of architectures, which networks.ActorCritic builds.

27 networks are from the 2018 release (rc1) and one, ScoreFollowingNetNottinghamLS, is from 2019: PUBLISHED. Others are this
project's own. No layer is padded; every convolution and linear layer has a bias. The layers' names, and so those of the
published parameters, follow from their order: spec_conv1, spec_conv2, ... spec_fc, sheet_conv1, ... concat_fc, lstm,
policy_fc, policy_out, critic_fc, critic_out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Conv:
    """Convolution and activation. channels: output channels. kernel, stride: (height, width)."""

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True)
class Dropout:
    """Dropout of single values, with probability p. Its name follows from the preceding layer."""

    p: float = 0.2


@dataclass(frozen=True)
class Linear:
    """Flattening, linear layer and activation. features: output features."""

    features: int


Layer = Conv | Dropout | Linear
DISCRETE, CONTINUOUS, POLICY_ONLY = ("policy", "critic"), ("mu", "sigma", "critic"), ("policy",)


@dataclass(frozen=True)
class Architecture:
    """Two branches, concatenated (spectrogram first), and heads with one hidden layer and one output layer each.

    Attributes:
        spec_size: (height, width) of the spectrogram window.
        sheet_size: (height, width) of the sheet window.
        spec: layers of the spectrogram branch.
        sheet: layers of the sheet branch.
        concat: features of the layer that joins the branches.
        heads: in the order of their parameters: policy (logits of the actions), or mu and sigma (a normal distribution of the
            speed change), and critic (the value).
        lstm: size of the LSTM between the joined branches and the heads; 0 for none.
        head_dropout: dropout probability of the heads' hidden layers.
        concat_dropout: dropout probability of the joined features.
        batch_norm: batch normalisation before the activations of convolutions and heads.
        input_norm: normalise each channel of both observations to mean 0 and variance 1.
        activation: of all layers but the hidden ones of mu and sigma.
        speed_activation: of the hidden layers of mu and sigma.
        initialisation: a scheme of networks.initialise.
        head: features of each head's hidden layer.
        past: if above 0, the branch sees the newest 1 / (1 + past) of the spectrogram window as it is, and the frames before
            it averaged in groups of `past`, as a third channel (layers.with_past).
    """

    spec_size: tuple[int, int]
    sheet_size: tuple[int, int]
    spec: tuple[Layer, ...]
    sheet: tuple[Layer, ...]
    concat: int
    heads: tuple[str, ...] = DISCRETE
    lstm: int = 0
    head_dropout: float = 0.0
    concat_dropout: float = 0.0
    batch_norm: bool = False
    input_norm: bool = False
    activation: str = "elu"
    speed_activation: str = "relu"
    initialisation: str = "orthogonal"
    head: int = 256
    past: int = 0

    @property
    def continuous(self) -> bool:
        """True if the network outputs a change of speed instead of choosing among actions."""
        return "mu" in self.heads

    @property
    def has_critic(self) -> bool:
        return "critic" in self.heads


def _square(channels: int, kernel: int, stride: int) -> Conv:
    return Conv(channels, (kernel, kernel), (stride, stride))


def _with_dropout(layers: tuple[Layer, ...], *after: int) -> tuple[Layer, ...]:
    """Insert dropout after the layers with these numbers, counted from 1."""
    return tuple(
        part for number, layer in enumerate(layers, 1) for part in ((layer, Dropout()) if number in after else (layer,))
    )


_SPEC = (_square(16, 4, 2), _square(32, 3, 2), _square(64, 3, 1))
_SHEET = (Conv(16, (4, 8), (2, 2)), Conv(32, (3, 3), (1, 2)), Conv(32, (3, 3), (1, 2)), _square(32, 4, 2))
_SPEC_S = (_square(16, 4, 2), _square(32, 3, 2), _square(32, 3, 2), _square(64, 3, 1))
_WIDE_SHEET = (*_SHEET, _square(32, 4, 2))
NOTTINGHAM = Architecture((39, 20), (40, 150), _SPEC, _SHEET, concat=256)
LCHS = Architecture((78, 40), (80, 256), _SPEC_S, _WIDE_SHEET, concat=256)


def _deep_spec(first: int, second: int, last: int = 1) -> tuple[Layer, ...]:
    """first, second: channels of layers 1-2 and 3-4. last: kernel of an extra layer before the last one; 1 for none."""
    return (
        _square(first, 3, 1),
        _square(first, 3, 1),
        _square(second, 3, 2),
        _square(second, 3, 1),
        _square(64, 3, 2),
        _square(96, 3, 2),
        *([_square(96, last, 1)] if last > 1 else []),
        _square(96, 1, 1),
        Linear(512),
    )


def _deep_sheet(first: int, second: int) -> tuple[Layer, ...]:
    """first, second: channels of layers 1-2 and 3-5."""
    return (
        Conv(first, (5, 5), (1, 2)),
        _square(first, 3, 1),
        _square(second, 3, 2),
        _square(second, 3, 1),
        _square(second, 3, 2),
        _square(64, 3, 2),
        _square(96, 3, 2),
        _square(96, 1, 1),
        Linear(512),
    )


DEEP = Architecture((78, 40), (80, 256), _deep_spec(32, 64), _deep_sheet(32, 64), concat=512)
_DEEP_DROPOUT = replace(DEEP, spec=_with_dropout(DEEP.spec, 4, 7), sheet=_with_dropout(DEEP.sheet, 4, 6, 8), head_dropout=0.2)


def _selu(architecture: Architecture, input_norm: bool = False) -> Architecture:
    return replace(architecture, activation="selu", initialisation="selu", input_norm=input_norm)


PUBLISHED: dict[str, Architecture] = {
    "BaselineNet": replace(NOTTINGHAM, heads=POLICY_ONLY),
    "ScoreFollowingNet": NOTTINGHAM,
    "ScoreFollowingNetBN": replace(NOTTINGHAM, batch_norm=True),
    "ScoreFollowingNetContinuous": replace(NOTTINGHAM, heads=CONTINUOUS),
    "ScoreFollowingNetDo": replace(
        NOTTINGHAM, spec=_with_dropout(_SPEC, 3), sheet=_with_dropout(_SHEET, 4), head_dropout=0.2, concat_dropout=0.2
    ),
    "ScoreFollowingNetLSTM": replace(NOTTINGHAM, lstm=256),
    "ScoreFollowingNetLSTMContinuous": replace(NOTTINGHAM, lstm=256, heads=CONTINUOUS),
    "ScoreFollowingNetSELU": _selu(NOTTINGHAM),
    "ScoreFollowingNetSELU01": _selu(NOTTINGHAM, input_norm=True),
    "ScoreFollowingNetNottinghamLS": Architecture(
        (78, 40),
        (40, 150),
        (_square(16, 3, 2), *_SPEC_S[1:]),
        (Conv(16, (5, 5), (1, 2)), _square(32, 3, 2), _square(32, 3, 2), Conv(64, (3, 3), (1, 2))),
        concat=256,
    ),
    "ScoreFollowingNetMSMD": replace(NOTTINGHAM, sheet_size=(64, 128)),
    "ScoreFollowingNetMSMDLC": replace(NOTTINGHAM, sheet_size=(70, 256), sheet=_WIDE_SHEET),
    "ScoreFollowingNetMSMDLCH": replace(NOTTINGHAM, sheet_size=(80, 256), sheet=_WIDE_SHEET),
    "ScoreFollowingNetMSMDLCHS": LCHS,
    "ScoreFollowingNetMSMDLCHSdo": replace(
        LCHS, spec=_with_dropout(_SPEC_S, 3, 4), sheet=_with_dropout(_WIDE_SHEET, 3, 5), head_dropout=0.2
    ),
    "ScoreFollowingNetMSMDLCHSContinuous": replace(LCHS, heads=CONTINUOUS),
    "ScoreFollowingNetMSMDLCHSA": replace(LCHS, spec_size=(78, 60), spec=(*_SPEC_S, _square(96, 3, 1))),
    "ScoreFollowingNetMSMDLCHSDeep": DEEP,
    "ScoreFollowingNetMSMDLCHSDeepContinuous": replace(DEEP, heads=CONTINUOUS, speed_activation="elu"),
    "ScoreFollowingNetMSMDLCHSDeepDo": _DEEP_DROPOUT,
    "ScoreFollowingNetMSMDLCHSDeepDoContinuous": replace(_DEEP_DROPOUT, heads=CONTINUOUS, speed_activation="elu"),
    "ScoreFollowingNetMSMDLCHSDeepDoLight": replace(
        _DEEP_DROPOUT, spec=_with_dropout(_deep_spec(16, 32), 4, 7), sheet=_with_dropout(_deep_sheet(16, 32), 4, 6, 8)
    ),
    "ScoreFollowingNetMSMDLCHSADeepDo": replace(
        _DEEP_DROPOUT, spec_size=(78, 60), spec=_with_dropout(_deep_spec(32, 64, last=3), 4, 8)
    ),
    "ScoreFollowingNetMSMDLCHSDeepLSTM": replace(DEEP, lstm=256),
    "ScoreFollowingNetMSMDLCHSDeepLSTMContinuous": replace(DEEP, lstm=256, heads=CONTINUOUS),
    "ScoreFollowingNetMSMDLCHSDeepRELU": replace(DEEP, activation="relu"),
    "ScoreFollowingNetMSMDLCHSDeepSELU": _selu(DEEP),
    "ScoreFollowingNetMSMDLCHSDeepSELU01": _selu(DEEP, input_norm=True),
}

ARCHITECTURES = PUBLISHED | {
    "ScoreFollowingNetLongPast": replace(NOTTINGHAM, spec_size=(39, 80), past=3),
}
