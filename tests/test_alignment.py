"""Notes that the alignment misplaces, noise it has to skip, and what is said of a recording with repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.recordings import retiming as recordings
from score_following_game.data_preparation.recordings.alignment import FPS, Features, band_of
from score_following_game.data_preparation.recordings.placing import locate
from score_following_game.data_preparation.recordings.quality import Quality
from score_following_game.data_preparation.recordings.retiming import Alignment, align, record_piece
from score_following_game.data_processing.performance import read_midi
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise

TUNES = Path(__file__).parent.parent / "score_following_game" / "bundled" / "test_sample"
TUNE = TUNES / "test_4_Minuet_in_G.mid"
ONSETS = 0.5 + 0.5 * np.arange(24)
PLAYED = 1.2 * ONSETS + 3.0
GOOD = {
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
PITCH, BANDS = 69, 80
PITCHES = [np.array([PITCH])] * len(ONSETS)


def rises(places: np.ndarray, seconds: float = 30.0) -> np.ndarray:
    """One pitch that rises at these seconds only."""
    result = np.zeros((BANDS, round(seconds * FPS)), np.float32)
    result[band_of(PITCH), np.round(places * FPS).astype(int)] = 1.0
    return result


def perform(tempo: float, noise: float, before: float) -> tuple[np.ndarray, np.ndarray]:
    """The tune by a violin so many times as long, after some seconds of noise -> samples, each onset's second."""
    part = pretty_midi.Instrument(40)
    for note in (note for part in read_midi(TUNE).instruments for note in part.notes):
        part.notes.append(pretty_midi.Note(60 + note.pitch % 30, note.pitch, tempo * note.start, tempo * note.end - 0.02))
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(part)
    sound = synthesise(midi)
    audience = noise * np.random.default_rng(5).normal(size=round(before * SAMPLE_RATE))
    samples = np.concatenate([audience, sound / np.abs(sound).max()]).astype(np.float32)
    return samples, np.unique([note.start for note in part.notes]) + before


def found(places: np.ndarray, path: np.ndarray | None = None, heard: np.ndarray | None = None) -> np.ndarray:
    """Where the onsets are found in a recording in which the pitch rises at `heard`, if the path has them at `path`."""
    frames = np.arange(round(14 * FPS))
    course = np.interp(frames / FPS, ONSETS, places if path is None else path) * FPS
    spans = np.maximum.accumulate(np.round(course).astype(np.int64))[:, None] + (0, 0)
    seconds = 40.0
    empty = np.zeros((12, round(seconds * FPS)), np.float32)
    return locate(
        ONSETS,
        PITCHES,
        spans,
        Features(empty[:, : 14 * FPS], empty[:, : 14 * FPS], rises(ONSETS, 14)),
        Features(empty, empty, rises(places if heard is None else heard, seconds)),
    )


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shift", [-0.59, 0.59])
def test_onsets_that_the_path_misplaces_are_found_where_they_are_heard(size: int, shift: float) -> None:
    wrong = PLAYED.copy()
    wrong[10 : 10 + size] += shift
    assert found(PLAYED, path=np.maximum.accumulate(wrong)) == pytest.approx(PLAYED, abs=0.03)


def test_the_note_after_a_pause_is_found_where_it_sounds() -> None:
    """The path goes on at the old tempo into the silence of a fermata."""
    paused = PLAYED.copy()
    paused[10:] += 1.5
    early = paused.copy()
    early[10] -= 1.2
    assert found(paused, path=early) == pytest.approx(paused, abs=0.03)


def test_a_ritardando_stays() -> None:
    slower = PLAYED.copy()
    slower[8:] += 0.02 * np.arange(16) ** 2
    assert found(slower) == pytest.approx(slower, abs=0.03)


