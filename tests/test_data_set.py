"""Pieces and folders of them: the formats, and every way a piece can be wrong."""

import logging
import shutil
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from small_piece import FIRST_X, write_small_piece

from score_following_game.config import GameConfig
from score_following_game.data_processing import performance, synthesis
from score_following_game.data_processing.dataset import choose_piece, load_data_set
from score_following_game.data_processing.piece import load_piece, onset_frames
from score_following_game.data_processing.score_npz import Score, read_score, write_score
from score_following_game.errors import UserError


def test_published_sample_loads(shared: Path, tmp_path: Path, config: GameConfig):
    for file in (shared / "data" / "published_sample").glob("ashover*"):
        shutil.copy(file, tmp_path)
    (piece,) = load_data_set(tmp_path, config)
    assert piece.sheet.shape == (40, 1254)
    assert piece.spectrogram.shape == (78, 739)
    assert len(piece.onset_frames) == 78
    assert piece.onset_frames[0] == 23
    assert not (tmp_path / "ashover_simple_chords_41.wav").exists()


def break_npz(folder: Path) -> None:
    (folder / "tune.npz").write_bytes(b"PK\x03\x04 not really")


def drop_sheet(folder: Path) -> None:
    data = BytesIO()
    with zipfile.ZipFile(folder / "tune.npz") as old, zipfile.ZipFile(data, "w") as new:
        for name in ("coords.npy", "coord2onset.npy"):
            new.writestr(name, old.read(name))
    (folder / "tune.npz").write_bytes(data.getvalue())


def point_nowhere(folder: Path) -> None:
    score = read_score(folder / "tune.npz")
    write_score(folder / "tune.npz", Score(score.sheet, score.coords, score.coord2onset + [0, 5]))


def move_noteheads(folder: Path) -> None:
    score = read_score(folder / "tune.npz")
    path, coords = folder / "tune.npz", score.coords + np.array([0, 1000], np.float32)
    np.savez(path, sheet=score.sheet, coords=coords, coord2onset=score.coord2onset)


def lower_sheet(folder: Path) -> None:
    score = read_score(folder / "tune.npz")
    write_score(folder / "tune.npz", Score(score.sheet[:39], score.coords, score.coord2onset))


def silence_midi(folder: Path) -> None:
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.write(str(folder / "tune.mid"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "tune.mid").unlink(), "tune.npz: its performance tune.mid is missing"),
        (lambda folder: (folder / "tune.npz").unlink(), "tune.mid: its score tune.npz is missing"),
        (break_npz, "tune.npz: corrupt score npz"),
        (drop_sheet, "tune.npz: corrupt score npz .*sheet"),
        (point_nowhere, r"tune.npz: notehead 3 shows note 8, but the MIDI has 8 notes"),
        (move_noteheads, "tune.npz: a notehead is at x = 1100, but the sheet is 410 px wide"),
        (lower_sheet, "tune.npz: sheet is 39 px high, the game config needs staff_height 40"),
        (silence_midi, "tune.mid: this MIDI has no notes"),
        (lambda folder: (folder / "tune.mid").write_bytes(b"MThd"), "tune.mid: cannot be read as MIDI"),
        (lambda folder: (folder / "tune.wav").write_bytes(b"RIFFnoise"), "tune.wav: cannot be read as audio"),
        (
            lambda folder: np.save(folder / "tune.spec.npy", np.zeros((77, 5))),
            r"tune.spec.npy: corrupt spectrogram .its shape is \(77, 5\), expected",
        ),
    ],
)
def test_a_broken_piece_is_named_and_the_rest_of_the_set_usable(
    folder: Path,
    config: GameConfig,
    caplog: pytest.LogCaptureFixture,
    damage,
    message: str,
):
    damage(folder)
    with pytest.raises(UserError, match=f"no piece can be used; the first of 1: .*{message}"):
        load_data_set(folder, config)
    with pytest.raises(UserError, match=message):
        load_data_set(folder, config, piece="tune")
    write_small_piece(folder, "whole")
    with caplog.at_level(logging.WARNING):
        pieces = load_data_set(folder, config)
    assert [piece.name for piece in pieces] == ["whole"]
    assert "1 of 2 pieces left out" in caplog.text


