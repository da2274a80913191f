"""test_score_following.py --score: a score of one's own, with and without a recording, as a person runs it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pretty_midi
import pytest
import soundfile
from conftest import Run
from musicxml_tools import TWO_STAVES, back, note, notes, part, score
from pages_tools import draw_page, write_pdf, write_png

import score_following_game as sfg
from score_following_game.agents.agents import OptimalAgent
from score_following_game.agents.fitting import fitting_agent
from score_following_game.config import load_game_config
from score_following_game.data_processing.sheet_map import Bar, SheetMap, System, map_of, read_map, write_map
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.errors import UserError
from score_following_game.evaluation.plots import episode_picture
from score_following_game.watching.own_score import OwnScore, fastest, load_prepared, slowest
from score_following_game.watching.positions import onsets_path, reached_at, write_positions
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

SCRIPT = "test_score_following.py"
CONTINUOUS = load_game_config("nottingham_continuous")
QUARTER = 0.5  # seconds, in TUNE and its MusicXML
# Clementine: an upbeat of a quarter, then bars of three quarters.
TUNE = """X:1
T:Clementine
M:3/4
L:1/4
Q:1/4=120
K:F
F/F/|FCA/A/|AFF/A/|ccB/A/|G2G/A/|
BBA/G/|AFF/A/|GCE/G/|F2|]
"""
TWICE = TUNE.replace("F2|]\n", f"F2F/F/|\n{TUNE.partition('F/F/|')[2]}")  # two systems
FONTS = matplotlib.get_cachedir()
Row = dict[str, str]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", FONTS)  # or matplotlib would list the fonts anew, which takes seconds
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("DISPLAY", raising=False)


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scores") / "clementine.abc"
    path.write_text(TUNE)
    return path


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    (tmp_path / "twice.abc").write_text(TWICE)
    return tmp_path / "twice.abc"


def kept(cache: Path) -> list[Path]:
    return sorted((cache / "score_following_game" / "scores").glob("*/facts.json"))


def table(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def perform(midi: Path, target: Path, slower: float, before: float, longest: float = 60.0) -> Path:
    """A recording of the first `longest` seconds of a MIDI file, `slower` times as long, after some seconds of silence."""
    music = pretty_midi.PrettyMIDI(str(midi))
    end = music.get_end_time()
    music.adjust_times([0, end], [0, slower * end])
    sound = synthesise(music)[: round(longest * SAMPLE_RATE)]
    soundfile.write(target, np.concatenate([np.zeros(round(before * SAMPLE_RATE)), sound / np.abs(sound).max()]), SAMPLE_RATE)
    return target


def test_a_tune_in_one_command_and_again_from_the_cache(run: Run, tune: Path, cache: Path, tmp_path: Path) -> None:
    command = (SCRIPT, "--score", tune, "--seed", 1, "--threads", 1, "--csv")
    first = run(*command, tmp_path / "a.csv")
    assert "Tracking piece: clementine_1_Clementine" in first.stdout and "INFO: reading" in first.stderr
    found = re.search(r"(\d+) of 30 onsets tracked", first.stderr)
    assert found and int(found[1]) > 25
    assert first.stderr.splitlines()[-1] == f"Written: {tmp_path / 'a.csv'}, {tmp_path / 'a_onsets.csv'}"
    (facts,) = kept(cache)
    before = facts.stat().st_mtime_ns
    again = run(*command, tmp_path / "b.csv")
    assert "INFO: reading" not in again.stderr and kept(cache) == [facts] and facts.stat().st_mtime_ns == before
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    rows, onsets = table(tmp_path / "a.csv"), table(tmp_path / "a_onsets.csv")
    assert list(rows[0]) == ["time", "page", "system", "x", "bar", "beat", "onset"]
    assert [float(row["time"]) for row in rows] == pytest.approx(np.arange(len(rows)) / 20, abs=1e-3)
    for row in onsets:  # where the agent is within a second of the music; bar 1 begins after the upbeat
        assert music_seconds(row) == pytest.approx(float(row["time"]), abs=1.0), row


def music_seconds(row: Row) -> float:
    """When a place of the tune is played as written."""
    return (3 * (int(row["bar"]) - 1) + float(row["beat"])) * QUARTER


def test_the_optimal_agent_reaches_every_onset_when_it_is_played(twice: Path, tmp_path: Path) -> None:
    piece = sfg.load_score(twice, game_config=CONTINUOUS)
    write_positions(watch(game_of(piece, CONTINUOUS), OptimalAgent()), piece, tmp_path / "p.csv")
    onsets = table(onsets_path(tmp_path / "p.csv"))
    played = [note.start for note in pretty_midi.PrettyMIDI(str(piece.midi_path)).instruments[0].notes]
    assert [float(row["time"]) for row in onsets] == pytest.approx(sorted(played), abs=0.0501)
    assert [music_seconds(row) for row in onsets] == pytest.approx(sorted(played), abs=0.002)
    assert [row["bar"] for row in onsets[:5]] == ["0", "0", "1", "1", "1"]
    # The sheet is a page of its own, with the system that the x lies in.
    assert [float(row["x"]) for row in onsets] == pytest.approx(piece.onset_x, abs=0.06) and len(onsets) == len(piece.onset_x)
    assert {row["page"] for row in onsets} == {"1"} and {row["system"] for row in onsets} == {"1", "2"}
    rows = table(tmp_path / "p.csv")
    for row in rows:
        assert music_seconds(row) == pytest.approx(float(row["time"]), abs=0.06), row
    assert [int(row["onset"]) for row in rows] == [
        sum(float(onset["time"]) <= float(row["time"]) + 1e-3 for onset in onsets) for row in rows
    ]


def test_a_recording_is_followed_and_judged(run: Run, tune: Path, tmp_path: Path) -> None:
    before, slower = 2.0, 1.2
    audio = perform(sfg.load_score(tune).midi_path, tmp_path / "mine.wav", slower, before)
    done = run(SCRIPT, "--score", tune, "--audio", audio, "--seed", 1, "--csv", tmp_path / "p.csv")
    assert "R_on" in done.stderr and "WARNING" not in done.stderr
    for row in table(tmp_path / "p_onsets.csv"):  # seconds of the recording as it was given, not of the part that was cut out
        assert before + slower * music_seconds(row) == pytest.approx(float(row["time"]), abs=1.2), row
    piece = sfg.load_score(tune, audio, game_config=CONTINUOUS)
    assert piece.timed and piece.begins == pytest.approx(before, abs=0.2)
    write_positions(watch(game_of(piece, CONTINUOUS), OptimalAgent()), piece, tmp_path / "o.csv")
    for row in table(tmp_path / "o_onsets.csv"):
        assert before + slower * music_seconds(row) == pytest.approx(float(row["time"]), abs=0.12), row


def test_a_recording_of_something_else_is_followed_and_not_judged(run: Run, tune: Path, tmp_path: Path) -> None:
    (other,) = sfg.load_pieces("test_sample", piece="Minuet")
    audio = perform(other.midi_path, tmp_path / "other.wav", 1.0, 0.0, longest=6.0)
    film = tmp_path / "film.mp4"
    done = run(
        SCRIPT,
        "--score",
        tune,
        "--audio",
        audio,
        "--video",
        film,
        "--csv",
        tmp_path / "p.csv",
        "--alignment",
        tmp_path / "a.png",
    )
    lines = done.stderr.splitlines()
    assert sum("cannot be judged: poor alignment" in line for line in lines) == 1
    end = r"The recording has ended; the agent was in bar \d+, the last is 8; sure of its place (\d+)% of the time"
    assert any((found := re.match(end, line)) and int(found[1]) < 50 for line in lines), lines
    assert "R_on" not in done.stderr and "Total reward" not in done.stdout
    assert "--alignment has no effect" in done.stderr and not (tmp_path / "a.png").exists()
    rows = table(tmp_path / "p.csv")
    assert float(rows[-1]["time"]) == pytest.approx(soundfile.info(audio).duration, abs=0.1) and film.stat().st_size > 10_000
    piece = sfg.load_score(tune, audio)
    assert not piece.timed and all(np.isnan(moment.error) for moment in sfg.follow(OptimalAgent(), piece)) is True
    with pytest.raises(UserError, match="cannot be judged"):
        sfg.evaluate(OptimalAgent(), [piece])


def test_musicxml_carries_its_bars_upbeat_and_repeats(run_here: Run, tmp_path: Path) -> None:
    repeat = '<barline location="right"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    bars = [note("C5"), *[notes("C5 E5 G5") for _ in range(3)], notes("D5 F5 A5") + repeat, *[notes("E5 G5 C5")] * 3]
    text = score(part(*bars, meter="3/4"))
    for number in range(1, len(bars) + 1):  # as notation programs number them: the upbeat is 0
        text = text.replace(f'<measure number="{number}">', f'<measure number="{number - 1}">', 1)
    path = tmp_path / "song.musicxml"
    path.write_text(text)
    once = map_of(sfg.load_score(path), 20)
    assert [bar.name for bar in once.bars] == [str(number) for number in range(8)]
    assert once.bars[0] == Bar(0.0, "0", 1.0, 3.0) and once.bars[1] == Bar(1.0, "1", 1.0, 1.0)
    done = run_here(SCRIPT, "--score", path, "--repeats", "written", "--csv", tmp_path / "p.csv", "--tempo", "1.25")
    assert done.returncode == 0, done.stderr
    written = map_of(sfg.load_score(path, repeats="written"), 20)
    assert [bar.name for bar in written.bars] == [*"01234", *"01234", *"567"]
    assert [written.place_of_onset(index).beat for index in range(5)] == [3.0, 1.0, 2.0, 3.0, 1.0]
    assert {row["bar"] for row in table(tmp_path / "p.csv")} <= set("01234567")


MISTAKES = [
    (("--audio", "missing.wav"), r"missing\.wav: no such recording"),
    (("--data_set", "test_sample"), "name one of them"),
    (("--style", "baroque"), "--style baroque: expected nottingham or msmd"),
    (("--tempo", "1,2"), "--tempo 1,2: expected one number"),
    (("--piece", "Minuet"), "piece Minuet: is no piece of .*clementine_1_Clementine"),
    (("--order", "1-99"), "no such bar"),
    (("--params", "nobody"), "nobody: no such parameter file"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes_are_one_line(run_here: Run, tune: Path, options: tuple[str, ...], message: str) -> None:
    expect_one_line(run_here(SCRIPT, "--score", tune, *options), message)


def expect_one_line(done: object, message: str) -> None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]  # type: ignore[attr-defined]
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: "), lines  # type: ignore[attr-defined]
    assert re.search(message, lines[0]), lines


@pytest.mark.parametrize(
    ("seconds", "loudness", "message"),
    [(5.0, 0.0, "is silent"), (5.0, 5e-4, "is nearly silent"), (1.0, 0.5, r"has 1\.0 s of sound; at least 2 s are needed")],
)
def test_recordings_without_music(
    run_here: Run, tune: Path, tmp_path: Path, seconds: float, loudness: float, message: str
) -> None:
    time = np.arange(round(5 * SAMPLE_RATE)) / SAMPLE_RATE
    soundfile.write(tmp_path / "x.wav", loudness * np.sin(2764 * time) * (time < seconds), SAMPLE_RATE)
    expect_one_line(run_here(SCRIPT, "--score", tune, "--audio", tmp_path / "x.wav"), message)


def test_a_recording_far_too_fast_names_the_ratio(run_here: Run, twice: Path, tmp_path: Path) -> None:
    audio = perform(sfg.load_score(twice).midi_path, tmp_path / "fast.wav", 0.12, 0.0)
    ratio = r"sounds for (2|3)\.\d s \(the score takes 2\d s, \d\.\d times as fast\); that is \d+ px of the sheet per frame"
    expect_one_line_after_warning(run_here(SCRIPT, "--score", twice, "--audio", audio), ratio)


def expect_one_line_after_warning(done: object, message: str) -> None:
    """What cannot be judged is said first."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("INFO", "WARNING"))]  # type: ignore[attr-defined]
    assert done.returncode == 2 and len(lines) == 1 and re.search(message, lines[0]), lines  # type: ignore[attr-defined]


