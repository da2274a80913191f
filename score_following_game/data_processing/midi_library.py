"""pretty_midi and pyfluidsynth, imported without a word; fluidsynth is None where the system lacks its library.

pyfluidsynth prints where it found the library when the environment variable CI is set; what our scripts print is exact.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import pretty_midi

    try:
        import fluidsynth
    except ImportError:
        fluidsynth = None

__all__ = ["fluidsynth", "pretty_midi"]
