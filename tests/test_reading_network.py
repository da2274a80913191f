"""The reading network: which pixels and which sound a place depends on, and what is computed once for a whole piece."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from score_following_game.agents.reading.features import Features, sounds, strips
from score_following_game.agents.reading.network import (
    CELL,
    CELL_COLUMNS,
    PLACE_COLUMNS,
    ReadingNetwork,
    place_at,
    places_in_view,
    reading_network,
    rows_heard,
)
from score_following_game.config import GameConfig, load_game_config
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError


@pytest.fixture(scope="module")
def network(config: GameConfig) -> ReadingNetwork:
    torch.manual_seed(0)
    return reading_network("ReadingNet", config).eval()


@torch.no_grad()
def test_the_centre_of_a_cell_and_of_a_place_is_where_it_says(network: ReadingNetwork, config: GameConfig):
    """A mark changes exactly the cells and places that it is in the columns of."""
    blank, column = torch.zeros(1, 209, network.rows, dtype=torch.uint8), 100
    marked = blank.clone()
    marked[0, column, 10:20] = 255
    cells = [network.sheet(each) for each in (blank, marked)]
    assert cells[0].shape == (1, (209 - CELL_COLUMNS) // CELL + 1, 64)
    centres = CELL * torch.arange(cells[0].shape[1]) + CELL_COLUMNS // 2
    assert torch.equal((cells[0] != cells[1])[0].any(1), (centres - column).abs() <= CELL_COLUMNS // 2)
    query = torch.randn(1, 1, 96, generator=torch.Generator().manual_seed(0))
    places = [network.match(each, query)[0, 0] for each in cells]
    at = CELL * torch.arange(len(places[0])) + PLACE_COLUMNS // 2
    assert torch.equal(places[0] != places[1], (at - column).abs() <= PLACE_COLUMNS // 2)
    torch.testing.assert_close(place_at(at.double(), config), torch.arange(len(at)).double())  # its factor is 1
    half = replace(config, sheet_factor=0.5)
    torch.testing.assert_close(place_at(2 * at.double(), half), torch.arange(len(at)).double())


@torch.no_grad()
@pytest.mark.parametrize("name", ["nottingham", "nottingham_ls1", "mutopia_lchs1a", "long_past"])
def test_a_query_hears_its_own_past_and_no_more(name: str):
    config = load_game_config(name)
    torch.manual_seed(0)
    network = reading_network("ReadingNet", config).eval()
    assert 30 < network.past <= rows_heard(config)
    sound = torch.rand(1, network.past + 9, network.bands)
    changed = sound.clone()
    changed[0, network.past + 3] += 1
    queries = [network.sound(each) for each in (sound, changed)]
    assert (queries[0] != queries[1])[0].any(1).tolist() == [False] * 4 + [True] * 6


@torch.no_grad()
@pytest.mark.parametrize("name", ["nottingham", "mutopia_lc"])
def test_a_passage_has_the_features_of_the_whole_piece(bank: ScoreBank, name: str):
    pieces = [replace(piece, sheet=piece.sheet.repeat(4, axis=0)) for piece in bank.pieces]
    bank = ScoreBank(pieces, load_game_config(name))
    torch.manual_seed(0)
    network = reading_network("ReadingNet", bank.config).eval()
    network.pace.weight.fill_(0.1)  # in a new network it is 0, and the pace the same everywhere
    features = Features(network, bank, torch.float32)
    step = round(1 / bank.config.sheet_factor)
    piece, frame, first = torch.tensor([2, 0]), torch.tensor([31, 8]), torch.tensor([9, 20])
    cells, queries = features.at(piece, frame, first, 12)
    own = network.sheet(strips(bank, piece, first * CELL * step, CELL_COLUMNS + 11 * CELL))
    found, of_whole = (cells._replace(passed=cells.passed - cells.passed[:, 1:2]) for cells in (network.read(own), cells))
    assert (of_whole.passed[:, -2] > 0).all() and (cells.passed[:, 1] > found.passed[:, 1]).all()  # of all noteheads before it
    for read, expected in zip(found, of_whole):
        torch.testing.assert_close(read[:, 1:-1], expected[:, 1:-1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.sound(sounds(bank, piece, frame, 1, network.past))[:, 0], queries, atol=1e-5, rtol=1e-4)
    alone = [features.at(piece[one], frame[one], first[one], 12)[1] for one in (slice(0, 1), slice(1, 2))]
    torch.testing.assert_close(torch.cat(alone), queries, atol=1e-5, rtol=1e-4)
    network.read_notes.bias.add_(1)  # a change of parameters, as training makes it
    network.cells.bias.add_(1)
    assert all(not torch.equal(*reads) for reads in zip(features.at(piece, frame, first, 12)[0], cells))


@pytest.mark.parametrize("name", ["nottingham", "nottingham_ls1", "long_past"])
def test_the_sound_of_a_query_is_in_the_window_of_its_frame(bank: ScoreBank, name: str):
    bank = ScoreBank(bank.pieces, load_game_config(name))
    frame, step = torch.tensor([40]), round(1 / bank.config.spec_factor)
    rows = sounds(bank, torch.tensor([1]), frame, 1, rows_heard(bank.config))[0]
    x = torch.tensor([500.0], dtype=torch.float64)
    window, _ = observe(bank, Position(torch.tensor([1]), frame, x, frame, x))
    torch.testing.assert_close(rows[::step].T, window[0, 0])
    assert rows.shape[0] == bank.config.spec_context - step + 1  # the last row of the window is the last one heard


def test_the_strip_of_a_window_is_what_the_window_shows(bank: ScoreBank):
    config = bank.config
    x = torch.tensor([477.0], dtype=torch.float64)
    left = (x - config.sheet_context / 2).long()
    zero = torch.tensor([0])
    _, window = observe(bank, Position(zero, zero, x, zero, x))
    torch.testing.assert_close(strips(bank, zero, left, config.sheet_shape[2])[0].T / 255, window[0, 0])
    assert CELL * (places_in_view(config) - 1) + PLACE_COLUMNS <= config.sheet_shape[2]


def test_what_does_not_fit_is_refused(config: GameConfig):
    with pytest.raises(UserError, match="--net BaselineNet: reading and listening is what ReadingNet does"):
        reading_network("BaselineNet", config)
    with pytest.raises(UserError, match="network ReadingNet needs a sheet window of 105 columns, but the game config shows 30"):
        reading_network("ReadingNet", replace(config, sheet_context=30, sheet_shape=(2, 40, 30)))
    with pytest.raises(UserError, match="are too small for it"):
        reading_network("ReadingNet", replace(config, staff_height=8, sheet_shape=(2, 8, 150)))


def test_what_is_heard_frame_by_frame_is_what_is_heard_at_once(bank: ScoreBank, network: ReadingNetwork):
    """Whatever comes before: the next frame, a jump, the same frame once more with other sound, another piece."""

    def frame_by_frame(features: Features, index: int, frame: int) -> Tensor:
        piece, at = torch.tensor([index]), torch.tensor([frame])
        return features.at(piece, at, torch.zeros_like(at), 3)[1][0]

    def at_once(of: ScoreBank, index: int, frame: int) -> Tensor:
        two = torch.full((2,), index)
        return Features(network, of, torch.float32).at(two, torch.full((2,), frame), torch.zeros_like(two), 3)[1][0]

    own = ScoreBank(bank.pieces[:2], bank.config)
    features = Features(network, own, torch.float32)
    for index, frame in [*((0, frame) for frame in range(36)), (0, 30), (0, 31), (1, 32), (1, 33), (0, 34), (0, 35)]:
        torch.testing.assert_close(frame_by_frame(features, index, frame), at_once(own, index, frame), atol=1e-5, rtol=0)
    frame_by_frame(features, 0, 0)
    own.spec.add_(0.5)  # as when the first frame was asked for before the music began
    for frame in (0, 1, 2):
        torch.testing.assert_close(frame_by_frame(features, 0, frame), at_once(own, 0, frame), atol=1e-5, rtol=0)