def test_how_fast_music_may_be() -> None:
    config = load_game_config("nottingham")
    # An agent that stands and speeds up by 0.5 px per frame in every frame, behind music that moves at once.
    for speed, keeps_up in ((fastest(config) * 0.95, True), (fastest(config) * 1.1, False)):
        music = agent = own = worst = 0.0
        for _ in range(100):
            music, own = music + speed, min(own + max(config.actions), speed)
            agent += own
            worst = max(worst, music - agent)
        assert (worst < config.threshold + 1) is keeps_up, (speed, worst)
    assert slowest(config) == pytest.approx(0.05) and (slowest(CONTINUOUS), fastest(CONTINUOUS)) == (0.0, np.inf)


def test_the_agent_is_the_one_for_the_sheet() -> None:
    assert fitting_agent(40, "tune.abc") == "folk" and fitting_agent(200, "sonata.musicxml") == "piano"
    with pytest.raises(UserError, match=r"trio.musicxml: its sheet is 90 px high; no agent .* reads such sheets"):
        fitting_agent(90, "trio.musicxml")


def test_a_piano_score_is_followed_by_the_agent_for_pianists(run_here: Run, tmp_path: Path) -> None:
    hands = notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C3 D3 E3 F3", staff=2)
    (tmp_path / "piano.musicxml").write_text(score(part(*[hands] * 4, staves=TWO_STAVES)))
    done = run_here(SCRIPT, "--score", tmp_path / "piano.musicxml", "--csv", tmp_path / "x.csv")
    assert done.returncode == 0 and "Followed to the end: 16 of 16 onsets tracked" in done.stderr


