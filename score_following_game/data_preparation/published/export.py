"""Export of data sets in the formats of the releases of 2018 and 2019: coord2onset is a pickled dict, one npz per performance.

    layout 2018: NAME.npz, NAME.mid and, for a recording, NAME.wav in one folder
    layout 2019: score/NAME.npz, performance/NAME.mid, performance/NAME.wav

The code of these releases relies on the order of the noteheads: the first one of a frame gives its x, the last one of all the
end of the piece (spec: onsets and the true position; quirk 31). They are therefore written in order of time.
"""

from __future__ import annotations

import io
import pickle
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format
from tqdm import tqdm

from score_following_game.config import SpectrogramParams
from score_following_game.data_processing.audio import is_recording, load_recording, write_recording
from score_following_game.data_processing.dataset import find_data_set, score_paths
from score_following_game.data_processing.manifest import MANIFEST_NAME, is_manifest, read_manifest
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.performance import note_onsets
from score_following_game.data_processing.piece import (
    PERFORMANCES,
    SCORES,
    find_midi,
    find_score,
    merge_onsets,
    onset_frames,
)
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.data_processing.sound_files import performance_source
from score_following_game.data_processing.written_score import written_path
from score_following_game.errors import UserError, counted
from score_following_game.files import WriteError, make_folder, replacing

LAYOUTS = ("2018", "2019")
_FPS = SpectrogramParams().fps  # both releases use the default


@dataclass(frozen=True)
class PublishedCopy:
    """The result of an export.

    pieces, recorded: number of pieces written, and of those with a recording.
    left_out: a line for each piece left out.
    own_font: number of pieces with a sound font chosen by a manifest, which the exported files cannot express.
    """

    destination: Path
    pieces: int
    recorded: int
    left_out: list[str]
    own_font: int

    def lines(self) -> list[str]:
        """The report as printed."""
        lines = [f"{counted(self.pieces, 'piece')} in {self.destination}, {self.recorded} of them with a recording"]
        if self.own_font:
            lines.append(
                f"to be played with another sound font: {counted(self.own_font, 'piece')} with one of their own, which this "
                "format cannot express"
            )
        if self.left_out:
            lines += [f"{len(self.left_out)} left out:", *(f"  {line}" for line in self.left_out)]
        return lines


def to_published(source: Path, destination: Path, layout: str = LAYOUTS[0]) -> PublishedCopy:
    """Export a data set in the published format of 2018 or 2019.

    Pieces that cannot be played are left out. The destination appears only when everything is written.

    Args:
        source: Folder of the data set, searched recursively; subfolders are kept.
        destination: A folder that is empty or does not exist yet.
        layout: One of LAYOUTS.

    Returns:
        The counts of what was written and left out.

    Raises:
        UserError: The destination is in use, or no piece can be exported.
        WriteError: The destination cannot be written.
    """
    folder = find_data_set(source)
    _require_free(destination, folder)
    target = destination.resolve()
    make_folder(target.parent)
    try:
        holder = tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-")
    except OSError as error:
        raise WriteError(f"{target.parent}: cannot be written ({error.strerror})") from None
    with holder as name:
        made = Path(name) / "set"  # not the temporary folder itself, which only its owner may read
        heard, left_out = _write_all(folder, made, layout)
        if not heard:
            raise UserError(f"{source}: no piece can be exported; the first of {len(left_out)}: {left_out[0]}")
        copy = PublishedCopy(destination, len(heard), sum(map(is_recording, heard)), left_out, _with_own_font(heard))
        try:
            if target.exists():
                target.rmdir()
            made.replace(target)
        except OSError as error:
            raise WriteError(f"{destination}: cannot be written ({error.strerror})") from None
    return copy


def _require_free(destination: Path, folder: Path) -> None:
    """Raise UserError for a destination that holds files, or that lies inside the data set itself."""
    if destination.exists() and not destination.is_dir():
        raise UserError(f"--destination {destination}: is a file, expected a folder")
    if destination.resolve() == Path.cwd() or (destination.is_dir() and any(destination.iterdir())):
        raise UserError(f"--destination {destination}: is in use; choose a folder that is empty or does not exist yet")
    if folder.resolve() in destination.resolve().parents:
        raise UserError(
            f"--destination {destination}: is inside {folder}, which would then hold its pieces twice; "
            "choose a folder outside it"
        )


