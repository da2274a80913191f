"""The names by which gymnasium makes the environments."""

from __future__ import annotations

from typing import Any

from gymnasium.envs.registration import register, registry

ENVIRONMENTS: dict[str, dict[str, Any]] = {  # id -> default arguments
    "ScoreFollowing-v0": {},
    "ScoreFollowing-v1": {"observations": "dict"},
}


def register_environments() -> None:
    """Register the environments; those that are registered already stay as they are."""
    for name, arguments in ENVIRONMENTS.items():
        if name not in registry:
            register(
                id=name,
                entry_point="score_following_game.environment.env:ScoreFollowingEnv",
                vector_entry_point="score_following_game.environment.vector_env:ScoreFollowingVectorEnv",
                kwargs=dict(arguments),
            )
