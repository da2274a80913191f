"""Writes XML trees as text."""

from __future__ import annotations

from xml.etree import ElementTree

XLINK = "{http://www.w3.org/1999/xlink}"


def xml_text(root: ElementTree.Element) -> str:
    """The text of a tree, in which the namespace of the root element needs no prefix.

    ElementTree knows one such namespace at a time, for the whole program; so it is set before each writing.
    """
    namespace = root.tag[1:].rpartition("}")[0]
    if namespace:
        ElementTree.register_namespace("", namespace)
    ElementTree.register_namespace("xlink", XLINK[1:-1])
    return ElementTree.tostring(root, encoding="unicode")
