"""MIDI files as other programs write them: tempi on any track, percussion, events that break the standard."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage

from score_following_game.config import GameConfig
from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.midi_files import played_midi, read_midi, read_played
from score_following_game.data_processing.performance import note_onsets
from score_following_game.data_processing.tempo import scale_tempo
from score_following_game.errors import UserError
from tests.small_piece import write_small_piece

PITCHES = (60, 62, 64, 65, 67, 69, 71, 72)


def saved(*tracks: list[mido.Message], ticks: int = 480) -> bytes:
    content = mido.MidiFile(type=1, ticks_per_beat=ticks, tracks=[mido.MidiTrack(track) for track in tracks])
    buffer = io.BytesIO()
    content.save(file=buffer)
    return buffer.getvalue()


def scale(channel: int = 0, pitches: tuple[int, ...] = PITCHES) -> list[mido.Message]:
    """A quarter for each pitch."""
    return [
        message
        for pitch in pitches
        for message in (
            Message("note_on", channel=channel, note=pitch),
            Message("note_off", channel=channel, note=pitch, time=480),
        )
    ]


def onsets(midi: bytes) -> np.ndarray:
    return note_onsets(played_midi(midi).midi, Path("x.mid"))


def with_meta_event(midi: bytes, kind: int, content: bytes) -> bytes:
    """Put a meta event of any content in front of the first track's events."""
    place = midi.index(b"MTrk")
    size = struct.unpack(">L", midi[place + 4 : place + 8])[0]
    event = bytes([0, 0xFF, kind, len(content)]) + content
    return midi[: place + 4] + struct.pack(">L", size + len(event)) + event + midi[place + 8 :]


def test_tempi_count_on_any_track() -> None:
    change = [MetaMessage("set_tempo", tempo=1_000_000), *scale(), MetaMessage("set_tempo", tempo=250_000)]
    midi = saved([MetaMessage("track_name", name="x")], change, scale(1, (40,) * 12))
    assert onsets(midi)[-4:].tolist() == [8.0, 8.25, 8.5, 8.75]
    assert onsets(scale_tempo(midi, 2.0))[-1] == pytest.approx(8.75 / 2)


@settings(max_examples=60)
@given(st.data())
def test_note_times_are_those_of_midos_merged_iteration(data: st.DataObject) -> None:
    moments = st.integers(0, 4000)
    tracks = []
    for number in range(data.draw(st.integers(1, 4))):
        rows: list[tuple[int, int, mido.Message]] = []
        for tempo in data.draw(st.lists(st.integers(1, 2**24 - 1), max_size=3)):
            rows.append((data.draw(moments), 1, MetaMessage("set_tempo", tempo=tempo)))
        channel = data.draw(st.sampled_from([number, number + 4, 9]))
        for pitch in data.draw(st.sets(st.integers(20, 100), min_size=1, max_size=5)):
            begin, length = data.draw(moments), data.draw(st.integers(1, 900))
            rows.append((begin, 2, Message("note_on", channel=channel, note=pitch)))
            rows.append((begin + length, 0, Message("note_off", channel=channel, note=pitch)))
        rows.sort(key=lambda row: row[:2])
        ticks = [0, *(row[0] for row in rows)]
        tracks.append([message.copy(time=tick - before) for before, (tick, _, message) in zip(ticks, rows)])
    midi = saved(*tracks, ticks=data.draw(st.sampled_from([24, 220, 480, 960])))
    expected, now = [], 0.0
    for message in mido.MidiFile(file=io.BytesIO(midi)):
        now += message.time
        if message.type == "note_on" and message.velocity and message.channel != 9:
            expected.append((now, message.note))
    if not expected:
        with pytest.raises(ValueError, match="nothing but percussion"):
            played_midi(midi)
        return
    read = sorted((note.start, note.pitch) for part in played_midi(midi).midi.instruments for note in part.notes)
    np.testing.assert_allclose([start for start, _ in read], [start for start, _ in sorted(expected)], rtol=1e-9, atol=1e-9)
    assert sorted(pitch for _, pitch in read) == sorted(pitch for _, pitch in expected)


