#!/usr/bin/env python
"""Train a score-following agent."""

from score_following_game.scripts.train import main

if __name__ == "__main__":
    main()
