"""Recordings of pieces: which score each belongs to, and the piece's MIDI timed as the recording plays it."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.recordings.alignment import MOST_CELLS, compute_features, locate, warp
from score_following_game.data_preparation.recordings.quality import REPEATS, Quality, measure
from score_following_game.data_processing.audio import is_recording, load_recording
from score_following_game.data_processing.performance import note_onsets, read_midi
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.errors import UserError
from score_following_game.files import file_digest, replacing

if TYPE_CHECKING:
    import pretty_midi

POOR = "poor alignment"
UNREADABLE = "unreadable recording"
_RESOLUTION, _TEMPO = 500, 120.0  # ticks per quarter, quarters per minute: a tick of the MIDI written is 1 ms
_SHORTEST = 20  # ms a note lasts at least
_BEFORE, _AFTER = 0.1, 1.5  # seconds of a recording kept before its first note and after its last
_NEAR_TWICE = 1.7, 2.3  # times as long as the score: its repeats may be played
_LEAD, _TAIL = 0.4, 0.5  # seconds of silence before the score's audio, without which the first note is found late; of
# its audio after the last note
_TEMPO_SPAN = 4.0  # seconds of score over which a local tempo is taken
_LONGEST = 4.0, 120.0  # a recording lasts no longer than so many times the score, and these seconds


@dataclass(frozen=True)
class Pairs:
    """recordings: by the score's name.  without_recording: names.  without_score: recordings, by path."""

    recordings: dict[str, Path]
    without_recording: list[str]
    without_score: list[Path]


@dataclass(frozen=True)
class Alignment:
    """score_seconds: float64 (K,), the score's distinct onsets and its end; recording_seconds: float64 (K,), where they are
    played, never falling."""

    score_seconds: np.ndarray
    recording_seconds: np.ndarray
    quality: Quality

    def refusal(self) -> str:
        """Why this is no recording of the score; "" when it is one. See Quality."""
        return self.quality.refusal()


@dataclass(frozen=True)
class RecordingFacts:
    """digest: SHA-256 of the recording as it was given.  seconds: of the part that plays the piece, which begins at `begins`
    of it.  quality: the figures of Quality by name."""

    digest: str
    seconds: float
    begins: float
    quality: dict[str, float]


def find_recordings(folder: Path) -> dict[str, Path]:
    """Recordings of a folder and those below it, by stem, in its order.

    Raises UserError when there is no such folder, no recording in it, or two of one stem.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of recordings")
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if is_recording(path) and path.is_file()):
        if (other := found.setdefault(path.stem, path)) != path:
            raise UserError(
                f"{other} and {path} have one name, and either could be the recording of a score; rename one or move it away"
            )
    if not found:
        raise UserError(f"{folder}: no recording in this folder; looked for .wav, .flac, .mp3 and .ogg")
    return dict(sorted(found.items()))


def pair(names: Iterable[str], recordings: dict[str, Path]) -> Pairs:
    """Scores and recordings of the same name; where that finds none, of the same letters and digits in any case.

    Raises UserError when, of what is left, two recordings or two scores are alike in that sense and have a partner.
    """
    names = list(names)
    pairs = {name: recordings[name] for name in names if name in recordings}
    scores, stems = defaultdict(list), defaultdict(list)
    for name in names:
        if name not in pairs:
            scores[_key(name)].append(name)
    for stem in recordings:
        if stem not in pairs:
            stems[_key(stem)].append(stem)
    for key in sorted(scores.keys() & stems.keys()):
        if len(scores[key]) + len(stems[key]) > 2:
            files = ", ".join(str(recordings[stem]) for stem in stems[key])
            raise UserError(
                f"scores {', '.join(scores[key])} and recordings {files}: it is not clear which belongs to which; "
                "give each recording the exact name of its score"
            )
        pairs[scores[key][0]] = recordings[stems[key][0]]
    used = set(pairs.values())
    return Pairs(
        {name: pairs[name] for name in names if name in pairs},
        [name for name in names if name not in pairs],
        sorted(path for path in recordings.values() if path not in used),
    )


def _key(name: str) -> str:
    return (slug(name) or name).casefold()


def align(
    samples: np.ndarray,
    midi: pretty_midi.PrettyMIDI,
    sound_font: Path | None = None,
    most_cells: int = MOST_CELLS,
) -> Alignment:
    """Find where a recording plays each note of a score.

    samples: float32 (n,) mono at 22 050 Hz, with whatever before and after the piece.  midi: the score's timing, with notes.
    most_cells: size of the largest cost matrix, 20 bytes each.  Raises UserError as `synthesise` does.
    """
    chords: dict[float, list[int]] = defaultdict(list)
    for note in _by_onset(midi):
        chords[note.start].append(note.pitch)
    onsets, pitches = np.array(list(chords)), [np.unique(chord) for chord in chords.values()]
    first, end = onsets[0], max(note.end for note in _by_onset(midi))
    played = synthesise(midi, sound_font)[round(first * SAMPLE_RATE) : round((end + _TAIL) * SAMPLE_RATE)]
    played = np.pad(played, (round(_LEAD * SAMPLE_RATE), 0))
    score, recording = compute_features(played), compute_features(samples)
    spans = warp(score, recording, most_cells)
    places = locate(onsets - first + _LEAD, pitches, spans, score, recording)
    tempo = _local_tempo(onsets, places)
    last = min(places[-1] + (end - onsets[-1]) * float(np.median(tempo)), len(samples) / SAMPLE_RATE)
    quality = measure(score, recording, spans, pitches, places, tempo)
    return Alignment(np.append(onsets, end), np.append(places, max(last, places[-1])), quality)


def _by_onset(midi: pretty_midi.PrettyMIDI) -> list[pretty_midi.Note]:
    """As the game counts notes: by onset, and within one as they stand in the file."""
    return sorted((note for part in midi.instruments for note in part.notes), key=lambda note: note.start)


def _local_tempo(onsets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Recording seconds per score second from each onset over the next 4 s; over the whole where it is shorter."""
    later = np.searchsorted(onsets, onsets + _TEMPO_SPAN)
    begins = np.flatnonzero(later < len(onsets))
    if not len(begins):
        return np.array([(places[-1] - places[0]) / (onsets[-1] - onsets[0]) if len(onsets) > 1 else 1.0])
    ends = later[begins]
    return (places[ends] - places[begins]) / (onsets[ends] - onsets[begins])


