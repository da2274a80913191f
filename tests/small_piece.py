"""A piece small enough to be played in a test: one dot per note on five lines."""

from pathlib import Path

import numpy as np
import pretty_midi

from score_following_game.data_processing.score_npz import Score, write_score

FIRST_X = 100


def write_small_piece(folder: Path, name: str = "tune", height: int = 40, notes: int = 8, spacing: int = 30) -> Path:
    """Write NAME.npz and NAME.mid: a note every 0.4 s (8 frames), `spacing` px apart -> the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    x = FIRST_X + spacing * np.arange(notes)
    middle = height // 2
    sheet = np.full((height, int(x[-1]) + 100), 255, np.uint8)
    sheet[middle - 8 : middle + 9 : 4] = 0
    for column in x:
        sheet[middle - 2 : middle + 3, column - 2 : column + 3] = 0
    coords = np.stack([np.full(notes, middle), x], axis=1).astype(np.float32)
    write_score(folder / f"{name}.npz", Score(sheet, coords, np.repeat(np.arange(notes), 2).reshape(-1, 2)))
    midi = pretty_midi.PrettyMIDI()
    part = pretty_midi.Instrument(program=0)
    part.notes = [pretty_midi.Note(90, 60 + index % 12, 0.4 * index, 0.4 * index + 0.35) for index in range(notes)]
    midi.instruments.append(part)
    midi.write(str(folder / f"{name}.mid"))
    return folder