def _write_all(folder: Path, made: Path, layout: str) -> tuple[list[Path], list[str]]:
    """Return the performance files of the pieces written (paths in the source), and a line for each piece left out."""
    heard: list[Path] = []
    left_out: list[str] = []
    written: set[Path] = set()
    scores = score_paths(folder)
    for name, own in tqdm(scores.items(), desc=f"converting {folder.name}", unit="piece", disable=None, leave=False):
        midi = find_midi(own)
        score_path, midi_path = _targets(made / _place(own, midi, folder), own.stem, layout)
        try:
            if score_path in written:
                raise UserError(f"{name}: another piece of this name goes to the same folder")
            heard.append(_write_piece(find_score(own), midi, score_path, midi_path))
            written.add(score_path)
        except WriteError:
            raise
        except UserError as error:
            left_out.append(str(error))
    return heard, left_out


def _place(own: Path, midi: Path, folder: Path) -> Path:
    """Folder of a piece relative to the set, for either layout; the set may itself be the score or performance folder."""
    place = own.parent if midi.parent == own.parent else own.parent.parent
    return place.relative_to(folder) if place.is_relative_to(folder) else Path()


def _targets(folder: Path, name: str, layout: str) -> tuple[Path, Path]:
    """Paths of the npz and the MIDI of a piece."""
    scores, performances = (folder, folder) if layout == "2018" else (folder / SCORES, folder / PERFORMANCES)
    return scores / f"{name}.npz", performances / f"{name}.mid"


def _write_piece(score_path: Path, midi_path: Path, score_target: Path, midi_target: Path) -> Path:
    """Write one piece. Returns its performance file. Raises UserError, before writing, if it cannot be played."""
    score = read_score(score_path)
    note_frames = onset_frames(note_onsets(read_midi(midi_path), midi_path), _FPS)
    merge_onsets(score, note_frames, score_path)  # raises UserError for files that do not belong together
    source = performance_source(midi_path)
    if is_recording(source):
        _write_wav(source, midi_target.with_suffix(".wav"))
    elif source != midi_path:
        _copy(source, midi_target.with_suffix(".spec.npy"))
    _copy(midi_path, midi_target)
    if written_path(score_path).is_file():
        _copy(written_path(score_path), written_path(score_target))
    write_published_score(score_target, by_time(score, note_frames))
    return source


def by_time(score: Score, note_frames: np.ndarray) -> Score:
    """The same score with one coordinate for each pair of notehead and note, ordered by frame.

    note_frames: int64 (notes,), frame of each note of the MIDI, by onset time. Pairs of the same frame keep their order, so
    that the first one stays the first. Noteheads without a note follow at the end.
    """
    pairs = score.coord2onset[np.argsort(score.coord2onset[:, 0], kind="stable")]
    pairs = pairs[np.argsort(note_frames[pairs[:, 1]], kind="stable")]
    unheard = np.setdiff1d(np.arange(len(score.coords)), pairs[:, 0])
    coords = score.coords[np.concatenate([pairs[:, 0], unheard])]
    return Score(score.sheet, coords, np.stack([np.arange(len(pairs)), pairs[:, 1]], axis=1))


def write_published_score(path: Path, score: Score) -> None:
    """Write a score npz whose coord2onset is an object array of shape (1,) with a dict {notehead index: note index}.

    score.coord2onset must name each notehead at most once. Equal scores give equal bytes.
    """
    content = np.empty(1, dtype=object)
    content[0] = dict(score.coord2onset.tolist())
    data = io.BytesIO()
    npy_format.write_array_header_1_0(data, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    # Protocol 2 and the old name of numpy's module, as published: numpy before 2 and Python 2 need them.
    data.write(pickle.dumps(content, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    member = zipfile.ZipInfo("coord2onset.npy")  # fixed date
    member.compress_type = zipfile.ZIP_DEFLATED
    with replacing(path) as temporary:
        np.savez_compressed(temporary, sheet=score.sheet, coords=score.coords.astype(np.float32))
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(member, data.getvalue())


def _write_wav(recording: Path, target: Path) -> None:
    """Copy a 16-bit wav; convert any other recording to one (mono, 22 050 Hz), since the old decoders read few formats."""
    if recording.suffix.lower() == ".wav" and _is_16_bit(recording):
        _copy(recording, target)
    else:
        write_recording(target, load_recording(recording))


def _is_16_bit(recording: Path) -> bool:
    import soundfile

    try:
        return soundfile.info(recording).subtype == "PCM_16"
    except (soundfile.SoundFileError, OSError):
        return False  # load_recording reports what is wrong


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        try:
            shutil.copyfile(source, temporary)
        except OSError as error:
            raise WriteError(f"{target}: cannot be written ({error.strerror})") from None


def _with_own_font(heard: list[Path]) -> int:
    """Number of MIDI files among these for which a manifest chose a sound font."""
    manifests = filter(is_manifest, {file.parent / MANIFEST_NAME for file in heard})
    chosen = {path.parent / midi for path in manifests for midi in read_manifest(path).fonts()}
    return sum(file in chosen for file in heard)
