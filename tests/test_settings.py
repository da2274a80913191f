"""Settings: how they are declared, checked, shown by --help and combined with a preset, and which have no effect."""

import argparse
from dataclasses import dataclass

import pytest
import torch

from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.knobs import knob, knobs_of
from score_following_game.reinforcement_learning.optimiser import make_optimiser, optimiser_arguments
from score_following_game.reinforcement_learning.settings import (
    AGENTS,
    GROUPS,
    KNOBS,
    PATH_OPTIONS,
    RESUMABLE,
    add_arguments,
    settings_from,
    without_effect,
)


def test_settings_are_checked():
    assert optimiser_arguments("{lr: 1e-4, betas: '(0.5, 0.999)', amsgrad: true}") == {
        "lr": 1e-4,
        "betas": (0.5, 0.999),
        "amsgrad": True,
    }
    optimiser = make_optimiser("Adam", {"lr": 1e-3}, [torch.nn.Parameter(torch.zeros(1))])
    assert optimiser.param_groups[0]["lr"] == 1e-3
    for values, message in (
        ({"optim": "Adamm"}, "--optim Adamm"),
        ({"optim_params": "{lrr: 1}"}, "--optim_params .*lrr"),
        ({"n_worker": 0}, "--n_worker 0 must be at least 1"),
        ({"optim_params": "lr"}, "--optim_params lr"),
        ({"random_start": 1.5}, "--random_start 1.5"),
        ({"colour": 1}, "unknown setting colour"),
    ):
        with pytest.raises(UserError, match=message):
            settings_from(values)


def test_a_preset_gives_way_to_what_is_given():
    settings = settings_from({"preset": "fast", "n_worker": 3, "random_start": 0.1})
    assert (settings.agent, settings.n_worker, settings.random_start) == ("lookahead", 3, 0.1)
    assert settings.optim_params == {"lr": 1e-3, "betas": (0.9, 0.999)}
    assert settings_from({}).agent == "a2c"
    for given, message in (
        ({"preset": "slow"}, "--preset slow, expected one of fast"),
        ({"final_lr": 1e-5}, "--final_lr needs --anneal_steps or --anneal_minutes"),
        (
            {"anneal_steps": 5, "final_entropy_coef": 0.1, "entropy_coef": 0},
            "--entropy_coef 0 must be above 0 with --final_entropy_coef",
        ),
        ({"optim_params": {"betas": [0.5]}}, "--optim_params .*rejected by|cannot train"),
        ({"optim_params": {"betas": [0.5, 0.5, 0.999]}}, "--optim_params .*cannot train a network here"),
        ({"optim_params": {"betas": [0.5, 10**400]}}, "contains something other than numbers"),
        ({"optim_params": {"betas": "(" * 5000}}, r"--optim_params \{'betas': '\(+.{0,5}: rejected by torch.optim.Adam"),
        (
            {"optim_params": {"lr": 0}, "final_lr": 1e-4, "anneal_steps": 5},
            "the lr of --optim_params must be above 0 with --final_lr",
        ),
        ({"preset": "fast", "optim_params": {"lr": "x"}}, "--optim_params .*rejected by torch.optim.Adam"),
        ({"random_offset": -1.0}, "--random_offset -1.0 must be at least 0"),
        ({"max_updates": None}, "max_updates is None, expected int"),
        ({"averaging": 1}, "--averaging 1 must be below 1"),
    ):
        with pytest.raises(UserError, match=message):
            settings_from(given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"entropy_coef": -1}, "--entropy_coef -1 must be at least 0"),
        ({"patience": 0}, "--patience 0 must be at least 1"),
        ({"threads": 0}, "--threads 0 must be at least 1"),
        ({"threads": 513}, "--threads 513 must be at most 512"),
        ({"ppo_epsilon": 0.0}, "--ppo_epsilon 0.0 must be above 0"),
        ({"seed": -1}, "--seed -1 must be at least 0"),
        ({"seed": 2**63}, "--seed 9223372036854775808 must be below 9223372036854775808"),
        ({"temperature": float("inf")}, "--temperature inf must be a finite number"),
        ({"value_coef": float("nan")}, "--value_coef nan must be a finite number"),
        ({"memory": 2**31}, "--memory 2147483648 must be below 2147483648"),
        ({"n_worker": True}, "n_worker is True, expected int"),
        ({"max_minutes": "5"}, "max_minutes is '5', expected float or null"),
        ({"agent": "dqn"}, "--agent dqn, expected one of reinforce, a2c"),
    ],
)
def test_every_value_is_checked_by_its_declaration(values: dict, message: str):
    with pytest.raises(UserError) as caught:
        settings_from(values, "config.yaml")
    assert str(caught.value).startswith(f"config.yaml: {message}")


