"""What pyproject.toml cannot say: the game configs and trained agents lie at the top level and travel inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["score_following_game*"]),
        "score_following_game.game_configs",
        "score_following_game.models",
    ],
    package_dir={"score_following_game.game_configs": "game_configs", "score_following_game.models": "models"},
)