def test_scores_that_no_agent_reads(run_here: Run, tmp_path: Path) -> None:
    trio = score(*[part(*[notes(f"C{octave} D{octave} E{octave} F{octave}")] * 4) for octave in (5, 4, 3)])
    (tmp_path / "trio.musicxml").write_text(trio)
    message = r"trio.musicxml: has 3 staves, and agents read one staff, or the two of a piano; name one part: --part"
    expect_one_line(run_here(SCRIPT, "--score", tmp_path / "trio.musicxml"), message)
    expect_one_line(run_here(SCRIPT, "--score", tmp_path / "trio.musicxml", "--part", "?"), "the parts are 1 Part 1, 2 Part 2")
    (tmp_path / "broken.musicxml").write_text("<score-partwise><part>")
    expect_one_line(run_here(SCRIPT, "--score", tmp_path / "broken.musicxml"), "broken.musicxml: unreadable: not well-formed")
    (tmp_path / "score.txt").write_text("C D E")
    expect_one_line(run_here(SCRIPT, "--score", tmp_path / "score.txt"), "not a supported score format")
    expect_one_line(run_here(SCRIPT, "--score", tmp_path / "none.abc"), "no such file")


def test_options_of_scores_need_one(run_here: Run) -> None:
    expect_one_line(run_here(SCRIPT, "--params", "nottingham", "--audio", "a.wav"), "--audio goes with --score FILE")


