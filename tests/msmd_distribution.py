"""Writes a piece in the format of the raw MSMD distribution: two pages, three systems of two staves."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
import pretty_midi

NAME = "BachJS__BWV1__small"
PLAYED = f"{NAME}_tempo-1000_ElectricPiano"
SPACE, BETWEEN, LEFT, RIGHT = 7, 70, 60, 775  # pixels: staff space, top lines of the two staves, ends of the staves
HEIGHT = BETWEEN + 4 * SPACE  # from the first line of a system to its last
SYSTEMS = [
    ("01", 30),
    ("01", 400),
    ("02", 120),
]  # page, row of the first line; the first is cut by the page's edge
# MIDI notes: onset and end in beats of half a second, pitch, heads (system, x, y below the first line).
NOTES = [
    (0, 4, 48, [(0, 120, 80), (0, 400, 80)]),
    (0, 1, 72, [(0, 120, 7)]),  # the low note: tied
    (1, 2, 74, [(0, 220, 3)]),
    (2, 3, 76, [(0, 310, 0), (0, 320, 0)]),  # the second: a unison
    (4, 5, 60, [(1, 110, 28)]),
    (4, 5, 64, [(1, 119, 24)]),
    (5, 6, 72, [(1, 300, 7)]),  # a chord with a second in it
    (6, 9, 71, [(1, 500, 10), (2, 130, 10)]),  # tied across systems
    (8, 9, 50, [(2, 129, 74)]),
    (9, 9.5, 72, [(2, 400, 7)]),
    (9.5, 10, 72, [(2, 600, 7)]),
]
HEADS = [(system, x, y, note) for note, (_, _, _, heads) in enumerate(NOTES) for system, x, y in heads]
WAYS = ("items", "csv", "npy", "onsets")


def draw(page: str) -> np.ndarray:
    image = np.full((1181, 835), 255, np.uint8)
    for top in (row for name, row in SYSTEMS if name == page):
        for line in range(5):
            image[[top + line * SPACE, top + BETWEEN + line * SPACE], LEFT:RIGHT] = 0
        image[top : top + HEIGHT + 1, [LEFT, RIGHT - 1]] = 0
    for system, x, y, _ in HEADS:
        if SYSTEMS[system][0] == page:
            cv2.ellipse(image, (x, SYSTEMS[system][1] + y), (4, 3), 0, 0, 360, 0, -1)
    return image


def element(dialect: str, index: int, page: str, kind: str, box: tuple[int, ...], factor: int, data: dict[str, object]) -> str:
    """A CropObject: the box is (top, left, height, width)."""
    names = ("Id", "ClassName") if dialect == "new" else ("UniqueId", "MLClassName")
    unique = f"MSMD___{NAME}___{page}___{index}" if dialect == "new" else str(index)
    sizes = "".join(f"<{key}>{value * factor}</{key}>" for key, value in zip(("Top", "Left", "Height", "Width"), box))
    items = "".join(f'<DataItem key="{key}" type="int">{escape(str(value))}</DataItem>' for key, value in data.items())
    marked = f'<CropObject xml:id="{unique}">' if dialect == "new" else "<CropObject>"
    return (
        f"{marked}<{names[0]}>{index if dialect == 'new' else unique}</{names[0]}><{names[1]}>{kind}</{names[1]}>{sizes}"
        f"<Inlinks>1 2</Inlinks><Mask>0:3 1:4</Mask><Data>{items}</Data></CropObject>"
    )


def make_distribution(
    root: Path,
    way: str = "items",
    dialect: str = "new",
    systems: str = "corners",
    factor: int = 1,
    pages: tuple[str, str] = ("01", "02"),
    performance: str = PLAYED,
) -> Path:
    """Write the piece below `root`. Returns its folder. way: of giving the alignment.  systems: way of giving their boxes."""
    folder = root / NAME
    score, played = folder / "scores" / f"{NAME}_ly", folder / "performances" / performance
    for path in (score / "img", score / "mung", score / "coords", played / "features"):
        path.mkdir(parents=True, exist_ok=True)
    rows = []
    for page, file in zip(("01", "02"), pages):
        cv2.imwrite(str(score / "img" / f"{file}.png"), np.kron(draw(page), np.ones((factor, factor), np.uint8)))
        objects = []
        for index, (system, x, y, note) in enumerate(HEADS):
            if SYSTEMS[system][0] != page:
                continue
            onset, end, pitch, heads = NOTES[note]
            tied = (system, x, y) != heads[0] and abs(x - heads[0][1]) > 15
            data: dict[str, object] = {"midi_pitch_code": pitch, "ly_link": f"file.ly:{note}:1 & more"}
            if way == "items":
                data[f"{performance}_note_event_idx"] = note
            elif way == "onsets":
                data["onset_seconds"] = (onset + end) / 4 if tied else onset / 2 + 0.01
            kind = "noteheadFull" if dialect == "new" else "notehead-empty"
            objects.append(element(dialect, index, page, kind, (SYSTEMS[system][1] + y - 3, x - 4, 7, 9), factor, data))
            rows.append((f"MSMD___{NAME}___{page}___{index}" if dialect == "new" and way == "csv" else index, note))
        tops = [top for name, top in SYSTEMS if name == page]
        wide = RIGHT - LEFT
        for index, top in enumerate(tops):
            if systems == "system":
                objects.append(element(dialect, 900 + index, page, "staff_system", (top, LEFT, HEIGHT + 1, wide), factor, {}))
            for staff in range(2 if systems == "staffs" else 0):
                box = (top + staff * BETWEEN, LEFT, 4 * SPACE + 1, wide)
                objects.append(element(dialect, 800 + 2 * index + staff, page, "staff", box, factor, {}))
        (score / "mung" / f"{file}.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?><CropObjectList><CropObjects>'
            + "".join(objects)
            + "</CropObjects></CropObjectList>"
        )
        if systems in ("corners", "x first"):
            corners = np.array(
                [[(y, x) for y, x in ((top, LEFT), (top, RIGHT), (top + HEIGHT, RIGHT), (top + HEIGHT, LEFT))] for top in tops],
                dtype=float,
            )
            corners = corners[..., ::-1] if systems == "x first" else corners
            np.save(score / "coords" / f"systems_{file}.npy", corners * factor)
    if way == "csv":
        (played / "alignment.csv").write_text("notehead,note_event\n" + "".join(f"{head},{note}\n" for head, note in rows))
    elif way == "npy":
        np.save(score / f"{performance}_alignment.npy", np.array(rows, dtype=float))
        np.save(score / "A_alignment.npy", np.array([(0, 5)]))  # of another performance
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    part = pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(80, pitch, onset / 2, end / 2) for onset, end, pitch, _ in reversed(NOTES)]
    midi.instruments.append(part)
    midi.write(str(played / f"{performance}.mid"))
    return folder


def head_file(folder: Path, page: str = "01") -> Path:
    return folder / "scores" / f"{NAME}_ly" / "mung" / f"{page}.xml"


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
