"""pretty_midi and pyfluidsynth, imported without output; fluidsynth is None where the system does not have its library.

With the environment variable CI set, pyfluidsynth prints the path of the library, and scripts must print nothing unexpected.
"""

import contextlib
import io

from score_following_game import limits

with contextlib.redirect_stdout(io.StringIO()):
    import pretty_midi

    pretty_midi.pretty_midi.MAX_TICK = limits.MIDI_TICKS  # its own limit is below three hours of common files
    try:
        import fluidsynth
    except (ImportError, OSError, AttributeError):  # no library, a broken one, or one that lacks a function
        fluidsynth = None

__all__ = ["fluidsynth", "pretty_midi"]
