"""Sources: which files are found and what they are called, splits, records, and what a build keeps."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pretty_midi
import pytest

from score_following_game.data_preparation.building import fingerprint as fingerprints
from score_following_game.data_preparation.building import make_piece as making
from score_following_game.data_preparation.building.build import LEFT_OUT_NAME, BuildOptions, build
from score_following_game.data_preparation.building.check_pictures import check_picture
from score_following_game.data_preparation.building.duplicates import fragments, melody_key, variants
from score_following_game.data_preparation.building.fingerprint import fingerprint
from score_following_game.data_preparation.building.make_piece import PieceTask, default_tempo, engrave_source
from score_following_game.data_preparation.building.records import RECORD_NAME, Records
from score_following_game.data_preparation.building.sources import find_sources, slug
from score_following_game.data_preparation.building.split import assign, parse_split
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote
from score_following_game.data_processing.manifest import MANIFEST_NAME
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.errors import UserError

DATA = Path(__file__).parent / "data"
SONG = "CDEF|GABc|{}cBA|GFED|C4|]"


def tune(number: int, title: str = "", first: str = "c", key: str = "C", unit: str = "1/4") -> str:
    return f"X:{number}\nT:{title or f'Tune {number}'}\nM:none\nL:{unit}\nK:{key}\n{SONG.format(first)}\n\n"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Twelve tunes that share no six-note fragment of rhythm and interval: each has its own unit length."""
    path = tmp_path / "book.abc"
    path.write_text("".join(tune(number, unit=f"{number}/16") for number in (1, 2, 3, 4, 6, 8, 12, 16)))
    return path


# --- finding


def test_names_come_from_file_number_and_title(tmp_path: Path) -> None:
    (tmp_path / "My Tunes!.abc").write_text(
        "X:3\nT:L'été à Paris, or: The Bells\nK:C\nC|\nX:3\nT:L'ete a Paris or the bells\nK:C\nD|\n"
    )
    (tmp_path / "deep").mkdir()
    shutil.copy(DATA / "song.krn", tmp_path / "deep" / "Air on a String.KRN")
    (tmp_path / "notes.txt").write_text("no score")
    sources = find_sources([tmp_path, tmp_path / "My Tunes!.abc"])  # named twice, taken once
    assert [source.name for source in sources] == [
        "Air_on_a_String",
        "My_Tunes_3_Lete_a_Paris_or_The_Bells",
        "My_Tunes_3_Lete_a_Paris_or_the_bells_2",
    ]
    assert sources[1].origin == f"{tmp_path / 'My Tunes!.abc'} X:3 L'été à Paris, or: The Bells"
    assert slug("--") == ""


def test_titles_in_any_script_give_names_that_can_be_read():
    titles = ("Größe – für Elise", "Żeleński", "Соловей", "Smørrebrød", "夜曲")
    assert [slug(title) for title in titles] == ["Grosse_fur_Elise", "Zelenski", "Solovey", "Smorrebrod", "YeQu"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for path in ("a/x/op1.krn", "a/y/op1.krn", "c/y/op1.krn", "b/y/op1.krn", "b/y/op1.musicxml", "other.krn"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA / "song.krn", tmp_path / path)
    names = [source.name for source in find_sources([tmp_path])]
    assert names == ["a_y_op1", "c_y_op1", "op1_krn", "op1_musicxml", "other", "x_op1"]
    assert names == [source.name for source in find_sources(sorted(tmp_path.rglob("*.*"), reverse=True))]


def test_latin1_and_utf16_files(tmp_path: Path) -> None:
    (tmp_path / "old.abc").write_bytes("X:1\nT:Bäcken\nK:C\nC|\n".encode("latin-1"))
    (tmp_path / "xml.musicxml").write_bytes((DATA / "song.musicxml").read_text().encode("utf-16"))
    old, new = find_sources([tmp_path])
    assert old.tune.title == "Bäcken"
    assert len(engrave_source(new, making.STYLES["nottingham"])[0].notes) == 12


def test_compressed_and_misnamed_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "song.mxl", "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<?xml version="1.0"?><container><rootfiles><rootfile full-path="song.musicxml"/></rootfiles></container>',
        )
        archive.write(DATA / "song.musicxml", "song.musicxml")
    shutil.copy(DATA / "song.musicxml", tmp_path / "plain.xml")
    shutil.copy(DATA / "piano.mei", tmp_path / "really_mei.xml")
    pieces = {
        source.name: engrave_source(source, making.STYLES["msmd" if "mei" in source.name else "nottingham"])[0]
        for source in find_sources([tmp_path])
    }
    assert {name: len(piece.notes) for name, piece in pieces.items()} == {"plain": 12, "really_mei": 11, "song": 12}


