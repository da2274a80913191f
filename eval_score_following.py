#!/usr/bin/env python
"""Evaluate a trained agent: tracking ratios and alignment errors on a data set, and how robust they are."""

from score_following_game.scripts.evaluate import main

if __name__ == "__main__":
    main()
