"""The package's floors: who may import whom, read from the source (imports inside functions count too)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict

import pytest
from conftest import ROOT

PACKAGE = "score_following_game"
FLOORS = [  # each may import itself and those before it
    {
        *("errors", "limits", "reading", "zip_files", "yaml_files", "files", "machine", "compiled", "config"),
        *("command_line", "run_files", "optional_libraries", "streams", "interrupts", "opencv"),
    },
    {"data_processing"},
    {"environment"},
    {"agents"},
    {"watching"},
    {"evaluation"},
    {"api"},  # below: it works without the training package
    {"reinforcement_learning"},
    {"scripts", "demo", "demo_training"},
]
PREPARATION = "data_preparation"  # stands beside the floors, on the first two
ONLY_FOR_PREPARATION = {"verovio", "resvg_py", "fontTools", "music21"}
MAY_PREPARE = {f"{PACKAGE}.scripts.prepare", f"{PACKAGE}.demo", f"{PACKAGE}.watching.own_score"}
# Started by users, by scripts at the top level or by gymnasium, or offered to users as a library; no module imports them.
ENTRY_POINTS = {
    "api",
    "demo",
    *(f"scripts.{name}" for name in ("train", "evaluate", "watch", "play", "prepare")),
    "environment.vector_env",
    "evaluation.real_world",  # for benchmarks/real_world.py
    "evaluation.light",  # for benchmarks/recovery.py
}
Imports = dict[str, set[str]]


def read_imports() -> Imports:
    """Returns module -> what it imports: modules of the package by full name, others by the name after `import` or `from`."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / PACKAGE).rglob("*.py")
    }
    imports: Imports = {module: set() for module in paths}
    for module, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imports[module] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: relative import"
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                imports[module] |= {name if name in paths or node.module == PACKAGE else node.module for name in names}
    return imports


@pytest.fixture(scope="module")
def imports() -> Imports:
    found = read_imports()
    assert len(found) > 100
    return found


def part(module: str) -> str:
    """The module or folder of the package that a module belongs to; "" is the package itself."""
    return module.removeprefix(PACKAGE).strip(".").partition(".")[0]


def within_package(names: set[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] == PACKAGE}


def test_every_part_has_a_floor(imports: Imports):
    assert {part(module) for module in imports} - {"", PREPARATION} <= set().union(*FLOORS)


def test_imports_point_down(imports: Imports):
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    height |= {PREPARATION: height["data_processing"], "": 0, "__version__": 0}
    wrong = [
        f"{module} imports {name}"
        for module, names in imports.items()
        if part(module)  # the package itself may offer names of any floor; from inside, only its version may be imported
        for name in within_package(names)
        if height.get(part(name), len(FLOORS)) > height[part(module)]
    ]
    assert not wrong


def test_only_what_prepares_scores_imports_data_preparation(imports: Imports):
    others = {
        module
        for module, names in imports.items()
        if part(module) != PREPARATION and PREPARATION in map(part, within_package(names))
    }
    assert others == MAY_PREPARE


def test_no_module_is_dead(imports: Imports):
    used = set().union(*imports.values())
    modules = {module for module in imports if not (ROOT / module.replace(".", "/")).is_dir()}
    assert {module.removeprefix(f"{PACKAGE}.") for module in modules - used} <= ENTRY_POINTS


def test_no_top_level_script_is_imported(imports: Imports):
    scripts = {path.stem for path in ROOT.glob("*.py")}
    assert len(scripts) >= 5
    assert not {module: names & scripts for module, names in imports.items() if names & scripts}


def test_engraving_libraries_stay_in_data_preparation(imports: Imports):
    users = defaultdict(set)
    for module, names in imports.items():
        for name in {name.partition(".")[0] for name in names} & ONLY_FOR_PREPARATION:
            users[name].add(part(module))
    assert "verovio" in users
    assert set().union(*users.values()) == {PREPARATION}


def test_importing_the_package_is_light():
    code = f"import sys, {PACKAGE}; print(*sorted({{'torch', 'verovio'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == ""