def test_movements_of_an_mei_file_are_pieces_of_one_work(tmp_path: Path) -> None:
    """Each with its own music; the incipit in the header is none. A file with one movement keeps its name."""
    text = (DATA / "piano.mei").read_text()
    head, mdiv, tail = re.fullmatch(r"(.*)(<mdiv>.*</mdiv>)(.*)", text, re.DOTALL).groups()
    second = mdiv.replace("<mdiv>", '<mdiv label="II. Trio">').replace('oct="5"', 'oct="6"')
    head = head.replace("</meiHead>", "<workList><work><incip><score/></incip></work></workList></meiHead>")
    (tmp_path / "suite.mei").write_text(f"{head}<mdiv>{mdiv}{second}</mdiv>{tail}".replace('xml:id="', 'n="'))
    shutil.copy(DATA / "piano.mei", tmp_path / "single.mei")
    single, first, trio = find_sources([tmp_path])
    assert [single.name, first.name, trio.name] == ["single", "suite_1", "suite_2_II_Trio"]
    assert [source.movement for source in (single, first, trio)] == [0, 1, 2]
    assert first.digest != trio.digest and first.work == trio.work != "" == single.work
    assert trio.label.endswith("/suite.mei movement 2")
    pitches = [[note.pitch for note in engrave_source(source, making.STYLES["msmd"])[0].notes] for source in (first, trio)]
    assert max(pitches[0]) + 12 == max(pitches[1]) and len(pitches[0]) == len(pitches[1]) == 11


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "no such"), ("empty", "no score"), ("text.txt", "not a supported score format"), ("bare.abc", "no tune")],
)
def test_wrong_sources(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("")
    (tmp_path / "bare.abc").write_text("C D E")
    with pytest.raises(UserError, match=message):
        find_sources([tmp_path / path])


# --- splits


def test_splits() -> None:
    keys = [f"{number:064x}" for number in (5, 3, 9, 1, 7, 2, 8, 4, 6, 0)]
    works = {key: [key] for key in keys}
    counts = assign(parse_split("4/2/1"), works)
    assert [counts.get(key, "-") for key in sorted(keys)] == ["train"] * 4 + ["valid"] * 2 + ["test"] + ["-"] * 3
    assert counts == assign(parse_split("4/2/1"), dict(reversed(works.items())))
    shares = assign(parse_split("0.8/0.1/0.1"), works)
    assert [list(shares.values()).count(name) for name in ("train", "valid", "test")] == [8, 1, 1]
    assert set(assign(parse_split("0/0.5/0.5"), works).values()) == {"valid", "test"}
    with pytest.raises(UserError, match="needs 11 pieces, found: 10"):
        assign(parse_split("9/1/1"), works)


def test_a_work_is_in_one_set() -> None:
    works = {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1", "c2"], "d": ["d1", "d2"]}
    assert assign(parse_split("4/2/2"), works) == {
        **dict.fromkeys(["a1", "a2", "a3", "b1"], "train"),
        "c1": "valid",
        "c2": "valid",
        "d1": "test",
        "d2": "test",
    }
    # The middle of c, at 5 of 8 pieces, decides where it goes.
    assert assign(parse_split("5/1/2"), works)["c1"] == "train" and assign(parse_split("4/1/3"), works)["c1"] == "valid"


def test_which_files_are_movements_of_one_work(tmp_path: Path) -> None:
    names = [
        "sonata-1",
        "sonata-2",
        "sonata-3",
        "quartet_iv",
        "quartet_ii",
        "bwv772",
        "bwv773",
        "Trio mvt 1",
        "Trio mvt 2",
        "solo-1",
        *(f"tune_{number}" for number in range(1, 14)),
    ]
    for name in names:
        shutil.copy(DATA / "song.krn", tmp_path / f"{name}.krn")
    works = {source.name: Path(source.work).name for source in find_sources([tmp_path])}
    assert {name: work for name, work in works.items() if work} == {
        "sonata_1": "sonata",
        "sonata_2": "sonata",
        "sonata_3": "sonata",
        "quartet_iv": "quartet",
        "quartet_ii": "quartet",
        "Trio_mvt_1": "trio",
        "Trio_mvt_2": "trio",
    }  # solo-1 is alone; thirteen tunes are a collection


def test_files_tell_their_work_and_licence(tmp_path: Path) -> None:
    text = (DATA / "song.musicxml").read_text()
    head = "<work><work-title>Suite</work-title></work><movement-title>{}</movement-title>"
    for number, movement in enumerate(("Air", "Gigue")):
        rights = f"<identification><rights>CC {number}</rights></identification>"
        (tmp_path / f"{movement}.musicxml").write_text(
            text.replace("<part-list>", head.format(movement) + rights + "<part-list>", 1)
        )
    (tmp_path / "LICENSE.txt").write_text("\n  The Fair Licence\n")
    (tmp_path / "x.abc").write_text(tune(1))
    (tmp_path / "y.krn").write_text(
        "!!!COM: Bach\n!!!OTL: Suite 2\n!!!OMV: 1\n!!!YEC: (c) 1999 A. Person\n"
        + (DATA / "song.krn").read_text().replace("!!!OTL", "!!!OTX")
    )
    assert {source.name: (source.work, source.licence) for source in find_sources([tmp_path])} == {
        "Air": ("Suite", "CC 0"),
        "Gigue": ("Suite", "CC 1"),
        "x_1_Tune_1": ("", "LICENSE.txt: The Fair Licence"),
        "y": ("Bach; Suite 2", "(c) 1999 A. Person"),
    }


def test_a_given_split(book: Path, tmp_path: Path) -> None:
    """Followed to the letter: also where two of its pieces are one tune."""
    book.write_text(book.read_text() + tune(9, "Tune 4", unit="4/16"))
    (tmp_path / "split.yaml").write_text(
        "train: [book_4_Tune_4, book_2_Tune_2]\nvalid: [book_1_Tune_1, gone]\ntest: [book_9_Tune_4]\n"
    )
    split = parse_split(str(tmp_path / "split.yaml"))
    report = build(find_sources([book]), BuildOptions(tmp_path / "out", split=split, name="x"))
    assert report.folders == {
        "book_4_Tune_4": "x_train",
        "book_2_Tune_2": "x_train",
        "book_1_Tune_1": "x_valid",
        "book_9_Tune_4": "x_test",
    }
    assert report.related == {"book_9_Tune_4": "book_4_Tune_4"} and report.missing == ["gone"]
    assert {row.reason for row in report.left_out} == {"not in the split"} and len(report.left_out) == 5
    for text in ("train: [a]\nvalid: [a]\ntest: []", "train: [a]", "train: [1]\nvalid: []\ntest: []", "[1]"):
        (tmp_path / "split.yaml").write_text(text)
        with pytest.raises(UserError, match=r"split\.yaml"):
            parse_split(str(tmp_path / "split.yaml"))


@pytest.mark.parametrize("rule", ["", "1/2", "1/2/3/4", "a/b/c", "0/0/0", "-1/1/1", "0.9/0.1/0.1", "nan/1/1", "inf/1/1"])
def test_wrong_splits(rule: str) -> None:
    with pytest.raises(UserError, match="--split"):
        parse_split(rule)


# --- one work or two


def notes(pitches: list[int], step: Fraction = Fraction(1)) -> list[PlayedNote]:
    return [PlayedNote(place * step, (place + 1) * step, pitch, ("x",)) for place, pitch in enumerate(pitches)]


def test_a_melody_is_the_same_in_every_key_and_not_at_another_rhythm() -> None:
    rng = np.random.default_rng(1)
    tune = rng.integers(60, 80, 40).tolist()
    higher = [pitch + 5 for pitch in tune]
    assert melody_key(notes(tune)) == melody_key(notes(higher)) != melody_key(notes(tune[:-1] + [60]))
    assert melody_key(notes(tune)) != melody_key(notes(tune, Fraction(1, 2)))
    pieces = {
        "a": tune,
        "b": higher[:20] + rng.integers(60, 80, 20).tolist(),
        "c": rng.integers(60, 80, 40).tolist(),
        "d": higher[30:] + rng.integers(60, 80, 30).tolist(),
    }
    assert variants((name, fragments(notes(pitches))) for name, pitches in pieces.items()) == {"b": "a"}


# --- building


def test_tempo_is_the_scores_or_depends_on_the_name() -> None:
    assert default_tempo("x") == 127.5 != default_tempo("y")
    tempos = [default_tempo(str(number)) for number in range(400)]
    assert 90 <= min(tempos) < 92 and 128 < max(tempos) <= 130


@pytest.mark.parametrize(
    ("unit", "stated", "factor"),
    [
        ("1/4", "", 1),
        ("3/8", "", 1),
        ("1/16", "", 1),
        ("1/2", "", 2),
        ("1/1", "", 4),
        ("1/32", "", 0.5),
        ("1/2", "Q:1/4=100", 0),
    ],
)
def test_long_and_short_notes_get_a_tempo_by_the_median_note(tmp_path: Path, unit: str, stated: str, factor: float) -> None:
    """Half notes at 90 to 130 a minute instead of quarters; at most 400 quarters. A stated tempo counts as it is."""
    (tmp_path / "book.abc").write_text(tune(1, unit=unit).replace("K:", f"{stated}\nK:" if stated else "K:"))
    source = find_sources([tmp_path])[0]
    expected = min(default_tempo(source.name) * factor, 400) if factor else 100
    piece, _ = engrave_source(source, making.STYLES["nottingham"])
    assert piece.tempo == pytest.approx(expected, rel=0.01)


def test_build(book: Path, tmp_path: Path) -> None:
    book.write_text(
        book.read_text()
        + tune(9, "Same, in D", key="D", unit="4/16").replace(SONG.format("c"), "DEFG|ABcd|ddcB|AGFE|D4|]")
        + "X:21\nT:Short\nK:C\nCDE|\n\n"
    )
    report = build(find_sources([book]), BuildOptions(tmp_path / "out", check=True, jobs=2))
    assert len(report.folders) == 9 and set(report.folders.values()) == {"."}
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("book_21_Short", "too few notes", "3 of at least 8"),
    ]
    rows = list(csv.DictReader((tmp_path / "out" / LEFT_OUT_NAME).open()))
    assert [row["name"] for row in rows] == ["book_21_Short"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        ".lock",
        RECORD_NAME,
        LEFT_OUT_NAME,
        MANIFEST_NAME,
        "check",
        *(f"{name}{end}" for name in report.folders for end in (".npz", ".mid", ".sheet.png", ".map.json")),
    }
    score = read_score(tmp_path / "out" / "book_4_Tune_4.npz")
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "out" / "book_4_Tune_4.mid"))
    assert len(score.coords) == len(midi.instruments[0].notes) == 17
    picture = cv2.imread(str(tmp_path / "out" / "check" / "book_4_Tune_4.png"))
    assert picture.shape[0] == 3 * 44 and (picture[..., 2] > picture[..., 1] + 100).any()
    assert report.lines()[0] == "9 pieces from 10 sources (9 engraved in this run), 1.6 minutes of music, 0.1 MB"