def test_every_number_has_a_range():
    assert not [name for name, each in KNOBS.items() if each.kind in (int, float) and not set(each.bounds) - {"below"}]


def test_a_new_setting_is_one_entry():
    """Its type, default, range, group and help all come from the declaration."""

    @dataclass
    class Extended:
        width: int | None = knob(3, "network", "hidden units, 100 % of them", at_least=2)

    extended = knobs_of(Extended)["width"]
    assert (extended.kind, extended.optional, extended.default, extended.group) == (int, True, 3, "network")
    with pytest.raises(UserError, match="here: --width 1 must be at least 2"):
        extended.require_valid(1, "here")
    parser = argparse.ArgumentParser()
    extended.add_argument(parser)
    assert vars(parser.parse_args([])) == {}
    assert vars(parser.parse_args(["--width", "1e1"])) == {"width": 10}
    assert "hidden units, 100 % of them (default: 3)" in parser.format_help()


def test_help_is_grouped():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    text = parser.format_help()
    headings = [text.index(f"\n{group}:\n") for group in GROUPS]
    assert headings == sorted(headings)
    assert GROUPS == ("run", "data", "network", "algorithm", "schedule", "output")
    assert text.rindex("--no_log") > headings[-1] > text.rindex("--patience") > headings[-2]
    assert {each.group for each in KNOBS.values()} == set(GROUPS)


MOVED = {"train_set", "eval_set", "log_root", "sound_font", "world_fonts"}  # perhaps elsewhere on the machine that resumes


def test_settings_refer_to_settings_and_algorithms_that_exist():
    for each in KNOBS.values():
        assert set(each.agents or AGENTS) | set(each.agent_defaults) <= set(AGENTS)
        assert set(each.needs) | {each.unless or "agent"} <= set(KNOBS)
    assert set(RESUMABLE) == {
        "max_updates",
        "max_minutes",
        "max_minutes_of_music",
        "checkpoint_minutes",
        "threads",
        "no_log",
        *MOVED,
    }
    assert set(PATH_OPTIONS) == {*MOVED, "param_root", "ini_params"}


def test_settings_without_effect_are_reported_with_the_reason():
    def idle(**values) -> list[str]:
        return without_effect(settings_from(values), values)

    assert idle(agent="reinforce", entropy_coef=0.1, discounting=0.5, temperature=1.0) == [
        "--entropy_coef, --temperature have no effect with --agent reinforce"
    ]
    assert idle(agent="a2c", bptt=True) == ["--bptt has no effect with --agent a2c"]
    assert idle(agent="a2c_lstm", bptt=True) == []
    assert idle(random_offset=3.0) == ["--random_offset has no effect without --random_start"]
    assert idle(random_offset=3.0, random_start=0.5) == []
    assert idle(anneal_steps=9) == [
        "--anneal_steps has no effect without --final_lr or --final_entropy_coef or --final_temperature"
    ]
    assert idle(anneal_minutes=9.0) == [
        "--anneal_minutes has no effect without --final_lr or --final_entropy_coef or --final_temperature"
    ]
    assert idle(anneal_steps=9, final_lr=1e-5) == idle(anneal_minutes=9.0, final_lr=1e-5) == []
    # A setting that is itself without effect does not count.
    assert len(idle(agent="a2c", anneal_steps=9, final_temperature=0.5)) == 2
    assert idle(agent="a2c", no_baseline=True, value_coef=0.1) == ["--no_baseline has no effect with --agent a2c"]
    assert idle(agent="reinforce", no_baseline=True, value_coef=0.1) == ["--value_coef has no effect with --no_baseline"]
    assert idle(max_refinements=0, lr_multiplier=0.5) == ["--lr_multiplier has no effect without --max_refinements"]
    assert idle(no_log=True, log_root="x") == ["--log_root has no effect with --no_log"]
    assert idle(preset="fast", ppo_epochs=2) == ["--ppo_epochs has no effect with --agent lookahead"]
    assert idle(agent="ppo", ppo_epochs=2, gae_lambda=0.5, batch_size=3, final_entropy_coef=0.1, anneal_steps=3) == []


def test_defaults_may_depend_on_the_algorithm():
    assert settings_from({"agent": "reinforce"}).n_worker == 1
    assert settings_from({"agent": "reinforce", "n_worker": 3}).n_worker == 3
    assert settings_from({}).n_worker == 16
