"""The collection of human performances, made by the real script from a small score, match files and MIDI files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import mido
import numpy as np
import pytest
from musicxml_tools import TWO_STAVES, back, notes, part, score

from score_following_game.config import load_game_config
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.manifest import MANIFEST_NAME, read_manifest
from score_following_game.data_processing.midi_files import parse_midi
from score_following_game.data_processing.renditions import score_renditions
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.written_score import read_written
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.baselines import time_warping
from score_following_game.evaluation.evaluator import play_data_set

UPPER, LOWER = "C5 D5 E5 F5 G5 F5 E5 D5", "C3 G3 C3 G3 C3 G3 C3 G3"
TICKS = 960  # per second
FILES = (".map.json", ".mid", ".npz", ".score.json", ".sheet.png")
Heard = list[tuple[int, int]]  # (tick, pitch)


def pitch(name: str) -> int:
    return 12 * (int(name[1]) + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7}[name[0]]


def performance(quarter: int, late: int) -> Heard:
    """Both hands at a steady tempo. quarter: ticks.  late: ticks by which the left hand is later."""
    return [
        (beat * quarter + extra, pitch(name)) for names, extra in ((UPPER, 0), (LOWER, late)) for beat, name in beats(names)
    ]


def beats(names: str) -> list[tuple[int, str]]:
    return list(enumerate(names.split()))


def write_match(path: Path, heard: Heard, score_name: str, midi_name: str) -> None:
    """The first 16 notes heard are those of the score; the others are insertions."""
    lines = [
        f"info(scoreFileName,{score_name}).",
        f"info(midiFileName,{midi_name}).",
        "info(midiClockUnits,480).",
        "info(midiClockRate,500000).",
        "scoreprop(timeSignature,4/4,0:1,0,0.0000).",
    ]
    written = [(beat, name) for names in (UPPER, LOWER) for beat, name in beats(names)]
    for index, (tick, key) in enumerate(heard):
        played = f"note(n{index},{key},{tick},{tick + 90},64,0,0)."
        if index < len(written):
            beat, name = written[index]
            place = f"{beat // 4}:{beat % 4 + 1},0,1/4,{beat}.0000,{beat + 1}.0000,[v1,staff1]"
            lines.append(f"snote(s{index},[{name[0]},n],{name[1]},{place})-{played}")
        else:
            lines.append(f"insertion-{played}")
    path.write_text("\n".join(lines) + "\n")


def write_midi(path: Path, heard: Heard) -> None:
    track = mido.MidiTrack()
    events = [(tick, 64, key) for tick, key in heard] + [(tick + 90, 0, key) for tick, key in heard]
    now = 0
    for tick, velocity, key in sorted(events):
        track.append(mido.Message("note_on", note=key, velocity=velocity, time=tick - now))
        now = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(path)


def write_performance(folder: Path, name: str, heard: Heard, score_name: str = "waltz.musicxml") -> None:
    write_match(folder / "match" / f"{name}.match", heard, score_name, f"{name}.mid")
    write_midi(folder / "midi" / f"{name}.mid", heard)


def write_source(folder: Path) -> Path:
    """A score of two bars with two performances, of which one has a note too many."""
    for name in ("musicxml", "match", "midi"):
        (folder / name).mkdir(parents=True)
    bars = [
        notes(" ".join(upper), staff=1) + back(4) + notes(" ".join(lower), staff=2, voice=2)
        for upper, lower in zip((UPPER.split()[:4], UPPER.split()[4:]), (LOWER.split()[:4], LOWER.split()[4:]))
    ]
    (folder / "musicxml" / "waltz.musicxml").write_text(score(part(*bars, staves=TWO_STAVES)))
    write_performance(folder, "waltz_p01", performance(480, late=30))
    write_performance(folder, "waltz_p02", [*performance(600, late=0), (7 * 600 + 50, 90)])
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, run) -> Path:
    """A folder with the source, with two performances more that lack a file, and the collection made of it."""
    folder = tmp_path_factory.mktemp("performances")
    source = write_source(folder / "source")
    write_performance(source, "other_p01", performance(480, late=0), "other.musicxml")
    write_performance(source, "waltz_p03", performance(500, late=0))
    (source / "midi" / "waltz_p03.mid").unlink()
    (folder / "printed").write_text(make(run, source, folder, "--check").stdout)
    return folder


def home(tmp_path: Path) -> Path:
    return tmp_path / "out" / "score_following_game_data" / "performances"


def make(run, source: Path, tmp_path: Path, *more: object) -> subprocess.CompletedProcess:
    return run("prepare_game_data.py", "performances", "--source", source, "--destination", tmp_path / "out", *more)


def test_performances_become_pieces_for_evaluation_only(made: Path) -> None:
    printed = (made / "printed").read_text()
    assert "2 pieces from 4 sources (2 engraved" in printed and "\nevaluation only: " in printed

    folder = home(made) / "performances_test"
    assert sorted(file.name for file in folder.iterdir()) == [
        MANIFEST_NAME,
        *(
            f"waltz_p0{number}{suffix}"
            for number in (1, 2)
            for suffix in (".map.json", ".mid", ".npz", ".score.json", ".sheet.png")
        ),
    ]
    assert [file.name for file in sorted((home(made) / "check").iterdir())] == ["waltz_p01.png", "waltz_p02.png"]
    left_out = (home(made) / "left_out.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in left_out] == ["other_p01", "waltz_p03"]
    assert "other.musicxml: no such file" in left_out[0] and "waltz_p03.mid: no such file" in left_out[1]
    assert verify(home(made)).problems == []

    manifest = read_manifest(folder / MANIFEST_NAME)
    assert manifest.evaluation_only and manifest.parameters["use"] == "evaluation only"
    entry = manifest.pieces["waltz_p02"]
    assert entry.source == "musicxml/waltz.musicxml, match/waltz_p02.match, midi/waltz_p02.mid"
    assert (entry.work, entry.notes, entry.checks["joined"], entry.checks["extra"]) == ("waltz", 17, 16, 1)
    assert entry.seconds == pytest.approx((7 * 600 + 50 + 90) / TICKS, abs=1e-3)

    for name in manifest.pieces:
        assert (folder / f"{name}.mid").read_bytes() == (made / "source" / "midi" / f"{name}.mid").read_bytes()
    pieces = load_data_set(folder, load_game_config("game_configs/mutopia_lchs1.yaml"))
    first = pieces[0]
    assert list(first.onset_frames) == [np.ceil((beat * 480 + late) / TICKS * 20) for beat in range(8) for late in (0, 30)]
    assert (np.diff(first.onset_x) >= 0).all() and len(np.unique(first.onset_x)) == 8


def test_each_head_has_its_own_note(made: Path) -> None:
    joined = read_score(home(made) / "performances_test" / "waltz_p01.npz")
    midi = parse_midi((made / "source" / "midi" / "waltz_p01.mid").read_bytes())
    keys = [message.note for message in midi.tracks[0] if message.type == "note_on" and message.velocity]
    assert len(joined.coord2onset) == 16
    rows = {keys[note]: joined.coords[head, 0] for head, note in joined.coord2onset}
    by_height = sorted(rows, key=lambda key: rows[key])
    assert by_height == sorted(rows, reverse=True), "a higher note stands higher"


def test_the_written_score_is_known_whatever_the_player_does(made: Path) -> None:
    """Online time warping hears it: two players at other tempi, one with a late left hand, and one rendition of the score."""
    config = load_game_config("mutopia_lchs1.yaml")
    pieces = load_data_set(home(made) / "performances_test", config)
    written = score_renditions(pieces, config)
    for piece, rendition in zip(pieces, written):
        steps = np.diff(rendition.onset_frames)
        assert len(rendition.onset_frames) == 8 and steps.max() - steps.min() <= 1
        np.testing.assert_allclose(rendition.onset_x, np.unique(piece.onset_x), atol=0.5)
    np.testing.assert_array_equal(written[0].spectrogram, written[1].spectrogram)
    assert pieces[0].spectrogram.shape != written[0].spectrogram.shape
    agent = time_warping(pieces, config)
    (games,) = play_data_set(agent, ScoreBank(pieces, agent.rules(config)))
    for game in games:
        assert np.abs(game.errors).max() > 0 and np.median(np.abs(game.errors)) < 10


def test_a_set_made_before_is_not_compared_with_itself(made: Path, tmp_path: Path) -> None:
    shutil.copytree(home(made) / "performances_test", tmp_path / "old")
    for file in (tmp_path / "old").glob("*.score.json"):
        file.unlink()
    config = load_game_config("mutopia_lchs1.yaml")
    with pytest.raises(UserError, match=r"waltz_p01\.score\.json: is missing; .* make the set again"):
        score_renditions(load_data_set(tmp_path / "old", config), config)


def test_the_published_layout_keeps_the_written_score(made: Path, tmp_path: Path, run) -> None:
    run("prepare_game_data.py", "--to-published", home(made) / "performances_test", "--destination", tmp_path / "out")
    (copy,) = tmp_path.rglob("waltz_p01.score.json")
    assert read_written(copy) == read_written(home(made) / "performances_test" / copy.name)
    assert copy.with_name("waltz_p01.npz").is_file()


@pytest.mark.parametrize(
    "damage", ["{}", '{"notes": [], "onsets": []}', '{"notes": [[0, 1, 200, 64]], "onsets": [[0, 1]]}', "[", "é"]
)
def test_a_broken_written_score_is_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.score.json"
    path.write_text(damage)
    with pytest.raises(UserError, match=r"a\.score\.json: no written score .*make the piece again"):
        read_written(path)


def test_only_what_changed_is_made_again(source: Path, tmp_path: Path, run) -> None:
    make(run, source, tmp_path)
    made = home(tmp_path) / "performances_test"
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in made.glob("waltz*")}
    assert "(0 engraved in this run)" in make(run, source, tmp_path).stdout
    assert before == {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in made.glob("waltz*")}

    write_performance(source, "waltz_p01", performance(500, late=30))
    (source / "match" / "waltz_p02.match").unlink()
    printed = make(run, source, tmp_path).stdout
    assert "1 piece from 1 source (1 engraved in this run)" in printed
    assert "not part of this build: 1 piece of an earlier one" in printed
    expected = [f"waltz_p01{end}" for end in FILES]
    assert sorted(file.name for file in made.glob("waltz*")) == expected
    assert (made / "waltz_p01.mid").read_bytes() != before["waltz_p01.mid"][1]


@pytest.mark.parametrize("below", [True, False])
def test_training_refuses_them(made: Path, tmp_path: Path, run_here, below: bool) -> None:
    folder = home(made) / "performances_test" if below else made / "out"
    done = run_here(
        "sf_experiment.py",
        *("--train_set", folder, "--eval_set", "test_sample", "--log_root", tmp_path / "log"),
        *("--game_config", "game_configs/mutopia_lchs1.yaml", "--net", "ScoreFollowingNetMSMDLCHSDeepDoLight"),
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"--train_set {folder}: " in line and "says evaluation only" in line


@pytest.mark.parametrize("option", ["--tempo=0.5", "--part=1", "--repeats=written", "--order=1-2", "--split=0.5/0/0.5"])
def test_options_that_cannot_change_them_are_refused(source: Path, tmp_path: Path, run_here, option: str) -> None:
    done = run_here("prepare_game_data.py", "performances", "--source", source, "--destination", tmp_path / "out", option)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {option.partition('=')[0]} has no effect")


@pytest.mark.parametrize("gone", ["musicxml", "match", "midi", "*.match"])
def test_a_folder_of_another_kind_is_refused(source: Path, tmp_path: Path, run_here, gone: str) -> None:
    for file in source.rglob(gone if "*" in gone else f"{gone}/*"):
        file.unlink()
    if "*" not in gone:
        (source / gone).rmdir()
    done = run_here("prepare_game_data.py", "performances", "--source", source, "--destination", tmp_path / "out")
    assert done.returncode == 2
    assert ("no match file" if "*" in gone else f"no folder {gone}") in done.stderr and done.stderr.count("\n") == 1
