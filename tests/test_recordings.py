"""Recordings: paired with scores by name, aligned with them, refused when they are of something else, and the MIDI retimed."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from conftest import ROOT, Run

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.recordings import alignment
from score_following_game.data_preparation.recordings import retiming as recordings
from score_following_game.data_preparation.recordings.pairing import find_recordings, pair
from score_following_game.data_preparation.recordings.quality import Quality
from score_following_game.data_preparation.recordings.retiming import Alignment, align, record_piece, retime
from score_following_game.data_processing.performance import note_onsets, read_midi
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.errors import UserError

TUNES = Path(__file__).parent.parent / "score_following_game" / "bundled" / "test_sample"
TUNE, OTHER = TUNES / "test_4_Minuet_in_G.mid", TUNES / "test_1_Joy_to_the_World.mid"
BEFORE = 3.0  # seconds of noise, as of an audience, before a recording begins
VIOLIN = 40


def played(seconds: float) -> float:
    """Score second -> second of the performance: a rubato, a ritardando at the end of 8 s, and a pause of a second after."""
    return 1.1 * seconds + 0.4 * np.sin(seconds) + (1.0 if seconds >= 8 else 0.5 * np.exp(-((seconds - 8) ** 2)))


def perform(
    path: Path,
    keep: Callable[[float, float], list[tuple[float, float]]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A recording made of a MIDI: its timing bent, a violin for the piano, noise around it -> samples, each onset's second.

    keep: score's end -> the stretches (from, to) that are played, one after the other; all of it where there is none.
    """
    midi = read_midi(path)
    end = midi.get_end_time()
    notes = [note for part in midi.instruments for note in part.notes]
    performance, offset = pretty_midi.Instrument(VIOLIN), 0.0
    for first, last in keep(end) if keep else [(0.0, end)]:
        for note in notes:
            if first <= note.start < last:
                start, stop = (played(time - first + offset) for time in (note.start, min(note.end, last)))
                performance.notes.append(pretty_midi.Note(60 + note.pitch % 30, note.pitch, start, stop - 0.02))
        offset += last - first
    result = pretty_midi.PrettyMIDI()
    result.instruments.append(performance)
    sound = synthesise(result)
    sound /= np.abs(sound).max()
    generator = np.random.default_rng(0)
    audience = [0.1 * generator.normal(size=round(BEFORE * SAMPLE_RATE)) for _ in range(2)]
    samples = np.concatenate([audience[0], sound + 0.003 * generator.normal(size=len(sound)), audience[1]])
    return samples.astype(np.float32), np.array(sorted(note.start for note in performance.notes)) + BEFORE


@pytest.fixture(scope="module")
def recording() -> tuple[np.ndarray, np.ndarray]:
    return perform(TUNE)


@pytest.fixture(scope="module")
def aligned(recording: tuple[np.ndarray, np.ndarray]) -> Alignment:
    return align(recording[0], read_midi(TUNE))


# --- alignment


def test_notes_are_found_where_they_are_played(aligned: Alignment, recording: tuple[np.ndarray, np.ndarray]) -> None:
    """The stated error: the median below 50 ms (a violin speaks late), and 19 of 20 within 100 ms."""
    error = np.abs(aligned.recording_seconds[:-1] - np.unique(recording[1]))
    assert np.median(error) < 0.05
    assert np.mean(error < 0.1) > 0.95
    assert (np.diff(aligned.recording_seconds) >= 0).all()
    assert aligned.score_seconds[0] == note_onsets(read_midi(TUNE), TUNE)[0]
    assert aligned.recording_seconds[-1] == pytest.approx(played(read_midi(TUNE).get_end_time()) + BEFORE, abs=0.6)
    assert aligned.refusal() == ""


