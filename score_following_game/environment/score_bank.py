"""All pieces of a data set as a few flat tensors, which any number of games reads by index."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError

FRAME_TABLES = ("true_x", "onset", "rewarded", "tracking_ratio")  # tables with a row per frame


class ScoreBank:
    """Spectrograms, sheets and true positions of P pieces, resized and padded as the config requires.

    spec: float32 (all frames, bands). ink: uint8 (all columns, rows), 255 = ink. In both, time or x comes first, so that a
    window is a run of rows. At factor 0.5 each row is the 2x2 mean that begins at its frame or column, so that every second row
    of a window is the resized window, wherever it begins.

    Per frame from 0 to the last onset: true_x, float64, padded pixels; onset and rewarded, bool; tracking_ratio, float64, the
    share of the piece's onsets at or before the frame. Of a piece that is not timed, true_x after frame 0 and tracking_ratio
    are nan, so that rewards and errors are nan, too, and last_onset is the end of its sound.

    Per piece, int64 (P,): spec_offset and ink_offset, the first row of spec and ink in the window at frame 0 and
    x = sheet_context / 2; frame_offset, the first row in the per-frame tables; last_onset, frame; width, padded pixels.
    Pieces that share a sheet array share an ink_offset, unless pieces can be replaced.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        config: GameConfig,
        device: torch.device | str = "cpu",
        room: float = 1.0,
        guests: Sequence[Piece] = (),
    ) -> None:
        """room: space for each piece, in multiples of its size; above 1, `replace` can put a longer one in its place.

        guests: pieces for which every place has this room, too.
        """
        if not pieces:
            raise ValueError("a score bank needs at least one piece")
        self.config = config
        self.pieces = list(pieces)
        self.names = [piece.name for piece in pieces]
        self.device = torch.device(device)
        specs = [_spec_rows(piece, config) for piece in pieces]
        # A sheet is stored once for all performances of a score.
        keys = [id(piece.sheet) if room == 1 else index for index, piece in enumerate(pieces)]
        sheet_of = dict(zip(keys, pieces))
        sheets = [_ink_rows(piece, config) for piece in sheet_of.values()]
        stored = {key: index for index, key in enumerate(sheet_of)}
        tables = [_frame_tables(piece, config) for piece in pieces]
        lead = config.spec_context - config.frames_ahead
        largest = _largest([self._rows_of(piece) for piece in guests])
        self._spaces = {  # rows for each piece
            "spec": _spaces(specs, room, largest["spec"]),
            "ink": _spaces(sheets, room, largest["ink"]),
            "frames": _spaces([table[0] for table in tables], room, largest["frames"]),
        }
        spec, ink, frames = self._spaces.values()
        self.spec = self._flat(specs, spec)
        self.ink = self._flat(sheets, ink)
        self.true_x, self.onset, self.rewarded, self.tracking_ratio = (
            self._flat(list(column), frames) for column in zip(*tables)
        )
        self.spec_offset = self._tensor(spec[:-1].tolist()) + config.spec_pad - lead
        self.ink_offset = self._tensor(ink[:-1].tolist())[[stored[key] for key in keys]]
        self.frame_offset = self._tensor(frames[:-1].tolist())
        self.last_onset = self._tensor([int(piece.onset_frames[-1]) for piece in pieces])
        self.width = self._tensor([piece.sheet.shape[1] + 2 * config.sheet_pad for piece in pieces])

    def __len__(self) -> int:
        return len(self.pieces)

    def true_position(self, piece: Tensor, frame: Tensor) -> Tensor:
        """True x, float64, padded pixels, of pieces at frames; after the last onset that of the last onset."""
        return self.true_x[self.frame_row(piece, frame)]

    def frame_row(self, piece: Tensor, frame: Tensor) -> Tensor:
        """Row of pieces' frames in the per-frame tables."""
        return self.frame_offset[piece] + torch.minimum(frame, self.last_onset[piece])

    def onset_frames(self, piece: int) -> np.ndarray:
        """Onset frames of a piece, int64 (K,), unpadded."""
        return self.pieces[piece].onset_frames

    def has_room_for(self, index: int, piece: Piece) -> bool:
        """Whether `replace` can put a piece into the place of another."""
        needed = self._rows_of(piece)
        return all(rows <= self._spaces[name][index + 1] - self._spaces[name][index] for name, rows in needed.items())

    def _rows_of(self, piece: Piece) -> dict[str, int]:
        return {
            "spec": max(piece.spectrogram.shape[1], int(piece.onset_frames[-1]) + 1) + 2 * self.config.spec_pad,
            "ink": piece.sheet.shape[1] + 2 * self.config.sheet_pad,
            "frames": int(piece.onset_frames[-1]) + 1,
        }

    def replace(self, index: int, piece: Piece) -> None:
        """Put a piece into the place of another one, of which no game or remembered state may be left.

        Raises ValueError where there is no room for it.
        """
        if not self.has_room_for(index, piece):
            raise ValueError(f"{piece.name}: is too long for its place")
        tables = dict(zip(FRAME_TABLES, _frame_tables(piece, self.config)))
        for name, rows in {"spec": _spec_rows(piece, self.config), "ink": _ink_rows(piece, self.config), **tables}.items():
            begin, end = self._spaces["frames" if name in tables else name][index : index + 2]
            place = getattr(self, name)[begin:end]
            place[: len(rows)] = torch.from_numpy(rows)
            place[len(rows) :] = 0
        self.pieces[index], self.names[index] = piece, piece.name
        self.last_onset[index] = int(piece.onset_frames[-1])
        self.width[index] = piece.sheet.shape[1] + 2 * self.config.sheet_pad

    def _flat(self, parts: list[np.ndarray], spaces: np.ndarray) -> Tensor:
        flat = np.zeros((spaces[-1], *parts[0].shape[1:]), parts[0].dtype)
        for begin, part in zip(spaces, parts):
            flat[begin : begin + len(part)] = part
        return torch.from_numpy(flat).to(self.device)

    def _tensor(self, values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)