def test_books_name_their_tunes(run_here: Run, tmp_path: Path) -> None:
    (tmp_path / "book.abc").write_text(TUNE + "\n" + TUNE.replace("X:1", "X:2").replace("Clementine", "Other"))
    done = run_here(SCRIPT, "--score", tmp_path / "book.abc")
    expect_one_line(done, "holds 2 pieces; choose one with --piece NAME: book_1_Clementine, book_2_Other")


def test_a_damaged_cache_is_made_again(tune: Path, cache: Path) -> None:
    piece = sfg.load_score(tune)
    piece.midi_path.with_suffix(".npz").unlink()
    assert sfg.load_score(tune).midi_path == piece.midi_path and piece.midi_path.with_suffix(".npz").is_file()
    assert not list(piece.midi_path.parent.parent.glob(".making-*"))


def test_reached_between_frames_and_only_once() -> None:
    times = np.arange(6) / 10
    x = np.array([10.0, 10.0, 20.0, 15.0, 30.0, 30.0])
    # The first when it is left, then in the middle of a step, not again after the step back, the last never.
    assert reached_at(times, x, (10.0, 15.0, 25.0, 30.0, 40.0)) == pytest.approx([0.1, 0.15, 0.35, 0.4, np.nan], nan_ok=True)


def test_maps_of_pages(tmp_path: Path) -> None:
    """As a maker for page images writes them: systems on pages at another scale, no notes."""
    written = SheetMap((System(0.0, 1, 1, 50.0, 2.0), System(100.0, 1, 2, 50.0, 2.0), System(200.0, 2, 1, 40.0, 2.0)))
    write_map(tmp_path / "a.map.json", written)
    read = read_map(tmp_path / "a.map.json")
    assert read == written
    place = read.place(210.0)
    assert (place.page, place.system, place.x, place.bar, place.beat) == (2, 1, 60.0, None, None)
    assert read.place(99.0).x == 248.0 and read.place(100.0).system == 2 and read.place(-5.0).x == 40.0
    content = json.loads((tmp_path / "a.map.json").read_text())
    for key, value in (("systems", []), ("onset_x", [3.0]), ("bars", [{"start": "x", "name": "1"}]), ("bars", 7)):
        (tmp_path / "a.map.json").write_text(json.dumps(content | {key: value}))
        with pytest.raises(UserError, match="no map of a sheet"):
            read_map(tmp_path / "a.map.json")


