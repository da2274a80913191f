"""Make the moving picture of the README, docs/images/follow.gif: python tools/docs/follow_gif.py

Films the agent `nottingham` on a bundled tune with test_score_following.py --video, and converts ten seconds of the film.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

from score_following_game.command_line import script
from score_following_game.errors import UserError
from score_following_game.files import replacing

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "follow.gif"
FILM = "test_score_following.py --params nottingham --data_set test_sample --piece Joy --deterministic --video"
BEGIN, SECONDS, RATE, WIDTH, COLOURS = 1, 10, 7, 640, 64
MOST_BYTES = 1_500_000
# One palette for all frames and no dithering: flat areas stay flat, which GIF compresses well.
FILTERS = (
    f"fps={RATE},scale={WIDTH}:-1:flags=area,split[a][b];[a]palettegen=max_colors={COLOURS}:stats_mode=full[p];"
    "[b][p]paletteuse=dither=none:diff_mode=rectangle"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, replacing(PICTURE) as temporary:
        film = Path(folder) / "follow.mp4"
        subprocess.run([sys.executable, *FILM.split(), str(film)], cwd=ROOT, check=True)
        part = ["-ss", str(BEGIN), "-t", str(SECONDS), "-i", str(film), "-vf", FILTERS, "-f", "gif", "-y", str(temporary)]
        subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *part], check=True)
        if (size := temporary.stat().st_size) > MOST_BYTES:
            raise UserError(f"{PICTURE}: {size} bytes, more than {MOST_BYTES}; lower SECONDS or COLOURS")
    print(f"{PICTURE} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    with script():
        main()
