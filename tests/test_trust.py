"""Damaged and hostile files cost one piece and one line: the boundary, the limits, YAML, archives, MIDI, metadata, caches."""

from __future__ import annotations

import io
import json
import math
import shutil
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from conftest import SHARED
from small_piece import write_small_piece

from score_following_game import limits
from score_following_game.agents.loading import resolve_network_and_config
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_preparation.building.metadata import licence_of, named_work
from score_following_game.data_preparation.building.mxl import score_in
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.isolation import PASSING, UNEXPECTED
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_processing.audio import read_recording
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.midi_files import read_played
from score_following_game.data_processing.score_npz import read_score
from score_following_game.errors import LONGEST_MESSAGE, UserError, printable, shown
from score_following_game.yaml_files import parse_yaml, read_yaml, write_yaml
from score_following_game.zip_files import open_zip, read_member

CASES = SHARED / "cases" / "trust"


def test_messages_are_short_and_on_one_line():
    message = str(UserError("a\nb\x1b[31m\udcff" + "x" * 10**6))
    assert message.startswith(r"a\nb\x1b[31m\udcff")
    assert message.isprintable() and len(message) < LONGEST_MESSAGE + 20
    deep: list = []
    for _ in range(20):
        deep = [deep] * 9  # 9^20 values, as an alias bomb makes them
    assert len(shown(deep)) < 200
    assert len(shown(10**5000)) < 200
    assert printable("Dvořák") == "Dvořák"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object:os.system x", "a: a tag .* is not allowed in line 1"),
        ("b:\n  c: !!int '3'", "c: a tag .* is not allowed in line 2"),
        ("a: &x [1]\nb: *x", "a: an alias"),
        ("- &a [x]\n- *a", "an alias"),
        ("a: " + "[" * 10_000, "a: a value more than 16 levels deep"),
        ("a: " + "9" * 5000, "a: a number of more than 400 digits"),
        ("a: 1\na: 2", "a: a second value"),
        ("? [1]\n: 2", "a key that is not a text"),
        ("a: 1\n---\nb: 2", "more than one YAML document"),
        ("a: [1", "not YAML"),
        ("a: \x00", "not YAML"),
        ("just words", "expected keys and values"),
    ],
)
def test_yaml_that_no_config_has_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"a.yaml: .*{message}"):
        read_yaml(tmp_path / "a.yaml")


def test_yaml_has_no_dates_and_gives_back_what_was_written(tmp_path: Path):
    assert parse_yaml("2001-99-99", "") == "2001-99-99"
    assert parse_yaml("", "") is None
    values = [
        1e-5,
        -3,
        True,
        None,
        "2001-01-01",
        "1:30",
        "0x1F",
        "null",
        "1e5",
        "yes",
        "",
        "é",
        math.inf,
        [1, [2.5]],
        {"k": "~"},
    ]
    content = {f"key{index}": value for index, value in enumerate(values)} | {"again": values[-2], "1": values[-2]}
    write_yaml(tmp_path / "a.yaml", content)
    assert read_yaml(tmp_path / "a.yaml") == content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate", 1),
        ("frame_size", 1),
        ("fps", 10**9),
        ("spec_context", 10**12),
        ("sheet_context", 10**12),
        ("reward_window", 10**12),
        ("actions", [0.0, 1e300]),
        ("actions", list(range(5000))),
    ],
)
def test_a_number_of_a_game_config_has_a_range(tmp_path: Path, key: str, value: object):
    content = read_yaml(Path(__file__).parent.parent / "game_configs" / "nottingham.yaml")
    (content["spectrogram_params"] if key in content["spectrogram_params"] else content)[key] = value
    write_yaml(tmp_path / "game.yaml", content)
    with pytest.raises(UserError, match=rf"game.yaml: .*{key} is .*, expected"):
        load_game_config(tmp_path / "game.yaml")


def test_a_run_config_of_another_type_is_one_line(tmp_path: Path):
    (tmp_path / "best_model.pt").write_bytes(b"")
    (tmp_path / "config.yaml").write_text("net: [a]")
    with pytest.raises(UserError, match=r"config.yaml: net is \['a'\], expected the name of a network"):
        resolve_network_and_config(tmp_path / "best_model.pt")


