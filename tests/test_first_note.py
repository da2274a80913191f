"""--audio mic: the music begins with its first note, whatever the room does before."""

import numpy as np
import pytest
from listening_tools import RATE, SILENCE, SOUND, noise

from score_following_game.data_processing.acoustics.noises import with_noise
from score_following_game.watching.listening.first_note import FirstNote


def first_note(samples: np.ndarray) -> float | None:
    """Seconds at which the music begins."""
    ear = FirstNote(SOUND)
    for begin in range(0, len(samples), 220):
        if (found := ear.push(samples[begin : begin + 220])) is not None:
            return (ear.dropped + found) / RATE
    return None


@pytest.mark.parametrize("lead", [0.0, 0.3, 2.0, 15.0])
@pytest.mark.parametrize("kind, decibels", [("", 0), ("white", 10), ("pink", 15), ("hum", 35)])
def test_the_music_begins_with_its_first_note(heard: np.ndarray, lead: float, kind: str, decibels: float):
    music = heard[round(SILENCE * RATE) : -RATE]
    samples = np.concatenate([np.zeros(round(lead * RATE), np.float32), music])
    if kind:
        samples = with_noise(samples, kind, decibels, RATE, np.random.default_rng(1))
    assert first_note(samples) == pytest.approx(lead, abs=0.035)


def test_rooms_clicks_and_coughs_are_no_music():
    for seed, (kind, decibels) in enumerate([("white", 0), ("pink", -20), ("hum", 0), ("clicks", 30), ("coughs", 20)]):
        samples = with_noise(noise(20, 0.003, seed), kind, decibels, RATE, np.random.default_rng(seed))
        assert first_note(samples) is None, kind


def test_waiting_takes_no_memory_and_knows_the_room():
    ear = FirstNote(SOUND)
    for seed in range(40):
        ear.push(noise(1, 0.01, seed))
    assert ear.seconds == pytest.approx(40) and len(ear.samples) < 10 * RATE and ear._frames.shape[1] < 200
    assert 0.01 < ear.room < 0.04