def test_notes_found_at_the_repeated_note_before_are_mended() -> None:
    """The path stays on the note before for one note longer: the search finds that note's onset again."""
    frames = np.arange(round(14 * FPS))
    path = np.interp(frames / FPS, ONSETS, PLAYED) * FPS
    stays = (frames >= ONSETS[9] * FPS) & (frames <= ONSETS[10] * FPS + 8)
    path[stays] = PLAYED[9] * FPS
    spans = np.maximum.accumulate(np.round(path).astype(np.int64))[:, None] + (0, 0)
    empty = np.zeros((12, 30 * FPS), np.float32)
    found = locate(
        ONSETS,
        PITCHES,
        spans,
        Features(empty[:, : 14 * FPS], empty[:, : 14 * FPS], rises(ONSETS, 14)),
        Features(empty, empty, rises(PLAYED)),
    )
    assert found == pytest.approx(PLAYED, abs=0.05)


@pytest.mark.parametrize("tempo", [0.3, 4.0])
def test_a_score_of_another_tempo_is_played_at_that_of_the_recording(tempo: float) -> None:
    samples, onsets = perform(tempo, noise=0.003, before=2.0)
    alignment = align(samples, read_midi(TUNE))
    error = np.abs(alignment.recording_seconds[:-1] - onsets)
    assert alignment.refusal() == "" and np.mean(error < 0.1) > 0.95 and error.max() < 1.0
    assert alignment.score_seconds[-1] == pytest.approx(read_midi(TUNE).get_end_time())
    assert alignment.quality.tempo == pytest.approx(tempo, rel=0.1)  # as of the score's own tempo


Written = list[tuple[float, float, int]]  # start and end, seconds, and pitch of each note


def sounded(notes: Written, program: int = 0, velocity: int = 40) -> tuple[pretty_midi.PrettyMIDI, np.ndarray]:
    """Notes as a MIDI file, and as they sound after a second of silence, with some noise."""
    midi = pretty_midi.PrettyMIDI(resolution=1000)
    part = pretty_midi.Instrument(program)
    part.notes = [pretty_midi.Note(velocity, pitch, start, end) for start, end, pitch in notes]
    midi.instruments.append(part)
    sound = synthesise(midi)
    sound = np.pad(sound / np.abs(sound).max(), SAMPLE_RATE)
    return midi, (sound + 0.003 * np.random.default_rng(3).normal(size=len(sound))).astype(np.float32)


def slower(notes: Written) -> Written:
    """A performance: a tempo that changes by a tenth."""
    times = np.unique([start for start, _, _ in notes] + [end for _, end, _ in notes])
    course = np.cumsum(np.diff(times, prepend=times[0]) * (1.1 + 0.1 * np.sin(times / 5)))
    return [(*np.interp([start, end], times, course).tolist(), pitch) for start, end, pitch in notes]