def test_pieces_come_in_name_order_from_any_depth(tmp_path: Path, config: GameConfig):
    for place, name in (("z", "b"), ("a/deep", "c"), ("", "a"), ("x", "c")):
        write_small_piece(tmp_path / place, name)
    assert [piece.name for piece in load_data_set(tmp_path, config)] == ["a", "a/deep/c", "b", "x/c"]


def test_hidden_folders_and_files_are_no_pieces(folder: Path, config: GameConfig):
    write_small_piece(folder / ".engraved", "unchecked")
    (folder / ".tune.x1y2.npz").write_bytes(b"half")
    assert [piece.name for piece in load_data_set(folder, config)] == ["tune"]


def test_upper_case_suffixes_count(folder: Path, config: GameConfig):
    (folder / "tune.mid").rename(folder / "tune.MID")
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4 * 22050) / 22050)
    soundfile.write(folder / "tune.WAV", tone, 22050)
    (piece,) = load_data_set(folder, config)
    assert (piece.source.name, piece.midi_path.name) == ("tune.WAV", "tune.MID")


def test_a_ready_spectrogram_of_another_frame_rate_is_refused(folder: Path, config: GameConfig):
    np.save(folder / "tune.spec.npy", np.zeros((78, 7), np.float32))
    slow = replace(config, spectrogram_params=replace(config.spectrogram_params, fps=10))
    with pytest.raises(UserError, match=r"tune\.spec\.npy: a precomputed spectrogram has .*fps=20.*needs .*fps=10"):
        load_piece(folder / "tune.npz", slow)


def test_a_cached_spectrogram_of_another_frame_rate_is_refused_too(folder: Path, config: GameConfig):
    np.save(folder / "tune.spec.npy", load_piece(folder / "tune.npz", config).spectrogram)
    load_piece(folder / "tune.npz", config)
    slow = replace(config, spectrogram_params=replace(config.spectrogram_params, fps=10))
    with pytest.raises(UserError, match="a precomputed spectrogram has"):
        load_piece(folder / "tune.npz", slow)


def test_a_recording_without_a_sample_gives_way_to_the_spectrogram(folder: Path, config: GameConfig):
    soundfile.write(folder / "tune.wav", np.zeros(0, np.float32), 22050)
    np.save(folder / "tune.spec.npy", np.zeros((78, 90), np.float32))
    assert load_piece(folder / "tune.npz", config).source.name == "tune.spec.npy"


def test_choose_piece():
    names = ["bach_1", "bach_10", "chopin"]
    assert choose_piece("bach_1", names, "set") == "bach_1"
    assert choose_piece("chop", names, "set") == "chopin"
    with pytest.raises(UserError, match="piece bach: is part of 2 names of set; candidates: bach_1, bach_10"):
        choose_piece("bach", names, "set")
    with pytest.raises(UserError, match="piece liszt: is no piece of set; candidates: bach_1, bach_10, chopin"):
        choose_piece("liszt", names, "set")


def test_unknown_and_empty_folders(tmp_path: Path, config: GameConfig):
    with pytest.raises(UserError, match="nowhere: no such folder, and no bundled data set"):
        load_data_set("nowhere", config)
    with pytest.raises(UserError, match="holds no pieces"):
        load_data_set(tmp_path, config)


def test_the_bundled_sample_loads_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: GameConfig):
    monkeypatch.chdir(tmp_path)
    names = [piece.name for piece in load_data_set("test_sample", config)]
    assert names
    assert [piece.name for piece in load_data_set("test_sample_clip", config)] == names
    write_small_piece(tmp_path / "test_sample", "mine")
    assert [piece.name for piece in load_data_set("test_sample", config)] == ["mine"]


