"""A piece's fingerprint covers all code and libraries that its files depend on."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from score_following_game.config import PACKAGE
from score_following_game.data_preparation.building import fingerprint as fingerprints

MAKING = PACKAGE / "data_preparation" / "building" / "make_piece.py"
# Modules that make_piece reaches and that have no influence on the bytes of a piece's files.
WITHOUT_INFLUENCE = {
    "config.py",  # where the package lies; game configs are read when the game is played
    "errors.py",  # an exception class
    "files.py",  # writes the bytes it is given
    "opencv.py",  # loads a library
    "reading.py",  # the boundary of readers
    "yaml_files.py",
    "data_processing/acoustics/performing.py",  # renditions, which are made while an agent trains
    "data_processing/arrays.py",  # reads what is written
    "data_processing/bars.py",  # counts the bars of pieces without a map
    "data_preparation/building/xml_metadata.py",  # as metadata.py
    "optional_libraries.py",  # looks whether a library is installed
    "data_preparation/building/metadata.py",  # licences and works, which only the manifest and the split use
    "data_preparation/building/naming.py",  # makes names; a piece's name is part of its fingerprint
    "data_processing/note_table.py",  # the labels of a piece that is trained on
    "data_processing/manifest.py",  # read when a data set is loaded
    "data_processing/performance_cache.py",  # keeps spectrograms, which are not among a piece's files
    "data_processing/piece.py",  # used for names only
    "data_processing/sound_files.py",  # finds recordings beside pieces that have been made
}
LIBRARIES_WITHOUT_INFLUENCE = {"yaml", "tqdm"}  # of config.py; progress bars


def imported(module: Path) -> set[str]:
    """Dotted names of everything a module imports, also inside functions, but not for type checking only."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import, which this test does not follow"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reached_from(start: Path) -> tuple[set[Path], set[str]]:
    """The package's modules that a module imports, directly or not, and the top-level names of all libraries they import."""
    modules: set[Path] = set()
    libraries: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module in modules:
            continue
        modules.add(module)
        for name in imported(module):
            top, *rest = name.split(".")
            if top == PACKAGE.name:
                own = PACKAGE.joinpath(*rest)
                waiting += [path for path in (own.with_suffix(".py"), own / "__init__.py") if rest and path.is_file()]
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    return modules, libraries


def relative(modules: set[Path]) -> set[str]:
    return {module.relative_to(PACKAGE).as_posix() for module in modules if module.read_bytes()}


def test_every_module_that_makes_a_piece_is_in_its_fingerprint() -> None:
    modules, _ = reached_from(MAKING)
    reached = relative(modules)
    covered = relative(set(fingerprints.matching_modules(*fingerprints.ALL_MODULES)))
    assert len(reached) > 30
    assert reached - covered == WITHOUT_INFLUENCE


def test_every_library_that_makes_a_piece_is_in_its_fingerprint() -> None:
    _, libraries = reached_from(MAKING)
    assert libraries - LIBRARIES_WITHOUT_INFLUENCE == set(fingerprints.LIBRARIES)
    assert fingerprints.tool_versions().keys() == set(fingerprints.LIBRARIES.values())


def test_a_pattern_without_a_module_raises() -> None:
    with pytest.raises(FileNotFoundError, match=r"renamed\.py"):
        fingerprints._code_version("data_preparation/errors.py", "data_preparation/renamed.py")
