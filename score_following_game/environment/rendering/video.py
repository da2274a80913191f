"""Recording of pictures: a film with sound, and a folder of PNG files."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

import imageio_ffmpeg
import numpy as np
import soundfile

from score_following_game.data_processing.audio import Audio
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH
from score_following_game.errors import UserError
from score_following_game.files import replacing, require_writable
from score_following_game.opencv import cv2

Recorder = Callable[[np.ndarray], None]  # takes a BGR uint8 picture
SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v")


@contextlib.contextmanager
def film(
    path: str | os.PathLike[str],
    fps: float,
    audio: Audio | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Iterator[Recorder]:
    """Yield a recorder of BGR pictures; the film (H.264, with AAC sound) is complete when the block ends.

    size: width and height of the pictures, even numbers. The audio begins with the first picture and is cut at the last. If the
    block raises an exception, no file is left. Raises UserError when the path cannot be written or ffmpeg fails.
    """
    path = Path(path)
    require_filmable(path)
    with replacing(path) as temporary, tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "w+b") as log:
        sound = _write_sound(Path(folder) / "sound.wav", audio)
        process, pictures = _start(_command(temporary, fps, size, sound), path, log)
        try:
            yield lambda picture: _send(process, pictures, picture, path, log)
            pictures.close()
            if process.wait() != 0:
                raise _refusal(path, log)
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                pictures.close()


def require_filmable(path: str | os.PathLike[str]) -> None:
    """Raise UserError for a film that cannot be written, before the game it is to show."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    require_writable(path)


def _command(path: Path, fps: float, size: tuple[int, int], sound: Path | None) -> list[str]:
    command = [
        "-y",
        "-loglevel",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "bgr24",
        "-s",
        f"{size[0]}x{size[1]}",
        "-r",
        str(fps),
        "-i",
        "-",
    ]
    if sound:
        # Padded with silence, then cut at the last picture, so that sound and pictures end together.
        command += ["-i", str(sound), "-af", "apad", "-c:a", "aac", "-b:a", "160k", "-shortest"]
    # Without a colour space players guess one, and white turns green.
    colours = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    return [
        *command,
        *colours,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "20",
        "-pix_fmt",
        "yuv420p",
        "-movflags",
        "+faststart",
        str(path),
    ]


def _start(arguments: list[str], path: Path, log: BinaryIO) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the ffmpeg that comes with imageio-ffmpeg, or the one named in IMAGEIO_FFMPEG_EXE."""
    try:
        # In a session of its own, so that Ctrl-C interrupts only this process, which then ends the film properly.
        process = subprocess.Popen(
            [imageio_ffmpeg.get_ffmpeg_exe(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"{path}: there is no ffmpeg to write it ({' '.join(str(error).split())}); install "
            "imageio-ffmpeg, or name one in IMAGEIO_FFMPEG_EXE"
        ) from None
    assert process.stdin is not None  # it is a pipe
    return process, process.stdin


def _write_sound(path: Path, audio: Audio | None) -> Path | None:
    if audio is None:
        return None
    soundfile.write(path, audio.samples, audio.rate)
    return path


def _send(process: subprocess.Popen[bytes], pictures: IO[bytes], picture: np.ndarray, path: Path, log: BinaryIO) -> None:
    try:
        pictures.write(np.ascontiguousarray(picture).data)
    except BrokenPipeError:
        process.wait()
        raise _refusal(path, log) from None


def _refusal(path: Path, log: BinaryIO) -> UserError:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return UserError(f"{path}: ffmpeg failed ({lines[-1].strip() if lines else 'no message'})")


@contextlib.contextmanager
def picture_folder(folder: str | os.PathLike[str] = "video_frames") -> Iterator[Recorder]:
    """Yield a recorder that writes folder/000000.png, 000001.png, ...; first deletes the pictures of an earlier run."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            if re.fullmatch(r"\d{6}\.png", old.name):
                old.unlink()
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    count = 0

    def record(picture: np.ndarray) -> None:
        nonlocal count
        path = folder / f"{count:06d}.png"
        if not cv2.imwrite(str(path), picture):
            raise UserError(f"{path}: cannot be written")
        count += 1

    yield record