def test_building_again_repeats_nothing(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = BuildOptions(tmp_path / "out")
    build(find_sources([book]), options)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").glob("book*")}
    assert build(find_sources([book]), options).engraved == 0
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before}
    (tmp_path / "out" / "book_2_Tune_2.mid").unlink()
    assert build(find_sources([book]), options).engraved == 1
    book.write_text(book.read_text().replace("T:Tune 3", "T:Tune 3\nQ:1/4=66"))
    assert build(find_sources([book]), options).engraved == 1
    monkeypatch.setattr(fingerprints, "_code_version", lambda *modules: "newer")
    assert build(find_sources([book]), options).engraved == 8
    # Made again from nothing, the files are the same to the byte.
    shutil.rmtree(tmp_path / "out")
    build(find_sources([book]), options)
    same = [path for path in before if "Tune_3" not in path.name]
    assert len(same) == 28 and all(path.read_bytes() == before[path][1] for path in same)


def test_split_build(book: Path, tmp_path: Path) -> None:
    """Sets are made, changed and shrunk; what belongs to no set lies nowhere; a piece is engraved once."""
    options = BuildOptions(tmp_path / "out", split=parse_split("4/2/1"), name="tunes")

    def contents() -> dict[str, int]:
        return {part: len(list((tmp_path / "out" / f"tunes_{part}").glob("*.npz"))) for part in ("train", "valid", "test")}

    first = build(find_sources([book]), options)
    assert contents() == {"train": 4, "valid": 2, "test": 1} and first.engraved == 8
    assert [row.reason for row in first.left_out] == ["not needed by --split"]
    renamed = tmp_path / "renamed.abc"
    renamed.write_text("".join(reversed(book.read_text().split("\n\n"))).replace("C4|]", "C4|]\n\n"))
    other = build(find_sources([renamed]), replace(options, destination=tmp_path / "other"))
    assert {name.split("_")[-1]: folder for name, folder in other.folders.items()} == {
        name.split("_")[-1]: folder for name, folder in first.folders.items()
    }
    assert build(find_sources([book]), replace(options, split=parse_split("2/4/1"))).engraved == 0
    assert contents() == {"train": 2, "valid": 4, "test": 1}
    assert build(find_sources([book]), replace(options, split=parse_split("4/2/2"))).engraved == 1  # the one left out before
    last = build(find_sources([book])[:3], replace(options, split=parse_split("1/1/1")))
    assert contents() == {"train": 1, "valid": 1, "test": 1} and last.removed == 5
    assert not (tmp_path / "out" / ".engraved").exists()