def retime(midi: pretty_midi.PrettyMIDI, alignment: Alignment) -> bytes:
    """The MIDI file of the same notes, instruments and programs, timed as the recording plays them; to the ms, one tempo.

    The notes keep their order by onset, chords stay together and distinct onsets distinct. Notes last 20 ms or more and no
    pitch of an instrument overlaps itself.
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
                end = min(end, onset - 1)  # a ms before the same pitch again
            copy.notes.append(pretty_midi.Note(note.velocity, note.pitch, start / 1000, end / 1000))
        result.instruments.append(copy)
    stream = io.BytesIO()
    result.write(stream)
    return stream.getvalue()


def _onset_ticks(midi: pretty_midi.PrettyMIDI, alignment: Alignment) -> dict[float, int]:
    """Score second of each onset -> ms in the recording, each later than the one before and late enough for the shortest
    note of its pitches to have ended."""
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
    """Write the piece's MIDI timed as the recording plays it, and beside it the part of the recording that plays it. For a
    child process.

    The part is 16-bit wav, mono, 22 050 Hz, whatever the target's suffix. It begins where its first note is as far from its
    beginning as in the score, but _BEFORE at least: agents wait for the music where the score begins.

    Raises EngravingError, and writes nothing, when the recording cannot be read or is not one of this score; UserError as
    `synthesise` does, which holds for every piece.
    """
    import soundfile

    try:
        midi = read_midi(midi_path)
        _require_likely_length(recording, float(note_onsets(midi, midi_path)[-1]))
        samples = load_recording(recording)
    except UserError as error:
        raise EngravingError(UNREADABLE, str(error)) from None
    alignment = align(samples, midi)
    if refusal := alignment.refusal():
        low, high = _NEAR_TWICE
        twice = low < len(samples) / SAMPLE_RATE / alignment.score_seconds[-1] < high and REPEATS not in refusal
        raise EngravingError(POOR, f"{recording}: {refusal}{REPEATS if twice else ''}")
    begin, end = _part(alignment)
    part = samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    content = retime(midi, replace(alignment, recording_seconds=alignment.recording_seconds - begin))
    _require_same_notes(midi, content)
    with replacing(target_audio) as temporary:
        soundfile.write(temporary, part / max(1.0, np.abs(part).max()), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    with replacing(target_midi) as temporary:
        temporary.write_bytes(content)
    return RecordingFacts(file_digest(recording), round(len(part) / SAMPLE_RATE, 3), begin, asdict(alignment.quality))


def _part(alignment: Alignment) -> tuple[float, float]:
    """Seconds of the recording between which the piece is played."""
    first, last = float(alignment.recording_seconds[0]), float(alignment.recording_seconds[-1])
    # Whole milliseconds, as the MIDI has.
    return max(0.0, round(first - max(float(alignment.score_seconds[0]), _BEFORE), 3)), last + _AFTER


def _require_likely_length(recording: Path, seconds: float) -> None:
    """Spares decoding and aligning an album or a snippet. seconds: of the score."""
    import soundfile

    try:
        length = soundfile.info(recording).duration
    except (soundfile.SoundFileError, OSError):
        return  # for the decoder to say what is wrong
    times, extra = _LONGEST
    if not seconds / times <= length <= seconds * times + extra:
        hint = REPEATS if length > seconds else ""
        raise EngravingError(POOR, f"{recording}: lasts {length:.0f} s, its score {seconds:.0f} s{hint}")


def _require_same_notes(midi: pretty_midi.PrettyMIDI, content: bytes) -> None:
    """Read back, the notes by onset must be those of the score: the noteheads are counted by them."""
    from score_following_game.data_processing.midi_library import pretty_midi

    def chords(source: pretty_midi.PrettyMIDI) -> list[list[int]]:
        result: dict[float, list[int]] = defaultdict(list)
        for note in _by_onset(source):
            result[note.start].append(note.pitch)
        return [sorted(chord) for chord in result.values()]

    if chords(midi) != chords(pretty_midi.PrettyMIDI(io.BytesIO(content))):
        raise EngravingError("MIDI that cannot be retimed", "its notes read back in another order")