CHORDS = ((48, 55, 64, 72), (53, 57, 65, 72), (43, 59, 62, 67))
STATIC = {
    "pedal": [(0.0, 40.0, 43)] + [(2.0 * k, 2.0 * k + 1.9, (67, 71, 74, 72, 69)[k * k % 5]) for k in range(20)],
    "repeated": [(k * 0.8, k * 0.8 + 0.75, pitch) for k in range(48) for pitch in CHORDS[(0, 1, 0, 2)[k // 12]]],
    "long": [(8.0 * k, 8.0 * k + 7.9, pitch) for k in range(5) for pitch in CHORDS[(0, 1, 0, 2, 0)[k]]],
}


@pytest.mark.parametrize("kind", STATIC)
def test_static_harmony_is_accepted_and_placed(kind: str) -> None:
    score = sounded(STATIC[kind])[0]
    performed, samples = sounded(slower(STATIC[kind]))
    alignment = align(samples, score)
    onsets = np.unique([note.start for note in performed.instruments[0].notes]) + 1.0
    assert alignment.refusal() == ""
    assert np.abs(alignment.recording_seconds[:-1] - onsets).max() < 0.2


def test_other_music_over_the_same_drone_is_refused() -> None:
    tune = [(2.0 * k, 2.0 * k + 1.9, (72, 67, 69, 67, 74, 71)[k * k % 6]) for k in range(20)]
    samples = sounded([(0.0, 40.0, 43), *tune], program=48)[1]
    assert align(samples, sounded(STATIC["pedal"])[0]).refusal()
    assert align(sounded(STATIC["repeated"])[1], sounded(STATIC["long"])[0]).refusal()


@pytest.mark.parametrize("parts", [((0, 1, 2), (1, 2, 3)), ((0, 1, 1, 1, 2, 3),), ((0, 1, 0, 1, 2, 3, 2, 3),)])
def test_repeats_that_the_score_does_not_have_are_refused(parts: tuple[tuple[int, ...], ...]) -> None:
    """Quarters of the tune, played in this order; the sheet would stand still for some of them."""
    notes = sorted((note.start, note.end, note.pitch) for part in read_midi(TUNE).instruments for note in part.notes)
    quarter = notes[-1][1] / 4
    order = [number for part in parts for number in part]
    played = [
        (start - quarter * number + quarter * place, end - quarter * number + quarter * place, pitch)
        for place, number in enumerate(order)
        for start, end, pitch in notes
        if quarter * number <= start < quarter * (number + 1)
    ]
    assert "--repeats written" in align(sounded(played, 24, 70)[1], read_midi(TUNE)).refusal()


def test_the_first_note_is_found_after_noise() -> None:
    samples, onsets = perform(2.0, noise=0.02, before=10.0)
    assert np.abs(align(samples, read_midi(TUNE)).recording_seconds[:3] - onsets[:3]).max() < 0.1


def test_a_repeat_that_is_played_is_hinted_at(tmp_path: Path) -> None:
    once = perform(1.0, noise=0.0, before=0.0)[0]
    soundfile.write(tmp_path / "tune.wav", np.concatenate([once, once]), SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(EngravingError) as caught:
        record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")
    assert caught.value.detail.count("--repeats written") == 1


@pytest.mark.parametrize(
    ("figures", "times", "hints"),
    [
        ({"standing": 8.0}, 1, 1),
        ({"slowest": 8.0}, 1, 1),
        ({"music_outside": 20.0}, 1, 1),
        ({"similarity": 0.6}, 1, 0),
        ({"similarity": 0.6}, 2, 1),
    ],
)
def test_repeats_are_hinted_at_where_they_are_likely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: dict[str, float], times: int, hints: int
) -> None:
    seconds = read_midi(TUNE).get_end_time()
    hum = 0.1 * np.sin(np.arange(round(times * seconds * SAMPLE_RATE)) / 16)
    soundfile.write(tmp_path / "tune.wav", hum, SAMPLE_RATE)
    ends = np.array([0.0, seconds])
    monkeypatch.setattr(recordings, "align", lambda *_: Alignment(ends, times * ends, Quality(**GOOD | figures)))
    with pytest.raises(EngravingError) as caught:
        record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")
    assert caught.value.detail.count("--repeats written") == hints


def test_junk_is_no_audio_to_any_decoder(tmp_path: Path) -> None:
    (tmp_path / "tune.mp3").write_bytes(b"not audio at all")
    with pytest.raises(EngravingError, match=r"no decoder knows it") as caught:
        record_piece(TUNE, tmp_path / "tune.mp3", tmp_path / "out.mid", tmp_path / "out.wav")
    assert "Error" not in caught.value.detail


def test_recordings_beyond_full_scale_are_not_clipped(tmp_path: Path) -> None:
    samples = perform(1.0, noise=0.0, before=1.0)[0]
    soundfile.write(tmp_path / "tune.wav", 4 * samples, SAMPLE_RATE, subtype="FLOAT")
    facts = record_piece(TUNE, tmp_path / "tune.wav", tmp_path / "out.mid", tmp_path / "out.wav")
    written, _ = soundfile.read(tmp_path / "out.wav")
    begin = round(facts.begins * SAMPLE_RATE)
    assert np.abs(written - samples[begin : begin + len(written)]).max() < 1e-3