def test_a_second_copy_of_a_melody_is_left_out_of_splits_only(tmp_path: Path) -> None:
    """A musician who gives one tune twice gets it twice."""
    songs = [tune(1, "One"), tune(2, "Two")]
    books = [tmp_path / "a.abc", tmp_path / "b.abc"]
    for path, text in zip(books, songs):
        path.write_text(text)
    report = build(find_sources(books), BuildOptions(tmp_path / "out"))
    assert (len(report.folders), report.left_out) == (2, [])
    report = build(find_sources(books), BuildOptions(tmp_path / "split", split=parse_split("1/0/0"), name="x"))
    assert [(row.name, row.reason) for row in report.left_out] == [("b_2_Two", "same melody as another piece")]


def test_variants_are_left_out_of_splits_only(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(tune(1) + tune(2, first="e") + tune(3, unit="1/8"))
    assert len(build(find_sources([tmp_path / "a.abc"]), BuildOptions(tmp_path / "all")).folders) == 3
    report = build(find_sources([tmp_path / "a.abc"]), BuildOptions(tmp_path / "split", split=parse_split("1/1/0"), name="s"))
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("a_2_Tune_2", "variant of another piece", "a_1_Tune_1")
    ]


def test_duration_limits(book: Path, tmp_path: Path) -> None:
    report = build(find_sources([book]), BuildOptions(tmp_path / "out", min_seconds=5, max_seconds=15))
    reasons = {row.name: row.reason for row in report.left_out}
    assert reasons["book_1_Tune_1"] == "shorter than 5 s" and reasons["book_6_Tune_6"] == "longer than 15 s"
    seconds = [pretty_midi.PrettyMIDI(str(path)).get_end_time() for path in (tmp_path / "out").glob("*.mid")]
    assert seconds and all(4.99 <= length <= 15.01 for length in seconds)


