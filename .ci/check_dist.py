"""Check that a folder's wheel and source distribution hold what they must: python .ci/check_dist.py [dist]"""

import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = (
    "score_following_game/__init__.py",
    "score_following_game/py.typed",
    "score_following_game/scripts/train.py",
    "score_following_game/bundled/test_sample/test_1_Joy_to_the_World.npz",
    "score_following_game/bundled/test_sample/test_1_Joy_to_the_World.mid",
    "score_following_game/bundled/tunes/train.abc",
    "score_following_game/data_preparation/building/held_out_msmd.json",
    "score_following_game/data_preparation/building/held_out_nottingham.json",
    "score_following_game/data_preparation/engraving/lilypond/hook.ily",
)
TRAVELLING = (  # at the top level of the source
    "game_configs/nottingham.yaml",
    "game_configs/mutopia_lchs1.yaml",
    "models/nottingham_lookahead/best_model.pt",
    "models/nottingham_lookahead/best_model.safetensors",
    "models/localisation_baseline/best_model.pt",
    "models/folk_reading/best_model.pt",
    "models/folk_reading/best_model.safetensors",
    "models/reading_nottingham/best_model.pt",
)
SOURCE = (
    "pyproject.toml",
    "setup.py",
    "requirements.txt",
    "requirements-dev.txt",
    "environment.yml",
    "Makefile",
    "LICENSE",
    "CITATION.cff",
    "README.md",
    "sf_experiment.py",
    "tests/conftest.py",
    "tests/data/song.musicxml",
    "benchmarks/speed.py",
    "docs/architecture.md",
    "mkdocs.yml",
    "tools/docs/hook.py",
    ".ci/setup",
)
COMMANDS = ("sfg-train", "sfg-eval", "sfg-watch", "sfg-play", "sfg-prepare")


def only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"error: {folder}: expected one {pattern}, found {len(found)}")
    return found[0]


def check(name: str, files: set[str], required: tuple[str, ...]) -> None:
    missing = [file for file in required if file not in files]
    caches = [file for file in files if file.endswith((".cache.npz", ".pyc"))]
    if missing or caches:
        sys.exit(f"error: {name}: missing {missing}, unexpected {caches}")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    wheel, source = only(folder, "*.whl"), only(folder, "*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
        (entry_points,) = [name for name in files if name.endswith(".dist-info/entry_points.txt")]
        commands = archive.read(entry_points).decode()
    check(wheel.name, files, PACKAGE + tuple(f"score_following_game/{file}" for file in TRAVELLING))
    if absent := [command for command in COMMANDS if f"{command} = " not in commands]:
        sys.exit(f"error: {wheel.name}: no console command {absent}")
    with tarfile.open(source) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    check(source.name, files, PACKAGE + TRAVELLING + SOURCE)
    print(f"{wheel.name} and {source.name} are complete")


if __name__ == "__main__":
    main()
