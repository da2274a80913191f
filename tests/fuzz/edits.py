"""Random edits of score files: one element, attribute, token or character is dropped, doubled, swapped or changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from xml.etree import ElementTree

XML, HUMDRUM = {".musicxml", ".xml", ".mei"}, {".krn"}
_NAMESPACES = {
    "": "http://www.music-encoding.org/ns/mei",
    "xlink": "http://www.w3.org/1999/xlink",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
_TEXTS = ("", "0", "-1", "1", "2", "7", "128", "1e9", "3.5", "1/0", "x", "yes", "start", "stop", "\u266d", " ")
_CHARACTERS = "<>&\"'/=\t\n *.!0179-#[]{}()LJq\u00e9\x00"
Edit = Callable[[str, random.Random], str]


def edited(text: str, suffix: str, rng: random.Random) -> tuple[str, str]:
    """One random edit of a score that can be parsed. suffix: of the file. Returns the kind of edit and the text."""
    edits = {**(_XML_EDITS if suffix in XML else _LINE_EDITS), **_TEXT_EDITS}
    kind = rng.choice(sorted(edits))
    return kind, edits[kind](text, rng)


def _on_tree(change: Callable[[ElementTree.Element, random.Random], None]) -> Edit:
    def edit(text: str, rng: random.Random) -> str:
        for prefix, address in _NAMESPACES.items():
            if prefix or address in text:
                ElementTree.register_namespace(prefix, address)
        root = ElementTree.fromstring(text)
        change(root, rng)
        return ElementTree.tostring(root, encoding="unicode")

    return edit


def _any_place(root: ElementTree.Element, rng: random.Random) -> tuple[ElementTree.Element, int]:
    """A parent and the index of one of its children; a name is chosen first, so that rare elements get their share."""
    places: dict[str, list[tuple[ElementTree.Element, int]]] = {}
    for parent in root.iter():
        for index, child in enumerate(parent):
            places.setdefault(str(child.tag), []).append((parent, index))
    return rng.choice(places[rng.choice(sorted(places))])


def _drop_element(root: ElementTree.Element, rng: random.Random) -> None:
    parent, index = _any_place(root, rng)
    del parent[index]


def _double_element(root: ElementTree.Element, rng: random.Random) -> None:
    parent, index = _any_place(root, rng)
    parent.insert(index, copy.deepcopy(parent[index]))


def _swap_elements(root: ElementTree.Element, rng: random.Random) -> None:
    """Two children of one parent, or two anywhere."""
    parent, index = _any_place(root, rng)
    other, place = (parent, rng.randrange(len(parent))) if rng.random() < 0.5 else _any_place(root, rng)
    first, second = parent[index], other[place]
    if second not in list(first.iter()) and first not in list(second.iter()):  # neither may end up within itself
        parent[index], other[place] = second, first


def _change_text(root: ElementTree.Element, rng: random.Random) -> None:
    parent, index = _any_place(root, rng)
    texts = [element.text for element in root.iter() if element.text and element.text.strip()]
    parent[index].text = rng.choice([*_TEXTS, *rng.sample(texts, min(len(texts), 4))])


def _change_attribute(root: ElementTree.Element, rng: random.Random) -> None:
    name, element = _any_attribute(root, rng)
    values = sorted({value for other in root.iter() for value in other.attrib.values()})
    element.set(name, rng.choice([*_TEXTS, *rng.sample(values, min(len(values), 6))]))


def _drop_attribute(root: ElementTree.Element, rng: random.Random) -> None:
    name, element = _any_attribute(root, rng)
    element.attrib.pop(name, None)


def _move_attribute(root: ElementTree.Element, rng: random.Random) -> None:
    name, element = _any_attribute(root, rng)
    parent, index = _any_place(root, rng)
    parent[index].set(name, element.attrib.pop(name, ""))


def _any_attribute(root: ElementTree.Element, rng: random.Random) -> tuple[str, ElementTree.Element]:
    owners: dict[str, list[ElementTree.Element]] = {}
    for element in root.iter():
        for name in element.attrib:
            owners.setdefault(name, []).append(element)
    if not owners:
        return "id", root
    name = rng.choice(sorted(owners))
    return name, rng.choice(owners[name])


def _on_lines(change: Callable[[list[str], random.Random], None]) -> Edit:
    def edit(text: str, rng: random.Random) -> str:
        lines = text.splitlines()
        change(lines, rng)
        return "\n".join(lines) + "\n"

    return edit


def _drop_line(lines: list[str], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def _double_line(lines: list[str], rng: random.Random) -> None:
    index = rng.randrange(len(lines))
    lines.insert(index, lines[index])


def _swap_lines(lines: list[str], rng: random.Random) -> None:
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def _on_tokens(change: Callable[[list[str], random.Random, list[str]], None]) -> Edit:
    def edit(lines: list[str], rng: random.Random) -> None:
        index = rng.randrange(len(lines))
        tokens = lines[index].split("\t")
        change(tokens, rng, rng.choice(lines).split("\t"))
        lines[index] = "\t".join(tokens)

    return _on_lines(edit)


def _drop_token(tokens: list[str], rng: random.Random, others: list[str]) -> None:
    del tokens[rng.randrange(len(tokens))]


def _double_token(tokens: list[str], rng: random.Random, others: list[str]) -> None:
    index = rng.randrange(len(tokens))
    tokens.insert(index, tokens[index])


def _swap_tokens(tokens: list[str], rng: random.Random, others: list[str]) -> None:
    a, b = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[a], tokens[b] = tokens[b], tokens[a]


def _change_token(tokens: list[str], rng: random.Random, others: list[str]) -> None:
    tokens[rng.randrange(len(tokens))] = rng.choice([rng.choice(others), *rng.sample(_TEXTS, 1), ".", "*", "*^", "*v", "*-"])


def _change_character(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice(_CHARACTERS) + text[place + rng.randrange(2) :]


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text))]


_XML_EDITS: dict[str, Edit] = {
    "drop element": _on_tree(_drop_element),
    "double element": _on_tree(_double_element),
    "swap elements": _on_tree(_swap_elements),
    "change text": _on_tree(_change_text),
    "change attribute": _on_tree(_change_attribute),
    "drop attribute": _on_tree(_drop_attribute),
    "move attribute": _on_tree(_move_attribute),
}
_LINE_EDITS: dict[str, Edit] = {
    "drop line": _on_lines(_drop_line),
    "double line": _on_lines(_double_line),
    "swap lines": _on_lines(_swap_lines),
    "drop token": _on_tokens(_drop_token),
    "double token": _on_tokens(_double_token),
    "swap tokens": _on_tokens(_swap_tokens),
    "change token": _on_tokens(_change_token),
}
_TEXT_EDITS: dict[str, Edit] = {"change character": _change_character, "cut off": _cut}