def test_no_piece_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"the source did not become a piece: wrong number of staves \(1; the score has 2 staves: --style msmd"
    ):
        build(find_sources([DATA / "piano.mei"]), BuildOptions(tmp_path))
    with pytest.raises(UserError, match="split needs 3 pieces, found: 1"):
        build(find_sources([DATA / "song.krn"]), BuildOptions(tmp_path, split=parse_split("1/1/1"), name="x"))


def test_files_of_the_users_are_neither_replaced_nor_removed(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MIDI of the score's name, as notation programs export it; a MIDI that was changed after it was made."""
    out = tmp_path / "out"
    out.mkdir()
    theirs, edited = out / "book_1_Tune_1.mid", out / "book_2_Tune_2.mid"
    theirs.write_bytes(b"my own")
    report = build(find_sources([book]), BuildOptions(out))
    assert [(row.name, row.reason, row.detail) for row in report.left_out] == [
        ("book_1_Tune_1", "a file of yours is in the way", str(theirs))
    ]
    assert theirs.read_bytes() == b"my own" and not (out / "book_1_Tune_1.npz").exists()
    edited.write_bytes(b"my timing")
    again = build(find_sources([book]), BuildOptions(out))
    assert again.changed == ["book_2_Tune_2"] and "remove such a file" in again.lines()[1]
    monkeypatch.setattr(fingerprints, "_code_version", lambda *modules: "newer")
    build(find_sources([book]), BuildOptions(out))
    assert (theirs.read_bytes(), edited.read_bytes()) == (b"my own", b"my timing")
    # What changed since may be removed, but not the sheet that the edited MIDI belongs to.
    book.write_text(book.read_text().replace("T:Tune 2\n", "T:Tune 2\nQ:1/4=77\n"))
    build(find_sources([book]), BuildOptions(out))
    assert edited.with_suffix(".npz").is_file() and edited.read_bytes() == b"my timing"


def test_why_a_split_is_impossible_can_be_read(book: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="split needs 9 pieces, found: 1"):
        build(find_sources([book]), BuildOptions(tmp_path / "out", split=parse_split("3/3/3"), name="x", max_seconds=5))
    assert (tmp_path / "out" / LEFT_OUT_NAME).read_text().count("longer than 5 s") == 7


def test_a_broken_record_is_named(tmp_path: Path, book: Path) -> None:
    (tmp_path / RECORD_NAME).write_text('{"pieces": {"a": 1}}')
    with pytest.raises(UserError, match=RECORD_NAME):
        build(find_sources([book]), BuildOptions(tmp_path))


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path, book: Path) -> None:
    build(find_sources([book]), BuildOptions(tmp_path / "out"))
    path = tmp_path / "out" / RECORD_NAME
    path.write_text(path.read_text().replace('"folder": "."', '"folder": ".."', 1))
    with pytest.raises(UserError, match=RECORD_NAME):
        build(find_sources([book]), BuildOptions(tmp_path / "out"))


