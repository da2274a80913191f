"""Timing a piece's MIDI as a recording plays it, and cutting the piece out of the recording."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_preparation.engraving.reading import PLAUSIBLE_TEMPO
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.recordings.alignment import MOST_CELLS, compute_features, warp
from score_following_game.data_preparation.recordings.placing import locate
from score_following_game.data_preparation.recordings.quality import REPEATS, Quality, measure
from score_following_game.data_preparation.recordings.scaling import at_speed, speed_of
from score_following_game.data_processing.audio import read_recording, recording_seconds, write_recording
from score_following_game.data_processing.midi_files import played_midi, read_midi
from score_following_game.data_processing.performance import note_onsets
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.errors import UserError
from score_following_game.files import file_digest, replacing

if TYPE_CHECKING:
    import pretty_midi

POOR = "poor alignment"
UNREADABLE = "unreadable recording"
_RESOLUTION, _TEMPO = 500, 120.0  # ticks per quarter and quarters per minute: a tick of the written MIDI is 1 ms
_SHORTEST = 20  # minimum length of a note, ms
_BEFORE, _AFTER = 0.1, 1.5  # seconds of the recording kept before the first note and after the last
_NEAR_TWICE = 1.7, 2.3  # length relative to the score at which the recording may include repeats
_LEAD = 0.4  # seconds of silence before the score's audio: without it the first note is located late
_TAIL = 0.5  # seconds of the score's audio after the last note
_TEMPO_SPAN = 4.0  # seconds of score over which a local tempo is measured
_LONGEST = 4.0, 120.0  # longest recording: at least this many times the score, plus this many seconds


@dataclass(frozen=True)
class Alignment:
    """score_seconds: float64 (K,), the distinct onsets of the score and its end.
    recording_seconds: float64 (K,), the times in the recording at which these are played, never decreasing.
    """

    score_seconds: np.ndarray
    recording_seconds: np.ndarray
    quality: Quality

    def refusal(self) -> str:
        """The reason why this is not a recording of the score; "" if it is one. See Quality."""
        return self.quality.refusal()


@dataclass(frozen=True)
class RecordingFacts:
    """digest: SHA-256 of the original recording.  quality: the fields of Quality.
    seconds, begins: length of the part that plays the piece, and its start in the recording, seconds.
    remarks: what is odd about the recording, a phrase each.
    """

    digest: str
    seconds: float
    begins: float
    quality: dict[str, float]
    remarks: list[str] = field(default_factory=list)


def align(
    samples: np.ndarray,
    midi: pretty_midi.PrettyMIDI,
    sound_font: Path | None = None,
    most_cells: int = MOST_CELLS,
) -> Alignment:
    """Find the time at which a recording plays each note of a score.

    Args:
        samples: float32 (n,), mono, 22 050 Hz. There may be other sound before and after the piece.
        midi: The notes with the timing of the score; at least one.
        sound_font: Sound font to play the score with; None for the default.
        most_cells: Number of cells of the largest cost matrix, of about 20 bytes each.

    Returns:
        The alignment with its quality.

    Raises:
        UserError: The score cannot be synthesised (see `synthesise`).
    """
    chords: dict[float, list[int]] = defaultdict(list)
    for note in _by_onset(midi):
        chords[note.start].append(note.pitch)
    written, pitches = np.array(list(chords)), [np.unique(chord) for chord in chords.values()]
    end = max(note.end for note in _by_onset(midi))
    recording = compute_features(samples)
    factor = speed_of(compute_features(_played(midi, sound_font)), recording, most_cells)
    score = compute_features(_played(at_speed(midi, factor), sound_font))
    onsets = factor * (written - written[0]) + _LEAD
    spans = warp(score, recording, most_cells)
    places = locate(onsets, pitches, spans, score, recording)
    tempo = _local_tempo(onsets, places)
    last = min(places[-1] + factor * (end - written[-1]) * float(np.median(tempo)), len(samples) / SAMPLE_RATE)
    quality = measure(score, recording, spans, onsets, pitches, places, tempo)
    of_score = {name: round(factor * getattr(quality, name), 3) for name in ("tempo_low", "tempo", "tempo_high")}
    return Alignment(np.append(written, end), np.append(places, max(last, places[-1])), replace(quality, **of_score))


def _played(midi: pretty_midi.PrettyMIDI, sound_font: Path | None) -> np.ndarray:
    """The score's sound, float32 (n,), from _LEAD before the first note to _TAIL after the end of the last."""
    notes = _by_onset(midi)
    first, end = notes[0].start, max(note.end for note in notes)
    played = synthesise(midi, sound_font)[round(first * SAMPLE_RATE) : round((end + _TAIL) * SAMPLE_RATE)]
    return np.pad(played, (round(_LEAD * SAMPLE_RATE), 0))


