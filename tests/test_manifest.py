"""Performances of a set (tempi, sound fonts, recordings), its manifest, and the check of a set against it."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import soundfile

from score_following_game.config import GameConfig
from score_following_game.data_preparation.building.build import BuildOptions, BuildReport, build
from score_following_game.data_preparation.building.options import Performances
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.building.split import parse_split
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import MANIFEST_NAME, read_manifest
from score_following_game.data_processing.performance import read_midi
from score_following_game.data_processing.synthesis import default_sound_font, synthesise
from score_following_game.data_processing.tempo import scale_tempo, tempo_suffix
from score_following_game.errors import UserError
from score_following_game.files import file_digest

TUNES = Path(__file__).parents[1] / "score_following_game" / "bundled" / "tunes" / "test.abc"


def make(destination: Path, count: int = 2, **performances: object) -> BuildReport:
    return build(find_sources([TUNES])[:count], BuildOptions(destination, performances=Performances(**performances)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tunes at two tempi, with two fonts."""
    folder = tmp_path_factory.mktemp("made")
    fonts = [folder / "fonts" / name for name in ("one.sf2", "two.sf2")]
    fonts[0].parent.mkdir()
    content = default_sound_font().read_bytes()
    for number, font in enumerate(fonts):  # the same sounds under another file's digest: a letter of its name is changed
        place = content.index(b"INAM") + 8
        font.write_bytes(content[:place] + bytes([65 + number]) + content[place + 1 :])
    make(folder / "set", tempi=(0.8, 1.0), sound_fonts=tuple(fonts))
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "set", tmp_path / "set")


# --- tempi


def seconds(midi: bytes) -> np.ndarray:
    read = pretty_midi.PrettyMIDI(io.BytesIO(midi))
    return np.array(sorted((note.start, note.end) for part in read.instruments for note in part.notes))


@pytest.mark.parametrize("named", [True, False])
def test_a_tempo_scales_every_time_and_keeps_the_order_of_notes(named: bool) -> None:
    content = mido.MidiFile(ticks_per_beat=480)
    tempo, notes = mido.MidiTrack(), mido.MidiTrack()
    content.tracks += [tempo, notes]
    tempo += [mido.MetaMessage("set_tempo", tempo=600_000, time=0)] * named
    tempo.append(mido.MetaMessage("set_tempo", tempo=900_000, time=960))
    for pitch in (60, 64, 62):
        notes += [mido.Message("note_on", note=pitch, velocity=80, time=0), mido.Message("note_off", note=pitch, time=480)]
    buffer = io.BytesIO()
    content.save(file=buffer)
    before, after = seconds(buffer.getvalue()), seconds(scale_tempo(buffer.getvalue(), 0.8))
    assert np.allclose(after, before / 0.8, atol=1e-5) and before[-1, 1] > 1.8
    assert scale_tempo(buffer.getvalue(), 0.8) == scale_tempo(buffer.getvalue(), 0.8)


def test_tempi_in_every_track_are_scaled() -> None:
    """Most files have them in the first track, but nothing makes them."""
    content = mido.MidiFile(type=1, ticks_per_beat=480)
    for tempo, first in ((600_000, 0), (900_000, 960)):
        content.tracks.append(
            mido.MidiTrack(
                [
                    mido.MetaMessage("set_tempo", tempo=tempo, time=first),
                    mido.Message("note_on", note=60, time=480),
                    mido.Message("note_off", note=60, time=480),
                ]
            )
        )
    buffer = io.BytesIO()
    content.save(file=buffer)
    scaled = mido.MidiFile(file=io.BytesIO(scale_tempo(buffer.getvalue(), 1.25)))
    assert [[message.tempo for message in track if message.type == "set_tempo"] for track in scaled.tracks] == [
        [480_000],
        [720_000],
    ]


@pytest.mark.parametrize(("tempo", "factor"), [(6_000_000, 0.25), (1, 4.0)])
def test_a_tempo_that_midi_cannot_name_is_refused(tempo: int, factor: float) -> None:
    content = mido.MidiFile()
    content.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)]))
    buffer = io.BytesIO()
    content.save(file=buffer)
    with pytest.raises(UserError, match=f"tempo out of MIDI's range: {tempo} microseconds"):
        scale_tempo(buffer.getvalue(), factor)
    assert scale_tempo(buffer.getvalue(), 1.0)


def test_tempo_names() -> None:
    assert [tempo_suffix(tempo) for tempo in (1.0, 0.9, 1.25)] == ["", "_tempo_0900", "_tempo_1250"]


def test_tempo_variants_are_pieces_that_share_a_sheet(made: Path, config: GameConfig) -> None:
    pieces = {piece.name: piece for piece in load_data_set(made / "set", config)}
    assert len(pieces) == 4
    for name, piece in pieces.items():
        if "_tempo_" not in name:
            slow = pieces[f"{name}_tempo_0800"]
            assert slow.sheet is piece.sheet and np.array_equal(slow.onset_x, piece.onset_x)
            assert np.abs(slow.onset_frames - piece.onset_frames / 0.8).max() <= 1.25


# --- fonts