def test_records_survive(tmp_path: Path, book: Path) -> None:
    build(find_sources([book]), BuildOptions(tmp_path / "out"))
    records = Records.load(tmp_path / "out")
    text = (tmp_path / "out" / RECORD_NAME).read_text()
    records.save()
    assert (tmp_path / "out" / RECORD_NAME).read_text() == text
    assert json.loads(text)["pieces"]["book_2_Tune_2"]["facts"]["notes"] == 17
    task = PieceTask(find_sources([book])[0], "nottingham", tmp_path)
    others = replace(task, style="msmd"), replace(task, tempi=(1.0, 1.1)), replace(task, recording=book)
    assert len({fingerprint(other) for other in (task, *others)}) == 4
    assert fingerprint(replace(task, folder=tmp_path / "elsewhere", time_limit=9)) == fingerprint(task)


def test_check_pictures_wrap_at_systems() -> None:
    sheet = np.full((40, 100), 255, np.uint8)
    score = Score(sheet, np.array([[20, 10], [20, 70]], np.float32), np.array([[0, 0], [1, 1]]))
    picture = check_picture(score, [0, 60])
    assert picture.shape == (2 * 44 * 3, 180, 3)
    rows, columns = np.nonzero((picture != picture[..., :1]).any(axis=2))
    assert set(rows // 132) == {0, 1}
    for line in (0, 1):
        assert columns[rows // 132 == line].mean() == pytest.approx(3 * 10.5, abs=0.6)
        assert rows[rows // 132 == line].mean() == pytest.approx(132 * line + 3 * 20.5, abs=0.6)
