"""How a setting is declared: one `knob(...)` per field; the command line, the checks and the warnings are made from it."""

from __future__ import annotations

import argparse
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_args, get_type_hints

from score_following_game.errors import UserError, printable, shown

# The bounds a knob may declare: the comparison that must hold, and its name in the error message.
BOUNDS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "at_least": (operator.ge, "at least"),
    "above": (operator.gt, "above"),
    "at_most": (operator.le, "at most"),
    "below": (operator.lt, "below"),
}
INT_LIMIT = 2**31  # larger integers overflow somewhere in a run; knobs may declare a larger bound


@dataclass(frozen=True)
class Knob:
    """One setting.

    agents: the algorithms it has an effect for (None: all). needs: it has no effect unless one of these settings is on.
    unless: it has no effect if this setting is on. agent_defaults: defaults that replace `default` for some algorithms.
    is_path: its value may differ between machines. resumable: may be given together with --resume.
    """

    name: str
    kind: type  # int, float, bool, str or dict
    optional: bool  # None is allowed
    default: Any
    group: str
    help: str
    bounds: Mapping[str, float]
    choices: tuple[str, ...] | None
    parse: Callable[[str], Any] | None
    agents: tuple[str, ...] | None
    needs: tuple[str, ...]
    unless: str | None
    agent_defaults: Mapping[str, Any]
    is_path: bool
    resumable: bool

    def applies_to(self, agent: str) -> bool:
        return self.agents is None or agent in self.agents

    def require_valid(self, value: Any, where: str) -> None:
        """Raise UserError if a value has the wrong type, is out of bounds or is not one of the choices."""
        if value is None and self.optional:
            return
        # argparse converts what the command line gives, but a config.yaml is edited by hand.
        allowed = {float: (int, float), dict: (dict, str)}.get(self.kind, (self.kind,))
        if not isinstance(value, allowed) or (isinstance(value, bool) and self.kind is not bool):
            raise UserError(
                f"{where}: {self.name} is {shown(value)}, expected {self.kind.__name__}{' or null' * self.optional}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{where}: --{self.name} {value} must be a finite number")
        for bound, limit in self.bounds.items():
            holds, words = BOUNDS[bound]
            if isinstance(value, (int, float)) and not holds(value, limit):
                raise UserError(f"{where}: --{self.name} {value} must be {words} {limit}")
        if self.choices and value not in self.choices:
            raise UserError(f"{where}: --{self.name} {printable(str(value), 60)}, expected one of {', '.join(self.choices)}")

    def add_argument(self, parser: argparse._ActionsContainer) -> None:
        """Add `--name`. If it is not given it stays absent, so that --resume can distinguish it from a default."""
        text = self.help + ("" if self.default is None or self.default is False else f" (default: {self.default})")
        options: dict[str, Any] = {"help": text.replace("%", "%%"), "default": argparse.SUPPRESS, "dest": self.name}
        if self.kind is bool:
            options["action"] = "store_true"
        else:
            options["type"] = self.parse or {int: whole_number, float: finite_number}.get(self.kind, str)
            options["choices"] = self.choices
            options["metavar"] = None if self.choices else self.name.upper()
        parser.add_argument(f"--{self.name}", **options)


def knob(
    default: Any,
    group: str,
    help: str,
    *,
    choices: tuple[str, ...] | None = None,
    parse: Callable[[str], Any] | None = None,
    agents: tuple[str, ...] | None = None,
    needs: tuple[str, ...] = (),
    unless: str | None = None,
    agent_defaults: Mapping[str, Any] | None = None,
    is_path: bool = False,
    resumable: bool = False,
    **bounds: float,
) -> Any:
    """A dataclass field that declares a setting; see Knob. bounds: at_least, above, at_most, below."""
    metadata = {
        "group": group,
        "help": help,
        "bounds": bounds,
        "choices": choices,
        "parse": parse,
        "agents": agents,
        "needs": needs,
        "unless": unless,
        "agent_defaults": agent_defaults or {},
        "is_path": is_path,
        "resumable": resumable,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def knobs_of(settings: type) -> dict[str, Knob]:
    """The knobs of a dataclass of settings, by name, in the order of their declaration."""
    hints, knobs = get_type_hints(settings), {}
    for each in fields(settings):
        kinds = get_args(hints[each.name]) or (hints[each.name],)
        kind = next(kind for kind in kinds if kind is not type(None))
        default = each.default if each.default_factory is MISSING else each.default_factory()
        declared = dict(each.metadata)
        if kind is int:
            declared["bounds"] = {"below": INT_LIMIT, **declared["bounds"]}
        knobs[each.name] = Knob(name=each.name, kind=kind, optional=len(kinds) > 1, default=default, **declared)
    return knobs


def whole_number(text: str) -> int:
    """An argparse type: 12, or 1e9 as the published default is written."""
    value = finite_number(text)
    if not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text) if text.lstrip("-").isdigit() else int(value)


def finite_number(text: str) -> float:
    """An argparse type: a float that is neither infinite nor nan."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value
