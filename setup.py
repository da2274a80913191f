"""Packaging. `pip install -e .` for development (in 2018: python setup.py develop)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "score_following_game" / "__init__.py").read_text()).group(1)
# The exact versions are the tested ones (requirements.txt); a package that uses this one may bring newer.
REQUIREMENTS = [
    line.replace("==", ">=")
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith(("#", "pynput", "sounddevice"))
]

setup(
    name="score_following_game",
    version=VERSION,
    description="Score following in sheet images as a reinforcement learning game",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # Game configs and trained agents lie at the top level, where users see them, and travel inside the installed package.
    packages=[
        *find_packages(include=["score_following_game*"]),
        "score_following_game.game_configs",
        "score_following_game.models",
    ],
    package_dir={"score_following_game.game_configs": "game_configs", "score_following_game.models": "models"},
    package_data={
        "score_following_game": ["bundled/**/*.abc", "bundled/**/*.npz", "bundled/**/*.mid", "**/*.ily"],
        "score_following_game.game_configs": ["*.yaml"],
        "score_following_game.models": ["*/*"],
    },
    exclude_package_data={"score_following_game": ["*.cache.npz", "bundled/**/*.cache.npz"]},
    install_requires=REQUIREMENTS,
    extras_require={"sound": ["sounddevice"], "keys": ["pynput"], "corpora": ["music21"]},
)
