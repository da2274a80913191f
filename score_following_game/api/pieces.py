"""Pieces to play, loaded for a game config."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError


class Pieces(list[Piece]):
    """The pieces of a data set, a list in name order.

    Attributes:
        config: the game config they were loaded for; its audio settings decide how they are heard.
    """

    def __init__(self, pieces: Sequence[Piece], config: GameConfig) -> None:
        super().__init__(pieces)
        self.config = config


def load_pieces(
    data_set: str | os.PathLike[str],
    *,
    game_config: str | os.PathLike[str] | GameConfig = DEFAULT_GAME_CONFIG,
    piece: str | None = None,
    sound_font: str | os.PathLike[str] | None = None,
    tempo: float = 1.0,
) -> Pieces:
    """Load the pieces of a folder.

    Args:
        data_set: folder of pieces (NAME.npz with NAME.mid beside it), or a bundled set ("test_sample").
        game_config: path, name or GameConfig whose audio settings count; pass `agent.config` for an agent of another game.
        piece: load this one only: its name, or a part that only one name contains.
        sound_font: SoundFont file for MIDI performances; by default that of the data set, else the bundled one.
        tempo: play MIDI performances at this multiple of their speed.

    Returns:
        The pieces in name order. Unusable ones are left out with a warning.

    Raises:
        UserError: no such folder, no usable piece, or no such `piece`.

    Example:
        >>> pieces = sfg.load_pieces("test_sample")
        >>> [piece.name for piece in pieces]
        ['test_1_Joy_to_the_World', 'test_4_Minuet_in_G']
    """
    config = game_config if isinstance(game_config, GameConfig) else load_game_config(game_config)
    font = Path(sound_font) if sound_font is not None else None
    return Pieces(load_data_set(data_set, config, piece, font, tempo), config)


def bank_of(pieces: Sequence[Piece] | str | os.PathLike[str], config: GameConfig, device: str) -> ScoreBank:
    """A score bank of pieces, or of a data set by its name, under the rules of a config.

    Raises UserError where the pieces were loaded for other audio settings, or do not fit the config.
    """
    if isinstance(pieces, (str, os.PathLike)):
        pieces = load_pieces(pieces, game_config=config)
    if not pieces:
        raise UserError("no pieces to play: load_pieces() returned some, but the list given is empty")
    if isinstance(pieces, Pieces) and not same_sound(pieces.config, config):
        raise UserError(
            "the pieces were loaded for other audio settings than the agent's; load them with "
            "load_pieces(..., game_config=agent.config)"
        )
    return ScoreBank(pieces, config, device)


def same_sound(one: GameConfig, other: GameConfig) -> bool:
    """Whether pieces loaded for one config sound right in a game of the other."""
    return one.spectrogram_params == other.spectrogram_params and one.audio_peak == other.audio_peak
