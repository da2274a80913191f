"""Every knob of a training run: name, type, default and meaning in one place; the command line is made from it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from score_following_game.agents.inference import PRECISIONS
from score_following_game.config import DEFAULT_GAME_CONFIG
from score_following_game.errors import UserError
from score_following_game.machine import DEFAULT_SEED, DEVICE_HELP, TRIAL_HELP
from score_following_game.reinforcement_learning.optimiser import optimiser_arguments, try_optimiser

AGENTS = ("reinforce", "a2c", "a2c_lstm", "ppo", "lookahead", "localisation")
AGENT_DEFAULTS: dict[str, dict[str, Any]] = {"reinforce": {"n_worker": 1}}  # published: an episode per update
_PLAYERS = tuple(agent for agent in AGENTS if agent != "localisation")
# Settings that only some agents go by; given for another they do nothing.
OF_AGENTS = {
    "t_max": ("a2c", "a2c_lstm", "ppo", "lookahead", "localisation"),
    "random_start": _PLAYERS,
    "prioritized_sampling": _PLAYERS,
    "random_offset": _PLAYERS,
    "value_coef": _PLAYERS,
    "discounting": _PLAYERS,
    "entropy_coef": ("a2c", "a2c_lstm", "ppo"),
    "final_entropy_coef": ("a2c", "a2c_lstm", "ppo"),
    "gae_lambda": ("ppo", "lookahead"),
    "ppo_epsilon": ("ppo",),
    "ppo_epochs": ("ppo",),
    "batch_size": ("ppo", "lookahead"),
    "bptt": ("a2c_lstm",),
    "no_baseline": ("reinforce",),
    "lookahead_passes": ("lookahead",),
    "temperature": ("lookahead",),
    "final_temperature": ("lookahead",),
    "memory": ("lookahead",),
}
# Settings found by experiment (docs/training_fast.md); the published ones are the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "agent": "lookahead",
        "n_worker": 64,
        "t_max": 16,
        "batch_size": 2,
        "discounting": 0.95,
        "gae_lambda": 0.9,
        "temperature": 0.1,
        "final_temperature": 0.015,
        "optim_params": {"lr": 1e-3, "betas": (0.9, 0.999)},
        "final_lr": 2e-5,
        "anneal_steps": 1_500_000,
        "averaging": 0.97,
        "max_grad_norm": 0.5,
        "value_coef": 0.05,
        "random_start": 0.6,
        "prioritized_sampling": True,
        "augment": 1,
        "precision": "auto",
        "eval_interval": 100,
        "eval_trials": 1,
        "log_interval": 20,
    },
}


def _knob(default: Any, help_text: str, choices: tuple[str, ...] | None = None) -> Any:
    metadata = {"help": help_text, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class Settings:
    """A training run. Defaults are the published ones (spec: cli); fields after `ini_params` are this project's own."""

    agent: str = _knob("a2c", "algorithm", AGENTS)
    net: str = _knob("ScoreFollowingNet", "network, by its published name")
    optim: str = _knob("Adam", "torch.optim class")
    optim_params: dict = _knob({"lr": 1e-4, "betas": (0.5, 0.999)}, "its arguments, YAML: {lr: 1e-4, betas: '(0.5, 0.999)'}")
    max_grad_norm: float | None = _knob(None, "clip the gradient's L2 norm (default: off)")
    max_updates: int = _knob(10**9, "number of updates")
    patience: int = _knob(100, "evaluations without improvement before a refinement")
    max_refinements: int = _knob(1, "number of learning-rate refinements")
    lr_multiplier: float = _knob(0.1, "learning-rate factor at a refinement")
    eval_interval: int = _knob(5000, "updates between evaluations")
    log_interval: int = _knob(100, "updates between log lines")
    dump_interval: int = _knob(100000, "updates between parameter dumps")
    eval_trials: int = _knob(5, "trials per evaluation")
    n_worker: int = _knob(16, "games played in parallel; hundreds are fine (REINFORCE: episodes per update, 1 if not given)")
    t_max: int = _knob(15, "steps of each game per rollout")
    value_coef: float = _knob(0.5, "weight of the value loss")
    entropy_coef: float = _knob(0.05, "weight of the entropy (not in lookahead)")
    discounting: float = _knob(0.9, "discount factor gamma")
    gae_lambda: float = _knob(0.95, "PPO, lookahead: lambda of generalised advantage estimation")
    ppo_epsilon: float = _knob(0.2, "PPO: clip range of the ratio")
    ppo_epochs: int = _knob(4, "PPO: passes over a rollout")
    batch_size: int = _knob(32, "PPO, lookahead: minibatch size, multiplied by n_worker")
    prioritized_sampling: bool = _knob(False, "draw pieces by how badly their latest game went")
    log_root: str = _knob("runs", "folder of the TensorBoard logs")
    param_root: str = _knob("params", "folder of the parameters")
    train_set: str = _knob("test_sample", "folder with the training pieces, searched recursively")
    eval_set: str = _knob("test_sample", "folder with the validation pieces")
    game_config: str = _knob(DEFAULT_GAME_CONFIG, "game config")
    no_log: bool = _knob(False, "no TensorBoard log")
    seed: int = _knob(DEFAULT_SEED, "seeds numpy, torch and every random choice")
    ini_params: str | None = _knob(None, "initial parameters (a state_dict)")
    preset: str | None = _knob(
        None,
        "settings found by experiment instead of these defaults (docs/training_fast.md); others that are given go before them",
        tuple(PRESETS),
    )
    no_baseline: bool = _knob(False, "REINFORCE: without a critic")
    bptt: bool = _knob(False, "a2c_lstm: back-propagate through the rollout, not each step alone as published")
    lookahead_passes: int = _knob(2, "lookahead: how often a step is learnt from, on average")
    temperature: float = _knob(0.1, "lookahead: of the improved policy, in units of reward")
    memory: int = _knob(50_000, "lookahead: the latest steps, of all games together, that it learns from")
    anneal_steps: int | None = _knob(None, "game steps until the final values below are reached (default: nothing changes)")
    final_lr: float | None = _knob(None, "learning rate then (default: as at first)")
    final_entropy_coef: float | None = _knob(None, "weight of the entropy then (not in lookahead; default: as at first)")
    final_temperature: float | None = _knob(None, "lookahead: temperature then (default: as at first)")
    averaging: float | None = _knob(
        None,
        "evaluate and keep a moving average of the parameters that forgets 1 - this at every "
        "update, for instance 0.97 (default: off)",
    )
    augment: int = _knob(0, "so many variants of each training piece beside it: other engraving, time and sound")
    medleys: int = _knob(0, "so many new training pieces put together from passages of the others")
    random_start: float = _knob(0.0, "share of games that begin anywhere in the piece, at the music's speed")
    random_offset: float = _knob(0.0, "pixels by which these games may be ahead or behind at first")
    sound_font: str | None = _knob(None, "SoundFont for MIDI performances (default: the one pretty_midi carries)")
    precision: str = _knob("float32", "arithmetic of the network; auto: bfloat16 where the processor has it", PRECISIONS)
    max_minutes: float | None = _knob(None, "stop after so many minutes of training, evaluations not counted (default: off)")
    checkpoint_minutes: float = _knob(10.0, "minutes between checkpoints to resume from")
    device: str = _knob("cpu", DEVICE_HELP)
    threads: int | None = _knob(None, TRIAL_HELP)