def test_long_pieces_are_aligned_in_little_memory(
    aligned: Alignment, recording: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coarse path of three frames a second, as a piece of twenty minutes has it, leads to the same places."""
    sizes = []
    monkeypatch.setattr(alignment, "_cost", lambda *features, cost=alignment._cost: sizes.append(cost(*features)) or sizes[-1])
    little = align(recording[0], read_midi(TUNE), most_cells=10_000)
    assert sizes[0].size <= 10_500
    assert little.refusal() == ""
    assert np.mean(np.abs(little.recording_seconds - aligned.recording_seconds) < 0.05) > 0.9


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda end: [(0, end / 3), (2 * end / 3, end)], "not played"),
        (lambda end: [(end / 3, end)], "not played"),
        (lambda end: [(0, end), (2 * end / 3, end)], "music that is not in the score"),
        (lambda end: [(0, end / 3), (0, end)], "music that is not in the score"),
    ],
)
def test_parts_left_out_or_repeated_are_refused(keep: Callable, reason: str) -> None:
    assert reason in align(perform(TUNE, keep)[0], read_midi(TUNE)).refusal()


def test_other_sounds_are_refused() -> None:
    score = read_midi(TUNE)
    noise = np.random.default_rng(1).normal(size=30 * SAMPLE_RATE).astype(np.float32)
    for samples in (perform(OTHER)[0], noise, np.zeros_like(noise)):
        assert align(samples, score).refusal()


def test_each_figure_refuses() -> None:
    good = {
        "similarity": 0.9,
        "chance_similarity": 0.2,
        "own_similarity": 0.2,
        "weak_similarity": 0.8,
        "hits": 0.9,
        "chance_hits": 0.3,
        "weakest": 0.8,
        "tempo_low": 0.9,
        "tempo": 1.0,
        "tempo_high": 1.1,
        "fastest": 0.8,
        "slowest": 1.5,
        "seconds": 60.0,
        "standing": 1.0,
        "music_outside": 1.0,
    }
    assert Quality(**good).refusal() == ""
    static = {
        "similarity": 0.95,
        "chance_similarity": 0.9,
        "own_similarity": 0.93,
        "weakest": 0.95,
    }  # a pedal point, one chord, repeated notes
    assert Quality(**good | static).refusal() == ""
    for bad in (
        {"similarity": 0.6},
        {"chance_similarity": 0.8},
        {"hits": 0.4},
        {"chance_hits": 0.88},
        {"chance_hits": 1.0, "hits": 1.0},
        {"weakest": 0.1},
        {"fastest": 0.1},
        {"slowest": 8.0},
        {"music_outside": 20.0},
        {"standing": 20.0},
        {"weak_similarity": 0.2},
        static | {"own_similarity": 0.2},
        static | {"weakest": 0.7, "fastest": 0.9},
    ):
        assert Quality(**good | bad).refusal(), bad


# --- the MIDI retimed


@pytest.fixture
def two_parts() -> pretty_midi.PrettyMIDI:
    """Chords over two instruments, a pitch repeated at once, two notes 2 ms apart, and a held note."""
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=90)
    upper, lower = pretty_midi.Instrument(VIOLIN, name="upper"), pretty_midi.Instrument(19, name="lower")
    upper.notes = [
        pretty_midi.Note(70, pitch, start, stop)
        for pitch, start, stop in ((72, 0, 1), (76, 0, 1), (76, 1, 2), (77, 1.002, 1.5), (76, 2, 2.5), (72, 2, 4))
    ]
    lower.notes = [pretty_midi.Note(70, pitch, start, stop) for pitch, start, stop in ((48, 0, 1), (50, 1, 2), (52, 2, 4))]
    midi.instruments = [upper, lower]
    return midi


def bent(midi: pretty_midi.PrettyMIDI, places: list[float]) -> Alignment:
    onsets = sorted({note.start for part in midi.instruments for note in part.notes})
    return Alignment(np.array([*onsets, midi.get_end_time()]), np.array(places), Quality(*[0.0] * 15))


def by_onset(midi: pretty_midi.PrettyMIDI) -> list[pretty_midi.Note]:
    return sorted((note for part in midi.instruments for note in part.notes), key=lambda note: note.start)


def chords(notes: list[pretty_midi.Note]) -> list[list[int]]:
    onsets = sorted({note.start for note in notes})
    return [sorted(note.pitch for note in notes if note.start == onset) for onset in onsets]


@pytest.mark.parametrize("places", [[5.0, 7.0, 7.0, 7.5, 12.0], [5.0, 5.0, 5.0, 5.0, 5.0], [5.0, 5.005, 5.3, 5.31, 5.32]])
def test_retimed_notes_keep_order_chords_and_instruments(two_parts: pretty_midi.PrettyMIDI, places: list[float]) -> None:
    content = retime(two_parts, bent(two_parts, places))
    result = pretty_midi.PrettyMIDI(io.BytesIO(content))
    notes, before = by_onset(result), by_onset(two_parts)
    assert chords(notes) == chords(before) == [[48, 72, 76], [50, 76], [77], [52, 72, 76]]
    assert notes[0].start == pytest.approx(5.0)
    assert [(part.program, part.name) for part in result.instruments] == [(VIOLIN, "upper"), (19, "lower")]
    assert min(note.end - note.start for note in notes) > 0.0199
    for part in result.instruments:
        for pitch in {note.pitch for note in part.notes}:
            same = [note for note in by_onset(result) if note in part.notes and note.pitch == pitch]
            assert all(first.end < second.start for first, second in pairwise(same))
    assert retime(two_parts, bent(two_parts, places)) == content


def test_retimed_notes_follow_the_recording(two_parts: pretty_midi.PrettyMIDI) -> None:
    result = pretty_midi.PrettyMIDI(io.BytesIO(retime(two_parts, bent(two_parts, [5.0, 7.0, 7.1, 9.0, 12.0]))))
    assert [note.start for note in by_onset(result)] == pytest.approx([5, 5, 5, 7, 7, 7.1, 9, 9, 9])
    held = next(note for note in result.instruments[0].notes if note.pitch == 72 and note.start > 8)
    assert held.end == pytest.approx(12.0)


# --- a piece


def test_a_piece_is_written_with_its_recording(tmp_path: Path, recording: tuple[np.ndarray, np.ndarray]) -> None:
    source = tmp_path / "Tune.FLAC"
    soundfile.write(source, recording[0] / np.abs(recording[0]).max(), SAMPLE_RATE, format="FLAC")
    midi, audio = tmp_path / "set" / "tune.mid", tmp_path / "set" / "tune.wav"
    facts = record_piece(TUNE, source, midi, audio)
    part, rate = soundfile.read(audio)
    begin = round(facts.begins * SAMPLE_RATE)
    played = recording[0] / np.abs(recording[0]).max()
    assert rate == SAMPLE_RATE and np.abs(part - played[begin : begin + len(part)]).max() < 1e-3
    onsets = note_onsets(read_midi(midi), midi)
    assert len(onsets) == len(recording[1])
    assert onsets[0] == pytest.approx(0.1, abs=0.002) and facts.begins > 0.5  # what comes before the music is left out
    assert np.mean(np.abs(onsets + facts.begins - recording[1]) < 0.1) > 0.95
    assert facts.seconds == pytest.approx(len(part) / rate, abs=0.001)
    assert len(facts.digest) == 64
    assert facts.quality["similarity"] > facts.quality["chance_similarity"]
    first = audio.read_bytes()
    record_piece(TUNE, source, midi, audio)
    assert audio.read_bytes() == first


def test_a_recording_at_another_speed_is_written(tmp_path: Path) -> None:
    """Its onsets are those of the score, to the bit, though the score is played at another speed to be compared."""
    notes = sorted((note.start, note.end, note.pitch) for part in read_midi(TUNE).instruments for note in part.notes)
    midi, part = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(70, pitch, 2.7 * start, 2.7 * end - 0.02) for start, end, pitch in notes]
    midi.instruments.append(part)
    soundfile.write(tmp_path / "tune.wav", synthesise(midi), SAMPLE_RATE)
    record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")
    onsets = note_onsets(read_midi(tmp_path / "out.mid"), TUNE)
    expected = 2.7 * np.array([start for start, _, _ in notes])
    assert np.abs(onsets - onsets[0] - (expected - expected[0])).max() < 0.1


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (30, "poor alignment"),
        (2, "poor alignment: is 2 s"),
        (400, "poor alignment: is 400 s"),
        (0, "unreadable recording"),
    ],
)
def test_wrong_recordings_write_nothing(tmp_path: Path, seconds: float, reason: str) -> None:
    source = tmp_path / "tune.wav"
    soundfile.write(source, 0.1 * np.random.default_rng(2).normal(size=seconds * SAMPLE_RATE), SAMPLE_RATE)
    if not seconds:
        source.write_bytes(b"no audio")
    with pytest.raises(EngravingError) as caught:
        record_piece(TUNE, source, tmp_path / "out" / "tune.mid", tmp_path / "out" / "tune.wav")
    category, _, detail = reason.partition(": ")
    assert caught.value.reason == category and detail in caught.value.detail
    assert str(source) in caught.value.detail and "\n" not in caught.value.detail
    assert not (tmp_path / "out").exists()


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = np.zeros(30 * SAMPLE_RATE, np.float32)
    samples[5] = np.nan
    soundfile.write(tmp_path / "tune.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(EngravingError, match="unreadable recording"):
        record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")


def test_a_midi_of_other_notes_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aligned: Alignment, recording: tuple[np.ndarray, np.ndarray]
) -> None:
    soundfile.write(tmp_path / "tune.wav", recording[0] / 2, SAMPLE_RATE)
    monkeypatch.setattr(recordings, "align", lambda *_: aligned)
    monkeypatch.setattr(recordings, "retime", lambda *_: OTHER.read_bytes())
    with pytest.raises(EngravingError, match="another order"):
        record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")
    assert not (tmp_path / "out.mid").exists()


# --- names


def test_recordings_pair_by_name(tmp_path: Path) -> None:
    for name in ("b/Für Elise.wav", "tune_1.MP3", "TUNE_2.ogg", "lonely.flac", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pairs = pair(["tune_1", "tune_2", "Fur_Elise", "silent"], find_recordings(tmp_path))
    assert {name: path.name for name, path in pairs.recordings.items()} == {
        "tune_1": "tune_1.MP3",
        "tune_2": "TUNE_2.ogg",
        "Fur_Elise": "Für Elise.wav",
    }
    assert pairs.without_score == [tmp_path / "lonely.flac"]


def test_one_recording_and_one_score_pair_whatever_their_names(tmp_path: Path) -> None:
    for name in ("take 3.wav", "notes.txt", "take.3gp"):
        (tmp_path / name).touch()
    for place in (tmp_path, tmp_path / "take 3.wav"):
        pairs = pair(["tune"], find_recordings(place))
        assert (pairs.recordings, pairs.without_score) == ({"tune": tmp_path / "take 3.wav"}, [])
    assert pair(["tune", "air"], find_recordings(tmp_path)).recordings == {}
    for name in ("notes.txt", "take.3gp"):
        with pytest.raises(UserError, match=name):
            find_recordings(tmp_path / name)


@pytest.mark.slow
def test_a_refused_recording_is_an_error_of_the_command(tmp_path: Path, run: Run) -> None:
    """One score and one recording of another name: the score's own sound, then noise."""
    command = ("prepare_game_data.py", "--source", ROOT / "tests" / "data" / "song.krn", "--destination")
    assert run(*command, tmp_path / "plain").returncode == 0
    samples = synthesise(pretty_midi.PrettyMIDI(str(tmp_path / "plain" / "song.mid")))
    noise = np.random.default_rng(1).normal(0, 0.1, len(samples))
    for name, sound, code in (("take", samples, 0), ("noise", noise, 2)):
        soundfile.write(tmp_path / f"{name}.wav", sound, SAMPLE_RATE)
        done = run(*command, tmp_path / name, "--audio", tmp_path / f"{name}.wav", check=False)
        assert done.returncode == code, done.stdout
        assert ("song: uses its recording" in done.stdout) == (code == 0) == (tmp_path / name / "song.wav").is_file()
        assert (tmp_path / name / "song.npz").is_file()
    assert "song: recording not used" in done.stdout
    assert done.stderr.count("\n") == 1 and "noise.wav: not used for 1 piece (the first: song)" in done.stderr


def test_exact_names_come_first() -> None:
    found = {"Air": Path("Air.wav"), "air": Path("air.wav")}
    assert pair(["air"], found).recordings == {"air": Path("air.wav")}
    with pytest.raises(UserError, match=r"AIR.*Air\.wav, air\.wav"):
        pair(["AIR"], found)


def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such recording or folder"):
        find_recordings(tmp_path / "none")
    with pytest.raises(UserError, match="no recording"):
        find_recordings(tmp_path)
    for name in ("tune.wav", "tune.mp3"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"tune\.mp3 and .*tune\.wav"):
        find_recordings(tmp_path)