def archive(method: int, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_stored_and_deflated_members_are_read(method: int):
    with pytest.raises(ValueError, match="compressed by method"), open_zip(archive(method, a=bytes(10))) as file:
        read_member(file, "a", 10**9)


def test_bytes_are_counted_while_they_are_decompressed():
    data = bytearray(archive(zipfile.ZIP_DEFLATED, a=bytes(10**6)))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # both headers state ten bytes
        at = data.index(mark) + place
        data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises((ValueError, zipfile.BadZipFile)), open_zip(bytes(data)) as file:
        read_member(file, "a", 1000)
    with pytest.raises(limits.TooLarge, match="in its index"), open_zip(bytes(data), 10):
        pass


def test_all_arrays_of_a_file_count_together(folder: Path, monkeypatch: pytest.MonkeyPatch):
    score = read_score(folder / "tune.npz")
    monkeypatch.setattr(limits, "ARRAYS", score.sheet.nbytes + 200)  # each of its arrays is smaller
    with pytest.raises(UserError, match=r"tune.npz: too large"):
        read_score(folder / "tune.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 no archive",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (78, 9999999999), }".ljust(127) + b"\n",
        b"",
        archive(zipfile.ZIP_STORED, a=b"1"),
    ],
)
def test_whatever_is_wrong_with_a_spectrogram_costs_that_piece(
    folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture, content: bytes
):
    write_small_piece(folder, "bad")
    (folder / "bad.spec.npy").write_bytes(content or b"\x00")
    assert [piece.name for piece in load_data_set(folder, config)] == ["tune"]
    assert "1 of 2 pieces left out" in caplog.text and "bad.spec.npy: corrupt spectrogram" in caplog.text


def long_midi(path: Path, hours: float) -> None:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=2**24 - 1)])
    for _ in range(2):
        track += [
            mido.Message("note_on", note=60, time=0),
            mido.Message("note_off", note=60, time=round(hours * 1800 / 16.8 * 100)),
        ]
    mido.MidiFile(tracks=[track], ticks_per_beat=100).save(path)


def test_music_beyond_the_limit_costs_that_piece(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    write_small_piece(folder, "bad")
    long_midi(folder / "bad.mid", 28)
    assert [piece.name for piece in load_data_set(folder, config)] == ["tune"]
    assert "bad.mid: it lasts 27.96 hours, more than 60 minutes" in caplog.text and "--max_minutes_of_music" in caplog.text


def test_the_limit_of_music_is_an_option(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "_minutes", 60.0)
    limits.set_minutes_of_music(0.01)
    with pytest.raises(UserError, match=r"tune.mid: it lasts 0 minutes, more than 0.01 minutes"):
        read_played(folder / "tune.mid")
    for impossible in (0, -1, math.nan, math.inf):
        with pytest.raises(UserError, match="--max_minutes_of_music"):
            limits.set_minutes_of_music(impossible)


@pytest.mark.parametrize(
    "track",
    [b"\x80" * 10**6 + b"\x00\x90\x40\x40", b"\x00\x90\x40\x40" * 600_000],
    ids=["a number without end", "too many events"],
)
def test_a_midi_file_that_takes_for_ever_is_refused_at_once(tmp_path: Path, track: bytes):
    path = tmp_path / "a.mid"
    path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big") + track)
    with pytest.raises(UserError, match=r"a.mid: too large"):
        read_played(path)


def test_a_recording_is_measured_while_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.ones(22050 * 5), 22050)
    monkeypatch.setattr(limits, "_minutes", 4 / 60)
    with pytest.raises(UserError, match=r"a.wav: it lasts 0 minutes"):
        read_recording(tmp_path / "a.wav")


@pytest.mark.parametrize("damage", ["onsets", "spectrogram", "remarks"])
def test_a_forged_cache_is_made_again(folder: Path, config: GameConfig, damage: str):
    (before,) = load_data_set(folder, config)
    (path,) = folder.glob("*.cache.npz")
    with np.load(path) as file:
        content = dict(file)
    content[damage] = {
        "onsets": content["onsets"][::-1],
        "spectrogram": content["spectrogram"][:, :0],
        "remarks": np.array(json.dumps([1])),
    }[damage]
    np.savez(path, **content)
    (after,) = load_data_set(folder, config)
    assert np.array_equal(before.spectrogram, after.spectrogram) and np.array_equal(before.onset_frames, after.onset_frames)


