"""The tables of the documentation that are made from the code: options of commands, game configs, networks."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from score_following_game.agents.architectures import ARCHITECTURES, PUBLISHED, Architecture, Conv, Dropout, Layer
from score_following_game.agents.networks import features, get_network
from score_following_game.command_line import SCRIPTS, Parser
from score_following_game.config import GameConfig, config_as_dict, load_game_config

ROOT = Path(__file__).resolve().parents[2]
MODULES = {  # command -> the module with its make_parser
    "sfg-train": "score_following_game.scripts.train",
    "sfg-eval": "score_following_game.scripts.evaluate",
    "sfg-watch": "score_following_game.scripts.watch",
    "sfg-play": "score_following_game.scripts.play",
    "sfg-prepare": "score_following_game.scripts.prepare",
    "learning_curve": "score_following_game.evaluation.learning_curve",
}


def options(command: str) -> str:
    """What a command does and all its options, group by group, from its parser."""
    parser: Parser = importlib.import_module(MODULES[command]).make_parser()
    purpose, _, examples = (parser.description or "").strip().partition("\n\n")
    parts = [_escaped(" ".join(purpose.split()))]
    if examples:
        parts.append(f"```\n{examples.strip()}\n```" if "\n" in examples else _escaped(examples))
    if command in SCRIPTS:
        parts.append(f"The same: `python {SCRIPTS[command]}`.")
    formatter = argparse.HelpFormatter(prog=command)
    for group in parser._action_groups:  # argparse has no public list of them
        rows = [
            (_usage(action), _meaning(action, formatter))
            for action in group._group_actions
            if action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)
        ]
        if rows:
            title = "" if group.title in ("options", "positional arguments") else f"**{_escaped(group.title or '')}**\n\n"
            parts.append(title + table(("option", "meaning"), rows))
    return "\n\n".join(parts)


def _usage(action: argparse.Action) -> str:
    """`--seed N`: the names of an option and of its value."""
    names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    takes_value = action.option_strings and action.nargs != 0
    value = f" {action.metavar or action.dest.upper()}" if takes_value and not action.choices else ""
    return f"`{names}{value}{' ...' * (action.nargs == '+')}`"


def _meaning(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    meaning = _escaped(formatter._expand_help(action)) if action.help else ""
    if action.choices and action.option_strings:
        meaning += f"; one of {', '.join(f'`{choice}`' for choice in action.choices)}"
    return meaning


def game_configs() -> str:
    """Every game config: a table of the keys that differ, and a sentence with those that are the same in all."""
    configs = {path.stem: load_game_config(path) for path in sorted((ROOT / "game_configs").glob("*.yaml"))}
    values = {name: config_as_dict(config) for name, config in configs.items()}
    for each in values.values():
        each["actions"] = "any (continuous)" if each["continuous"] else each["actions"]
    keys = [field.name for field in fields(GameConfig) if field.name != "continuous"]
    same = [key for key in keys if all(each[key] == next(iter(values.values()))[key] for each in values.values())]
    rows = [
        (f"`{name}`", *(_plain(values[name][key]) for key in keys if key not in same), str(config.threshold))
        for name, config in configs.items()
    ]
    first = next(iter(values.values()))
    fixed = ", ".join(f"`{key}` {_plain(first[key])}" for key in same)
    head = ("config", *(f"`{key}`" for key in keys if key not in same), "T, px")
    return f"{table(head, rows)}\n\nThe same in all of them: {fixed}."


def networks() -> str:
    """Every network: parameters, windows, actions, game configs that fit."""
    head = ("network", "parameters", "spectrogram", "sheet", "actions", "also", "game configs")
    rows = []
    for name, architecture in ARCHITECTURES.items():
        network = get_network(name, 3)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        sizes = [f"{rows}x{columns}" for rows, columns in (architecture.spec_size, architecture.sheet_size)]
        kind = "continuous" if architecture.continuous else "discrete"
        own = [] if name in PUBLISHED else ["of this project"]
        also = ", ".join([*features(network), *own])
        rows.append((f"`{name}`", f"{parameters:,}", *sizes, kind, also, ", ".join(_fitting(architecture))))
    return table(head, rows)


def layers() -> str:
    """Every network: its layers."""
    head = ("network", "spectrogram branch", "sheet branch", "joined", "heads")
    rows = [
        (
            f"`{name}`",
            _branch(architecture.spec),
            _branch(architecture.sheet),
            f"{architecture.concat}" + (f", LSTM {architecture.lstm}" if architecture.lstm else ""),
            f"{', '.join(architecture.heads)} ({architecture.head})",
        )
        for name, architecture in ARCHITECTURES.items()
    ]
    return table(head, rows)


def _branch(layers: Iterable[Layer]) -> str:
    return ", ".join(_layer(layer) for layer in layers)


def _layer(layer: Layer) -> str:
    """16: 4x8 / 2x2 is a convolution with 16 output channels."""
    if isinstance(layer, Conv):
        (rows, columns), (down, right) = layer.kernel, layer.stride
        return f"{layer.channels}: {rows}x{columns} / {down}x{right}"
    return f"dropout {layer.p:g}" if isinstance(layer, Dropout) else f"linear {layer.features}"


def _fitting(architecture: Architecture) -> list[str]:
    """The game configs that a network can play."""
    configs = {path.stem: load_game_config(path) for path in sorted((ROOT / "game_configs").glob("*.yaml"))}
    return [
        name
        for name, config in configs.items()
        if (config.spec_shape[1:], config.sheet_shape[1:]) == (architecture.spec_size, architecture.sheet_size)
        and config.continuous == architecture.continuous
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _plain(value: object) -> str:
    """A value of a config, short: shapes as 2x39x20."""
    if isinstance(value, list):
        return (
            "x".join(map(str, value))
            if all(isinstance(item, int) for item in value)
            else ", ".join(f"{item:g}" for item in value)
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    return str(value)


def _escaped(text: str) -> str:
    """Text without meaning for Markdown."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", " ".join(text.split()))


TABLES: dict[str, Callable[..., str]] = {
    "options": options,
    "game_configs": game_configs,
    "networks": networks,
    "layers": layers,
}
