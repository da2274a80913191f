"""The one home of limits: how large anything may be that is read from a file.

A file is refused before it fills the memory or the day. Each limit leaves honest files several times the room they need; what
stays within all of them is read in less than 1 GB.
"""

from __future__ import annotations

import math

from score_following_game.errors import UserError, counted

MB = 2**20
CONFIG_FILE = MB  # bytes: a YAML file
CONFIG_DEPTH = 16  # of values within values
DIGITS = 400  # of a number in it
TABLE_FILE = 64 * MB  # records, manifests and other JSON; a piece takes about 1 kB
CURVE_FILE = 32 * MB  # a row takes 150 bytes
SCORE_FILE = 32 * MB  # the text of a score
MARKS = 3 * 10**6  # < and = in it, which bound its elements and attributes
ARCHIVE_INDEX = MB  # of a zip file that is one score or one piece
PUBLISHED_INDEX = 32 * MB  # of a published data set
ARRAYS = 256 * MB  # all arrays of a file together; the sheet of an hour of piano music takes about 50 MB
PICKLED_INTS = 4 * MB  # coord2onset in the published format; a note takes about 30 bytes
MIDI_FILE = 8 * MB
MIDI_NUMBER = 8192  # bytes
MIDI_TICKS = 25_000_000  # three hours at 960 a quarter; pretty_midi keeps the time of each
MIDI_EVENTS = 500_000  # an hour of piano music with its pedals has about 100 000
WEIGHTS_FILE = 1024 * MB
WEIGHTS_INDEX = 3 * MB  # the pickle in it
OLD_WEIGHTS_INDEX = MB // 4  # of files that torch wrote before 1.6: parameters of a network
WEIGHT = 1e8  # the largest magnitude of a parameter
CHANNELS, SAMPLE_RATE = 64, 768_000  # of a recording
PICTURE = 2**26  # pixels; A4 at 600 dots per inch has 35 million
PAGES_FILE = 512 * MB  # a PDF, or the picture of a page; a scanned opera takes about 150 MB
PAGES = 400  # of a score; each takes about 5 MB

MINUTES_OF_MUSIC = 60.0
MOST_MINUTES_OF_MUSIC = 24 * 60.0
MUSIC_LIMIT_HELP = "leave out pieces whose performance lasts longer"
_minutes = MINUTES_OF_MUSIC


class TooLarge(ValueError):
    """A file, or what it would become in memory, is beyond a limit. The message continues the name of the file."""


def set_minutes_of_music(minutes: float) -> None:
    """Set how long a performance may last in this process. Raises UserError for a number that is not possible."""
    global _minutes
    if not (math.isfinite(minutes) and 0 < minutes <= MOST_MINUTES_OF_MUSIC):
        raise UserError(f"--max_minutes_of_music {minutes:g}: expected a number above 0, at most {MOST_MINUTES_OF_MUSIC:g}")
    _minutes = minutes


def minutes_of_music() -> float:
    """How long a performance may last in this process."""
    return _minutes


def require_length(seconds: float) -> None:
    """Raise TooLarge for a performance longer than minutes_of_music()."""
    if not seconds <= 60 * _minutes:
        raise TooLarge(
            f"it lasts {_length(seconds)}, more than {counted(_minutes, 'minute')}; a larger --max_minutes_of_music allows it"
        )


def require_at_most(size: float, limit: float, what: str) -> None:
    """Raise TooLarge where a size is above its limit. what: what is counted."""
    if size > limit:
        raise TooLarge(f"too large: {size:,.0f} {what}, and at most {limit:,.0f} are read")


def require_modest_xml(text: str) -> None:
    """Raise TooLarge for an XML text whose tree would need far more memory than any score."""
    require_at_most(max(text.count("<"), text.count("=")), MARKS, "elements or attributes")


def _length(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "for ever"
    return counted(round(seconds / 60), "minute") if seconds < 3 * 3600 else f"{seconds / 3600:.4g} hours"