RESUMABLE = ("max_updates", "max_minutes", "checkpoint_minutes", "threads", "no_log")  # --resume may be given others
PLACES = ("train_set", "eval_set", "log_root", "param_root", "sound_font", "ini_params")  # may have moved meanwhile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One argument per field. Arguments not given stay absent, so that --resume can tell them from defaults."""
    for knob in fields(Settings):
        default = knob.default_factory() if knob.default is MISSING else knob.default
        text = knob.metadata["help"] + ("" if default is None or default is False else f" (default: {default})")
        options: dict[str, Any] = {"help": text.replace("%", "%%"), "default": argparse.SUPPRESS, "dest": knob.name}
        if default is False:
            options["action"] = "store_true"
        else:
            options |= {"type": _parser_type(knob.type), "choices": knob.metadata["choices"]}
            options["metavar"] = None if options["choices"] else knob.name.upper()
        parser.add_argument(f"--{knob.name}", **options)


def settings_from(values: Mapping[str, Any], where: str = "arguments") -> Settings:
    """Settings from the values given, then the preset's, then the defaults. Raises UserError naming a value that makes no
    sense."""
    unknown = sorted(set(values) - {knob.name for knob in fields(Settings)})
    if unknown:
        raise UserError(f"{where}: unknown setting {', '.join(unknown)}")
    for knob in fields(Settings):
        if knob.name in values:
            _require_type(knob.name, knob.type, values[knob.name], where)
    chosen = PRESETS.get(values.get("preset"), {})
    values = {**AGENT_DEFAULTS.get(values.get("agent", chosen.get("agent")), {}), **chosen, **values}
    settings = Settings(
        **{**values, **({"optim_params": optimiser_arguments(values["optim_params"])} if "optim_params" in values else {})}
    )
    for name, allowed in (("agent", AGENTS), ("precision", PRECISIONS), ("preset", (None, *PRESETS))):
        if getattr(settings, name) not in allowed:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted one of {', '.join(filter(None, allowed))}")
    at_least = {
        "max_updates": 1,
        "patience": 1,
        "max_refinements": 0,
        "eval_interval": 1,
        "log_interval": 1,
        "dump_interval": 1,
        "eval_trials": 1,
        "n_worker": 1,
        "t_max": 1,
        "ppo_epochs": 1,
        "batch_size": 1,
        "lookahead_passes": 1,
        "memory": 1,
        "anneal_steps": 1,
        "augment": 0,
        "medleys": 0,
    }
    for name, least in at_least.items():
        if getattr(settings, name) is None:
            continue
        if getattr(settings, name) < least:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted at least {least}")
        if getattr(settings, name) >= 2**31:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted less than 2^31")
    if settings.averaging is not None and not 0 <= settings.averaging < 1:
        raise UserError(f"{where}: --averaging {settings.averaging}, wanted a number from 0 to below 1")
    for name in ("discounting", "gae_lambda", "random_start"):
        if not 0 <= (getattr(settings, name) or 0) <= 1:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted a number from 0 to 1")
    for name in (
        "max_grad_norm",
        "lr_multiplier",
        "ppo_epsilon",
        "max_minutes",
        "checkpoint_minutes",
        "temperature",
        "final_lr",
        "final_temperature",
        "final_entropy_coef",
    ):
        if getattr(settings, name) is not None and not getattr(settings, name) > 0:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted a number above 0")
    for name in ("value_coef", "random_offset"):
        if getattr(settings, name) < 0:
            raise UserError(f"{where}: --{name} {getattr(settings, name)}, wanted a number of at least 0")
    finals = [name for name in ("final_lr", "final_entropy_coef", "final_temperature") if getattr(settings, name) is not None]
    if finals and settings.anneal_steps is None:
        raise UserError(f"{where}: --{finals[0]} is given but not by when: give --anneal_steps")
    if settings.final_entropy_coef is not None and not settings.entropy_coef > 0:
        raise UserError(f"{where}: --entropy_coef {settings.entropy_coef} cannot become --final_entropy_coef by equal factors")
    if settings.agent == "ppo" and settings.n_worker * settings.t_max < 2:
        raise UserError(f"{where}: PPO normalises advantages over a rollout: wanted --n_worker times --t_max at least 2")
    try_optimiser(settings.optim, settings.optim_params)
    if settings.final_lr is not None and not settings.optim_params.get("lr", 1) > 0:
        raise UserError(
            f"{where}: the lr of --optim_params, {settings.optim_params['lr']}, cannot become --final_lr by equal "
            "factors: give one above 0"
        )
    return settings


