"""The audio front end against the reference, its inputs, and the level."""

import numpy as np
import pytest
from extract_reference import REFERENCE

from score_following_game.data_processing.audio import set_peak
from score_following_game.data_processing.spectrogram import compute_spectrogram, filterbank


def chirp() -> np.ndarray:
    t = np.arange(66150) / 22050
    return 0.8 * np.sin(2 * np.pi * (80 * t + 0.5 * ((5000 - 80) / 3) * t**2))


def test_filterbank_and_spectrogram_equal_the_reference():
    reference = np.load(REFERENCE / "spectrogram.npz")
    np.testing.assert_allclose(filterbank(), reference["filterbank/matrix_1024x78"], atol=1e-7)
    for kind, samples in (
        ("int16", np.round(32767 * chirp()).astype(np.int16)),
        ("float32", chirp().astype(np.float32)),
        ("float64", chirp()),
    ):
        np.testing.assert_allclose(compute_spectrogram(samples), reference[f"spec/chirp_{kind}"], atol=1e-5)


def test_shape_type_and_pitch():
    seconds = 2
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(seconds * 22050) / 22050)
    spectrogram = compute_spectrogram(tone)
    assert spectrogram.shape == (78, 40)
    assert spectrogram.dtype == np.float32
    # Band 0 peaks near 65 Hz, a semitone each: 440 Hz lies at band 33.
    assert spectrogram[:, 20].argmax() == 33


def test_stereo_is_the_mean_and_integers_truncate_toward_zero():
    left = np.round(3000 * chirp()).astype(np.int16)
    stereo = np.stack([left, left + np.int16(1)], axis=1)
    np.testing.assert_array_equal(compute_spectrogram(stereo), compute_spectrogram((left + 0.5).astype(np.int16)))


def test_another_rate_is_resampled():
    t = np.arange(3 * 44100) / 44100
    at_44100 = 0.8 * np.sin(2 * np.pi * (80 * t + 0.5 * ((5000 - 80) / 3) * t**2))
    difference = np.abs(compute_spectrogram(at_44100, 44100) - compute_spectrogram(chirp()))
    assert difference[:, 1:-1].max() < 2e-3  # decoders differ by up to 1e-3; the edges by more


@pytest.mark.parametrize("samples", [np.zeros((2, 2, 2)), np.zeros(10, np.uint8), np.zeros((4, 0))])
def test_other_inputs_are_refused(samples: np.ndarray):
    with pytest.raises(ValueError, match="expected"):
        compute_spectrogram(samples)


def test_set_peak():
    assert np.abs(set_peak(np.array([0.5, -0.7], np.float32), 0.13)).max() == pytest.approx(0.13)
    assert not set_peak(np.zeros(5, np.float32), 0.13).any()
