"""The real script making collections by name: where they go, what a source that misbehaves costs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msmd_distribution import make_distribution

from score_following_game.config import load_game_config
from score_following_game.data_preparation.building.catalogue import COLLECTIONS
from score_following_game.data_preparation.building.lilypond_pieces import find_mutopia_sources
from score_following_game.data_preparation.building.songs import find_songs
from score_following_game.data_preparation.engraving.isolation import allowed
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import MANIFEST_NAME, read_manifest
from score_following_game.errors import UserError

ROOT = Path(__file__).parents[1]
TUNES = ROOT / "score_following_game" / "bundled" / "tunes"
PIANO = r"""\version "2.24.0"
\header { license = "Public Domain" }
\score { \new PianoStaff << \new Staff \relative c'' { \tempo 4 = 100 c4 d e f | g a b c | %s }
  \new Staff \relative c { \clef bass c2 g' | c, g | c g } >> \layout { } \midi { } }
"""


@pytest.fixture
def msmd(tmp_path: Path) -> Path:
    """Sources laid out as those of the MSMD: three good pieces, one without end, one that kills LilyPond, one broken,
    and one that is listed but not there."""
    folder = tmp_path / "sources"
    pieces = {
        "Anon__O1__one": PIANO % "c b a g",
        "Anon__O1__two": PIANO % "c a f e",
        "Anon__O2__three": PIANO % "e d c b",
        "Anon__O3__loop": "#(let loop () (loop))\n" + PIANO % "c1",
        "Anon__O4__abort": PIANO % "c1 #(primitive-_exit 139)",
        "Anon__O5__broken": "\\score { nonsense",
    }
    for name, text in pieces.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "main.ly").write_text(text)
    split = {"train": sorted(pieces)[:2], "valid": ["Anon__O2__three", "Anon__O9__gone"], "test": sorted(pieces)[3:]}
    listed = dict.fromkeys([*pieces, "Anon__O6__absent"], "main.ly")
    (folder / "pieces.json").write_text(json.dumps({"split": split, "main_file": listed}))
    return folder


def test_the_msmd_by_its_split_and_what_misbehaves_costs_itself_only(msmd: Path, tmp_path: Path, run) -> None:
    began = time.monotonic()
    done = run(
        "prepare_game_data.py", "msmd", "--source", msmd, "--destination", tmp_path / "out", "--time_limit", 25, "--jobs", 2
    )
    assert time.monotonic() - began < allowed(150)  # as the time limit, longer on a busy machine
    home = tmp_path / "out" / "score_following_game_data" / "msmd_all"
    assert sorted(path.relative_to(home).as_posix() for path in home.rglob("*.npz")) == [
        "msmd_all_train/Anon__O1__one.npz",
        "msmd_all_train/Anon__O1__two.npz",
        "msmd_all_valid/Anon__O2__three.npz",
    ]
    reasons = {line.split(",")[0]: line.split(",")[2] for line in (home / "left_out.csv").read_text().splitlines()[1:]}
    assert reasons == {
        "Anon__O3__loop": "time limit",
        "Anon__O4__abort": "the engraver failed",
        "Anon__O5__broken": "the engraver failed",
        "Anon__O6__absent": "unreadable",
    }
    assert "Anon__O6__absent/main.ly: does not exist, but pieces.json lists it" in (home / "left_out.csv").read_text()
    assert "1 piece of the split without a source (the first: Anon__O9__gone)" in done.stdout
    manifest = read_manifest(home / "msmd_all_train" / MANIFEST_NAME)
    assert manifest.tools["lilypond"].startswith("2.") and manifest.pieces["Anon__O1__one"].licence == "Public Domain"
    assert manifest.pieces["Anon__O1__one"].source == "Anon__O1__one/main.ly"
    config = load_game_config("game_configs/mutopia_lchs1.yaml")
    assert [piece.name for piece in load_data_set(home / "msmd_all_train", config)] == ["Anon__O1__one", "Anon__O1__two"]


def test_the_msmd_in_a_clone_of_mutopia(tmp_path: Path, run) -> None:
    """The paths of its pieces and the split are known; of the other pieces the licences are, too."""
    clone = tmp_path / "MutopiaProject"
    paths = {
        "Anonymous__lanative__lanative": "Anonymous/lanative/lanative.ly",  # of the test set
        "BachJS__BWV825__11title-hub": "BachJS/BWV825/1-Partita/1-Partita-lys/11title-hub.ly",  # of the training set
        "AdamA__giselle__giselle": "AdamA/giselle/giselle.ly",  # not of the MSMD
    }
    for notes, path in zip(("c b a g", "c a f e", "e d c b"), paths.values()):
        file = clone / "ftp" / path
        file.parent.mkdir(parents=True)
        file.write_text('\\include "../notes.ily"\n' + PIANO % "\\notes")
        (file.parent.parent / "notes.ily").write_text(f"notes = {{ {notes} }}")
    done = run("prepare_game_data.py", "msmd", "--source", clone, "--destination", tmp_path / "out")
    home = tmp_path / "out" / "score_following_game_data" / "msmd_all"
    assert sorted(path.relative_to(home).as_posix() for path in home.rglob("*.npz")) == [
        "msmd_all_test/Anonymous__lanative__lanative.npz",
        "msmd_all_train/BachJS__BWV825__11title-hub.npz",
    ]
    left_out = (home / "left_out.csv").read_text().splitlines()[1:]
    assert len(left_out) == 467 - 2 and all("does not exist, but mutopia.json lists it" in line for line in left_out)
    assert "465  unreadable" in done.stdout
    others = {source.name: source for source in find_mutopia_sources([clone / "ftp"])}
    assert len(others) == 207 and [name for name, source in others.items() if not source.problem] == ["AdamA__giselle__giselle"]
    assert others["AdamA__giselle__giselle"].licence == "Public Domain"


def test_songs_in_a_clone_of_openscore(tmp_path: Path) -> None:
    for folder in ("Arne,_Thomas/_/By_Dimpled_Brook", "Schubert,_Franz/Die_schöne_Müllerin,_D.795/02_Wohin"):
        (tmp_path / "scores" / folder).mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "data" / "song.musicxml", tmp_path / "scores" / folder / "lc1.musicxml")
    (tmp_path / "scores" / "Loewe,_Carl" / "Erlkönig").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "data" / "song.musicxml", tmp_path / "scores" / "Loewe,_Carl" / "Erlkönig" / "lc2.musicxml")
    (tmp_path / "scores" / "Schubert,_Franz" / "_" / "Halt!").mkdir(parents=True)
    (tmp_path / "scores" / "Schubert,_Franz" / "_" / "Halt!" / "lc3.mscx").write_text("")
    expected = {
        "lc3": "",
        "Loewe_Carl__Erlkonig": "Loewe, Carl",
        "Arne_Thomas__By_Dimpled_Brook": "Arne, Thomas",
        "Schubert_Franz__Die_schone_Mullerin_D_795__02_Wohin": "Schubert, Franz",
    }
    for folder in (tmp_path, tmp_path / "scores"):
        songs = {source.name: source for source in find_songs([folder])}
        assert {name: source.work for name, source in songs.items()} == expected
        assert songs["lc3"].problem == "lc3.mscx: has no MusicXML beside it; export it by MuseScore"
    with pytest.raises(UserError, match=r"as they are distributed nor the file index\.json"):
        find_songs([tmp_path / "scores" / "Arne,_Thomas"])


def test_files_that_a_collection_lists_and_does_not_have_are_reported(tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copy(ROOT / "tests" / "data" / "song.musicxml", tmp_path / f"{name}.musicxml")
    index = {f"{name}.musicxml": {"composer": "A", "title": name} for name in ("two", "three")}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert {source.name: source.problem for source in find_songs([tmp_path])} == {
        "A__two": "",
        "A__three": "three.musicxml: is not in the folder, but index.json lists it",
    }
    (tmp_path / "two.musicxml").unlink()
    with pytest.raises(UserError, match=r"index\.json: lists no file"):
        find_songs([tmp_path])


def test_the_nottingham_collection(tmp_path: Path, run) -> None:
    (tmp_path / "tunes").mkdir()
    for name in ("test", "valid"):
        shutil.copy(TUNES / f"{name}.abc", tmp_path / "tunes")
    run(
        "prepare_game_data.py",
        "nottingham",
        "--source",
        tmp_path / "tunes",
        "--destination",
        tmp_path,
        "--split",
        "5/2/3",
        "--min_seconds",
        5,
    )
    home = tmp_path / "score_following_game_data" / "nottingham"
    assert {folder.name: len(list(folder.glob("*.npz"))) for folder in home.iterdir() if folder.is_dir()} == {
        "nottingham_train": 5,
        "nottingham_valid": 2,
        "nottingham_test": 3,
    }


def test_a_corpus_of_music21(tmp_path: Path) -> None:
    """Its folders are found where the package is installed, without importing it."""
    corpus = tmp_path / "site" / "music21" / "corpus"
    (corpus / "myCorpus").mkdir(parents=True)
    (corpus.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    shutil.copy(ROOT / "tests" / "data" / "song.musicxml", corpus / "myCorpus")
    (corpus / "license.txt").write_text("as the encoders permit\n")

    def make(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "prepare_game_data.py", "music21", "--source", name, "--destination", tmp_path],
            env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = make("myCorpus")
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "score_following_game_data" / "myCorpus" / "myCorpus_train" / MANIFEST_NAME)
    assert next(iter(manifest.pieces.values())).licence == "license.txt: as the encoders permit"
    for name in ("other", ".."):
        done = make(name)
        assert done.returncode == 2 and done.stderr.startswith("error: --source ") and "it has myCorpus" in done.stderr


def test_the_raw_msmd(tmp_path: Path, run) -> None:
    folder = make_distribution(tmp_path / "msmd")
    (folder.parent / "Anon__O1__broken" / "scores").mkdir(parents=True)
    (tmp_path / "split.yaml").write_text(f"train: [{folder.name}]\nvalid: []\ntest: [Anon__O1__broken]\n")
    run(
        "prepare_game_data.py",
        "msmd_raw",
        "--source",
        tmp_path / "msmd",
        "--split",
        tmp_path / "split.yaml",
        "--tempo",
        "0.9",
        "--destination",
        tmp_path / "out",
    )
    home = tmp_path / "out" / "score_following_game_data" / "msmd_all"
    assert (home / "left_out.csv").read_text().splitlines()[1].startswith("Anon__O1__broken,")
    assert "missing file" in (home / "left_out.csv").read_text()
    pieces = load_data_set(home / "msmd_all_train", load_game_config("game_configs/mutopia_lchs1.yaml"))
    assert [piece.name for piece in pieces] == [folder.name, f"{folder.name}_tempo_0900"]
    assert verify(tmp_path / "out").problems == []


def test_the_list_tells_of_each(run) -> None:
    printed = run("prepare_game_data.py", "--list").stdout
    assert all(f"\n{name} " in f"\n{printed}" and collection.example in printed for name, collection in COLLECTIONS.items())
    assert printed.startswith("published ")


def test_without_the_servers_it_is_listed_what_can_be_made(tmp_path: Path, run) -> None:
    done = run("prepare_game_data.py", "--destination", tmp_path / "out", "--mirror", "http://127.0.0.1:9/files", check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: the published files cannot be fetched")
    assert done.stderr.count("\n") == 1 and "python prepare_game_data.py nottingham --source" in done.stdout
    assert not (tmp_path / "out").exists()
