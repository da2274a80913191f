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


def load_pieces(
    data_set: str | os.PathLike[str],
    *,
    game_config: str | os.PathLike[str] | GameConfig = DEFAULT_GAME_CONFIG,
    piece: str | None = None,
    sound_font: str | os.PathLike[str] | None = None,
    tempo: float = 1.0,
) -> list[Piece]:
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

    Examples:
        >>> pieces = sfg.load_pieces("test_sample")
        >>> [piece.name for piece in pieces]
        ['test_1_Joy_to_the_World', 'test_4_Minuet_in_G']
    """
    config = load_game_config(game_config)
    font = Path(sound_font) if sound_font is not None else None
    return load_data_set(data_set, config, piece, font, tempo)


def bank_of(pieces: Sequence[Piece] | str | os.PathLike[str], config: GameConfig, device: str) -> ScoreBank:
    """A score bank of pieces, or of a data set by its name, under the rules of a config.

    Raises UserError where the pieces were loaded for other audio settings, or do not fit the config.
    """
    if isinstance(pieces, (str, os.PathLike)):
        pieces = load_pieces(pieces, game_config=config)
    if not pieces:
        raise UserError("the list of pieces is empty: there is nothing to play")
    for piece in pieces:
        if not isinstance(piece, Piece):
            raise UserError(f"{piece!r} is no piece; load_pieces() returns some")
        if piece.heard_for is not None and not same_sound(piece.heard_for, config):
            raise UserError(
                f"{piece.name}: was loaded for other audio settings than the agent's; use "
                "load_pieces(..., game_config=agent.config)"
            )
    return ScoreBank(pieces, config, device)


def same_sound(one: GameConfig, other: GameConfig) -> bool:
    """Returns True if pieces loaded for one config sound right in a game of the other."""
    return one.spectrogram_params == other.spectrogram_params and one.audio_peak == other.audio_peak