@pytest.mark.parametrize(
    ("kind", "content"), [(0x59, b"\x09\x00"), (0x59, b""), (0x58, b"\x03"), (0x54, b"\xff\x01\x02\x03\x04")]
)
def test_a_broken_meta_event_is_no_reason_to_refuse(kind: int, content: bytes, tmp_path: Path) -> None:
    midi = saved([MetaMessage("time_signature"), *scale()])
    read = played_midi(with_meta_event(midi, kind, content))
    assert note_onsets(read.midi, Path()).tolist() == onsets(midi).tolist()
    assert read.remarks == ("1 broken meta event left out",)
    (tmp_path / "x.mid").write_bytes(with_meta_event(midi, kind, content))
    assert BarCounter.of(tmp_path / "x.mid").at(2.0) == (2, 1.0)


def test_chunks_of_other_kinds_do_no_harm() -> None:
    midi = saved(scale())
    place = midi.index(b"MTrk")
    read = played_midi(midi[:place] + b"XFIH\x00\x00\x00\x04\x90\x40\x40\x00" + midi[place:] + b"XFKM\x00\x00\x00\x00")
    assert note_onsets(read.midi, Path()).tolist() == onsets(midi).tolist()
    assert read.remarks == ()


def test_a_time_signature_without_beats_does_no_harm() -> None:
    assert len(onsets(saved([MetaMessage("time_signature", numerator=0), *scale()]))) == 8


def test_a_broken_tempo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(with_meta_event(saved(scale()), 0x51, b"\x07"))
    with pytest.raises(UserError, match=r"x\.mid: cannot be read as MIDI"):
        read_midi(tmp_path / "x.mid")


@pytest.mark.parametrize(
    ("other", "remark"),
    [
        (scale(9, (42,) * 16), "16 notes of percussion (General MIDI channel 10) left out"),
        ([MetaMessage("track_name", name="Click Track"), *scale(3)], "8 notes of the click track 'Click Track' left out"),
        ([MetaMessage("track_name", name="Metronome 1"), *scale(3)], "8 notes of the click track 'Metronome 1' left out"),
        ([Message("program_change", channel=3, program=115), *scale(3)], "8 notes of the click track '' left out"),
    ],
)
def test_percussion_and_clicks_are_left_out(other: list[mido.Message], remark: str) -> None:
    read = played_midi(saved(scale(), other))
    assert len(note_onsets(read.midi, Path())) == 8 and read.remarks == (remark,)


@pytest.mark.parametrize("name", ["Click Go the Shears", "Metronome", "Piano"])
def test_music_is_not_taken_for_a_click_track(name: str) -> None:
    read = played_midi(saved([MetaMessage("track_name", name=name), *scale()]))
    assert len(note_onsets(read.midi, Path())) == 8 and not read.remarks


def test_nothing_but_percussion_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(saved(scale(9)))
    with pytest.raises(UserError, match="nothing but percussion"):
        read_midi(tmp_path / "x.mid")


def test_a_note_without_an_end_is_told() -> None:
    assert played_midi(saved([*scale(), Message("note_on", note=90)])).remarks == ("1 note without an end left out",)


def test_independent_sequences_are_refused() -> None:
    midi = saved(scale(), scale(1))
    with pytest.raises(ValueError, match="format 2"):
        played_midi(midi[:9] + b"\x02" + midi[10:])


@pytest.mark.parametrize(("frames", "seconds"), [(25, 480 / (25 * 40)), (29, 480 / (30 * 40) * 1.001)])
def test_times_in_film_frames(frames: int, seconds: float) -> None:
    midi = saved([MetaMessage("set_tempo", tempo=123_456), *scale()])
    midi = midi[:12] + struct.pack(">bB", -frames, 40) + midi[14:]
    np.testing.assert_allclose(onsets(midi), seconds * np.arange(8), atol=1e-9)


def test_a_set_names_what_is_left_out_each_time(tmp_path: Path, config: GameConfig, caplog: pytest.LogCaptureFixture) -> None:
    write_small_piece(tmp_path)
    midi = tmp_path / "tune.mid"
    content = mido.MidiFile(midi)
    content.tracks.append(mido.MidiTrack(scale(9, (42,) * 5)))
    content.save(midi)
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            piece = load_data_set(tmp_path, config)[0]
        assert len(piece.onset_frames) == 8
        assert "tune.mid: 5 notes of percussion (General MIDI channel 10) left out" in caplog.text
    assert len(read_played(midi).remarks) == 1