def test_a_damaged_manifest_costs_no_piece(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    (folder / "manifest.json").write_bytes(b'{\n "parameters": {' + b"[" * 10**5)
    assert len(load_data_set(folder, config)) == 1
    assert "default sound font" in caplog.text


def test_a_file_that_cannot_be_read_is_a_source_with_a_problem(tmp_path: Path):
    shutil.copy(Path(__file__).parent / "data" / "song.musicxml", tmp_path / "good.musicxml")
    (tmp_path / "bad.mxl").write_bytes(b"PK\x05\x06" + b"\xff" * 18)
    (tmp_path / "big.krn").write_bytes(b"!" * (limits.SCORE_FILE + 1))
    sources = {source.name: source.problem for source in find_sources([tmp_path])}
    assert sources["good"] == "" and sources.keys() == {"good", "bad", "big"}
    assert "too large" in sources["big"]
    assert UNEXPECTED not in PASSING


def test_long_and_undecodable_names_are_made_to_fit(tmp_path: Path):
    song = (Path(__file__).parent / "data" / "song.musicxml").read_bytes()
    names = ["x" * 240 + ".xml", "x" * 239 + "y.xml", "caf\udce9.xml", "\x1b[31m.xml"]
    for name in names:
        (tmp_path / name).write_bytes(song)
    sources = find_sources([tmp_path])
    assert len({source.name for source in sources}) == len(names)
    for source in sources:
        assert source.name.isprintable() and len(source.name) <= 150
        assert source.origin.isprintable() and source.label.isprintable()


@pytest.mark.parametrize("tag", ["rights", "creator type='composer'", "work-title", "movement-title"])
def test_metadata_is_read_in_linear_time(tag: str):
    text = "<score-partwise>" + f"<{tag}>" + " " * 300_000 + "\n" * 300_000
    assert licence_of(Path("/nowhere/a.musicxml"), text) == named_work(Path("a.musicxml"), text) == ""
    assert licence_of(Path("/nowhere/a.ly"), "\n" * 300_000) == ""


def test_metadata_of_the_beginning_of_a_file():
    text = (
        "<?xml version='1.0' encoding='UTF-16'?><score-partwise><work><work-number>op. 1</work-number><work-title> A &amp; B "
        "</work-title></work><movement-title>Allegro</movement-title><identification><creator type='composer'>C. D.</creator>"
        "<creator type='poet'>E</creator><rights>CC0</rights></identification><part-list/><rights>no</rights>"
    )
    assert licence_of(Path("/nowhere/a.xml"), text) == "CC0"
    assert named_work(Path("a.xml"), text) == "C. D.; op. 1; A & B"
    mei = "<mei xmlns='x'><meiHead><availability><p>public domain</p></availability></meiHead><music>"
    assert licence_of(Path("/nowhere/a.mei"), mei) == "public domain"
    bomb = "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]><score-partwise><rights>&c;</rights>"
    assert licence_of(Path("/nowhere/a.musicxml"), bomb) == ""


@pytest.mark.usefixtures("shared")
@pytest.mark.skipif(not CASES.is_dir(), reason="no cases")
def test_the_cases_found_by_attacks(folder: Path, config: GameConfig, caplog: pytest.LogCaptureFixture):
    for case in sorted(CASES.glob("*.npz")) + sorted(CASES.glob("*.mid")):
        write_small_piece(folder, "bad")
        shutil.copy(case, (folder / "bad").with_suffix(case.suffix))
        caplog.clear()
        assert [piece.name for piece in load_data_set(folder, config)] == ["tune"], case.name
        assert f"bad{case.suffix}: " in caplog.text
    for case in sorted(CASES.glob("*.mxl")):
        with pytest.raises(EngravingError):
            score_in(case.read_bytes())
    for case in sorted(CASES.glob("gameconfig*")):
        with pytest.raises(UserError) as caught:
            load_game_config(case)
        assert len(str(caught.value)) < 300
