"""The sharp sheet beside a piece: where its noteheads are, what is refused, and that pieces without one stay as they are."""

import json
import logging
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from lilypond_tools import SCORE
from small_piece import write_small_piece

import score_following_game as sfg
from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.sharp_sheet import (
    SUFFIX,
    difference,
    read_sharp,
    sharp_path,
    sharp_sheet_of,
    write_sharp,
)
from score_following_game.environment.rendering.picture import render
from score_following_game.errors import UserError

BUNDLED = ROOT / "score_following_game" / "bundled"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small piece with a sharp sheet -> its npz."""
    write_small_piece(tmp_path, "tune")
    score = tmp_path / "tune.npz"
    write_sharp(sharp_path(score), read_score(score).sheet.repeat(3, axis=0).repeat(3, axis=1))
    return score


def ink_at(sharp: np.ndarray, sheet: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """The darkness at each notehead's centre: float (N,), 0 to 255."""
    factor = sharp.shape[0] // sheet.shape[0]
    places = np.round(factor * coords + (factor - 1) / 2).astype(int)
    return 255 - np.array([sharp[y - 1 : y + 2, x - 1 : x + 2].mean() for y, x in places])


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("tunes.abc", "nottingham"),
        ("song.musicxml", "nottingham"),
        ("piano.mei", "msmd"),
        pytest.param("piece.ly", "msmd", marks=pytest.mark.needs("lilypond")),
    ],
)
def test_every_engraver_draws_the_same_sheet_sharp(tmp_path: Path, name: str, style: str):
    if name == "piece.ly":
        (tmp_path / name).write_text(SCORE)
    else:
        shutil.copy(ROOT / "tests" / "data" / name, tmp_path)
    source = find_sources([tmp_path / name])[0]
    piece, _ = engrave_source(source, STYLES[style])
    assert piece.sharp is not None
    factor = STYLES[style].sharp
    assert piece.sharp.shape == (factor * piece.score.sheet.shape[0], factor * piece.score.sheet.shape[1])
    assert difference(piece.sharp, piece.score.sheet) < 4
    filled = ink_at(piece.score.sheet, piece.score.sheet, piece.score.coords) > 128  # a half note is white inside
    assert filled.mean() > 0.5
    assert (ink_at(piece.sharp, piece.score.sheet, piece.score.coords)[filled] > 200).mean() > 0.9


def test_the_bundled_pieces_are_drawn_from_theirs(tmp_path: Path):
    env = sfg.make_env("test_sample", piece="Minuet")
    env.reset(seed=1)
    picture = render(env.game)
    shutil.copytree(BUNDLED / "test_sample", tmp_path / "plain", ignore=shutil.ignore_patterns(f"*{SUFFIX}"))
    plain = sfg.make_env(tmp_path / "plain", piece="Minuet")
    plain.reset(seed=1)
    blurred = render(plain.game)
    assert (picture != blurred).any()
    sheet = slice(92, 404)
    assert (picture[:92] == blurred[:92]).all() and (picture[404:] == blurred[404:]).all()
    # The same notes at the same places: the pictures differ at the edges of the ink only.
    assert np.abs(picture[sheet].astype(int) - blurred[sheet]).mean() < 8
    # Sharper: more pixels that are black or white.
    assert (picture[sheet, :, 0] < 30).sum() > (blurred[sheet, :, 0] < 30).sum()
    assert sharp_sheet_of(plain.bank.pieces[0]) is None


def png(shape: tuple[int, ...]) -> bytes:
    return cv2.imencode(".png", np.full(shape, 255, np.uint8))[1].tobytes()


def huge(small: bytes) -> bytes:
    """A PNG that says it has a billion pixels."""
    return small[:16] + struct.pack(">II", 32_000, 32_000) + small[24:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda own, shape: b"", "is no PNG"),
        (lambda own, shape: b"P5 20 20 255 " + b"0" * 400, "is no PNG"),
        (lambda own, shape: own[:200], "is a damaged PNG"),
        (lambda own, shape: png((shape[0] * 2, shape[1] * 2 + 1)), "expected grey, and 2 to 8 times"),
        (lambda own, shape: png(shape), "expected grey, and 2 to 8 times"),
        (lambda own, shape: png((shape[0] * 2, shape[1] * 3)), "expected grey, and 2 to 8 times"),
        (lambda own, shape: png((shape[0] * 2, shape[1] * 2, 3)), "expected grey, and 2 to 8 times"),
        (lambda own, shape: png((shape[0] * 2, shape[1] * 2)), "shows another sheet"),
        (lambda own, shape: huge(own), "is 32000 x 32000 px"),
    ],
)
def test_what_is_no_sharp_sheet_is_refused_and_the_piece_still_drawn(small: Path, caplog, content, message: str):
    sheet = read_score(small).sheet
    assert read_sharp(sharp_path(small), sheet).shape == (3 * sheet.shape[0], 3 * sheet.shape[1])
    own = sharp_path(small).read_bytes()
    sharp_path(small).write_bytes(content(own, sheet.shape))
    with pytest.raises(UserError, match=message) as error:
        read_sharp(sharp_path(small), sheet)
    assert str(error.value).startswith(str(sharp_path(small))) and "\n" not in str(error.value)
    env = sfg.make_env(small.parent)
    env.reset(seed=1)
    with caplog.at_level(logging.WARNING):
        pictures = [render(env.game) for _ in range(3)]
    assert [record.getMessage() for record in caplog.records] == [f"the picture shows the game's own sheet: {error.value}"]
    sharp_path(small).unlink()
    without = sfg.make_env(small.parent)
    without.reset(seed=1)
    assert (render(without.game) == pictures[0]).all()


def test_a_set_keeps_and_checks_its_sharp_sheets(tmp_path: Path, run_here):
    tunes, made = BUNDLED / "tunes" / "test.abc", tmp_path / "set"
    command = ("prepare_game_data.py", "--source", tunes, "--destination", made, "--limit", 2, "--jobs", 1)
    assert run_here(*command).returncode == 0
    entries = json.loads((made / "manifest.json").read_text())["pieces"]
    sheets = sorted(made.glob(f"*{SUFFIX}"))
    assert [sheet.name.removesuffix(SUFFIX) for sheet in sheets] == sorted(entries) and len(sheets) == 2
    assert all(sheet.name in entries[sheet.name.removesuffix(SUFFIX)]["files"] for sheet in sheets)
    assert verify(made).problems == []
    before = sheets[0].read_bytes()
    sheets[0].unlink()
    assert any(f"{sheets[0].name} is missing" in problem for problem in verify(made).problems)
    assert "(1 engraved in this run)" in run_here(*command).stdout
    assert sheets[0].read_bytes() == before
    shutil.copy(sheets[1], made / f"stranger{SUFFIX}")
    assert verify(made).problems == [f"{made / f'stranger{SUFFIX}'}: not in the manifest"]
    (made / f"stranger{SUFFIX}").unlink()
    shutil.copy(sheets[1], sheets[0])
    problems = verify(made).problems
    assert any("has changed since it was made" in problem for problem in problems) and len(problems) == 2
