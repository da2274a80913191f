"""Reading a piece of the raw MSMD distribution, written by msmd_distribution.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from msmd_distribution import HEADS, HEIGHT, LEFT, NAME, NOTES, PLAYED, RIGHT, WAYS, draw, edit, head_file, make_distribution

from score_following_game.data_preparation.engraving.checks import check_piece
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.files import read_picture
from score_following_game.data_preparation.msmd.mung import number
from score_following_game.data_preparation.msmd.piece import RawPiece, find_msmd, read_msmd_piece
from score_following_game.data_processing.score_npz import read_score, write_score
from score_following_game.errors import UserError


def expected_coords() -> dict[tuple[int, float, float], int]:
    """(MIDI note, x, y) of every head that must have a coordinate -> how often it occurs."""
    expected = {}
    for note, (_, _, _, heads) in enumerate(NOTES):
        for system, x, y in heads:
            if system == heads[0][0] and x - heads[0][1] < 15:
                expected[note, system * (RIGHT - LEFT) + x - LEFT, 100 - HEIGHT // 2 + y] = 1
    return expected


def coords_of(piece: RawPiece) -> dict[tuple[int, float, float], int]:
    found: dict[tuple[int, float, float], int] = {}
    for index, note in piece.score.coord2onset:
        y, x = piece.score.coords[index]
        key = (int(note), round(float(x), 2), round(float(y), 2))
        found[key] = found.get(key, 0) + 1
    return found


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
def test_wide_pages_are_scaled_for_every_source_of_system_boxes(tmp_path: Path, systems: str) -> None:
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
        for note in range(len(NOTES)):  # the events are in reverse order
            text = text.replace(f'note_event_idx" type="int">{note}<', f'note_event_idx" type="int">*{len(NOTES) - 1 - note}<')
        path.write_text(text.replace(">*", ">"))
    with pytest.raises(EngravingError, match="does not fit"):
        read_msmd_piece(folder)
    np.save(folder / "performances" / PLAYED / "features" / f"{PLAYED}_note_events.npy", np.array(events[::-1]))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


@pytest.mark.parametrize("prefix", [f"{PLAYED}_", "tempo-1000_ElectricPiano_", ""])
def test_a_performances_own_index_takes_precedence(tmp_path: Path, prefix: str) -> None:
    folder = make_distribution(tmp_path)
    other = '<DataItem key="A_tempo-0900_grand_note_event_idx">10</DataItem>'
    for page in ("01", "02"):
        edit(head_file(folder, page), (f"{PLAYED}_note_event_idx", f"{prefix}note_event_idx"), ("</Data>", f"{other}</Data>"))
    assert coords_of(read_msmd_piece(folder)) == expected_coords()


def test_the_engraved_score_takes_precedence(tmp_path: Path) -> None:
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


def test_the_page_distinguishes_noteheads_with_one_name(tmp_path: Path) -> None:
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
    assert read_msmd_piece(folder).performance == slow  # no performance is at tempo-1000
    for name in (other, PLAYED):
        shutil.copytree(folder / "performances" / slow, folder / "performances" / name)
    assert read_msmd_piece(folder).performance == PLAYED
    assert coords_of(read_msmd_piece(folder)) == expected_coords()  # with the indices of another performance
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