def without_effect(settings: Settings, given: Iterable[str]) -> list[str]:
    """The settings given that this agent does not go by."""
    return [name for name in given if settings.agent not in OF_AGENTS.get(name, AGENTS)]


def settings_as_dict(settings: Settings) -> dict[str, Any]:
    """Plain values that YAML and a checkpoint hold and settings_from reads."""
    values = asdict(settings)
    values["optim_params"] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings.optim_params.items()
    }
    return values


def require_same(settings: Settings, before: Mapping[str, Any], where: str) -> None:
    """Raise UserError by name for a setting that is not what it was when a checkpoint was made, and has to be."""
    now = settings_as_dict(settings)
    for name in sorted(set(now) - set(RESUMABLE) - set(PLACES)):
        if now[name] != before.get(name):
            raise UserError(
                f"{where}: {name} is {now[name]!r} and was {before.get(name)!r} when the run was stopped; "
                "put it back, or begin a new run with --ini_params"
            )


def _require_type(name: str, annotation: str, value: Any, where: str) -> None:
    """A config.yaml is edited by hand: refuse a value of another type by its key."""
    kinds = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,), "dict": (dict, str)}
    wanted = kinds[annotation.removesuffix(" | None")]
    if value is None and annotation.endswith(" | None"):
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise UserError(f"{where}: {name} is {value!r}, wanted {annotation}")


def _parser_type(annotation: str) -> Any:
    """The argparse type for a field's annotation (a string, since annotations are postponed)."""
    return {"int": _whole, "int | None": _whole, "float": _finite, "float | None": _finite, "dict": optimiser_arguments}.get(
        annotation, str
    )


def _whole(text: str) -> int:
    """12, or 1e9 as the published default is written."""
    value = _finite(text)
    if not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text) if text.lstrip("-").isdigit() else int(value)


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value
