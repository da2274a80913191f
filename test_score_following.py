#!/usr/bin/env python
"""Watch a trained agent follow a piece: in a window with sound, or as a film (--video)."""

from score_following_game.scripts.watch import main

if __name__ == "__main__":
    main()