def test_each_performance_is_heard_with_the_font_chosen_for_it(made: Path, config: GameConfig, tmp_path: Path) -> None:
    manifest = read_manifest(made / "set" / MANIFEST_NAME)
    fonts = manifest.fonts()
    assert len(fonts) == 4 and set(fonts.values()) == {made / "fonts" / "one.sf2", made / "fonts" / "two.sf2"}
    load_data_set(made / "set", config)
    heard = {}
    for cache in (made / "set").glob("*.cache.npz"):
        with np.load(cache) as content:
            heard[f"{cache.name.split('.')[0]}.mid"] = json.loads(str(content["fingerprint"]))["font"]
    assert heard == {midi: manifest.sound_fonts[font.name]["sha256"] for midi, font in fonts.items()}
    # The choice depends on names only: not on where the fonts lie or in which order they are given.
    names = [f"piece_{number}" for number in range(40)]
    one, other = (
        Performances(sound_fonts=tuple(Path(folder) / name for name in order))
        for folder, order in (("a", ("x.sf2", "y.sf2")), ("b", ("y.sf2", "x.sf2")))
    )
    assert [one.font_of(name) for name in names] == [other.font_of(name) for name in names]
    assert 10 < sum(one.font_of(name) == "x.sf2" for name in names) < 30


def test_a_font_that_is_gone_is_named_and_another_can_be_given(copy: Path, config: GameConfig) -> None:
    path = copy / MANIFEST_NAME
    path.write_text(path.read_text().replace('one.sf2"', 'gone.sf2"').replace('two.sf2"', 'gone.sf2"'))
    with pytest.raises(UserError, match=r"prepared to be played with .*gone\.sf2, which is missing; name a sound font"):
        load_data_set(copy, config)
    assert len(load_data_set(copy, config, sound_font=default_sound_font())) == 4


def test_two_fonts_of_one_name_are_refused(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "fonts" / "one.sf2", tmp_path / "one.sf2")
    with pytest.raises(UserError, match="two fonts have the same file name"):
        Performances(sound_fonts=(made / "fonts" / "one.sf2", tmp_path / "one.sf2")).require()


# --- recordings


