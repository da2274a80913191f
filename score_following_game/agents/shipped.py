"""The trained agents that come with the project, and their short names."""

from __future__ import annotations

from pathlib import Path

from score_following_game.config import PACKAGE
from score_following_game.errors import UserError
from score_following_game.run_files import BEST_MODEL_FILE

FOLDERS = (PACKAGE / "models", PACKAGE.parent / "models")


def shipped_agents() -> dict[str, Path]:
    """Returns short name -> parameter file, models/NAME_ANYTHING/best_model.pt. The last in alphabetical order wins."""
    paths = sorted(path for folder in FOLDERS for path in folder.glob(f"*_*/{BEST_MODEL_FILE}"))
    return {path.parent.name.partition("_")[0]: path for path in paths}


def find_parameters(params: str | Path) -> Path:
    """Returns `params` if it is a file, else the file of the shipped agent with that short name. Raises UserError otherwise."""
    path = Path(params)
    if path.is_file():
        return path
    agents = shipped_agents()
    if str(params) in agents:
        return agents[str(params)]
    if path.is_dir():
        raise UserError(f"{params}: is a folder; give a parameter file, for instance {path / BEST_MODEL_FILE}")
    names = f"; the agents that come with the project: {', '.join(agents)}" if agents else ""
    raise UserError(f"{params}: no such parameter file{names}")
