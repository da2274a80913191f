#!/usr/bin/env python
"""Play a piece yourself (w faster, s slower, r shows or hides the true position, q leaves), or watch the optimal agent."""

from score_following_game.scripts.play import main

if __name__ == "__main__":
    main()
