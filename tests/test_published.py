"""The published archives, made here: fetched once, laid out once, and nothing that is there replaced."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from archive_tools import member, packed, tar, tree
from small_piece import write_small_piece

from score_following_game.config import GameConfig
from score_following_game.data_preparation.published import fetch as published
from score_following_game.data_preparation.published.archive import NoArchive
from score_following_game.data_preparation.published.fetch import PublishedGone, PublishedReport, fetch_published
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import MANIFEST_NAME
from score_following_game.errors import UserError

NAME_2018, WEIGHTS, NAME_2019 = (file.name for file in published.PUBLISHED)
ROOT = "score_following_game_data"


@pytest.fixture(scope="module")
def sets_2018(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("2018")
    for collection in ("nottingham", "msmd_all"):
        for part in ("train", "test"):
            write_small_piece(folder / ROOT / collection / f"{collection}_{part}", f"{collection}_{part}_tune")
    return folder


@pytest.fixture(scope="module")
def sets_2019(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("2019")
    for part in ("train", "test"):
        write_2019(folder / "data" / "msmd" / f"msmd_{part}", f"new_{part}")
    return folder


def pieces(folder: Path) -> dict[str, bytes]:
    """Without the manifests, which are ours."""
    return {name: content for name, content in tree(folder).items() if not name.endswith(MANIFEST_NAME)}


def write_2019(folder: Path, name: str) -> None:
    write_small_piece(folder / "score", name, notes=9)
    (folder / "performance").mkdir(exist_ok=True)
    (folder / "score" / f"{name}.mid").rename(folder / "performance" / f"{name}.mid")


@dataclass(frozen=True)
class Mirror:
    folder: Path
    url: str

    def fetch(self, destination: Path) -> PublishedReport:
        return fetch_published(destination, mirror=self.url)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server, and the folder it serves."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Mirror(folder, f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
        thread.join()


# Laying out


def test_the_layout_of_2018(sets_2018: Path, tmp_path: Path, config: GameConfig):
    to = tmp_path / "to"
    report = fetch_published(to, packed(sets_2018, tmp_path / "mine.tgz"))
    assert pieces(to / ROOT) == tree(sets_2018 / ROOT)
    assert verify(to).problems == [] and len(verify(to).sets) == 4
    assert sorted(path.name for path in to.iterdir()) == ["downloads", ROOT]
    assert report.lines()[:2] == ["mine.tgz (given by --archive)", f"  {to / ROOT / 'msmd_all/msmd_all_test'}: 1 score"]
    (piece,) = load_data_set(to / ROOT / "nottingham" / "nottingham_test", config)
    assert piece.name == "nottingham_test_tune"


def test_the_layout_of_2019_goes_beside_what_is_there(sets_2018: Path, sets_2019: Path, tmp_path: Path, config: GameConfig):
    to, archive = tmp_path / "to", packed(sets_2019, tmp_path / "any.zip")
    fetch_published(tmp_path / "alone", archive)
    assert (tmp_path / "alone" / ROOT / "msmd_all" / "msmd_all_test" / "score" / "new_test.npz").is_file()
    fetch_published(to, packed(sets_2018, tmp_path / "old.zip"))
    before = tree(to / ROOT)
    for time in range(2):
        report = fetch_published(to, archive)
        assert [place.path for place in report.outcomes[0].placed] == [
            f"{ROOT}_2019/msmd_all/msmd_all_{part}" for part in ("test", "train")
        ]
        assert all(place.new == (time == 0) for place in report.outcomes[0].placed)
    assert tree(to / ROOT) == before
    (piece,) = load_data_set(to / f"{ROOT}_2019" / "msmd_all" / "msmd_all_train", config)
    assert (piece.name, piece.midi_path.parent.name, len(piece.onset_frames)) == ("new_train", "performance", 9)
    assert verify(to).problems == []
    piece.midi_path.write_bytes(piece.midi_path.read_bytes() + b"!")
    assert [line.rpartition(": ")[2] for line in verify(to).problems] == [
        "performance/new_train.mid has changed since it was made"
    ]


def test_a_collection_stays_together_and_is_not_laid_out_where_all_places_are_taken(sets_2018: Path, tmp_path: Path):
    to, archive = tmp_path / "to", packed(sets_2018, tmp_path / "old.tar")
    write_small_piece(to / ROOT / "nottingham" / "nottingham_valid", "mine")
    write_small_piece(to / f"{ROOT}_2018" / "nottingham" / "nottingham_test", "mine")
    before = tree(to)
    report = fetch_published(to, archive)
    assert {place.path.rpartition("/")[2] for place in report.outcomes[0].placed} == {"msmd_all_test", "msmd_all_train"}
    assert report.outcomes[0].notes[0].startswith("nottingham_test: not unpacked, ")
    assert before.items() <= tree(to).items()
    (to / f"{ROOT}_2018" / "nottingham" / "nottingham_test").rename(tmp_path / "away")
    assert len(fetch_published(to, archive).outcomes[0].placed) == 4  # tried again when there is room
    assert (to / f"{ROOT}_2018" / "nottingham" / "nottingham_train").is_dir()


def test_an_interrupted_layout_is_completed(sets_2018: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    to, archive, moves = tmp_path / "to", packed(sets_2018, tmp_path / "old.tar"), []
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 3:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch_published(to, archive)
    assert sorted(path.name for path in to.iterdir()) == ["downloads", ROOT]
    report = fetch_published(to, archive)
    assert [place.new for place in report.outcomes[0].placed] == [False, False, True, True]
    assert pieces(to / ROOT) == tree(sets_2018 / ROOT)
    assert verify(to).problems == [] and len(verify(to).sets) == 4


def test_an_archive_without_sets(tmp_path: Path):
    with pytest.raises(UserError, match="holds no data set; expected folders with names like nottingham_train"):
        fetch_published(tmp_path, tar(tmp_path / "a.tar.gz", member("__MACOSX/nottingham_train/a.npz"), member("b/c.npz")))


def test_weights_by_hand(tmp_path: Path):
    for name, data in (("a.pt", b"\x80\x02rest"), ("page.pt", b"<html>")):
        (tmp_path / name).write_bytes(data)
    fetch_published(tmp_path / "to", tmp_path / "a.pt")
    assert (tmp_path / "to" / "models" / "a.pt").read_bytes() == b"\x80\x02rest"
    with pytest.raises(NoArchive, match="is a web page, not a file of weights"):
        fetch_published(tmp_path / "to", tmp_path / "page.pt")
    (tmp_path / "a.pt").write_bytes(b"PK other")
    assert "kept; move it away" in fetch_published(tmp_path / "to", tmp_path / "a.pt").lines()[1]
    assert (tmp_path / "to" / "models" / "a.pt").read_bytes() == b"\x80\x02rest"
    with pytest.raises(UserError, match="no such file"):
        fetch_published(tmp_path / "to", tmp_path / "b.pt")


# Fetching


def test_all_is_fetched_and_a_second_run_asks_for_nothing(mirror: Mirror, sets_2018: Path, sets_2019: Path, tmp_path: Path):
    packed(sets_2018, mirror.folder / NAME_2018)
    packed(sets_2019, mirror.folder / NAME_2019)
    (mirror.folder / WEIGHTS).write_bytes(b"\x80\x02weights")
    report = mirror.fetch(tmp_path / "to")
    assert not report.missing
    assert (tmp_path / "to" / "models" / WEIGHTS).read_bytes() == b"\x80\x02weights"
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["downloads", "models", ROOT, f"{ROOT}_2019"]
    digest = hashlib.sha256((mirror.folder / NAME_2018).read_bytes()).hexdigest()
    assert f'"{NAME_2018}": "{digest}"' in (tmp_path / "to" / "downloads" / "sha256.json").read_text()
    for path in [*mirror.folder.iterdir(), *(tmp_path / "to" / "downloads").glob("*.tar.gz")]:
        path.unlink()  # neither the server nor the archives are needed again
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*")}
    again = mirror.fetch(tmp_path / "to")
    assert not again.missing
    assert not any(place.new for outcome in again.outcomes for place in outcome.placed)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*")} == before


def test_what_comes_is_kept_and_what_does_not_is_reported(mirror: Mirror, sets_2018: Path, tmp_path: Path):
    packed(sets_2018, mirror.folder / NAME_2018)
    (mirror.folder / NAME_2019).write_text("<html>we have moved</html>")
    report = mirror.fetch(tmp_path / "to")
    assert set(report.missing) == {WEIGHTS, NAME_2019}
    assert "404" in report.missing[WEIGHTS]
    assert "web page" in report.missing[NAME_2019]
    assert not (tmp_path / "to" / "downloads" / NAME_2019).exists()
    assert sum(": missing: " in line for line in report.lines()) == 2
    packed(sets_2018, mirror.folder / NAME_2019)
    assert set(mirror.fetch(tmp_path / "to").missing) == {WEIGHTS}


def test_nothing_to_be_had_is_reported_file_by_file(mirror: Mirror, tmp_path: Path):
    with pytest.raises(PublishedGone, match=r"cannot be fetched .*404.*--archive FILE") as caught:
        mirror.fetch(tmp_path / "to")
    assert list(caught.value.problems) == [NAME_2018, WEIGHTS, NAME_2019]
    assert not list(tmp_path.glob("to/*"))


def test_a_host_that_is_not_there_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "*")
    asked = []
    download = published.download
    monkeypatch.setattr(published, "download", lambda *a: asked.append(a) or download(*a))
    with pytest.raises(PublishedGone) as caught:
        fetch_published(tmp_path, mirror="http://no-such-host.invalid/data/")
    assert [url for url, *_ in asked] == [f"http://no-such-host.invalid/data/{NAME_2018}"]
    assert str(caught.value).count("no-such-host.invalid cannot be reached") == 1


def test_another_file_than_the_first_is_refused(mirror: Mirror, sets_2018: Path, sets_2019: Path, tmp_path: Path):
    to = tmp_path / "to"
    packed(sets_2018, mirror.folder / NAME_2018)
    mirror.fetch(to)
    (to / "downloads" / NAME_2018).unlink()
    (to / ROOT / "nottingham" / "nottingham_test").rename(tmp_path / "away")
    packed(sets_2019, mirror.folder / NAME_2018)
    with pytest.raises(UserError, match=r"but was [0-9a-f]{64} at the first download; .* remove its line from .*sha256\.json"):
        mirror.fetch(to)
    (to / "downloads" / NAME_2018).unlink()
    packed(sets_2018, tmp_path / "whole" / NAME_2018)
    (mirror.folder / NAME_2018).write_bytes((tmp_path / "whole" / NAME_2018).read_bytes()[:-500])
    with pytest.raises(UserError, match="at the first download"):
        mirror.fetch(to)


def test_a_broken_download_is_not_taken_for_the_true_one(mirror: Mirror, sets_2018: Path, tmp_path: Path):
    packed(sets_2018, mirror.folder / NAME_2018)
    whole = (mirror.folder / NAME_2018).read_bytes()
    (mirror.folder / NAME_2018).write_bytes(whole[:-500])
    with pytest.raises(UserError, match=r"broken archive .*remove it and fetch it again"):
        mirror.fetch(tmp_path / "to")
    (mirror.folder / NAME_2018).write_bytes(whole)
    (tmp_path / "to" / "downloads" / NAME_2018).unlink()
    assert NAME_2018 not in mirror.fetch(tmp_path / "to").missing


def test_a_known_hash_counts(mirror: Mirror, sets_2018: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packed(sets_2018, mirror.folder / NAME_2018)
    known = published.PublishedFile(f"http://example.org/{NAME_2018}", "sets", 2018, sha256="0" * 64)
    monkeypatch.setattr(published, "PUBLISHED", (known,))
    with pytest.raises(UserError, match=f"the download has SHA-256 [0-9a-f]*, expected {'0' * 64}"):
        mirror.fetch(tmp_path / "to")
    with pytest.raises(UserError, match=f"the published file has {'0' * 64}"):
        fetch_published(tmp_path / "to", mirror.folder / NAME_2018)


@pytest.mark.parametrize("content", ["[]", "{", '{"a": {"nottingham_test": "../away"}}', '{"a": 3}'])
def test_a_broken_record_is_named(tmp_path: Path, content: str):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "placed.json").write_text(content)
    with pytest.raises(UserError, match=r"placed\.json: not a record of this version"):
        fetch_published(tmp_path)
