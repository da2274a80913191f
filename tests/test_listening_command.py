"""--audio mic: the command, from its options to a microphone of a sound server."""

import csv
import logging
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Run
from listening_tools import RATE, SCRIPT, SILENCE
from pages_tools import write_pdf
from sound_tools import sound_server
from watching_tools import start


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_command_rehearses(tune: Path, tmp_path: Path, run_here: Run, monkeypatch, caplog):
    monkeypatch.delenv("DISPLAY", raising=False)
    caplog.set_level(logging.INFO)
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    done = run_here(
        SCRIPT,
        *("--params", "nottingham", "--deterministic", "--data_set", tune.parent, "--piece", "tune"),
        *("--audio", f"mic:{tune.with_name('heard.wav')}", "--gain", "-10", "--csv", positions, "--record", kept),
    )
    assert done.returncode == 0, done.stderr
    assert "the music begins after 0.7 s" in caplog.text and "The music has ended" in done.stderr
    assert "Latency from the sample to the agent's step: median" in done.stderr and str(kept) in done.stderr
    rows = table(positions)
    assert float(rows[0]["time"]) == pytest.approx(SILENCE, abs=0.02) and len(rows) > 3.2 * 20
    assert float(rows[0]["x"]) == 100 and (tmp_path / "positions_onsets.csv").is_file()
    assert soundfile.info(kept).duration > SILENCE + 3.2


def test_ctrl_c_ends_the_music_and_keeps_everything(tune: Path, tmp_path: Path):
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    process = start(
        SCRIPT,
        *("--params", "nottingham", "--data_set", tune.parent, "--piece", "tune", "--audio"),
        *(f"mic:{tune.with_name('heard.wav')}", "--csv", positions, "--record", kept),
    )
    for line in process.stderr:
        if "the music begins" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "Left at 0:0" in err and "Traceback" not in err
    assert len(table(positions)) > 3
    kept_samples, _ = soundfile.read(kept, dtype="float32")
    expected = soundfile.read(tune.with_name("heard.wav"), dtype="float32")[0]
    np.testing.assert_allclose(kept_samples, expected[: len(kept_samples)], atol=1e-4)
    assert len(kept_samples) > SILENCE * RATE


def test_pages_are_followed_live(tune: Path, tmp_path: Path, run_here: Run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pdf, positions = write_pdf(tmp_path / "page.pdf"), tmp_path / "positions.csv"
    done = run_here(SCRIPT, "--score", pdf, "--audio", f"mic:{tune.with_name('heard.wav')}", "--csv", positions, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "the agent was on page 1" in done.stderr and {row["page"] for row in table(positions)} == {"1"}


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--gain", "3"], "--gain goes with --audio mic"),
        (["--record", "a.wav"], "--record goes with --audio mic"),
        (["--audio", "mic:HEARD", "--record", "a.mp3"], "ends in .wav"),
        (["--audio", "mic:HEARD", "--record", "HEARD"], "name the same file"),
        (["--audio", "mic:HEARD", "--tempo", "2"], "leave --tempo out"),
        (["--audio", "mic:HEARD", "--gain", "nan"], "--gain nan"),
        (["--audio", "mic:HEARD", "--saliency", "a.mp4"], "--saliency goes with a recording"),
        (["--audio", "mic:missing.wav"], "missing.wav"),
    ],
)
def test_mistakes_are_one_line(tune: Path, run_here: Run, arguments: list[str], told: str):
    arguments = [value.replace("HEARD", str(tune.with_name("heard.wav"))) for value in arguments]
    done = run_here(SCRIPT, "--params", "nottingham", "--data_set", tune.parent, *arguments)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.needs("pulseaudio")
def test_a_microphone_of_a_sound_server(tune: Path, tmp_path: Path):
    """The whole way: a sound server's virtual microphone, ALSA, PortAudio, sounddevice, the agent."""
    positions, kept = tmp_path / "positions.csv", tmp_path / "kept.wav"
    with sound_server(tmp_path) as server:
        process = server.start(
            SCRIPT,
            *("--params", "nottingham", "--deterministic", "--data_set", tune.parent, "--piece", "tune"),
            *("--audio", "mic", "--gain", "-10", "--csv", positions, "--record", kept),
        )
        for line in process.stderr:
            if "listening to" in line:
                break
        time.sleep(2.5)  # the server's stream takes a while to begin
        server.play(tune.with_name("heard.wav"))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "The music has ended" in err, err
    assert "in the device" in err
    got, expected = (soundfile.read(path, dtype="float32")[0] for path in (kept, tune.with_name("heard.wav")))
    music = expected[round(SILENCE * RATE) :][: 2 * RATE]
    products = np.fft.irfft(np.fft.rfft(got, 2**18) * np.conj(np.fft.rfft(music, 2**18)))
    at = int(np.argmax(products))
    assert np.corrcoef(got[at : at + len(music)], music)[0, 1] > 0.9
    assert float(table(positions)[0]["time"]) == pytest.approx(at / RATE, abs=0.03)