def test_a_recording_is_aligned_and_heard_and_another_is_refused(tmp_path: Path, config: GameConfig) -> None:
    """The first tune played slower than written, after a second of silence; the second tune's recording is of the first."""
    names = [source.name for source in find_sources([TUNES])[:2]]
    make(tmp_path / "plain", 2)
    midi = (tmp_path / "plain" / f"{names[0]}.mid").read_bytes()
    slow = synthesise(pretty_midi.PrettyMIDI(io.BytesIO(scale_tempo(midi, 0.9))))
    (tmp_path / "audio").mkdir()
    for name, samples in ((names[0], slow), (names[1].upper(), slow), ("unknown", slow[:1000])):
        soundfile.write(tmp_path / "audio" / f"{name}.flac", np.concatenate([np.zeros(22050), samples * 0.9]), 22050)
    report = make(tmp_path / "set", 2, recordings=tmp_path / "audio")
    assert sorted(report.folders) == sorted(names) and report.unpaired == ["unknown.flac"]
    refused = f"{names[1]}: recording not used, the score is played instead: poor alignment: "
    assert any(line.startswith(refused) for line in report.lines())
    assert load_data_set(tmp_path / "set", config, names[1])[0].source.name == f"{names[1]}.mid"
    assert any(line.startswith(f"{names[0]}: uses its recording; ") for line in report.lines())
    piece = load_data_set(tmp_path / "set", config, names[0])[0]
    assert piece.source.name == f"{names[0]}.wav"
    plain = load_data_set(tmp_path / "plain", config, names[0])[0]
    expected = (plain.onset_frames / 0.9 + 2)[[0, len(plain.onset_frames) // 2, -1]]
    assert np.abs(piece.onset_frames[[0, len(piece.onset_frames) // 2, -1]] - expected).max() <= 2  # frames of 50 ms
    entry = read_manifest(tmp_path / "set" / MANIFEST_NAME).pieces[names[0]]
    assert entry.recording["quality"]["hits"] > 0.8 and f"{names[0]}.wav" in entry.files
    assert verify(tmp_path / "set").problems == []
    assert make(tmp_path / "set", 2, recordings=tmp_path / "audio").engraved == 0
    # Without the recording, the piece is its score's sound again.
    assert make(tmp_path / "set", 2).engraved == 2
    assert not (tmp_path / "set" / f"{names[0]}.wav").exists()


# --- manifest and verification


def test_the_manifest_tells_what_the_set_was_made_of(made: Path) -> None:
    manifest = read_manifest(made / "set" / MANIFEST_NAME)
    name, entry = next(iter(manifest.pieces.items()))
    assert entry.source.startswith("tunes/test.abc X:") and len(entry.source_sha256) == 64
    assert set(entry.files) == {f"{name}.npz", f"{name}.mid", f"{name}.sheet.png", f"{name}.map.json", f"{name}_tempo_0800.mid"}
    assert {midi: played["tempo"] for midi, played in entry.performances.items()} == {
        f"{name}.mid": 1.0,
        f"{name}_tempo_0800.mid": 0.8,
    }
    assert entry.checks["unshown"] == 0 and entry.checks["ink"] > 2 * entry.checks["ink_beside"]
    assert entry.checks["noteheads"] == entry.notes
    assert manifest.tools["verovio"] and entry.style == "nottingham"


def test_the_same_set_made_elsewhere_has_the_same_bytes(made: Path, tmp_path: Path) -> None:
    fonts = tuple(sorted((made / "fonts").glob("*.sf2")))
    make(tmp_path / "set", tempi=(0.8, 1.0), sound_fonts=fonts[::-1])
    for file in (made / "set").iterdir():
        if file.suffix in (".npz", ".mid", ".json") and not file.name.endswith(".cache.npz") and file.name != "prepared.json":
            assert (tmp_path / "set" / file.name).read_bytes() == file.read_bytes(), file.name


def test_every_set_of_a_split_has_its_own(tmp_path: Path) -> None:
    options = BuildOptions(tmp_path, split=parse_split("2/1/0"), name="tunes")
    build(find_sources([TUNES]), options)
    assert {path.parent.name: len(read_manifest(path).pieces) for path in tmp_path.rglob(MANIFEST_NAME)} == {
        "tunes_train": 2,
        "tunes_valid": 1,
    }
    build(find_sources([TUNES]), replace(options, split=parse_split("0/0/2")))
    assert [path.parent.name for path in tmp_path.rglob(MANIFEST_NAME)] == ["tunes_test"]
    assert verify(tmp_path).sets == {str(tmp_path / "tunes_test"): 2}


def test_a_sound_set_has_no_problem(made: Path, config: GameConfig) -> None:
    load_data_set(made / "set", config)  # its caches are nobody's concern
    report = verify(made)
    assert report.problems == [] and report.sets == {str(made / "set"): 2}
    assert report.lines()[-1] == "all files agree with their manifests and the rules of the game"


def test_what_is_wrong_with_a_set_is_reported(copy: Path) -> None:
    first, second = sorted(read_manifest(copy / MANIFEST_NAME).pieces)
    (copy / f"{first}.mid").unlink()
    (copy / f"{second}.mid").write_bytes((copy / f"{second}_tempo_0800.mid").read_bytes())
    (copy / "stranger.npz").write_bytes(b"")
    assert [problem.removeprefix(f"{copy}/") for problem in verify(copy).problems] == [
        f"{first}: {first}.mid is missing",
        f"{second}: {second}.mid has changed since it was made",
        "stranger.npz: not in the manifest",
    ]


def test_the_rules_of_the_game_are_checked_too(copy: Path) -> None:
    """Files that are as the manifest says, but made wrong."""
    name, other = sorted(read_manifest(copy / MANIFEST_NAME).pieces)
    path = copy / MANIFEST_NAME
    content = json.loads(path.read_text())
    midi = read_midi(copy / f"{name}.mid")
    midi.instruments[0].notes = midi.instruments[0].notes[:5]
    midi.write(str(copy / f"{name}.mid"))
    with np.load(copy / f"{other}.npz") as arrays:
        coords = arrays["coords"].copy()
        coords[4, 1] = coords[0, 1]
        np.savez(copy / f"{other}.npz", sheet=arrays["sheet"], coords=coords, coord2onset=arrays["coord2onset"])
    for entry in content["pieces"].values():
        entry["files"] = {file: file_digest(copy / file) for file in entry["files"]}
    path.write_text(json.dumps(content))
    problems = verify(copy).problems
    assert any(f"{name}: " in problem and "but the MIDI has 5 notes" in problem for problem in problems)
    assert any(f"{other}: x falls with time" in problem for problem in problems)


def test_a_hostile_or_foreign_manifest_is_refused(copy: Path, tmp_path: Path) -> None:
    path = copy / MANIFEST_NAME
    good = path.read_text()
    content = json.loads(good)
    for change in (
        lambda c: c["pieces"].update(x={"source": "", "source_sha256": "", "files": {"../../x": ""}}),
        lambda c: c.update(version=99),
        lambda c: c.update(more=1),
        lambda c: c.update(pieces=[]),
    ):
        wrong = json.loads(good)
        change(wrong)
        path.write_text(json.dumps(wrong))
        with pytest.raises(UserError, match=MANIFEST_NAME):
            read_manifest(path)
    assert content["version"] == 1
    # A file of that name which is the user's is neither replaced nor removed.
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / MANIFEST_NAME).write_text('{"name": "my app"}')
    with pytest.raises(UserError, match="this file is not a manifest of this program"):
        make(tmp_path / "web")
    assert (tmp_path / "web" / MANIFEST_NAME).read_text() == '{"name": "my app"}'


def test_the_script_verifies(made: Path, copy: Path, run) -> None:
    assert "all files agree with their manifests" in run("prepare_game_data.py", "--verify", made).stdout
    next(copy.glob("*.npz")).unlink()
    done = run("prepare_game_data.py", "--verify", copy, check=False)
    assert done.returncode == 2 and "is missing" in done.stdout and done.stderr.startswith("error: --verify")
