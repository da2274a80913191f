#!/usr/bin/env python
"""Make game data (sheet images, notehead positions, MIDI) from music scores, or fetch the published sets."""

from score_following_game.scripts.prepare import main

if __name__ == "__main__":
    main()
