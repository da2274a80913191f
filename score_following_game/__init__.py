"""Score following in sheet images as a reinforcement learning game (ISMIR 2018, arXiv 1807.06391)."""

import os

from gymnasium.envs.registration import register, registry

# Before torch is loaded: its threads spin for work some 20 microseconds, not milliseconds, then sleep. That costs nothing on a
# quiet machine and keeps training from collapsing beside another busy program (docs/performance.md).
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

__version__ = "0.1.0"

if "ScoreFollowing-v0" not in registry:
    register(
        id="ScoreFollowing-v0",
        entry_point="score_following_game.environment.env:ScoreFollowingEnv",
        vector_entry_point="score_following_game.environment.vector_env:ScoreFollowingVectorEnv",
    )
