"""Every setting of a training run in one table; the command line, the checks and the warnings are made from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from score_following_game.agents.inference import PRECISIONS
from score_following_game.config import DEFAULT_GAME_CONFIG
from score_following_game.data_processing.acoustics.switches import SWITCHES, parse_switches
from score_following_game.errors import UserError, shown
from score_following_game.limits import MINUTES_OF_MUSIC, MOST_MINUTES_OF_MUSIC, MUSIC_LIMIT_HELP
from score_following_game.machine import DEFAULT_SEED, DEVICE_HELP, MOST_THREADS, TRIAL_HELP
from score_following_game.reinforcement_learning.knobs import knob, knobs_of
from score_following_game.reinforcement_learning.optimiser import optimiser_arguments, try_optimiser
from score_following_game.reinforcement_learning.presets import PRESETS

AGENTS = ("reinforce", "a2c", "a2c_lstm", "ppo", "lookahead", "localisation", "reading")
# Groups of algorithms, for settings that do not apply to all.
PLAYERS = ("reinforce", "a2c", "a2c_lstm", "ppo", "lookahead")
ROLLOUTS = ("a2c", "a2c_lstm", "ppo", "lookahead", "localisation", "reading")
ENTROPY = ("a2c", "a2c_lstm", "ppo")
LAMBDA = ("ppo", "lookahead")
# Groups of the help text, in this order.
RUN, DATA, NETWORK, ALGORITHM, SCHEDULE, OUTPUT = GROUPS = ("run", "data", "network", "algorithm", "schedule", "output")
FINALS = ("final_lr", "final_entropy_coef", "final_temperature")


@dataclass
class Settings:
    """A training run. Unless a setting is this project's own, its default is the published one (see the README)."""

    agent: str = knob("a2c", RUN, "algorithm", choices=AGENTS)
    preset: str | None = knob(
        None, RUN, "tuned settings in place of these defaults; options given explicitly override them", choices=tuple(PRESETS)
    )
    seed: int = knob(DEFAULT_SEED, RUN, "seeds numpy, torch and every random choice", at_least=0, below=2**63)
    device: str = knob("cpu", RUN, DEVICE_HELP)
    threads: int | None = knob(None, RUN, TRIAL_HELP, at_least=1, at_most=MOST_THREADS, resumable=True)
    max_updates: int = knob(10**9, RUN, "number of updates", at_least=1, resumable=True)
    max_minutes: float | None = knob(
        None, RUN, "stop after this many minutes of training, not counting evaluations (default: off)", above=0, resumable=True
    )

    train_set: str = knob(
        "test_sample", DATA, "folder with the training pieces, searched recursively", is_path=True, resumable=True
    )
    eval_set: str = knob("test_sample", DATA, "folder with the validation pieces", is_path=True, resumable=True)
    game_config: str = knob(DEFAULT_GAME_CONFIG, DATA, "game config")
    augment: int = knob(0, DATA, "variants added per training piece, with other engraving, tempo and sound", at_least=0)
    medleys: int = knob(0, DATA, "number of training pieces added that combine passages of the others", at_least=0)
    max_minutes_of_music: float = knob(
        MINUTES_OF_MUSIC, DATA, MUSIC_LIMIT_HELP, above=0, at_most=MOST_MINUTES_OF_MUSIC, resumable=True
    )
    sound_font: str | None = knob(
        None, DATA, "SoundFont for MIDI performances (default: the one in pretty_midi)", is_path=True, resumable=True
    )
    world: str | None = knob(
        None,
        DATA,
        f"perform the training pieces again while they are played, with other {', '.join(SWITCHES)}: all, or a list of these",
        agents=ROLLOUTS,
    )
    world_fonts: str | None = knob(
        None,
        DATA,
        "SoundFonts of these performances, separated by commas (default: the one in pretty_midi)",
        needs=("world",),
        is_path=True,
        resumable=True,
    )
    pieces_at_once: int | None = knob(
        None,
        DATA,
        "performances in memory; each that was played gives way to one of another piece (default: one of every piece)",
        at_least=1,
        needs=("world",),
    )
    keyboards_only: bool = knob(False, DATA, "these performances are played on pianos and other keyboards", needs=("world",))
    eval_conditions: bool = knob(
        False, DATA, "hear the validation pieces under the conditions of benchmarks/real_world.py, one after the other"
    )
    prioritized_sampling: bool = knob(False, DATA, "draw pieces more often the worse their latest game went", agents=PLAYERS)
    random_start: float = knob(
        0.0,
        DATA,
        "share of games that start anywhere in the piece, at the speed of the music",
        at_least=0,
        at_most=1,
        agents=PLAYERS,
    )
    random_offset: float = knob(
        0.0,
        DATA,
        "largest distance in pixels, ahead or behind, at which these games start",
        at_least=0,
        agents=PLAYERS,
        needs=("random_start",),
    )

    net: str = knob(
        "ScoreFollowingNet",
        NETWORK,
        "network, by its published name (reading: ReadingNet)",
        agent_defaults={"reading": "ReadingNet"},
    )
    ini_params: str | None = knob(None, NETWORK, "initial parameters (a state_dict)", is_path=True)
    precision: str = knob(
        "float32", NETWORK, "arithmetic of the network; auto: bfloat16 if the processor supports it", choices=PRECISIONS
    )

    optim: str = knob("Adam", ALGORITHM, "class of torch.optim")
    optim_params: dict = knob(
        {"lr": 1e-4, "betas": (0.5, 0.999)},
        ALGORITHM,
        "its arguments, in YAML: {lr: 1e-4, betas: '(0.5, 0.999)'}",
        parse=optimiser_arguments,
    )
    max_grad_norm: float | None = knob(None, ALGORITHM, "clip the gradient to this L2 norm (default: off)", above=0)
    averaging: float | None = knob(
        None,
        ALGORITHM,
        "evaluate and save a moving average of the parameters, decay per update, e.g. 0.97 (default: off)",
        at_least=0,
        below=1,
    )
    # REINFORCE's default is the published one: one episode per update.
    n_worker: int = knob(
        16,
        ALGORITHM,
        "games played in parallel, even hundreds (REINFORCE: episodes per update, default 1; reading: passages per update)",
        at_least=1,
        agent_defaults={"reinforce": 1},
    )
    t_max: int = knob(
        15, ALGORITHM, "steps of each game per rollout (reading: frames of each passage)", at_least=1, agents=ROLLOUTS
    )
    discounting: float = knob(0.9, ALGORITHM, "discount factor gamma", at_least=0, at_most=1, agents=PLAYERS)
    value_coef: float = knob(0.5, ALGORITHM, "weight of the value loss", at_least=0, agents=PLAYERS, unless="no_baseline")
    entropy_coef: float = knob(0.05, ALGORITHM, "A2C, PPO: weight of the entropy bonus", at_least=0, agents=ENTROPY)
    no_baseline: bool = knob(False, ALGORITHM, "REINFORCE: train without a critic", agents=("reinforce",))
    bptt: bool = knob(
        False, ALGORITHM, "a2c_lstm: back-propagate through the rollout; published: single steps", agents=("a2c_lstm",)
    )
    gae_lambda: float = knob(
        0.95, ALGORITHM, "PPO, lookahead: lambda of generalised advantage estimation", at_least=0, at_most=1, agents=LAMBDA
    )
    batch_size: int = knob(32, ALGORITHM, "PPO, lookahead: minibatch size, multiplied by n_worker", at_least=1, agents=LAMBDA)
    ppo_epsilon: float = knob(0.2, ALGORITHM, "PPO: clip range of the probability ratio", above=0, agents=("ppo",))
    ppo_epochs: int = knob(4, ALGORITHM, "PPO: passes over a rollout", at_least=1, agents=("ppo",))
    lookahead_passes: int = knob(
        2, ALGORITHM, "lookahead: how often each step is trained on, on average", at_least=1, agents=("lookahead",)
    )
    temperature: float = knob(
        0.1, ALGORITHM, "lookahead: temperature of the improved policy, in units of reward", above=0, agents=("lookahead",)
    )
    memory: int = knob(
        50_000, ALGORITHM, "lookahead: size of the replay buffer, in steps of all games", at_least=1, agents=("lookahead",)
    )

    eval_interval: int = knob(5000, SCHEDULE, "updates between evaluations", at_least=1)
    eval_trials: int = knob(5, SCHEDULE, "trials per evaluation", at_least=1)
    patience: int = knob(100, SCHEDULE, "evaluations without improvement before a refinement", at_least=1)
    max_refinements: int = knob(1, SCHEDULE, "number of learning-rate refinements", at_least=0)
    lr_multiplier: float = knob(0.1, SCHEDULE, "learning-rate factor of a refinement", above=0, needs=("max_refinements",))
    anneal_steps: int | None = knob(
        None, SCHEDULE, "game steps until the final values below are reached (default: no annealing)", at_least=1, needs=FINALS
    )
    anneal_minutes: float | None = knob(
        None,
        SCHEDULE,
        "minutes of training until the final values below are reached; with --anneal_steps, whichever comes first "
        "(default: --anneal_steps alone)",
        above=0,
        needs=FINALS,
    )
    final_lr: float | None = knob(None, SCHEDULE, "final learning rate (default: the initial one)", above=0)
    final_entropy_coef: float | None = knob(
        None, SCHEDULE, "A2C, PPO: final weight of the entropy bonus (default: the initial one)", above=0, agents=ENTROPY
    )
    final_temperature: float | None = knob(
        None, SCHEDULE, "lookahead: final temperature (default: the initial one)", above=0, agents=("lookahead",)
    )

    log_root: str = knob("runs", OUTPUT, "folder of the TensorBoard logs", is_path=True, resumable=True, unless="no_log")
    param_root: str = knob("params", OUTPUT, "folder of the parameters", is_path=True)
    no_log: bool = knob(False, OUTPUT, "write no TensorBoard log", resumable=True)
    log_interval: int = knob(100, OUTPUT, "updates between log lines", at_least=1)
    dump_interval: int = knob(100000, OUTPUT, "updates between parameter dumps", at_least=1)
    checkpoint_minutes: float = knob(10.0, OUTPUT, "minutes between checkpoints for --resume", above=0, resumable=True)


