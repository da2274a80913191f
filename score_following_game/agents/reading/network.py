"""ReadingNet: reads the sheet and hears the sound, once each, compares each place with each frame, and estimates the pace.

The published networks see a pair of windows and judge it as a whole, so each frame costs a pass over both. Here what is read
does not depend on what is heard: a passage's cells and queries are computed once and compared in every frame of it.

Nothing is padded. A cell is the same whether it is computed with the whole sheet or with a strip of it, and a query depends
on the `past` rows of sound that end with its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from score_following_game.config import GameConfig
from score_following_game.errors import UserError

NAME, READS = "ReadingNet", "read_notes.weight"  # and a parameter that no other network has
LOWEST, KEYS = 21, 88  # MIDI pitch of the lowest note that is read and heard; their number
CELL = 8  # columns from one cell, or place, to the next
CELL_COLUMNS, PLACE_COLUMNS = 49, 65  # that a cell, or a place, depends on; its centre is in their middle
LEAST_PLACES = 5  # in the window of a game
CELL_FEATURES, QUERY_FEATURES, MATCH_FEATURES, PACE_FEATURES = 64, 96, 64, 32
READ_FEATURES = MATCH_FEATURES + CELL_FEATURES + 3  # of ReadCells
# (channels, kernel, stride), (rows, columns). Rows are halved by the first layer only, until the last: pitch is a matter of
# few rows. Halved four times, it could not be read (KL 2.8 nats after the 10 minutes in which this came to 1.7).
SHEET = ((16, (5, 5), (2, 2)), (32, (3, 3), (1, 2)), (48, (3, 3), (1, 2)), (64, (3, 3), (2, 1)))
SHEET_TOP = 96
SOUND = ((16, (5, 3), (2, 1)), (32, (3, 3), (2, 1)), (48, (3, 3), (2, 1)))  # (bands, frames)
COLUMN_ROWS = 1 + sum(kernel[1] - 1 for _, kernel, _ in SOUND)  # rows of sound that a column of the layers above depends on
DILATIONS = (1, 2, 4, 8, 16, 32, 64)  # as many as the window of sound has frames for
NEWEST = 2  # frames in which a note is heard as just begun
RARE = -3.0  # initial bias of the notes' logits: few of the 88 are there


class ReadCells(NamedTuple):
    """What is known of cells before anything is heard, float32.

    part: (B, C, 64). key: (B, C, 64). log_pace: (B, C), as ReadingNetwork.paces. notehead: (B, C), as
    ReadingNetwork.noteheads. passed: (B, C), the number of noteheads up to each cell. The last three are known of places only,
    which the first and the last cell of a sheet are not.
    """

    part: Tensor
    key: Tensor
    log_pace: Tensor
    notehead: Tensor
    passed: Tensor

    def packed(self) -> Tensor:
        """All of it as rows, (B, C, READ_FEATURES)."""
        return torch.cat([self.part, self.key, torch.stack(self[2:], dim=2)], dim=2)

    @classmethod
    def unpacked(cls, rows: Tensor) -> ReadCells:
        part, key, rest = rows.split([MATCH_FEATURES, CELL_FEATURES, 3], dim=-1)
        return cls(part, key, *rest.unbind(dim=-1))


class ReadingNetwork(nn.Module):
    """See above.

    Args:
        rows: of the sheet.
        bands: of the sound.
        frames: rows of sound that a query may depend on.

    Attributes:
        past: rows of sound that a query does depend on, at most `frames`.
    """

    has_dropout = False
    has_batch_norm = False

    def __init__(self, rows: int, bands: int, frames: int) -> None:
        super().__init__()
        self.rows, self.bands = rows, bands
        self.sheet_layers, channels, left = _stack(SHEET, rows)
        self.sheet_layers.append(nn.Conv2d(channels, SHEET_TOP, (left, 1)))
        self.cells = nn.Conv1d(SHEET_TOP, CELL_FEATURES, 3)
        self.sound_layers, channels, left = _stack(SOUND, bands)
        self.sound_layers.append(nn.Conv2d(channels, QUERY_FEATURES, (left, 1)))
        self.past = COLUMN_ROWS
        self.queries = nn.ModuleList()
        for dilation in DILATIONS:
            if self.past + 2 * dilation > frames:
                break
            self.queries.append(nn.Conv1d(QUERY_FEATURES, QUERY_FEATURES, 3, dilation=dilation))
            self.past += 2 * dilation
        self.cell_part = nn.Linear(CELL_FEATURES, MATCH_FEATURES)
        self.query_part = nn.Linear(QUERY_FEATURES, MATCH_FEATURES)
        self.neighbours = nn.Conv1d(MATCH_FEATURES, MATCH_FEATURES, 3)
        self.place = nn.Linear(MATCH_FEATURES, 1)
        self.read_notes = nn.Linear(CELL_FEATURES, KEYS)
        self.hear_notes = nn.Linear(QUERY_FEATURES, KEYS)
        self.cell_key = nn.Linear(CELL_FEATURES + KEYS, CELL_FEATURES)
        self.query_key = nn.Linear(QUERY_FEATURES + KEYS, CELL_FEATURES)
        self.pace_part = nn.Conv1d(CELL_FEATURES, PACE_FEATURES, 3)
        self.pace = nn.Linear(PACE_FEATURES, 1)
        for head in (self.read_notes, self.hear_notes):
            nn.init.constant_(head.bias, RARE)
        nn.init.zeros_(self.pace.weight)  # at first the same everywhere
        nn.init.zeros_(self.pace.bias)

    def sheet(self, strips: Tensor) -> Tensor:
        """Read strips of sheet, uint8 (B, W, rows), 255 = ink. Returns cells, (B, C, 64), of which number c has its centre at
        column CELL * c + CELL_COLUMNS // 2."""
        ink = strips.transpose(1, 2)[:, None].float().div_(255).contiguous(memory_format=torch.channels_last)
        for layer in self.sheet_layers:
            ink = functional.elu(layer(ink))
        return functional.elu(self.cells(ink[:, :, 0])).transpose(1, 2)

    def sound(self, rows: Tensor) -> Tensor:
        """Hear sound, float32 (B, T + past - 1, bands). Returns queries, (B, T, 96); number t hears rows t to t + past - 1."""
        return self.queries_of(self.columns(rows))[0]

    def columns(self, rows: Tensor) -> Tensor:
        """Hear sound, float32 (B, n + COLUMN_ROWS - 1, bands), moment by moment. Returns (B, 96, n)."""
        heard = rows.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)
        for layer in self.sound_layers:
            heard = functional.elu(layer(heard))
        return heard[:, :, 0]

    def queries_of(self, heard: Tensor, before: Sequence[Tensor] = ()) -> tuple[Tensor, list[Tensor]]:
        """Queries, (B, T, 96), of columns (B, 96, T + past - COLUMN_ROWS), and what each layer heard for them.

        before: what each layer heard so far, as returned for the frame before; then heard is the newest column, (B, 96, 1), and
        T is 1.
        """
        inputs = []
        for number, (layer, dilation) in enumerate(zip(self.queries, DILATIONS)):
            assert isinstance(layer, nn.Conv1d)
            if before:
                heard = torch.cat([before[number], heard], dim=2)[..., -1 - 2 * dilation :]
                # The three columns that the convolution takes, as one vector: for one output that is five times as fast.
                taken = heard[..., ::dilation].flatten(1)
                convolved = functional.linear(taken, layer.weight.flatten(1), layer.bias)[..., None]
            else:
                convolved = layer(heard)
            inputs.append(heard)
            heard = functional.elu(convolved) + heard[..., 2 * dilation :]
        return heard.transpose(1, 2), inputs

    def match(self, cells: Tensor, queries: Tensor) -> Tensor:
        """Compare cells (B, C, 64) with queries (B, T, 96).

        Returns logits of the places, float32 (B, T, C - 2). Place p is where cell p + 1 is.
        """
        return self.compare(self.cell_part(cells), self._cell_keys(cells), queries)

    def compare(self, parts: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """As match, of what is known of the cells already (ReadCells)."""
        pairs = functional.elu(parts[:, None] + self.query_part(queries)[:, :, None])  # (B, T, C, features)
        beside = self.neighbours(pairs.flatten(0, 1).transpose(1, 2)).transpose(1, 2).unflatten(0, pairs.shape[:2])
        judged = self.place(pairs[:, :, 1:-1] + functional.elu(beside))[..., 0]
        query_keys = self.query_key(torch.cat([queries, self.hear_notes(queries).sigmoid()], dim=2))
        alike = query_keys @ keys[:, 1:-1].transpose(1, 2) / CELL_FEATURES**0.5
        return (judged + alike).float()

    def _cell_keys(self, cells: Tensor) -> Tensor:
        return self.cell_key(torch.cat([cells, self.read_notes(cells).sigmoid()], dim=2))

    def read(self, cells: Tensor) -> ReadCells:
        """What is known of cells (B, C, 64) before anything is heard."""
        noteheads = self.noteheads(cells)
        of_places = (functional.pad(values, (1, 1)) for values in (self.paces(cells), noteheads, noteheads.cumsum(dim=1)))
        return ReadCells(self.cell_part(cells).float(), self._cell_keys(cells).float(), *of_places)

    def paces(self, cells: Tensor) -> Tensor:
        """How fast music moves over the places of cells (B, C, 64) at a steady tempo, as the spacing and the notes tell.

        Returns float32 (B, C - 2): the logarithm of its pixels per frame, up to a number that is the same for all places.
        """
        return self.pace(functional.elu(self.pace_part(cells.transpose(1, 2))).transpose(1, 2))[..., 0].float()

    def noteheads(self, cells: Tensor) -> Tensor:
        """The probability that a note begins at the places of cells (B, C, 64), float32 (B, C - 2)."""
        return _any(self.read_notes(cells[:, 1:-1]))

    def onsets(self, queries: Tensor) -> Tensor:
        """The probability that a note has just begun, in the NEWEST frames, of queries (B, T, 96), float32 (B, T)."""
        return _any(self.hear_notes(queries))

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether the network's answer to some sheet and sound is finite. Draws no random numbers."""
        device = self.place.weight.device
        strip = torch.arange(PLACE_COLUMNS * self.rows, device=device).remainder(256).to(torch.uint8)
        sound = torch.linspace(0, 1, self.past * self.bands, device=device)
        cells = self.sheet(strip.view(1, PLACE_COLUMNS, self.rows))
        queries = self.sound(sound.view(1, self.past, self.bands))
        answers = (self.match(cells, queries), self.paces(cells), cells, queries)
        return all(bool(each.isfinite().all()) for each in answers)


def _any(logits: Tensor) -> Tensor:
    """The probability that any of the keys is there, float32, of logits (..., keys)."""
    return 1 - (1 - logits.float().sigmoid()).prod(dim=-1)


def _stack(layers: tuple[tuple[int, tuple[int, int], tuple[int, int]], ...], rows: int) -> tuple[nn.ModuleList, int, int]:
    """Convolutions, their last number of channels, and the rows that they leave."""
    stack, before = nn.ModuleList(), 1
    for channels, kernel, stride in layers:
        stack.append(nn.Conv2d(before, channels, kernel, stride))
        before, rows = channels, (rows - kernel[0]) // stride[0] + 1
    return stack, before, rows


def rows_heard(config: GameConfig) -> int:
    """Rows of a ScoreBank's sound in a window. At factor 0.5 a row is the mean of two frames, so there is one less."""
    return config.spec_context - round(1 / config.spec_factor) + 1


def column_step(config: GameConfig) -> int:
    """Pixels of a sheet per column that the network sees."""
    return round(1 / config.sheet_factor)


def reading_network(name: str, config: GameConfig) -> ReadingNetwork:
    """A new network for a game. Raises UserError for another name than ReadingNet, and for windows that are too small."""
    if name != NAME:
        raise UserError(f"--net {name}: reading and listening is what {NAME} does; use --net {NAME}")
    columns, least = config.sheet_shape[2], PLACE_COLUMNS + CELL * LEAST_PLACES
    if columns < least:
        raise UserError(f"network {NAME} needs a sheet window of {least} columns, but the game config shows {columns}")
    try:
        return ReadingNetwork(config.sheet_shape[1], config.spec_shape[1], rows_heard(config))
    except RuntimeError:
        sizes = f"sheet {config.sheet_shape[1:]} and spectrogram {config.spec_shape[1:]}"
        raise UserError(f"network {NAME}: the windows of the game config are too small for it ({sizes})") from None


def places_in_view(config: GameConfig) -> int:
    """The largest number of places whose columns all lie within the window of a game."""
    return (config.sheet_shape[2] - PLACE_COLUMNS) // CELL + 1


def place_at(x: Tensor, config: GameConfig) -> Tensor:
    """Places, with fractions, at distances x from the left edge of a strip; pixels of the sheet before it is resized."""
    return (x / column_step(config) - PLACE_COLUMNS // 2) / CELL


def position_of(place: Tensor, config: GameConfig) -> Tensor:
    """The opposite of place_at: float64 pixels of the sheet at the middles of places, which may have fractions."""
    return column_step(config) * (CELL * place.double() + PLACE_COLUMNS // 2)