def _by_onset(midi: pretty_midi.PrettyMIDI) -> list[pretty_midi.Note]:
    """The notes in the order in which the game counts them: by onset, then as in the file."""
    return sorted((note for part in midi.instruments for note in part.notes), key=lambda note: note.start)


def _local_tempo(onsets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Recording seconds per score second, measured over 4 s from each onset; over everything for a shorter score."""
    later = np.searchsorted(onsets, onsets + _TEMPO_SPAN)
    begins = np.flatnonzero(later < len(onsets))
    if not len(begins):
        return np.array([(places[-1] - places[0]) / (onsets[-1] - onsets[0]) if len(onsets) > 1 else 1.0])
    ends = later[begins]
    return (places[ends] - places[begins]) / (onsets[ends] - onsets[begins])


def retime(midi: pretty_midi.PrettyMIDI, alignment: Alignment) -> bytes:
    """Return a MIDI file with the same notes, instruments and programs, timed as in the recording.

    It has one tempo and a resolution of 1 ms. The notes keep their order by onset, chords stay together and distinct onsets
    stay distinct. Notes last at least 20 ms, and notes of the same pitch and instrument do not overlap.
    """
    from score_following_game.data_processing.midi_library import pretty_midi

    starts = _onset_ticks(midi, alignment)
    result = pretty_midi.PrettyMIDI(resolution=_RESOLUTION, initial_tempo=_TEMPO)
    for part in midi.instruments:
        copy = pretty_midi.Instrument(part.program, part.is_drum, part.name)
        onsets: dict[int, list[int]] = defaultdict(list)
        for note in sorted(part.notes, key=lambda note: note.start):
            onsets[note.pitch].append(starts[note.start])
        for note in part.notes:
            start = starts[note.start]
            end = round(1000 * float(np.interp(note.end, alignment.score_seconds, alignment.recording_seconds)))
            end = max(end, start + _SHORTEST)
            for onset in onsets[note.pitch][bisect_right(onsets[note.pitch], start) :][:1]:
                end = min(end, onset - 1)  # 1 ms before the next note of this pitch
            copy.notes.append(pretty_midi.Note(note.velocity, note.pitch, start / 1000, end / 1000))
        result.instruments.append(copy)
    stream = io.BytesIO()
    result.write(stream)
    return stream.getvalue()


def _onset_ticks(midi: pretty_midi.PrettyMIDI, alignment: Alignment) -> dict[float, int]:
    """Onset in the score (seconds) -> onset in the recording (ms).

    Each is later than the one before, by enough for the previous notes of its pitches to last _SHORTEST.
    """
    places = dict(zip(alignment.score_seconds[:-1].tolist(), alignment.recording_seconds.tolist()))
    pitches: dict[float, set[int]] = defaultdict(set)
    for note in _by_onset(midi):
        pitches[note.start].add(note.pitch)
    ticks: dict[float, int] = {}
    free: dict[int, int] = {}  # pitch -> the first ms it can start at
    tick = -1
    for onset, chord in pitches.items():
        tick = max(round(1000 * places[onset]), tick + 1, *(free.get(pitch, 0) for pitch in chord))
        ticks[onset] = tick
        free |= dict.fromkeys(chord, tick + _SHORTEST + 1)
    return ticks


def record_piece(midi_path: Path, recording: Path, target_midi: Path, target_audio: Path) -> RecordingFacts:
    """Align a recording with a piece; write the MIDI retimed to it and the part of the recording that plays the piece.

    The audio is 16-bit wav, mono, 22 050 Hz, whatever the suffix of the target. The silence before its first note is as long
    as in the score, but at least _BEFORE, since agents wait at the start of the score for the music.

    Raises:
        EngravingError: The recording cannot be read or is not a recording of this score. Nothing is written.
        UserError: No piece can be synthesised here (see `synthesise`).
    """
    try:
        midi = read_midi(midi_path)
        _require_likely_length(recording, midi, float(note_onsets(midi, midi_path)[-1]))
        heard = read_recording(recording)
    except UserError as error:
        raise EngravingError(UNREADABLE, str(error)) from None
    samples = heard.samples
    alignment = align(samples, midi)
    if refusal := alignment.refusal():
        low, high = _NEAR_TWICE
        twice = low < len(samples) / SAMPLE_RATE / alignment.score_seconds[-1] < high and REPEATS not in refusal
        raise EngravingError(POOR, f"{recording}: {refusal}{REPEATS if twice else ''}")
    begin, end = _part(alignment)
    part = samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    content = retime(midi, replace(alignment, recording_seconds=alignment.recording_seconds - begin))
    _require_same_notes(midi, content)
    write_recording(target_audio, part)
    with replacing(target_midi) as temporary:
        temporary.write_bytes(content)
    seconds = round(len(part) / SAMPLE_RATE, 3)
    return RecordingFacts(file_digest(recording), seconds, begin, asdict(alignment.quality), list(heard.remarks))


def _part(alignment: Alignment) -> tuple[float, float]:
    """Start and end of the part of the recording that plays the piece, seconds."""
    first, last = float(alignment.recording_seconds[0]), float(alignment.recording_seconds[-1])
    # The start is rounded to whole milliseconds, the resolution of the MIDI.
    return max(0.0, round(first - max(float(alignment.score_seconds[0]), _BEFORE), 3)), last + _AFTER


def _require_likely_length(recording: Path, midi: pretty_midi.PrettyMIDI, seconds: float) -> None:
    """Raise EngravingError for a recording far too long or short, without decoding it. seconds: length of the score.

    Whatever the score's tempo, the recording may have any from PLAUSIBLE_TEMPO.
    """
    length = recording_seconds(recording)
    if length is None or not seconds:
        return  # the decoder reports what is wrong
    times, extra = _LONGEST
    slowest, fastest = PLAUSIBLE_TEMPO
    tempo = 60 * midi.time_to_tick(seconds) / midi.resolution / seconds
    if not seconds * min(1 / times, tempo / fastest) <= length <= seconds * max(times, tempo / slowest) + extra:
        hint = REPEATS if length > seconds else ""
        raise EngravingError(POOR, f"{recording}: is {length:.0f} s long, its score {seconds:.0f} s{hint}")


def _require_same_notes(midi: pretty_midi.PrettyMIDI, content: bytes) -> None:
    """Raise EngravingError unless the retimed notes, read back, are those of the score in the same order by onset.

    The score npz refers to notes by their place in this order.
    """

    def chords(source: pretty_midi.PrettyMIDI) -> list[list[int]]:
        result: dict[float, list[int]] = defaultdict(list)
        for note in _by_onset(source):
            result[note.start].append(note.pitch)
        return [sorted(chord) for chord in result.values()]

    if chords(midi) != chords(played_midi(content).midi):
        raise EngravingError("MIDI that cannot be retimed", "its notes are read back in another order")