def test_the_plot_of_a_game_that_is_not_judged(tune: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", 0.3 * np.sin(3000 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE), SAMPLE_RATE)
    config = load_game_config("nottingham")
    piece = sfg.load_score(tune, tmp_path / "x.wav", game_config=config)
    episode = watch(game_of(piece, config), sfg.load_agent("nottingham").player())
    assert not episode.judged and episode.finished and len(episode.frames) == pytest.approx(80, abs=1)
    assert episode_picture(episode).shape == (720, 1280, 3)


def test_pages_with_a_recording(tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    write_pdf(tmp_path / "song.pdf", pages=2)
    tone = np.sin(np.arange(12 * SAMPLE_RATE) * 2 * np.pi * 440 / SAMPLE_RATE)
    soundfile.write(tmp_path / "song.wav", 0.5 * tone, SAMPLE_RATE)
    positions = tmp_path / "positions.csv"
    arguments = (SCRIPT, "--score", tmp_path / "song.pdf", "--audio", tmp_path / "song.wav", "--csv", positions, "--no_sound")
    done = run(*arguments, "--seed", 1)
    assert "cannot be judged: it is made of pages" in done.stderr
    assert "the agent was" in done.stderr
    rows = table(positions)
    assert len(rows) == 241  # twelve seconds, and the beginning
    assert {row["page"] for row in rows} <= {"1", "2"} and rows[0]["system"] == "1"
    assert 0 < float(rows[0]["x"]) < 1000 * 2 and all(row["bar"] == "" for row in rows)
    caplog.set_level("INFO")
    OwnScore(tmp_path / "song.pdf", tmp_path / "song.wav").prepare()
    assert "INFO: reading" in done.stderr and "reading" not in caplog.text  # kept


def test_what_does_not_go_with_pages_or_scores(tmp_path: Path, run_here: Run) -> None:
    write_pdf(tmp_path / "song.pdf")
    (tmp_path / "tune.abc").write_text(TUNE)
    for score_file, options, message in (
        ("song.pdf", (), "name a recording with --audio"),
        ("song.pdf", ("--audio", tmp_path / "song.pdf", "--repeats", "written"), "pages.yaml beside it"),
        ("tune.abc", ("--staff", "1"), "--staff 1: is for pages"),
    ):
        done = run_here(SCRIPT, "--score", tmp_path / score_file, *options)
        assert done.returncode == 2
        assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_oddities_of_pages_are_told_and_files_are_named_once(
    tmp_path: Path, run_here: Run, caplog: pytest.LogCaptureFixture
) -> None:
    for name, staves in (("1.png", 2), ("2.png", 2), ("3.png", 3)):
        write_png(tmp_path / "song" / name, draw_page(2, staves))
    tone = np.sin(np.arange(40 * SAMPLE_RATE) * 2 * np.pi * 440 / SAMPLE_RATE)
    soundfile.write(tmp_path / "song.wav", 0.5 * tone, SAMPLE_RATE)
    recording = ("--audio", tmp_path / "song.wav")
    config = sfg.load_agent("piano").config
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        load_prepared(OwnScore(tmp_path / "song", tmp_path / "song.wav").prepare(), config)
        assert "song: 2 systems (3-1, 3-2) have another number of staves than 2" in caplog.text
    (tmp_path / "broken.pdf").write_bytes(b"no PDF")
    done = run_here(SCRIPT, "--score", tmp_path / "broken.pdf", *recording)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].count("broken.pdf") == 1
