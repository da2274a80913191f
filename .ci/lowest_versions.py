"""Print every lower bound of pyproject.toml as an exact version, a line each: what .ci/lowest installs."""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

EXTRAS = ("prepare", "sound", "tensorboard")  # what the fast tests import
ROOT = Path(__file__).resolve().parent.parent


def lowest(line: str) -> str:
    """ "numpy>=2.0" becomes "numpy==2.0"."""
    requirement = Requirement(line)
    bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
    if len(bounds) != 1:
        sys.exit(f"error: pyproject.toml: {line} needs one lower bound (>=)")
    return f"{requirement.name}=={bounds[0]}"


project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
optional = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
print(*map(lowest, [*project["dependencies"], *optional]), sep="\n")
