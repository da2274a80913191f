"""Renditions: other players, instruments and rooms, whose onsets are where the labels say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_piece import write_small_piece

from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.acoustics.channel import coded, retuned, with_drifting_gain, with_wow
from score_following_game.data_processing.acoustics.conditions import (
    CONDITIONS,
    DEFAULT,
    LATE,
    PLAYED,
    RETUNED,
    SCANNED,
    SILENCE,
    spread,
    under,
)
from score_following_game.data_processing.acoustics.instruments import draw_instrument
from score_following_game.data_processing.acoustics.noises import STEADY, SUDDEN, with_noise
from score_following_game.data_processing.acoustics.performing import ASYNCHRONY, Notes, perform, with_pauses
from score_following_game.data_processing.acoustics.rooms import draw_room, in_room, through_microphone
from score_following_game.data_processing.acoustics.switches import SWITCHES, parse_switches
from score_following_game.data_processing.acoustics.world import Performer, World
from score_following_game.data_processing.piece import Piece, can_be_performed, load_piece
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.errors import UserError

RATE = 22050
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Piece:
    folder = write_small_piece(tmp_path_factory.mktemp("piece"), notes=24)
    return load_piece(folder / "tune.npz", load_game_config("nottingham"))


@pytest.fixture(scope="module")
def config() -> GameConfig:
    return load_game_config("nottingham")


def bursts() -> np.ndarray:
    """Short tones in silence, float32: their beginnings are easy to find."""
    samples = np.zeros(6 * RATE, np.float32)
    time = np.arange(RATE // 5) / RATE
    for number in range(10):
        start = RATE // 2 + number * RATE // 2
        samples[start : start + len(time)] = 0.3 * np.sin(2 * np.pi * 300 * (1 + number) * time) * np.exp(-8 * time)
    return samples


def shift(before: np.ndarray, after: np.ndarray) -> float:
    """By how many milliseconds `after` is later: the maximum of the cross-correlation of the loudness."""
    loudness = [np.convolve(np.abs(sound), np.ones(44) / 44, "same") for sound in (before, after)]
    loudness = [np.diff(sound).clip(min=0) for sound in loudness]
    lags = np.arange(-1100, 1101)
    inside = slice(1200, len(before) - 1200)
    fits = [float(loudness[0][inside] @ np.roll(loudness[1], -lag)[inside]) for lag in lags]
    return 1000 * lags[int(np.argmax(fits))] / RATE


CHANGES: dict[str, Change] = {
    "dry room": lambda samples, random: in_room(samples, draw_room(RATE, random, 0.3)),
    "church": lambda samples, random: in_room(samples, draw_room(RATE, random, 3.0)),
    "microphone": lambda samples, random: through_microphone(samples, RATE, random),
    "drift": lambda samples, random: with_drifting_gain(samples, 12, RATE, random),
    "wow": lambda samples, random: with_wow(samples, 0.006, 0.7, RATE),
    "coding": lambda samples, random: coded(samples, RATE, 30, 6000),
    **{kind: lambda samples, random, kind=kind: with_noise(samples, kind, 20, RATE, random) for kind in STEADY},
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", range(3))
def test_onsets_stay_where_they_are(name: str, seed: int):
    samples = bursts()
    changed = CHANGES[name](samples, np.random.default_rng(seed))
    assert changed.shape == samples.shape and changed.dtype == np.float32 and np.isfinite(changed).all()
    assert not np.array_equal(changed, samples)
    assert abs(shift(samples, changed)) < 3  # milliseconds; a frame has 50


def test_a_delay_would_be_found():
    samples = bursts()
    assert shift(samples, np.roll(samples, 220)) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("seconds", [0.3, 1.5, 3.0])
def test_reverberation_time(seconds: float):
    """The decay of the impulse response from -5 to -25 dB, extrapolated to 60 dB (ISO 3382)."""
    measured = []
    for seed in range(5):
        response = draw_room(RATE, np.random.default_rng(seed), seconds)
        assert response[0] == 1 and np.abs(response[1:]).max() < 1
        energy = np.cumsum((response[1:] ** 2)[::-1])[::-1]
        decibels = 10 * np.log10(energy / energy[0] + 1e-12)
        places = [int(np.argmax(decibels < level)) for level in (-5, -25)]
        measured.append(3 * (places[1] - places[0]) / RATE)
    assert 0.5 * seconds < np.median(measured) < 1.1 * seconds


def test_retuning_changes_pitch_and_time_alike():
    samples = np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE).astype(np.float32)
    higher, factor = retuned(samples, 50)
    assert factor == pytest.approx(len(higher) / len(samples), abs=1e-4) and factor < 1
    peak = np.argmax(np.abs(np.fft.rfft(higher[:RATE] * np.hanning(RATE))))
    assert peak == pytest.approx(440 * 2 ** (50 / 1200), abs=1)


@pytest.mark.parametrize("kind", SUDDEN)
def test_clicks_and_coughs_are_as_loud_as_they_should_be(kind: str):
    samples = bursts()
    disturbed = with_noise(samples, kind, 20, RATE, np.random.default_rng(0), per_minute=20)
    assert 6 < np.abs(disturbed).max() / np.abs(samples).max() < 14
    assert np.mean(disturbed != samples) < 0.35


def notes_of(onsets: list[float], pitches: list[int] | None = None) -> Notes:
    start = np.array(onsets, float)
    pitch = np.array(pitches or [60] * len(start))
    return Notes(start, start + 0.3, pitch, np.full(len(start), 80))


@pytest.mark.parametrize("seed", range(20))
def test_performances_keep_the_order_of_the_notes(seed: int):
    random = np.random.default_rng(seed)
    written = np.sort(random.integers(0, 400, 120)) * 0.125
    played = perform(notes_of(written.tolist()), random)
    assert len(played.start) == len(written) and (played.start >= 0).all()
    assert (played.end > played.start).all()
    assert ((played.velocity > 0) & (played.velocity < 128)).all()
    later = written[:, None] > written[None, :]
    assert (np.sign(played.start[:, None] - played.start[None, :])[later] == 1).all()
    for time in np.unique(written):  # a chord stays together
        chord = played.start[written == time]
        assert np.ptp(chord) < 0.03 + 8 * ASYNCHRONY


def test_performances_differ_in_tempo_and_hold_notes():
    played = [perform(notes_of(list(np.arange(0, 40, 0.5))), np.random.default_rng(seed)) for seed in range(60)]
    lengths = np.array([notes.start[-1] - notes.start[0] for notes in played]) / 39.5
    assert lengths.min() < 0.85 and lengths.max() > 1.2 and lengths.min() > 0.6 and lengths.max() < 1.8
    steps = np.concatenate([np.diff(notes.start) / np.median(np.diff(notes.start)) for notes in played])
    assert (steps > 1.8).mean() > 0.001  # fermatas
    assert np.percentile(steps, 5) < 0.9 and np.percentile(steps, 95) > 1.1  # rubato


def test_labels_are_where_the_rendition_sounds(piece: Piece, config: GameConfig):
    """In most frames with a label the spectrum rises more than one frame earlier or two later, also with everything on."""
    performer = Performer(piece, config)
    world = World(frozenset(SWITCHES) - {"instruments", "noise"})
    rises = []
    for seed in range(6):
        rendition = world.rendition(performer, [seed])
        rise = np.diff(rendition.spectrogram, axis=1, prepend=0).clip(min=0).sum(axis=0)
        frames = rendition.onset_frames[rendition.onset_frames + 3 < len(rise)]
        rises.append([rise[frames + lag].sum() for lag in (-2, -1, 0, 1, 2)])
    total = np.sum(rises, axis=0)
    assert total[1] + total[2] > 2 * (total[0] + total[4])


def test_rendition_without_switches_is_the_piece_itself(piece: Piece, config: GameConfig):
    plain = World(frozenset()).rendition(Performer(piece, config), [0])
    np.testing.assert_array_equal(plain.onset_frames, piece.onset_frames)
    np.testing.assert_array_equal(plain.onset_x, piece.onset_x)
    np.testing.assert_array_equal(plain.sheet, piece.sheet)
    np.testing.assert_allclose(plain.spectrogram[:, : piece.spectrogram.shape[1]], piece.spectrogram, atol=0.05)


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_changes_the_rendition_and_the_seed_determines_it(switch: str, piece: Piece, config: GameConfig):
    performer, world = Performer(piece, config), World(frozenset({switch}))
    plain = World(frozenset()).rendition(performer, [0])
    changed = [world.rendition(performer, [seed]) for seed in range(12)]
    again = world.rendition(performer, [3])
    np.testing.assert_array_equal(changed[3].spectrogram, again.spectrogram)
    np.testing.assert_array_equal(changed[3].sheet, again.sheet)
    assert any(not same(plain, rendition) for rendition in changed)
    for rendition in changed:
        assert rendition.name == piece.name and len(rendition.onset_frames) == len(piece.onset_frames)
        assert rendition.spectrogram.shape[0] == 78 and np.isfinite(rendition.spectrogram).all()


def same(one: Piece, other: Piece) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("spectrogram", "sheet", "onset_frames", "onset_x")
    )


def test_instruments_are_those_asked_for():
    random = np.random.default_rng(0)
    fonts = [default_sound_font()]
    keyboards = {draw_instrument(fonts, True, random).program for _ in range(1000)}
    anything = {draw_instrument(fonts, False, random).program for _ in range(8000)}
    assert keyboards == set(range(8))
    assert anything == set(range(96))


def test_switches_by_name(tmp_path: Path):
    assert parse_switches("all", "--world") == set(SWITCHES)
    assert parse_switches("rooms, noise", "--world") == {"rooms", "noise"}
    with pytest.raises(UserError, match="--world rooms,rain: unknown 'rain'; known are all, or of timing,"):
        parse_switches("rooms,rain", "--world")


def test_recordings_are_not_performed(piece: Piece, tmp_path: Path):
    assert can_be_performed(piece)
    assert not can_be_performed(replace(piece, source=tmp_path / "tune.wav"))
    assert not can_be_performed(replace(piece, midi_path=Path("medley~1"), source=Path("medley~1")))


@pytest.mark.parametrize(("seconds", "pauses"), [(60, range(3, 6)), (4, range(1, 2))])
def test_pauses_are_before_onsets_and_change_nothing_else(seconds: int, pauses: range):
    start = np.arange(0, seconds, 0.5).repeat(2)
    notes = Notes(start, start + 0.4, np.tile([60, 64], len(start) // 2), np.full(len(start), 80))
    played = with_pauses(notes, np.random.default_rng(0))
    np.testing.assert_allclose(played.end - played.start, 0.4)
    assert np.array_equal(played.start[::2], played.start[1::2])  # notes of a chord stay together
    longer = np.diff(played.start[::2]) - 0.5
    assert ((np.abs(longer) < 1e-9) | ((longer >= 1) & (longer <= 3))).all()
    assert int((longer > 0.5).sum()) in pauses


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_are_the_same_each_time_and_change_one_thing(condition: str, piece: Piece, config: GameConfig):
    (changed,), (again,) = (under(condition, [piece], config, seed=1) for _ in range(2))
    assert same(changed, again) and changed.name == piece.name
    assert len(changed.onset_frames) == len(piece.onset_frames)
    assert np.array_equal(changed.sheet, piece.sheet) == (condition != SCANNED)
    assert same(changed, piece) == (condition == DEFAULT)
    if condition not in (*PLAYED, RETUNED):
        silence = SILENCE * config.spectrogram_params.fps * (condition == LATE)
        np.testing.assert_array_equal(changed.onset_frames, piece.onset_frames + silence)


def test_pieces_spread_over_the_conditions(piece: Piece, config: GameConfig):
    pieces = [replace(piece, name=f"tune_{number}") for number in range(len(CONDITIONS) + 2)]
    heard = spread(pieces, config)
    assert [one.name for one in heard] == [one.name for one in pieces]
    assert sum(not same(one, other) for one, other in zip(heard, pieces)) == len(CONDITIONS) - 1 + 1  # the second round
    (recording,) = spread([replace(piece, source=Path("tune.wav"))], config)
    assert same(recording, piece)
    with pytest.raises(ValueError, match="'rain' is no condition"):
        under("rain", pieces, config)
