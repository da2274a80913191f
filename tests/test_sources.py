"""Sources: which files are found and what they are called, works, licences, splits and tempi."""

from __future__ import annotations

import re
import shutil
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from source_tools import DATA, abc_tune

from score_following_game.data_preparation.building import make_piece as making
from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.duplicates import fragments, melody_key, variants
from score_following_game.data_preparation.building.make_piece import default_tempo, engrave_source
from score_following_game.data_preparation.building.sources import find_sources, slug
from score_following_game.data_preparation.building.split import assign, parse_split
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote
from score_following_game.errors import UserError

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
    (tmp_path / "x.abc").write_text(abc_tune(1))
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
    book.write_text(book.read_text() + abc_tune(9, "Tune 4", unit="4/16"))
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
    (tmp_path / "book.abc").write_text(abc_tune(1, unit=unit).replace("K:", f"{stated}\nK:" if stated else "K:"))
    source = find_sources([tmp_path])[0]
    expected = min(default_tempo(source.name) * factor, 400) if factor else 100
    piece, _ = engrave_source(source, making.STYLES["nottingham"])
    assert piece.tempo == pytest.approx(expected, rel=0.01)
