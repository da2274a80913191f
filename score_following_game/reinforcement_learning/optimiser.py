"""The optimiser of a run: a class of torch.optim by name, with arguments in the notation of 2018."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from typing import Any

import torch
import yaml

from score_following_game.errors import UserError, cause, printable
from score_following_game.yaml_files import parse_yaml


def optimiser_arguments(text: str | Mapping[str, Any]) -> dict[str, Any]:
    """Parse YAML as in 2018: {lr: 1e-4, betas: '(0.5, 0.999)'}.

    Strings with a parenthesis become tuples, others numbers if possible. Raises UserError if that fails.
    """
    try:
        content = parse_yaml(text, "--optim_params") if isinstance(text, str) else text
    except yaml.YAMLError:
        content = None
    if not isinstance(content, Mapping):
        raise UserError(f"{_given(text)}: expected YAML like {{lr: 1e-4, betas: '(0.5, 0.999)'}}")
    try:
        return {str(key): _optimiser_value(value) for key, value in content.items()}
    except (ValueError, TypeError, OverflowError):
        raise UserError(f"{_given(text)}: a list or tuple in it contains something other than numbers") from None


def make_optimiser(name: str, optim_params: Mapping[str, Any], parameters: Any) -> torch.optim.Optimizer:
    """Create a torch.optim optimiser by name. Raises UserError if torch has no such class or it rejects the arguments."""
    kind = getattr(torch.optim, name, None)
    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or kind is torch.optim.LBFGS:
        raise UserError(f"--optim {name}: not a gradient-descent class of torch.optim such as Adam, SGD or RMSprop")
    arguments = dict(optim_params)
    others = {"fused", "foreach", "capturable", "differentiable"}
    if "fused" in inspect.signature(kind).parameters and not others & set(arguments):
        arguments["fused"] = True  # makes Adam's step three times as fast, which saves 4 % of a minibatch of 128
    try:
        return kind(parameters, **arguments)
    except Exception as error:  # torch checks little, and what it then fails at may be anything
        raise UserError(f"{_given(optim_params)}: rejected by torch.optim.{name} ({cause(error)})") from None


def try_optimiser(name: str, optim_params: Mapping[str, Any]) -> None:
    """Take a step, because some optimisers reject dense gradients only then. Raises UserError as make_optimiser does."""
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    parameter.grad = torch.ones(2, 2)
    optimiser = make_optimiser(name, optim_params, [parameter])
    try:
        optimiser.step()
    except Exception as error:
        raise UserError(f"--optim {name} with {_given(optim_params)}: cannot train a network here ({cause(error)})") from None


def _given(optim_params: object) -> str:
    return f"--optim_params {printable(str(optim_params), 100)}"


def _optimiser_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(float(item) for item in value)
    if isinstance(value, str):
        try:
            return tuple(map(float, ast.literal_eval(value))) if "(" in value else float(value)
        except (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError):
            return value
    return value
