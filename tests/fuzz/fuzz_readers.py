"""Reads damaged files of every kind and reports those that end in neither a value nor a reason.

python tests/fuzz/fuzz_readers.py --minutes 60 --seed 0 --output OUT          (or: make fuzz MINUTES=60)

Files are damaged at random and read in a child process. Reading one is right if it ends in a value or in one short line that
says what is wrong. A violation is any other exception, a longer message, a crash, more than 10 seconds of the processor, or
more than 3 GB of address space. Violations are written to OUT; the exit code is 1 if there are any. Of a crash or a hang, OUT
names the numbers of the inputs of which one is to blame; --only READER --first N --inputs COUNT reads them again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import resource
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT)]

import numpy as np  # noqa: E402
from mutations import mutated  # noqa: E402
from small_piece import write_small_piece  # noqa: E402

from score_following_game.agents.parameters import read_parameters  # noqa: E402
from score_following_game.config import load_game_config  # noqa: E402
from score_following_game.data_preparation.building.records import Record, Records  # noqa: E402
from score_following_game.data_preparation.building.sources import find_sources  # noqa: E402
from score_following_game.data_preparation.engraving.isolation import run_isolated  # noqa: E402
from score_following_game.data_preparation.errors import EngravingError  # noqa: E402
from score_following_game.data_preparation.msmd.files import read_array, read_picture  # noqa: E402
from score_following_game.data_preparation.msmd.mung import read_mung  # noqa: E402
from score_following_game.data_preparation.performances.match_file import read_match  # noqa: E402
from score_following_game.data_preparation.published.archive import unpacked  # noqa: E402
from score_following_game.data_processing.audio import read_recording, recording_seconds  # noqa: E402
from score_following_game.data_processing.bars import BarCounter  # noqa: E402
from score_following_game.data_processing.dataset import load_data_set  # noqa: E402
from score_following_game.data_processing.manifest import Manifest, PieceEntry, is_manifest, read_manifest  # noqa: E402
from score_following_game.data_processing.midi_files import read_played  # noqa: E402
from score_following_game.data_processing.score_npz import read_score  # noqa: E402
from score_following_game.errors import UserError  # noqa: E402
from score_following_game.evaluation.learning_curve import read_curve  # noqa: E402
from score_following_game.evaluation.metrics import STATISTICS  # noqa: E402
from score_following_game.reinforcement_learning.settings import settings_from  # noqa: E402
from score_following_game.yaml_files import read_table, read_yaml  # noqa: E402

BATCH = 50  # inputs that a child reads as one task
SECONDS = 10.0  # of the processor for an input
MEMORY = 3 * 10**9  # bytes of address space beyond what the child has at its beginning
LONGEST = 2100  # characters of a message
DATA = ROOT / "tests" / "data"
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """name: of the damaged file.  originals: what is damaged.  read: reads it and may raise UserError or EngravingError."""

    name: str
    originals: Callable[[], list[bytes]]
    read: Read


@cache
def _piece() -> dict[str, bytes]:
    """The files of a small piece and its cache, by suffix."""
    with tempfile.TemporaryDirectory() as folder:
        write_small_piece(Path(folder), "tune")
        load_data_set(folder, load_game_config("nottingham.yaml"))
        return {"".join(path.suffixes[-2:]): path.read_bytes() for path in Path(folder).iterdir()}


def _array(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _sound(suffix: str) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        import soundfile

        stream, samples = io.BytesIO(), np.sin(np.arange(4000) / 9.0)[:, None] * [0.3, 0.2]
        form = {"ogg": "OGG", "mp3": "MP3", "aiff": "AIFF", "flac": "FLAC", "wav": "WAV"}[suffix]
        soundfile.write(stream, samples, 16000, format=form)
        return [stream.getvalue()]

    return make


def _weights(form: str) -> list[bytes]:
    import safetensors.torch
    import torch

    state = {"a.weight": torch.ones(3, 4), "a.bias": torch.zeros(3)}
    if form == "safetensors":
        return [safetensors.torch.save(state)]
    torch.save(state, today := io.BytesIO())
    torch.save(state, before := io.BytesIO(), _use_new_zipfile_serialization=False)
    return [today.getvalue(), before.getvalue()]


def _table(form: str) -> list[bytes]:
    entry = PieceEntry("a", "b", {"x.npz": "1"}, performances={"x.mid": {"tempo": 1.0}})
    manifest = asdict(Manifest("a", {"x": 1}, {"numpy": "2"}, {"x": entry}, {}))
    records = {"pieces": {"x": asdict(Record("a", "b", reason="c"))}, "sound_fonts": {}}
    return [json.dumps(manifest if form == "manifest" else records, indent=1).encode()]


def _archive(packed: bool) -> list[bytes]:
    stream = io.BytesIO()
    if packed:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name in ("a/x.npz", "a/x.mid"):
                tar.addfile(info := tarfile.TarInfo(name), io.BytesIO(b""))
                assert info.isreg()
    else:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a/x.npz", bytes(1000))
            file.writestr("a/x.mid", bytes(1000))
    return [stream.getvalue()]


def _mxl() -> list[bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/container.xml", '<container><rootfiles><rootfile full-path="s.xml"/></rootfiles></container>')
        file.writestr("s.xml", (DATA / "song.musicxml").read_bytes())
    return [stream.getvalue()]


def _cached(path: Path) -> object:
    """A set whose cache is damaged is loaded as if it had none."""
    folder = path.parent / "set"
    folder.mkdir(exist_ok=True)
    for suffix, content in _piece().items():
        (folder / f"tune{suffix}").write_bytes(path.read_bytes() if "cache" in suffix else content)
    return load_data_set(folder, load_game_config("nottingham.yaml"))


def _unpack(path: Path) -> None:
    with unpacked(path, path.parent / "out", largest=10**7, most_members=1000):
        pass


def _sources(path: Path) -> object:
    sources = find_sources([path])
    assert all(source.problem or source.digest for source in sources)
    return [(source.licence, source.work, source.origin, source.label) for source in sources]


def _png() -> list[bytes]:
    import cv2

    return [cv2.imencode(".png", np.full((40, 30), 200, np.uint8))[1].tobytes()]


def _texts(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _file(name: str) -> Callable[[], list[bytes]]:
    return lambda: [(DATA / name).read_bytes()]


_MATCH = """info(matchFileVersion,1.0.0).
info(midiFileName,a.mid).
info(scoreFileName,a.musicxml).
info(midiClockUnits,480).
info(midiClockRate,500000).
scoreprop(timeSignature,4/4,1:1,0,0.0000).
snote(n1,[C,n],4,1:1,0,1/4,0.0000,1.0000,[v1])-note(0,60,10,400,70,0,0).
insertion-note(1,62,500,700,70,0,0).
"""
_MUNG = """<CropObjectList><CropObjects><CropObject xml:id="a"><Id>0</Id><ClassName>staff</ClassName><Top>1</Top><Left>2</Left>
<Width>3</Width><Height>4</Height><Data><DataItem key="x">[1]</DataItem></Data></CropObject></CropObjects></CropObjectList>"""
_CURVE = ",".join(["update", "steps", "seconds", *STATISTICS]) + "\n" + ",".join(["1"] * (3 + len(STATISTICS))) + "\n"

READERS = {
    "score": Reader("tune.npz", lambda: [_piece()[".npz"]], read_score),
    "cache": Reader("tune.npz", lambda: [content for name, content in _piece().items() if "cache" in name], _cached),
    "spectrogram": Reader("a.npy", lambda: [_array(np.ones((78, 9), np.float32))], read_array),
    "midi": Reader("tune.mid", lambda: [_piece()[".mid"]], read_played),
    "bars": Reader("tune.mid", lambda: [_piece()[".mid"]], lambda path: _bars(path)),
    "game config": Reader(
        "a.yaml", lambda: [file.read_bytes() for file in sorted((ROOT / "game_configs").glob("*.yaml"))], load_game_config
    ),
    "run config": Reader(
        "a.yaml",
        _texts(
            "agent: a2c\nnet: ScoreFollowingNet\noptim_params:\n  lr: 0.0001\n  betas: [0.5, 0.999]\nn_worker: 16\nseed: 1\n"
        ),
        lambda path: settings_from(read_yaml(path), str(path)),
    ),
    "table": Reader("a.json", lambda: [*_table("manifest"), *_table("records")], read_table),
    "manifest": Reader("manifest.json", lambda: _table("manifest"), lambda path: is_manifest(path) and read_manifest(path)),
    "records": Reader("prepared.json", lambda: _table("records"), lambda path: Records.load(path.parent)),
    "curve": Reader("learning_curve.csv", _texts(_CURVE), read_curve),
    "weights": Reader("net.pt", lambda: _weights("pt"), read_parameters),
    "safetensors": Reader("net.safetensors", lambda: _weights("safetensors"), read_parameters),
    "mxl": Reader("a.mxl", _mxl, _sources),
    "musicxml": Reader("a.musicxml", _file("song.musicxml"), _sources),
    "mei": Reader("a.mei", _file("piano.mei"), _sources),
    "humdrum": Reader("a.krn", _file("song.krn"), _sources),
    "abc": Reader("a.abc", _file("tunes.abc"), _sources),
    "lilypond": Reader("a.ly", _texts('\\version "2.24.0"\n\\include "b.ly"\nlicense = "CC0"\n{ c4 }\n'), _sources),
    "match": Reader("a.match", _texts(_MATCH), lambda path: read_match(path.read_bytes().decode("utf-8", "replace"))),
    "mung": Reader("a.xml", _texts(_MUNG), read_mung),
    "picture": Reader("a.png", _png, read_picture),
    "zip": Reader("a.zip", lambda: _archive(False), _unpack),
    "tar": Reader("a.tar.gz", lambda: _archive(True), _unpack),
    **{
        suffix: Reader(f"a.{suffix}", _sound(suffix), lambda path: (recording_seconds(path), read_recording(path)))
        for suffix in ("wav", "flac", "ogg", "aiff", "mp3")
    },
}


def _bars(path: Path) -> object:
    """The caller of BarCounter.of has read the file before."""
    read_played(path)
    return BarCounter.of(path)


@dataclass(frozen=True)
class Task:
    """The damaged inputs number `first` to before `first + count` of a reader."""

    reader: str
    seed: int
    first: int
    count: int
    output: Path


def read_batch(task: Task) -> Counter[str]:
    """Read the inputs of a task in this process; runs in a child. Returns how many ended how."""
    _limit_memory()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(task.first, task.first + task.count):
            data = damaged(task.reader, task.seed, number)
            problem = violation(task.reader, data, Path(folder))
            ends["violation" if problem else "right"] += 1
            if problem:
                name = f"{task.reader.replace(' ', '_')}-{hashlib.sha256(data).hexdigest()[:8]}"
                (task.output / name).write_bytes(data)
                (task.output / f"{name}.txt").write_text(f"{task}, input {number}\n{problem}\n", errors="replace")
    return ends


def damaged(reader: str, seed: int, number: int) -> bytes:
    rng = random.Random(f"{seed} {reader} {number}")
    originals = READERS[reader].originals()
    return mutated(rng.choice(originals), originals, rng)


def violation(reader: str, data: bytes, folder: Path) -> str:
    """Read data with a reader. Returns what is wrong with how it ended, "" if nothing is."""
    path = folder / READERS[reader].name
    path.write_bytes(data)
    began = time.process_time()
    try:
        with _alarm():
            READERS[reader].read(path)
    except (UserError, EngravingError) as error:
        text = str(error) if isinstance(error, UserError) else f"{error.reason}: {error.detail}"
        if not text.isprintable() or len(text) > LONGEST or not text.strip():
            return f"not one short line: {text[:3000]!r}"
    except BaseException:
        return traceback.format_exc()
    return "" if time.process_time() - began < SECONDS else f"{time.process_time() - began:.0f} seconds"


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise KeyboardInterrupt(f"more than {SECONDS:g} seconds")  # readers let it pass

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@cache
def _limit_memory() -> None:
    for reader in READERS.values():
        reader.originals()
    settings_from({})  # imports for seconds
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else 10**6
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY, most))


def tasks(arguments: argparse.Namespace, output: Path) -> Iterator[Task]:
    """Batches of all readers in turn, until the time is over or the inputs are read."""
    names = [arguments.only] if arguments.only else list(READERS)
    end = time.monotonic() + 60 * arguments.minutes
    first = arguments.first
    while time.monotonic() < end and (arguments.inputs is None or first < arguments.first + arguments.inputs):
        count = BATCH if arguments.inputs is None else min(BATCH, arguments.first + arguments.inputs - first)
        for name in names:
            yield Task(name, arguments.seed, first, count, output)
        first += count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--inputs", type=int, default=None, help="of each reader (default: as many as the minutes allow)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", choices=READERS, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--output", type=Path, default=None, help="folder for violations (default: a new temporary one)")
    arguments = parser.parse_args()
    output = arguments.output or Path(tempfile.mkdtemp(prefix="fuzz-"))
    output.mkdir(parents=True, exist_ok=True)
    table = {name: Counter[str]() for name in READERS}
    outcomes = run_isolated(read_batch, tasks(arguments, output), arguments.jobs, BATCH * SECONDS)
    for outcome in outcomes:
        task = outcome.task
        if outcome.value is not None:
            table[task.reader] += outcome.value
            continue
        table[task.reader]["violation"] += 1
        (output / f"{task.reader.replace(' ', '_')}-{task.first}.txt").write_text(
            f"{task}\n{outcome.reason}: {outcome.detail}\n"
        )
    print(f"{'reader':14}{'inputs':>9}{'violations':>12}")
    for name, ends in table.items():
        print(f"{name:14}{ends.total():9d}{ends['violation']:12d}")
    violations = sum(ends["violation"] for ends in table.values())
    total = sum(ends.total() for ends in table.values())
    print(f"{'all':14}{total:9d}{violations:12d}" + (f"   in {output}" if violations else ""))
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