def _largest(rows: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: max((each[name] for each in rows), default=0) for name in ("spec", "ink", "frames")}


def _spaces(parts: list[np.ndarray], room: float, least: int) -> np.ndarray:
    """The first row of each part when `room` times its length, or that of `least` rows, is kept for it, and the end.

    int64 (n + 1,).
    """
    sizes = [math.ceil(max(len(part), least) * room) for part in parts]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _spec_rows(piece: Piece, config: GameConfig) -> np.ndarray:
    """float32 (frames, bands), with silence before and after, and up to the last onset if the recording ends before it."""
    short = max(0, int(piece.onset_frames[-1]) + 1 - piece.spectrogram.shape[1])
    return sound_rows(np.pad(piece.spectrogram, ((0, 0), (config.spec_pad, config.spec_pad + short))), config)


def sound_rows(frames: np.ndarray, config: GameConfig) -> np.ndarray:
    """The rows of a bank for frames of a spectrogram, float32 (78, n): (n, bands), one less at factor 0.5."""
    rows = frames.T
    if config.spec_factor == 0.5:
        pairs = rows[:, 0::2] + rows[:, 1::2]
        rows = (pairs[:-1] + pairs[1:]) * np.float32(0.25)
    return np.ascontiguousarray(rows)


def _ink_rows(piece: Piece, config: GameConfig) -> np.ndarray:
    """uint8 (columns, rows), 255 = ink: the middle staff_height rows of the sheet, with blank columns before and after."""
    height = piece.sheet.shape[0]
    if height < config.staff_height:
        raise UserError(f"{piece.name}: sheet is {height} px high, the game config needs staff_height {config.staff_height}")
    top = height // 2 - config.staff_height // 2
    rows = piece.sheet[top : top + config.staff_height].T
    rows = np.pad(rows, ((config.sheet_pad, config.sheet_pad), (0, 0)), constant_values=piece.sheet.max())
    if config.sheet_factor == 0.5:
        pairs = rows[:, 0::2].astype(np.uint16) + rows[:, 1::2]
        rows = ((pairs[:-1] + pairs[1:] + 2) >> 2).astype(np.uint8)
    return np.ascontiguousarray(255 - rows)


def _frame_tables(piece: Piece, config: GameConfig) -> tuple[np.ndarray, ...]:
    """The FRAME_TABLES of a piece, for each frame from 0 to the last onset (see ScoreBank)."""
    frames = np.arange(int(piece.onset_frames[-1]) + 1)
    if not piece.timed:
        unknown, never = np.full(len(frames), np.nan), np.zeros(len(frames), bool)
        return np.where(frames == 0, piece.onset_x[0] + config.sheet_pad, np.nan), never, never, unknown
    true_x = interpolate(frames, piece.onset_frames, piece.onset_x + np.float32(config.sheet_pad))
    onset = np.zeros(len(frames), bool)
    onset[piece.onset_frames] = True
    rewarded = np.ones(len(frames), bool)
    if config.reward_window >= 0:
        after = np.searchsorted(piece.onset_frames, frames).clip(max=len(piece.onset_frames) - 1)
        nearest = piece.onset_frames[np.stack([after, (after - 1).clip(min=0)])]
        rewarded = np.abs(nearest - frames).min(axis=0) <= config.reward_window
    ratio = np.searchsorted(piece.onset_frames, frames, side="right") / len(piece.onset_frames)
    return true_x, onset, rewarded, ratio


def interpolate(frames: np.ndarray, onset_frames: np.ndarray, onset_x: np.ndarray) -> np.ndarray:
    """True x at frames, float64: linear between onsets, constant before the first and after the last.

    onset_frames: int64 (K,), ascending; onset_x: float32 (K,). The rounding is part of the rules, since the reward truncates
    the error: slopes are float32, and an onset's frame belongs to the segment before it.
    """
    if len(onset_frames) == 1:
        return np.full(len(frames), float(onset_x[0]))
    slopes = np.diff(onset_x) / np.diff(onset_frames).astype(np.float32)
    segment = np.clip(np.searchsorted(onset_frames, frames) - 1, 0, len(slopes) - 1)
    x = onset_x[segment].astype(np.float64) + slopes[segment].astype(np.float64) * (frames - onset_frames[segment])
    x[frames <= onset_frames[0]] = onset_x[0]
    x[frames > onset_frames[-1]] = onset_x[-1]
    return x


def first_at(onset_x: np.ndarray, onset_frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The other way round: positions that rise strictly, float64 (k,), and the frames in which the music is first there.

    x may fall or stand still in onset_x, (K,); onset_frames: int64 (K,).
    """
    x, first = np.unique(np.maximum.accumulate(onset_x.astype(np.float64)), return_index=True)
    return x, onset_frames[first]