KNOBS = knobs_of(Settings)
RESUMABLE = tuple(name for name, each in KNOBS.items() if each.resumable)
PATH_OPTIONS = tuple(name for name, each in KNOBS.items() if each.is_path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option per setting, in groups."""
    for group in GROUPS:
        section = parser.add_argument_group(group)
        for each in KNOBS.values():
            if each.group == group:
                each.add_argument(section)


def settings_from(values: Mapping[str, Any], where: str = "arguments") -> Settings:
    """Combine the given values, the preset's and the defaults, in this order of precedence.

    Args:
        values: Setting names and values, from the command line or a config.yaml.
        where: The source named in error messages.

    Raises:
        UserError: A setting is unknown, has an invalid value or contradicts another.
    """
    if unknown := sorted(set(values) - set(KNOBS)):
        raise UserError(f"{where}: unknown setting {', '.join(unknown)}")
    for name, value in values.items():
        KNOBS[name].require_valid(value, where)
    chosen = PRESETS.get(values.get("preset") or "", {})
    agent = values.get("agent", chosen.get("agent", KNOBS["agent"].default))
    agent_defaults = {name: each.agent_defaults[agent] for name, each in KNOBS.items() if agent in each.agent_defaults}
    combined = {**agent_defaults, **chosen, **values}
    if "optim_params" in combined:
        combined["optim_params"] = optimiser_arguments(combined["optim_params"])
    settings = Settings(**combined)
    _require_consistent(settings, where)
    return settings


def _require_consistent(settings: Settings, where: str) -> None:
    """The rules that concern several settings."""
    finals = [name for name in FINALS if getattr(settings, name) is not None]
    if finals and settings.anneal_steps is None and settings.anneal_minutes is None:
        raise UserError(f"{where}: --{finals[0]} needs --anneal_steps or --anneal_minutes")
    if settings.final_entropy_coef is not None and not settings.entropy_coef > 0:
        raise UserError(
            f"{where}: --entropy_coef {settings.entropy_coef} must be above 0 with --final_entropy_coef: annealing is geometric"
        )
    if settings.agent == "ppo" and settings.n_worker * settings.t_max < 2:
        raise UserError(f"{where}: --agent ppo needs --n_worker times --t_max to be at least 2: it normalises advantages")
    if settings.world is not None:
        parse_switches(settings.world, f"{where}: --world")
    if settings.pieces_at_once and settings.world and (settings.augment or settings.medleys):
        name = "augment" if settings.augment else "medleys"
        raise UserError(f"{where}: --pieces_at_once does not go with --{name} {getattr(settings, name)}; add --{name} 0")
    try_optimiser(settings.optim, settings.optim_params)
    if settings.final_lr is not None and not settings.optim_params.get("lr", 1) > 0:
        raise UserError(f"{where}: the lr of --optim_params must be above 0 with --final_lr: annealing is geometric")


def without_effect(settings: Settings, given: Iterable[str]) -> list[str]:
    """Sentences that say which of the given settings have no effect, and why."""
    names_by_reason: dict[str, list[str]] = {}
    for name in given:
        if reason := _idle_reason(settings, name):
            names_by_reason.setdefault(reason, []).append(f"--{name}")
    return [
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no effect {reason}"
        for reason, names in names_by_reason.items()
    ]


def _idle_reason(settings: Settings, name: str) -> str | None:
    each = KNOBS[name]
    if not each.applies_to(settings.agent):
        return f"with --agent {settings.agent}"
    if each.needs and not any(_is_on(settings, other) for other in each.needs):
        return f"without --{' or --'.join(each.needs)}"
    if each.unless and _is_on(settings, each.unless):
        return f"with --{each.unless}"
    return None


def _is_on(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name)) and KNOBS[name].applies_to(settings.agent)


def settings_as_dict(settings: Settings) -> dict[str, Any]:
    """Plain values that YAML and a checkpoint hold and settings_from reads."""
    values = asdict(settings)
    values["optim_params"] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings.optim_params.items()
    }
    return values


def require_same(settings: Settings, before: Mapping[str, Any], where: str) -> None:
    """Raise UserError for a setting that differs from a checkpoint's although a resumed run must keep it."""
    now = settings_as_dict(settings)
    for name in sorted(set(now) - set(RESUMABLE) - set(PATH_OPTIONS)):
        if now[name] != before.get(name):
            raise UserError(
                f"{where}: {name} is {shown(now[name])} and was {shown(before.get(name))} when the run was stopped; "
                "restore it, or start a new run with --ini_params"
            )
