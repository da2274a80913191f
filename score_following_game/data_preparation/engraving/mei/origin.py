"""Which format the engraver made an MEI file from, and what follows from that."""

from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.tree import name_of

_MADE_FROM = "Transcoded from"

Element = ElementTree.Element


def says_what_sounds(root: Element) -> bool:
    """Whether a note without accid.ges always sounds natural.

    It does in the MEI that verovio makes from MusicXML or Humdrum. In other MEI its sound may follow from earlier signs, also
    in that which verovio makes from ABC.
    """
    return bool(_transcoded_from(root)) and not is_from_abc(root)


def plays_small_notes(root: Element) -> bool:
    """Whether notes of cue size are played. They are in Humdrum, where the size is that of the print and nothing else."""
    return _transcoded_from(root) == "Humdrum"


def is_from_abc(root: Element) -> bool:
    """Then the sounding alterations are those of the key signature, also after a sign in the same bar."""
    return _transcoded_from(root).lower().startswith("abc")


def _transcoded_from(root: Element) -> str:
    """The format of the file from which verovio made this one, "" if it did not."""
    heads = [child for child in root if name_of(child) == "meiHead"]
    texts = [(element.text or "").strip() for head in heads for element in head.iter() if name_of(element) == "p"]
    return next((text.removeprefix(_MADE_FROM).strip() for text in texts if text.startswith(_MADE_FROM)), "")
