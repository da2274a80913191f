"""Importing the raw MSMD distribution: one is made here in its format (two pages, three systems of two staves) and read."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
import pretty_midi
import pytest

from score_following_game.data_preparation.engraving.checks import check_piece
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.files import read_picture
from score_following_game.data_preparation.msmd.mung import number, read_mung
from score_following_game.data_preparation.msmd.piece import RawPiece, find_msmd, read_msmd_piece
from score_following_game.data_processing.score_npz import read_score, write_score
from score_following_game.errors import UserError

NAME = "BachJS__BWV1__small"
PLAYED = f"{NAME}_tempo-1000_ElectricPiano"
SPACE, BETWEEN, LEFT, RIGHT = 7, 70, 60, 775  # pixels: staff space, top lines of the two staves, ends of the staves
HEIGHT = BETWEEN + 4 * SPACE  # from the first line of a system to its last
SYSTEMS = [("01", 30), ("01", 400), ("02", 120)]  # page, row of the first line; the first has no 200 px of page round it
# MIDI notes: onset and end in beats of half a second, pitch, heads (system, x, y below the first line).
NOTES = [
    (0, 4, 48, [(0, 120, 80), (0, 400, 80)]),
    (0, 1, 72, [(0, 120, 7)]),  # the low note: tied
    (1, 2, 74, [(0, 220, 3)]),
    (2, 3, 76, [(0, 310, 0), (0, 320, 0)]),  # the second: a unison
    (4, 5, 60, [(1, 110, 28)]),
    (4, 5, 64, [(1, 119, 24)]),
    (5, 6, 72, [(1, 300, 7)]),  # a chord with a second in it
    (6, 9, 71, [(1, 500, 10), (2, 130, 10)]),  # tied across systems
    (8, 9, 50, [(2, 129, 74)]),
    (9, 9.5, 72, [(2, 400, 7)]),
    (9.5, 10, 72, [(2, 600, 7)]),
]
HEADS = [(system, x, y, note) for note, (_, _, _, heads) in enumerate(NOTES) for system, x, y in heads]
WAYS = ("items", "csv", "npy", "onsets")


def draw(page: str) -> np.ndarray:
    image = np.full((1181, 835), 255, np.uint8)
    for top in (row for name, row in SYSTEMS if name == page):
        for line in range(5):
            image[[top + line * SPACE, top + BETWEEN + line * SPACE], LEFT:RIGHT] = 0
        image[top : top + HEIGHT + 1, [LEFT, RIGHT - 1]] = 0
    for system, x, y, _ in HEADS:
        if SYSTEMS[system][0] == page:
            cv2.ellipse(image, (x, SYSTEMS[system][1] + y), (4, 3), 0, 0, 360, 0, -1)
    return image


def element(dialect: str, index: int, page: str, kind: str, box: tuple[int, ...], factor: int, data: dict[str, object]) -> str:
    """A CropObject: the box is (top, left, height, width)."""
    names = ("Id", "ClassName") if dialect == "new" else ("UniqueId", "MLClassName")
    unique = f"MSMD___{NAME}___{page}___{index}" if dialect == "new" else str(index)
    sizes = "".join(f"<{key}>{value * factor}</{key}>" for key, value in zip(("Top", "Left", "Height", "Width"), box))
    items = "".join(f'<DataItem key="{key}" type="int">{escape(str(value))}</DataItem>' for key, value in data.items())
    marked = f'<CropObject xml:id="{unique}">' if dialect == "new" else "<CropObject>"
    return (
        f"{marked}<{names[0]}>{index if dialect == 'new' else unique}</{names[0]}><{names[1]}>{kind}</{names[1]}>{sizes}"
        f"<Inlinks>1 2</Inlinks><Mask>0:3 1:4</Mask><Data>{items}</Data></CropObject>"
    )


def make_distribution(
    root: Path,
    way: str = "items",
    dialect: str = "new",
    systems: str = "corners",
    factor: int = 1,
    pages: tuple[str, str] = ("01", "02"),
    performance: str = PLAYED,
) -> Path:
    """Write the piece below `root` -> its folder. way: of alignment.  systems: what tells where they are."""
    folder = root / NAME
    score, played = folder / "scores" / f"{NAME}_ly", folder / "performances" / performance
    for path in (score / "img", score / "mung", score / "coords", played / "features"):
        path.mkdir(parents=True, exist_ok=True)
    rows = []
    for page, file in zip(("01", "02"), pages):
        cv2.imwrite(str(score / "img" / f"{file}.png"), np.kron(draw(page), np.ones((factor, factor), np.uint8)))
        objects = []
        for index, (system, x, y, note) in enumerate(HEADS):
            if SYSTEMS[system][0] != page:
                continue
            onset, end, pitch, heads = NOTES[note]
            tied = (system, x, y) != heads[0] and abs(x - heads[0][1]) > 15
            data: dict[str, object] = {"midi_pitch_code": pitch, "ly_link": f"file.ly:{note}:1 & more"}
            if way == "items":
                data[f"{performance}_note_event_idx"] = note
            elif way == "onsets":
                data["onset_seconds"] = (onset + end) / 4 if tied else onset / 2 + 0.01
            kind = "noteheadFull" if dialect == "new" else "notehead-empty"
            objects.append(element(dialect, index, page, kind, (SYSTEMS[system][1] + y - 3, x - 4, 7, 9), factor, data))
            rows.append((f"MSMD___{NAME}___{page}___{index}" if dialect == "new" and way == "csv" else index, note))
        tops = [top for name, top in SYSTEMS if name == page]
        wide = RIGHT - LEFT
        for index, top in enumerate(tops):
            if systems == "system":
                objects.append(element(dialect, 900 + index, page, "staff_system", (top, LEFT, HEIGHT + 1, wide), factor, {}))
            for staff in range(2 if systems == "staffs" else 0):
                box = (top + staff * BETWEEN, LEFT, 4 * SPACE + 1, wide)
                objects.append(element(dialect, 800 + 2 * index + staff, page, "staff", box, factor, {}))
        (score / "mung" / f"{file}.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?><CropObjectList><CropObjects>'
            + "".join(objects)
            + "</CropObjects></CropObjectList>"
        )
        if systems in ("corners", "x first"):
            corners = np.array(
                [[(y, x) for y, x in ((top, LEFT), (top, RIGHT), (top + HEIGHT, RIGHT), (top + HEIGHT, LEFT))] for top in tops],
                dtype=float,
            )
            corners = corners[..., ::-1] if systems == "x first" else corners
            np.save(score / "coords" / f"systems_{file}.npy", corners * factor)
    if way == "csv":
        (played / "alignment.csv").write_text("notehead,note_event\n" + "".join(f"{head},{note}\n" for head, note in rows))
    elif way == "npy":
        np.save(score / f"{performance}_alignment.npy", np.array(rows, dtype=float))
        np.save(score / "A_alignment.npy", np.array([(0, 5)]))  # of another performance
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    part = pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(80, pitch, onset / 2, end / 2) for onset, end, pitch, _ in reversed(NOTES)]
    midi.instruments.append(part)
    midi.write(str(played / f"{performance}.mid"))
    return folder


def expected_coords() -> dict[tuple[int, float, float], int]:
    """(MIDI note, x, y) of every head that shall have a coordinate -> how often."""
    wanted = {}
    for note, (_, _, _, heads) in enumerate(NOTES):
        for system, x, y in heads:
            if system == heads[0][0] and x - heads[0][1] < 15:
                wanted[note, system * (RIGHT - LEFT) + x - LEFT, 100 - HEIGHT // 2 + y] = 1
    return wanted


def coords_of(piece: RawPiece) -> dict[tuple[int, float, float], int]:
    found: dict[tuple[int, float, float], int] = {}
    for index, note in piece.score.coord2onset:
        y, x = piece.score.coords[index]
        key = (int(note), round(float(x), 2), round(float(y), 2))
        found[key] = found.get(key, 0) + 1
    return found


def head_file(folder: Path, page: str = "01") -> Path:
    return folder / "scores" / f"{NAME}_ly" / "mung" / f"{page}.xml"


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.mark.parametrize("dialect", ["new", "old"])
@pytest.mark.parametrize("way", WAYS)
def test_piece_by_each_way_of_alignment(tmp_path: Path, way: str, dialect: str) -> None:
    folder = make_distribution(tmp_path, way, dialect)
    piece = read_msmd_piece(folder)
    assert coords_of(piece) == expected_coords()
    assert piece.midi == (folder / "performances" / PLAYED / f"{PLAYED}.mid").read_bytes()
    assert (piece.performance, piece.pages, piece.noteheads, piece.tied, piece.misfits) == (PLAYED, 2, len(HEADS), 2, 0)
    assert piece.systems == [0, 715, 1430] and piece.staves == [2, 2, 2] and piece.staff_space == 7
    assert piece.onsets == pytest.approx([onset / 2 for onset, _, _, _ in NOTES]) and piece.tempo == 120
    check_piece(piece, STYLES["msmd"])
    write_score(tmp_path / "piece.npz", piece.score)
    assert (read_score(tmp_path / "piece.npz").sheet == piece.score.sheet).all()


def test_sheet_is_the_systems_side_by_side_round_their_staves(tmp_path: Path) -> None:
    sheet = read_msmd_piece(make_distribution(tmp_path)).score.sheet
    assert sheet.shape == (200, 3 * 715) and sheet.dtype == np.uint8
    middle = 400 + HEIGHT // 2
    assert (sheet[:, 715:1430] == draw("01")[middle - 100 : middle + 100, LEFT:RIGHT]).all()
    above = 100 - 30 - HEIGHT // 2  # rows of the window that lie above the page
    assert (sheet[:above, :715] == 255).all() and (sheet[above:, :715] == draw("01")[: 200 - above, LEFT:RIGHT]).all()


@pytest.mark.parametrize("systems", ["corners", "x first", "system", "staffs"])
def test_wide_pages_are_scaled_however_systems_are_told(tmp_path: Path, systems: str) -> None:
    narrow = read_msmd_piece(make_distribution(tmp_path / "narrow"))
    wide = read_msmd_piece(make_distribution(tmp_path / "wide", systems=systems, factor=2))
    assert (wide.score.sheet == narrow.score.sheet).all()
    assert np.allclose(wide.score.coords, narrow.score.coords, atol=0.01)


def test_staves_that_no_bar_line_joins_are_systems_of_their_own(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path, systems="staffs")
    path = folder / "scores" / f"{NAME}_ly" / "img" / "02.png"
    image = read_picture(path)
    image[160:170, [LEFT, RIGHT - 1]] = 255
    cv2.imwrite(str(path), image)
    assert read_msmd_piece(folder).staves == [2, 2, 1, 1]


def test_pages_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert coords_of(read_msmd_piece(make_distribution(tmp_path, pages=("9", "10")))) == expected_coords()


def test_boxes_that_miss_the_outer_lines_or_hold_more_cut_the_same(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    sheet = read_msmd_piece(folder).score.sheet
    for move in (-3, 12):
        path = folder / "scores" / f"{NAME}_ly" / "coords" / "systems_02.npy"
        np.save(path, np.array([[[120 - move, LEFT], [120 - move, RIGHT], [218 + move, RIGHT], [218 + move, LEFT]]]))
        assert (read_msmd_piece(folder).score.sheet == sheet).all()


def test_index_counts_the_rows_of_the_note_events(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    events = [(onset / 2, pitch, (end - onset) / 2, 80, 0) for onset, end, pitch, _ in NOTES]
    for page in ("01", "02"):
        path = head_file(folder, page)
        text = path.read_text()
        for note in range(len(NOTES)):  # the events stand in reverse
            text = text.replace(f'note_event_idx" type="int">{note}<', f'note_event_idx" type="int">*{len(NOTES) - 1 - note}<')
        path.write_text(text.replace(">*", ">"))
    with pytest.raises(EngravingError, match="does not fit"):
        read_msmd_piece(folder)
    np.save(folder / "performances" / PLAYED / "features" / f"{PLAYED}_note_events.npy", np.array(events[::-1]))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


@pytest.mark.parametrize("prefix", [f"{PLAYED}_", "tempo-1000_ElectricPiano_", ""])
def test_a_performances_own_index_goes_first(tmp_path: Path, prefix: str) -> None:
    folder = make_distribution(tmp_path)
    other = '<DataItem key="A_tempo-0900_grand_note_event_idx">10</DataItem>'
    for page in ("01", "02"):
        edit(head_file(folder, page), (f"{PLAYED}_note_event_idx", f"{prefix}note_event_idx"), ("</Data>", f"{other}</Data>"))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_the_engraved_score_goes_before_others(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    (folder / "scores" / "A_ly" / "img").mkdir(parents=True)  # not annotated
    for part in ("img", "mung"):
        (folder / "scores" / "A_scan" / part).mkdir(parents=True)
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_chord_counted_in_another_order(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    edit(head_file(folder), ('idx" type="int">0<', 'idx" type="">1<'), ('idx" type="int">1<', 'idx" type="">0<'))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_heads_without_a_pitch_are_trusted(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    edit(head_file(folder), ("midi_pitch_code", "other"))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_unaligned_and_misaligned_heads_have_no_coordinate(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path)
    edit(
        head_file(folder),
        ('midi_pitch_code" type="int">74', 'midi_pitch_code" type="int">73'),
        ('note_event_idx" type="int">6<', 'note_event_idx" type="int">None<'),
    )
    piece = read_msmd_piece(folder)
    assert (
        expected_coords().keys() - coords_of(piece).keys() == {key for key in expected_coords() if key[0] in (2, 6)}
        and piece.misfits == 1
    )
    assert [note.heads == () for note in piece.notes] == [index in (2, 6) for index in range(len(NOTES))]


def test_page_tells_noteheads_of_one_name_apart(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path, "csv", "old")
    first = next(index for index, head in enumerate(HEADS) if head[0] == 2)
    file = folder / "performances" / PLAYED / "alignment.csv"
    edit(head_file(folder, "02"), (f"<UniqueId>{first}<", "<UniqueId>0<"))
    with pytest.raises(EngravingError, match="several noteheads are called 0"):
        read_msmd_piece(folder)
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    file.write_text(
        "".join(f"{1 + (HEADS[int(head)][0] == 2)}; {0 if int(head) == first else head}; {note}\n" for head, note in rows)
    )
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_performances_are_chosen_by_name(tmp_path: Path) -> None:
    slow, other = f"{NAME}_tempo-0900_ElectricPiano", f"{NAME}_tempo-1000_grand"
    folder = make_distribution(tmp_path, performance=slow)
    assert read_msmd_piece(folder).performance == slow  # there is no tempo-1000
    for name in (other, PLAYED):
        shutil.copytree(folder / "performances" / slow, folder / "performances" / name)
    assert read_msmd_piece(folder).performance == PLAYED
    assert coords_of(read_msmd_piece(folder)) == expected_coords()  # by the indices of another performance
    assert read_msmd_piece(folder, "tempo-1000_grand").performance == read_msmd_piece(folder, other).performance == other
    with pytest.raises(EngravingError, match="missing performance"):
        read_msmd_piece(folder, "tempo-090")
    for file in (folder / "performances" / PLAYED).glob("*.mid"):
        file.rename(folder / f"{NAME}.midi")
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


@pytest.mark.parametrize("kind", ["colour", "alpha", "sixteen bits"])
def test_pictures_of_other_depths(tmp_path: Path, kind: str) -> None:
    grey = draw("02")
    image = {
        "colour": np.dstack([grey] * 3),
        "sixteen bits": grey.astype(np.uint16) * 256 + 7,
        "alpha": np.dstack([np.zeros_like(grey)] * 3 + [255 - grey]),
    }[kind]
    cv2.imwrite(str(tmp_path / "page.png"), image)
    assert (read_picture(tmp_path / "page.png") == grey).all()


def test_numbers_of_data_items() -> None:
    assert [number(text) for text in ("12", " 3.0", "[7]", "1e-3")] == [12, 3, 7, 0.001]
    assert [number(text) for text in (None, "", "None", "1 2", "1e999", "nan")] == [None] * 6


def score_file(name: str) -> Callable[[Path], Path]:
    return lambda folder: folder / "scores" / f"{NAME}_ly" / name


def huge_picture(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 30000, 30000)
    path.write_bytes(data)


def prepend(path: Path, text: str) -> None:
    path.write_text(text + path.read_text().split("?>", 1)[1])


class Trap:
    """Ends the tests when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os._exit, (1,)


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
FAULTS = {
    "no mung": ("missing file", "mung/02.xml", Path.unlink),
    "no pages": ("missing file", "img", shutil.rmtree),
    "broken xml": ("broken XML", "mung/01.xml", lambda path: path.write_text(path.read_text()[:900])),
    "entities": ("broken XML", "mung/01.xml", lambda path: prepend(path, BOMB)),
    "doctype": ("broken XML", "mung/01.xml", lambda path: prepend(path, '<!DOCTYPE b SYSTEM "file:///etc/passwd">')),
    "no box": ("broken XML", "mung/01.xml", lambda path: edit(path, ("<Top>", "<Top>high"))),
    "negative size": ("broken XML", "mung/01.xml", lambda path: edit(path, ("<Width>9<", "<Width>-9<"))),
    "encoding": ("broken XML", "mung/01.xml", lambda path: prepend(path, '<?xml version="1.0" encoding="klingon"?>')),
    "cut-off png": ("broken PNG", "img/02.png", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    "damaged png": (
        "broken PNG",
        "img/02.png",
        lambda path: path.write_bytes(path.read_bytes()[:60] + bytes(200) + path.read_bytes()[260:]),
    ),
    "no png": ("broken PNG", "img/02.png", lambda path: path.write_text("GIF89a")),
    "huge png": ("page too large", "img/02.png", huge_picture),
    "no systems": (
        "page without systems",
        "img/02.png",
        lambda path: np.save(path.parents[1] / "coords" / "systems_02.npy", np.zeros((0, 4, 2))),
    ),
    "blank page": ("no staff lines", "img/02.png", lambda path: cv2.imwrite(str(path), np.full((1181, 835), 255, np.uint8))),
    "uneven lines": (
        "no staff lines",
        "img/02.png",
        lambda path: cv2.imwrite(str(path), np.where(np.arange(1181)[:, None] == 123, 0, read_picture(path)).astype(np.uint8)),
    ),
    "odd corners": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.zeros((4, 4)))),
    "pickle": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.array([Trap()] * 8, dtype=object))),
    "infinite corners": ("broken array", "coords/systems_01.npy", lambda path: np.save(path, np.full((2, 4, 2), np.nan))),
    "index": ("note index out of range", "mung/01.xml", lambda path: edit(path, ('idx" type="int">6<', 'idx" type="">11<'))),
    "negative": ("note index out of range", "mung/01.xml", lambda path: edit(path, ('idx" type="int">6<', 'idx" type="">-1<'))),
    "fraction": (
        "note index out of range",
        "mung/01.xml",
        lambda path: edit(path, ('idx" type="int">6<', 'idx" type="int">6.5<')),
    ),
    "folder": ("unreadable file", "mung/01.xml", lambda path: (path.unlink(), path.mkdir())),
    "head": ("noteheads outside their system", "mung/01.xml", lambda path: edit(path, ("<Left>296<", "<Left>796<"))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_score(tmp_path: Path, fault: str) -> None:
    reason, name, spoil = FAULTS[fault]
    folder = make_distribution(tmp_path)
    spoil(score_file(name)(folder))
    with pytest.raises(EngravingError) as error:
        read_msmd_piece(folder)
    assert error.value.reason == reason
    where = Path(name).name if reason not in ("note index out of range", "noteheads outside their system") else "page 01"
    assert where in error.value.detail


def test_faults_of_alignment_and_performance(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path, "csv")
    played = folder / "performances" / PLAYED

    def reason() -> str:
        with pytest.raises(EngravingError) as error:
            read_msmd_piece(folder)
        return error.value.reason

    good = (played / "alignment.csv").read_text()
    (played / "alignment.csv").write_text("a,0\nb,1\n")
    assert reason() == "no aligned noteheads"
    (played / "alignment.csv").write_text(good + "0,x\n")
    assert reason() == "broken alignment"
    (played / "alignment.csv").unlink()
    np.save(played / "alignment.npy", np.zeros(3))
    assert reason() == "broken array"
    (played / "alignment.npy").unlink()
    (played / "alignment.csv").write_text(good)
    np.save(played / "features" / "x_note_events.npy", np.zeros(4))
    assert reason() == "broken array"
    (played / "features" / "x_note_events.npy").unlink()
    (played / f"{PLAYED}.mid").write_bytes(b"MThd no")
    assert reason() == "broken MIDI"
    pretty_midi.PrettyMIDI().write(str(played / f"{PLAYED}.mid"))
    assert reason() == "no notes"
    (played / f"{PLAYED}.mid").unlink()
    assert reason() == "missing file"
    shutil.rmtree(folder / "performances")
    assert reason() == "missing performance"
    shutil.rmtree(folder / "scores")
    (folder / "scores").mkdir()
    assert reason() == "missing file"


def test_too_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "01.xml"
    with path.open("wb") as stream:
        stream.truncate(2**26)
    with pytest.raises(EngravingError, match="file too large"):
        read_mung(path)


def test_finding_pieces(tmp_path: Path) -> None:
    folder = make_distribution(tmp_path / "archive" / "msmd")
    (folder.parent / "A__broken__piece" / "scores").mkdir(parents=True)
    (folder.parent / "notes").mkdir()
    for root in (tmp_path / "archive" / "msmd", tmp_path / "archive"):
        assert find_msmd(root) == [folder.parent / "A__broken__piece", folder]
    assert find_msmd(folder) == [folder]
    for empty in (tmp_path / "nothing", folder / "scores" / f"{NAME}_ly" / "img"):
        with pytest.raises(UserError, match="no MSMD pieces found"):
            find_msmd(empty)
