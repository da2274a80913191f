"""The state of a run that --resume needs: what it contains, how it is gathered from the processes, written and read."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from score_following_game.agents.torch_files import read_tensors, write_torch
from score_following_game.data_processing.manifest import fits
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError
from score_following_game.reading import reading
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.rollouts.rollout import get_random_state, set_random_state
from score_following_game.reinforcement_learning.settings import Settings, require_same, settings_as_dict
from score_following_game.run_files import CHECKPOINT_FILE, SETTINGS_FILE

CHECKPOINT_VERSION = 6  # 4: the states of several processes; 6: steps, LSTM state


_PARTS: dict[str, Any] = {
    **dict.fromkeys(("updates", "steps", "evaluated_at"), int),
    "seconds": float,
    "settings": dict[str, Any],
    "pieces": dict[str, dict[str, int]],
    "processes": list[dict[str, Any]],
}
_ADVICE = "start a new run with --ini_params"


class Stateful(Protocol):
    """An object whose state is saved and restored as PyTorch modules and optimisers do it."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


@dataclass
class Progress:
    """How far a run is. steps: game steps of all games of all processes. evaluated_at: the update of the last evaluation, -1
    before the first. seconds: of training, not counting evaluations."""

    updates: int = 0
    steps: int = 0
    evaluated_at: int = -1
    seconds: float = 0.0


@dataclass(frozen=True)
class RunState:
    """Everything a checkpoint contains besides the progress.

    common: parts whose state is the same in all processes. own: parts with a state of their own in every process.
    sets: "train_set" and "eval_set" -> the pieces; a resumed run must have the same ones.
    """

    settings: Settings
    device: torch.device
    sets: Mapping[str, Sequence[Piece]]
    common: Mapping[str, Stateful]
    own: Mapping[str, Stateful]
    eval_generator: torch.Generator

    @cached_property
    def pieces(self) -> dict[str, dict[str, int]]:
        """ "train_set", "eval_set" -> name of a piece -> digest. Cached, because hashing takes a while."""
        return {name: {piece.name: piece_digest(piece) for piece in pieces} for name, pieces in self.sets.items()}

    def of_processes(self) -> list[Mapping[str, Any]]:
        """In the first process, the state of every process by rank; in the others an empty list. All processes call it."""
        own = {name: part.state_dict() for name, part in self.own.items()}
        return distributed.gather({**own, "random_state": get_random_state(self.device)})

    def write(self, directory: Path, progress: Progress, processes: list[Mapping[str, Any]]) -> None:
        """Write the checkpoint file. processes: as of_processes returned it. Only the first process calls it."""
        content = {
            "version": CHECKPOINT_VERSION,
            "updates": progress.updates,
            "steps": progress.steps,
            "evaluated_at": progress.evaluated_at,
            "seconds": progress.seconds,
            "settings": settings_as_dict(self.settings),
            "pieces": self.pieces,
            **{name: part.state_dict() for name, part in self.common.items()},
            "processes": processes,
            "eval_generator": self.eval_generator.get_state(),
        }
        write_torch(directory / CHECKPOINT_FILE, content)

    def load(self, directory: Path) -> Progress:
        """Restore all parts from a checkpoint that the first process reads. Raises UserError as read_checkpoint does."""
        state = distributed.from_first(lambda: read_checkpoint(directory, self.settings, self.pieces))
        own = state["processes"][distributed.rank()]
        path = directory / CHECKPOINT_FILE
        for parts, saved in ((self.common, state), (self.own, own)):
            for name, part in parts.items():
                with reading(path, f"its part {name} cannot be restored", _ADVICE):
                    part.load_state_dict(saved[name])
        with reading(path, "its states of random numbers cannot be restored", _ADVICE):
            self.eval_generator.set_state(state["eval_generator"])
            set_random_state(self.device, own["random_state"])
        return Progress(state["updates"], state["steps"], state["evaluated_at"], state["seconds"])


def read_checkpoint(directory: Path, settings: Settings, pieces: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Read a run directory's checkpoint, with its tensors on the CPU.

    Raises:
        UserError: It is unreadable, or was made with other settings, pieces or another number of processes.
    """
    path = directory / CHECKPOINT_FILE
    state: Any = read_tensors(path, "cannot be read as a checkpoint")
    if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
        raise UserError(f"{path}: not a checkpoint of this version; start a new run with --ini_params")
    for part, kind in _PARTS.items():
        if not fits(state.get(part), kind):
            raise UserError(f"{path}: its part {part} is missing or of the wrong type; {_ADVICE}")
    processes = len(state["processes"])
    if processes != distributed.world_size():
        raise UserError(
            f"{path}: comes from a run with {processes} process{'es' * (processes > 1)}, not {distributed.world_size()}; "
            f"resume with: {distributed.command(f'--resume {directory}', processes)}"
        )
    require_same(settings, state["settings"], str(directory / SETTINGS_FILE))
    for folder, now in pieces.items():
        if changed := sorted(set(now.items()) ^ set(state["pieces"].get(folder, {}).items())):
            raise UserError(
                f"{path}: the pieces of {getattr(settings, folder)} have changed since it was made (the first that differs: "
                f"{changed[0][0]}); start a new run with --ini_params"
            )
    return state


def piece_digest(piece: Piece) -> int:
    """A checksum of a piece's sheet, onsets and spectrogram."""
    arrays = (piece.sheet, piece.spectrogram, piece.onset_frames, piece.onset_x)
    digest = zlib.crc32(repr([array.shape for array in arrays]).encode())
    for array in arrays:
        digest = zlib.crc32(np.ascontiguousarray(array).data, digest)
    return digest


def parameter_digest(modules: Iterable[nn.Module]) -> str:
    """A short hash of all parameters and buffers, to compare them between processes."""
    digest = hashlib.sha256()
    for module in modules:
        for value in module.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
