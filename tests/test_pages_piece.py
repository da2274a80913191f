"""A PDF becomes a piece without notes: it is followed and filmed; training, judging and checking say what it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from pages_tools import draw_page, write_pdf, write_png

from score_following_game.config import load_game_config
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import read_manifest
from score_following_game.data_processing.page_map import map_path, read_page_map
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError


def write_recording(path: Path, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(int(seconds * 22050)) / 22050
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * times), 22050)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, run) -> Path:
    """The data set of one PDF with a recording."""
    folder = tmp_path_factory.mktemp("pages")
    source, recording = write_pdf(folder / "in" / "song.pdf"), write_recording(folder / "sound" / "song.wav")
    done = run("prepare_game_data.py", "--source", source, "--destination", folder / "set", "--check", "--audio", recording)
    assert "without notes, since it is made of pages: 1 piece (the first: song)" in done.stdout
    return folder / "set"


def test_the_files_of_the_piece(made: Path, run):
    assert {path.name for path in made.iterdir() if path.is_file() and path.name.startswith("song")} == {
        *("song.npz", "song.sheet.png", "song.pages.json", "song.page001.png", "song.wav")
    }
    score = read_score(made / "song.npz")
    assert score.sheet.shape[0] == 40
    assert not score.has_notes
    pages = read_page_map(map_path(made / "song.npz"), score.sheet.shape[1])
    assert pages.pages[0].picture == "song.page001.png"
    assert cv2.imread(str(made / "check" / "song.page001.png")) is not None
    entry = read_manifest(made / "manifest.json").pieces["song"]
    assert (entry.style, entry.notes, entry.performances) == ("nottingham", 0, {})
    assert "1 piece without notes, made of pages" in run("prepare_game_data.py", "--verify", made).stdout


def test_it_is_loaded_to_be_followed_only(made: Path):
    config = load_game_config("nottingham.yaml")
    (piece,) = load_data_set(made, config, without_notes=True)
    assert not piece.timed
    assert piece.spectrogram.shape == (78, 40)
    with pytest.raises(UserError, match=r"song\.npz: has no notes, since it is made of pages; it can be followed and filmed"):
        load_data_set(made, config)
    game = Game(ScoreBank([piece], config), 1)
    assert float(game.x[0]) - config.sheet_pad == piece.onset_x[0] > 0
    for frame in range(1, 41):
        step = game.step(game.piece * 0 + 2)  # faster and faster: far from anywhere, and never lost
        assert not step.lost[0]
        assert np.isnan(float(step.reward[0])) and np.isnan(float(step.error[0]))
        assert bool(step.terminated[0]) == (frame == 40)
    sheet_map, pages = map_of(piece, 20), read_page_map(map_path(made / "song.npz"), piece.sheet.shape[1])
    for x in np.linspace(0, piece.sheet.shape[1] - 1, 50):
        seen, place = sheet_map.place(x), pages.place(x)
        assert (seen.page, seen.system) == (place.page + 1, pages.systems[place.system].number)
        assert seen.x == place.x


def test_it_is_filmed(made: Path, run, tmp_path: Path):
    film = tmp_path / "film.mp4"
    done = run("test_score_following.py", "--params", "nottingham", "--data_set", made, "--video", film, "--no_sound")
    assert "The recording has ended; the agent was on page 1 of 1, in system " in done.stderr
    assert "warning" not in done.stderr
    assert film.stat().st_size > 1000


def test_judging_and_training_say_so_in_one_line(made: Path, run_here):
    for script, *options in (
        ("eval_score_following.py", "--params", "nottingham", "--data_set", made),
        ("sf_experiment.py", "--train_set", made, "--eval_set", made),
    ):
        done = run_here(script, *options)
        assert done.returncode == 2
        assert done.stderr.strip().splitlines()[-1].count("has no notes, since it is made of pages") == 1
        assert "Traceback" not in done.stderr


def test_what_counts_as_pages(tmp_path: Path):
    write_pdf(tmp_path / "a" / "one.pdf")
    for number in (1, 2, 10):
        write_png(tmp_path / "b" / f"{number}.png", draw_page(1))
    found = find_sources([tmp_path])
    assert [(source.name, len(source.pages)) for source in found] == [("b", 3), ("one", 1)]
    assert [file.name for file in found[0].pages] == ["1.png", "2.png", "10.png"]
    before = found[1].digest
    (tmp_path / "a" / "pages.yaml").write_text("skip: [1-1]\n")
    assert find_sources([tmp_path])[1].digest != before
    (tmp_path / "tune.abc").write_text("X:1\nT:a\nK:C\nCDEF|\n")
    assert [source.name for source in find_sources([tmp_path])] == ["tune_1_a"]  # a PDF beside scores shows the same music
