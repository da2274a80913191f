"""The metadata of MusicXML and MEI, read by an XML parser in one pass over the beginning of a file."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat

_AFTER_METADATA = ("part-list", "music")  # elements at which MusicXML and MEI turn to the notes
_LONGEST_TEXT = 2000  # characters of an element
_LICENCES, _WORKS, _MOVEMENTS = ("rights", "useRestrict"), ("work-title", "work-number"), ("movement-title", "movement-number")


@dataclass(frozen=True)
class XmlMetadata:
    """What a file states about itself: licences, composers, titles and numbers of the work; whether it names a movement."""

    licences: tuple[str, ...] = ()
    composers: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    is_movement: bool = False


class _End(Exception):
    """The metadata is over."""


@lru_cache(maxsize=1)  # licence and work of one file are asked for one after the other
def xml_metadata(head: str) -> XmlMetadata:
    """The metadata in the beginning of a file, which may end anywhere. What is not well-formed ends it."""
    collector = _Collector()
    with contextlib.suppress(_End, expat.ExpatError, ValueError, RecursionError):
        collector.parser.Parse(head.lstrip().encode("utf-8", "replace"), True)
    found = collector.found
    return XmlMetadata(
        tuple(text for name, text in found if name in (*_LICENCES, "availability/p")),
        tuple(text for name, text in found if name == "composer"),
        tuple(text for name, text in found if name in _WORKS),
        any(name in _MOVEMENTS for name, _ in found),
    )


class _Collector:
    """Collects the texts of the elements above, in the order of the file: (name, text) in `found`."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._text: list[str] | None = None  # of an element to collect
        self._name, self._length = "", 0
        self.parser = expat.ParserCreate("utf-8")  # whatever encoding the text declares
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._refuse

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._finish()
        name = tag.rpartition(":")[2]
        if name in _AFTER_METADATA:
            raise _End
        if name == "p" and self._open[-1:] == ["availability"]:
            name = "availability/p"
        elif name == "creator" and any("composer" in value for value in attributes.values()):
            name = "composer"
        if name in (*_LICENCES, *_WORKS, *_MOVEMENTS, "availability/p", "composer"):
            self._text, self._name, self._length = [], name, 0
        self._open.append(name)

    def _end(self, tag: str) -> None:
        self._finish()
        self._open.pop()

    def _characters(self, text: str) -> None:
        if self._text is not None and self._length < _LONGEST_TEXT:
            self._text.append(text[:_LONGEST_TEXT])
            self._length += len(text)

    def _finish(self) -> None:
        """A text ends where an element begins or ends."""
        if self._text is not None and (text := "".join(self._text).strip()):
            self.found.append((self._name, text))
        self._text = None

    def _refuse(self, *_: object) -> None:
        raise _End  # entities can expand without limit
