"""When each note of a performance begins, and where each notehead is: what a network learns to hear and to read by.

Only training uses it. An agent that plays has nothing but pixels and sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.data_processing.score_npz import Score


@dataclass(frozen=True)
class NoteTable:
    """The notes that are heard and the noteheads that are seen.

    Attributes:
        frame: int64 (n,): the frame in which each note begins, rounded as the piece's onset_frames.
        pitch: int64 (n,): its MIDI pitch.
        head_x: float32 (m,): x of each notehead, pixels.
        head_pitch: int64 (m,): MIDI pitch of the note that it shows.
    """

    frame: np.ndarray
    pitch: np.ndarray
    head_x: np.ndarray
    head_pitch: np.ndarray

    @classmethod
    def of(cls, score: Score, frame: np.ndarray, pitch: np.ndarray) -> NoteTable:
        """The table of a score, from frame and pitch, int (n,), of the notes that coord2onset counts."""
        head, note = score.coord2onset.T
        pitch = pitch.astype(np.int64)
        return cls(frame.astype(np.int64), pitch, score.coords[head, 1], pitch[note])
