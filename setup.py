"""What pyproject.toml cannot say: the game configs and trained agents lie at the top level and travel inside the package.

Folders of data count as packages too, since setuptools warns of a folder that holds package data and is no package.
"""

from setuptools import find_namespace_packages, setup

AGENTS = find_namespace_packages("models")

setup(
    packages=[
        *find_namespace_packages(include=["score_following_game*"], exclude=["*__pycache__*"]),
        "score_following_game.game_configs",
        "score_following_game.models",
        *(f"score_following_game.models.{agent}" for agent in AGENTS),
    ],
    package_dir={"score_following_game.game_configs": "game_configs", "score_following_game.models": "models"},
)
