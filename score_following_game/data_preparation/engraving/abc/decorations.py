"""The decorations of ABC, as regular expressions (re.VERBOSE): what stands between exclamation marks or plus signs.

In old books an exclamation mark alone ends a line of print, so that two of them may enclose music. A decoration therefore holds
no white space, except in the directions below, and is no row of notes, except where these are the name of one (f, ff).
"""

from __future__ import annotations

# Old books put decorations and also chords between + signs. Only these are decorations.
_KNOWN = r"""(?:
   [.0-5] | [<>][()]? | accent | arpeggio | breath | coda | (?:crescendo|diminuendo)[()] | D\.C\. | D\.S\. | dacapo | dacoda
 | downbow | emphasis | fermata | fine | f{1,4} | inverted(?:fermata|turnx?) | (?:long|medium|short)phrase | mf | mp | open
 | plus | p{1,4} | (?:lower|upper)?mordent | pralltriller | roll | segno | sfz | slide | snap | tenuto | thumb | trill[()]?
 | turnx? | upbow | wedge)"""
_DIRECTION = r"(?:(?:D\.\s?[CS]\.|[Dd]a\s[Cc]apo|[Dd]al\s[Ss]egno)(?:\s?al\s?(?:[Cc]oda|[Ff]ine))?|[Tt]o\s[Cc]oda)"
_NOTES = r"(?:[(~.]*[_=^]*[A-Ga-gxyz][,']*[\d/]*[)<>.~-]*)+"
EXCLAIMED = rf"""!(?:{_KNOWN} | {_DIRECTION} | (?!{_NOTES}!)[^\s!|"\[\]{{}}]+)!"""
PLUSSED = rf"\+{_KNOWN}\+"
