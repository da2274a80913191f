"""Reads and writes files of tensors: those of torch.save, without running anything in them, and safetensors."""

from __future__ import annotations

import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch
from torch import Tensor

from score_following_game import limits
from score_following_game.files import replacing
from score_following_game.reading import reading
from score_following_game.zip_files import open_zip

SAFETENSORS = ".safetensors"
_PICKLES = 5  # at the beginning of a file that torch wrote before 1.6; the storages follow them
_DEPTH = 12  # of containers in a checkpoint


def read_tensors(path: Path, problem: str) -> Any:
    """The content of a file of torch.save or safetensors: tensors on the CPU in plain containers.

    problem: of a file that is neither. Raises UserError naming the file.
    """
    with reading(path, problem), path.open("rb") as stream:
        limits.require_at_most(path.stat().st_size, limits.WEIGHTS_FILE, "bytes")
        if path.suffix.lower() == SAFETENSORS:
            (size,) = struct.unpack("<Q", stream.read(8))
            limits.require_at_most(size, limits.WEIGHTS_INDEX, "bytes in its index")
            content: Any = safetensors.torch.load_file(path)
        else:
            _require_modest(path, stream)
            try:
                content = torch.load(path, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError:  # its message recommends to trust the file
                raise ValueError("it holds more than tensors, numbers and texts in plain containers") from None
        _require_plain(content, _DEPTH)
    return content


def write_torch(path: Path, content: Any) -> None:
    """torch.save, atomically; equal contents give equal bytes. Raises WriteError."""
    with (
        replacing(path, make_parents=False) as temporary,
        temporary.open("wb") as stream,
    ):  # torch writes the name of a file into it
        failures = _Failures(stream)
        try:
            torch.save(content, failures)  # type: ignore[arg-type]  # it only writes
        except RuntimeError:
            if failures.error is not None:
                raise failures.error from None
            raise


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors atomically; equal tensors give equal bytes. Raises WriteError."""
    with replacing(path, make_parents=False) as temporary:
        temporary.write_bytes(safetensors.torch.save(dict(tensors)))


class _Failures:
    """Passes on what is written, and keeps the exception, for which torch raises another that does not name the cause."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._stream.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._stream.flush()


def _require_modest(path: Path, stream: IO[bytes]) -> None:
    """Raise TooLarge or ValueError for a file that grows while it is read."""
    if stream.read(2) != b"PK":
        stream.seek(0)
        for _ in range(_PICKLES):
            for _operation in pickletools.genops(stream):
                limits.require_at_most(stream.tell(), limits.OLD_WEIGHTS_INDEX, "bytes before its tensors")
        return
    with open_zip(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, which torch.save never does")
        limits.require_at_most(sum(member.file_size for member in members), path.stat().st_size, "bytes in its members")
        index = sum(member.file_size for member in members if member.filename.endswith(".pkl"))
        limits.require_at_most(index, limits.WEIGHTS_INDEX, "bytes in its index")


def _require_plain(content: Any, depth: int) -> None:
    """Raise ValueError for a tensor that is sparse, without data or larger than its data, and for containers too deep."""
    if isinstance(content, Tensor):
        if content.layout != torch.strided or content.device.type != "cpu" or content.is_quantized:
            raise ValueError(f"a tensor is {content.layout} on {content.device}, expected a dense one on the CPU")
        if math.prod(content.shape) * content.element_size() > content.untyped_storage().nbytes():
            raise ValueError(f"a tensor of shape {tuple(content.shape)} is larger than its data")
    elif isinstance(content, (Mapping, list, tuple)):
        if depth == 0:
            raise ValueError("its containers are nested too deeply")
        for value in content.values() if isinstance(content, Mapping) else content:
            _require_plain(value, depth - 1)
