"""Names of the registered environments."""

import score_following_game  # noqa: F401  (registers the environment)

V0, V1 = "ScoreFollowing-v0", "ScoreFollowing-v1"