def test_falling_x_is_played_and_counted(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    score = read_score(folder / "tune.npz")
    coords = score.coords.copy()
    coords[[2, 3]] = coords[[3, 2]]
    write_score(folder / "tune.npz", Score(score.sheet, coords, score.coord2onset))
    with caplog.at_level(logging.WARNING):
        (piece,) = load_data_set(folder, config)
    assert piece.x_falls == 1
    assert "pieces with noteheads whose x falls with time: 1 of 1 (1 time; the first: tune)" in caplog.text


def test_sound_that_ends_early_and_sheets_of_another_size_are_reported(
    folder: Path,
    config: GameConfig,
    caplog: pytest.LogCaptureFixture,
):
    soundfile.write(folder / "tune.wav", 0.1 * np.sin(0.1 * np.arange(22050)), 22050)
    write_small_piece(folder, "high", height=100)
    with caplog.at_level(logging.INFO):
        load_data_set(folder, config)
    assert "pieces heard from recordings: 1 of 2" in caplog.text
    assert "pieces with sound that ends before their last onset: 1 of 2 (the first: tune.wav, 1.0 s of 2.8 s)" in caplog.text
    assert "pieces with sheets more than twice as high as the window of the game config: 1 of 2 (40 px; " in caplog.text


def test_first_notehead_of_a_frame_counts_and_onsets_round_up(folder: Path, config: GameConfig):
    score = read_score(folder / "tune.npz")
    pairs = np.concatenate([score.coord2onset, [[7, 3]]])  # a second notehead for the fourth note: not the first, no effect
    write_score(folder / "tune.npz", Score(score.sheet, score.coords, pairs[::-1]))
    piece = load_piece(folder / "tune.npz", config)
    np.testing.assert_array_equal(piece.onset_frames, 8 * np.arange(8))
    np.testing.assert_array_equal(piece.onset_x, FIRST_X + 30 * np.arange(8))
    np.testing.assert_array_equal(onset_frames(np.array([0.0, 0.05, 0.0501, 0.3]), 20), [0, 1, 2, 6])


def test_a_recording_comes_first_is_resampled_and_never_written(folder: Path, config: GameConfig):
    np.save(folder / "tune.spec.npy", np.full((78, 7), 0.25, np.float32))
    assert (load_piece(folder / "tune.npz", config).spectrogram == 0.25).all()
    (folder / "tune.wav").touch()  # the published Nottingham set has such empty files: the ready spectrogram counts
    assert load_piece(folder / "tune.npz", config).source.name == "tune.spec.npy"
    tone = 0.9 * np.sin(2 * np.pi * 440 * np.arange(4 * 44100) / 44100)
    soundfile.write(folder / "tune.wav", np.stack([tone, tone], axis=1), 44100)
    before = (folder / "tune.wav").read_bytes()
    piece = load_piece(folder / "tune.npz", config)
    assert piece.source.name == "tune.wav"
    assert piece.spectrogram[:, 40].argmax() == 33
    assert piece.spectrogram.shape == (78, 80)
    assert (folder / "tune.wav").read_bytes() == before


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_other_recordings(folder: Path, config: GameConfig, suffix: str):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4 * 48000) / 48000)
    soundfile.write(folder / f"tune{suffix}", tone, 48000)
    piece = load_piece(folder / "tune.npz", config)
    assert piece.source.suffix == suffix
    assert piece.spectrogram[:, 40].argmax() == 33


def test_every_source_is_heard_at_the_same_level(folder: Path, config: GameConfig):
    midi = pretty_midi.PrettyMIDI(str(folder / "tune.mid"))
    synthesised = load_piece(folder / "tune.npz", config).spectrogram
    soundfile.write(folder / "tune.wav", 0.02 * midi.fluidsynth(22050), 22050, subtype="FLOAT")
    np.testing.assert_allclose(load_piece(folder / "tune.npz", config).spectrogram, synthesised, atol=1e-3)
    samples = performance.performance_samples(folder / "tune.mid", config)
    assert np.abs(samples).max() == pytest.approx(0.13, abs=1e-6)


def test_missing_sound_font(folder: Path, config: GameConfig, tmp_path: Path):
    with pytest.raises(UserError, match=r"nothing\.sf2: no such (file|sound font)"):
        load_piece(folder / "tune.npz", config, tmp_path / "nothing.sf2")
    (tmp_path / "odd.sf2").write_bytes(b"odd")
    with pytest.raises(UserError, match=r"odd\.sf2: not a SoundFont 2 file"):
        load_piece(folder / "tune.npz", config, tmp_path / "odd.sf2")
    (tmp_path / "broken.sf2").write_bytes(b"RIFF\x04\0\0\0sfbk")
    with pytest.raises(UserError, match=r"broken\.sf2: FluidSynth cannot read this sound font"):
        load_piece(folder / "tune.npz", config, tmp_path / "broken.sf2")


def test_missing_fluidsynth_is_one_clear_line(folder: Path, config: GameConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("score_following_game.data_processing.midi_library.fluidsynth", None)
    synthesis.require_sound_font.cache_clear()
    with pytest.raises(UserError, match="apt install libfluidsynth3"):
        load_piece(folder / "tune.npz", config)
