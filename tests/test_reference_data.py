"""The committed reference numbers equal the folder they were extracted from, where that folder is present."""

from pathlib import Path

import numpy as np
from extract_reference import REFERENCE, extract_networks, extract_spectrogram, published_networks


def test_networks_equal_the_specification(shared: Path):
    assert published_networks() == extract_networks(shared)


def test_spectrograms_equal_the_measured_arrays(shared: Path):
    expected = extract_spectrogram(shared)
    with np.load(REFERENCE / "spectrogram.npz") as committed:
        assert set(committed.files) == set(expected)
        for key, values in expected.items():
            np.testing.assert_array_equal(committed[key], values)
