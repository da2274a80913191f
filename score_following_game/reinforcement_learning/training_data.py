"""The training and validation pieces of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.switches import parse_switches
from score_following_game.data_processing.augmentation import augmented
from score_following_game.data_processing.dataset import find_data_set, load_data_set
from score_following_game.data_processing.manifest import EVALUATION_ONLY, MANIFEST_NAME, is_manifest, read_manifest
from score_following_game.data_processing.medley import medleys
from score_following_game.data_processing.piece import Piece, can_be_performed
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.files import visible_files
from score_following_game.limits import set_minutes_of_music
from score_following_game.optional_libraries import require_libraries
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.settings import Settings

if TYPE_CHECKING:
    from score_following_game.reinforcement_learning.renewal import Renewal

PLACE = 2.0  # of a training piece in the bank, relative to its own size: renditions may be slower and begin later


@dataclass(frozen=True)
class Pieces:
    """The pieces of a run. train, evaluation: banks that games are played in. first: the training pieces in the bank at the
    beginning, as on disk. waiting: those that renditions are made of later."""

    train: ScoreBank
    evaluation: ScoreBank
    first: list[Piece]
    waiting: list[Piece]


def load_pieces(settings: Settings, config: GameConfig, rules: GameConfig, device: torch.device) -> Pieces:
    """Load the pieces of a run.

    Args:
        rules: The game config for the validation pieces.

    Returns:
        The training pieces with medleys and variants, and the validation pieces.

    Raises:
        UserError: A set cannot be loaded, the training set is for evaluation only, or --pieces_at_once has no place for all
            recordings.
    """
    _require_for_training(settings.train_set)
    set_minutes_of_music(settings.max_minutes_of_music)
    sound_font = Path(settings.sound_font) if settings.sound_font else None
    changing = bool(settings.world and settings.pieces_at_once)
    reads = settings.agent == "reading"
    with distributed.first_on_each_machine():
        train_set = load_data_set(settings.train_set, config, sound_font=sound_font, silent=changing, note_tables=reads)
        eval_set = load_data_set(settings.eval_set, config, sound_font=sound_font)
    train_set = [*train_set, *medleys(train_set, settings.medleys, settings.seed)]
    if settings.eval_conditions:
        from score_following_game.data_processing.acoustics.conditions import spread

        eval_set = spread(eval_set, rules, settings.seed)
    room = PLACE if settings.world else 1.0
    train_set = augmented(train_set, settings.augment, settings.seed)
    waiting: list[Piece] = []
    if changing:
        train_set, waiting = _in_turn(train_set, settings.pieces_at_once or 0, settings.seed)
    return Pieces(
        ScoreBank(train_set, config, device, room, guests=waiting), ScoreBank(eval_set, rules, device), train_set, waiting
    )


def _in_turn(pieces: list[Piece], at_once: int, seed: int) -> tuple[list[Piece], list[Piece]]:
    """The pieces that are played first, with all recordings among them, and those that wait, both in random order.

    Raises UserError when there are more recordings than places.
    """
    order = [pieces[index] for index in np.random.default_rng(seed).permutation(len(pieces))]
    order.sort(key=can_be_performed)
    recordings = sum(not can_be_performed(piece) for piece in pieces)
    if recordings > at_once:
        raise UserError(
            f"--pieces_at_once {at_once}: {recordings} training pieces have a sound of their own and are not performed again; "
            f"give {recordings} or more"
        )
    return order[:at_once], order[at_once:]


def make_renewal(settings: Settings, pieces: Pieces, sampler: StartSampler, seed: int) -> Renewal | None:
    """What performs the training pieces again; None without --world. Raises UserError for a font that cannot be read."""
    if not settings.world:
        return None
    from score_following_game.data_processing.acoustics.world import World  # imports what is slow to import
    from score_following_game.reinforcement_learning.renewal import Renewal

    if "rooms" in (switches := parse_switches(settings.world, "--world")):
        require_libraries("--world with rooms", "rooms", "pyroomacoustics")
    fonts = tuple(Path(font) for font in (settings.world_fonts or "").split(",") if font)
    for font in fonts:
        require_sound_font(font)
    remembered = settings.memory // (settings.n_worker * settings.t_max) if settings.agent == "lookahead" else 0
    return Renewal(pieces.train, sampler, World(switches, fonts, settings.keyboards_only), seed, remembered, pieces.waiting)


def _require_for_training(train_set: str) -> None:
    """Raise UserError if the manifest of the set, or of a set below it, says that it is for evaluation only."""
    for file in visible_files(find_data_set(train_set)):
        if file.name == MANIFEST_NAME and is_manifest(file) and read_manifest(file).evaluation_only:
            raise UserError(f"--train_set {train_set}: {file} says {EVALUATION_ONLY}; name another set to train with")
