"""Pieces put together from passages: every note still stands where it is heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.medley import HEARD, LENGTH, medleys
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank


@pytest.fixture(scope="module")
def pieces(config: GameConfig) -> list[Piece]:
    return load_data_set("test_sample", config)


def test_notes_stand_where_they_are_heard(pieces: list[Piece], config: GameConfig):
    made = medleys(pieces, 6, 1)
    assert [piece.name for piece in made] == [f"medley~{number}" for number in range(1, 7)]
    for medley in made:
        frames, x = medley.onset_frames, medley.onset_x
        assert len(frames) == len(x) >= LENGTH
        assert (np.diff(frames) > 0).all()
        assert (np.diff(x) > 0).all()
        assert medley.sheet.dtype == np.uint8
        assert medley.spectrogram.dtype == x.dtype == np.float32
        assert x[-1] < medley.sheet.shape[1]
        assert frames[-1] < medley.spectrogram.shape[1]
        for frame, at in zip(frames, x):  # what is seen at a note and what is heard are of one and the same note
            seen = medley.sheet[:, int(at) : int(at) + 3]
            heard = medley.spectrogram[:, frame - HEARD : frame + 2] if frame else medley.spectrogram[:, :2]
            assert any(_has(piece, seen, heard) for piece in pieces), (medley.name, frame)
    ScoreBank(made, config)
    assert any(len(set(np.diff(medley.onset_x).tolist())) > 10 for medley in made)


def _has(piece: Piece, seen: np.ndarray, heard: np.ndarray) -> bool:
    for frame, at in zip(piece.onset_frames, piece.onset_x):
        first = max(0, int(frame) - HEARD)
        own = piece.spectrogram[:, first : first + heard.shape[1]]
        beside = (piece.sheet[:, int(at) + shift : int(at) + shift + 3] for shift in (-1, 0, 1))  # columns are whole pixels
        if np.array_equal(own, heard) and any(np.array_equal(part, seen) for part in beside):
            return True
    return False


def test_the_seed_and_the_pieces_alone_decide(pieces: list[Piece]):
    first, again, other = (medleys(pieces, 2, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first.sheet, again.sheet)
    assert np.array_equal(first.spectrogram, again.spectrogram)
    assert first.sheet.shape != other.sheet.shape


def test_pieces_without_passages_are_left_out(pieces: list[Piece]):
    falling = [replace(piece, onset_x=piece.onset_x[::-1]) for piece in pieces]
    early = [replace(piece, spectrogram=piece.spectrogram[:, :5]) for piece in pieces]
    assert medleys([*falling, *early], 3, 0) == []
    assert len(medleys([*falling, pieces[0]], 3, 0)) == 3
