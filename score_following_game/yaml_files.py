"""The one reader of YAML: keys and values as the configs have them. It has no dates, tags, aliases or merge keys.

PyYAML's own loaders make objects of dates and tags, and copy by alias what cannot be printed any more; so only its parser is
used here, whose events are plain texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from score_following_game import limits
from score_following_game.errors import UserError, shown
from score_following_game.files import replacing
from score_following_game.reading import read_bytes, read_json, reading

_WORDS = {"null": None, "~": None, "": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_RESOLVER = yaml.resolver.Resolver()  # decides which plain texts are numbers, as it does for the writer


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; all keys are texts. Raises UserError naming the file and the key of a value that is not allowed."""
    with reading(path, "not YAML"):
        content = parse_yaml(read_bytes(path, limits.CONFIG_FILE).decode("utf-8-sig"), str(path))
    return _mapping(content, path)


def read_table(path: Path) -> dict[str, Any]:
    """Read a mapping from a .json file, or from a YAML file of another name. Raises UserError as read_yaml."""
    return _mapping(read_json(path), path) if path.suffix.lower() == ".json" else read_yaml(path)


def _mapping(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values, found {shown(content)}")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text: dicts, lists, texts, numbers, True, False and None; None for an empty one.

    Raises UserError naming the key for a tag, an alias, too long a number or too deep a value, and yaml.YAMLError for what is
    not YAML. A date is a text.
    """
    return _Composer(text, where).document()


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write YAML atomically, in the order of the keys, in a folder that exists. Raises WriteError."""
    with replacing(path, make_parents=False) as temporary:
        temporary.write_text(yaml.dump(dict(content), Dumper=_WithoutAliases, sort_keys=False), encoding="utf-8")


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Composer:
    """Makes values of the parser's events. keys: those that lead to the present value."""

    def __init__(self, text: str, where: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._where, self._keys = where, [""]

    def document(self) -> Any:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events))
        next(self._events)  # the document ends
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise UserError(f"{self._where}: holds more than one YAML document")
        return value

    def _value(self, event: Any) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "an alias (& or *)")
        if getattr(event, "tag", None):
            self._refuse(event, f"a tag ({event.tag})")
        if len(self._keys) > limits.CONFIG_DEPTH:
            self._refuse(event, f"a value more than {limits.CONFIG_DEPTH} levels deep")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event) if event.implicit[0] else event.value
        return self._mapping() if isinstance(event, yaml.MappingStartEvent) else self._list()

    def _mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key that is not a text")
            key = event.value
            self._keys.append(key)
            if key in found:
                self._refuse(event, "a second value")
            found[key] = self._value(next(self._events))
            self._keys.pop()
        return found

    def _list(self) -> list[Any]:
        found: list[Any] = []
        self._keys.append(self._keys[-1])
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event))
        self._keys.pop()
        return found

    def _scalar(self, event: Any) -> Any:
        text, lower = event.value, event.value.lower()
        if len(text) > limits.DIGITS and text.lstrip("-+")[:1].isdigit():
            self._refuse(event, f"a number of more than {limits.DIGITS} digits")
        kind = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
        if kind in ("null", "bool"):
            return _WORDS[lower]
        if kind == "int" and _DECIMAL.fullmatch(text):
            return int(text.replace("_", ""))
        if kind == "float" and ":" not in text:
            return _SPECIAL[lower] if lower in _SPECIAL else float(text.replace("_", ""))
        return text  # also a date, and a number in another base

    def _refuse(self, event: Any, what: str) -> None:
        key = next((f"{key}: " for key in reversed(self._keys) if key), "")
        line = event.start_mark.line + 1 if event.start_mark else "?"
        raise UserError(f"{self._where}: {shown(key)[1:-1]}{what} is not allowed in line {line}; write the plain value")
