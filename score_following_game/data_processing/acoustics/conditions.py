"""Fixed conditions for judging agents: one thing at a time is other than in the data set."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.channel import coded, retuned, with_drifting_gain
from score_following_game.data_processing.acoustics.instruments import Instrument
from score_following_game.data_processing.acoustics.noises import with_noise
from score_following_game.data_processing.acoustics.performing import Notes, perform, with_pauses
from score_following_game.data_processing.acoustics.rooms import draw_room, in_room
from score_following_game.data_processing.acoustics.world import Performer, Sounding, after_silence
from score_following_game.data_processing.augmentation import as_scanned
from score_following_game.data_processing.piece import Piece, can_be_performed
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.machine import worker_threads

DEFAULT = "default"
PROGRAMS = {"violin": 40, "flute": 73, "trumpet": 56, "clarinet": 71, "accordion": 21, "guitar": 24}
Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

CHANGES: dict[str, Change] = {
    "gain +-12 dB": lambda samples, rate, random: with_drifting_gain(samples, 12.0, rate, random),
    "room 1.5 s": lambda samples, rate, random: in_room(samples, draw_room(rate, random, 1.5)),
    "room 3 s": lambda samples, rate, random: in_room(samples, draw_room(rate, random, 3.0)),
    "pink noise 20 dB": lambda samples, rate, random: with_noise(samples, "pink", 20.0, rate, random),
    "white noise 10 dB": lambda samples, rate, random: with_noise(samples, "white", 10.0, rate, random),
    "babble 15 dB": lambda samples, rate, random: with_noise(samples, "babble", 15.0, rate, random),
    "one click +20 dB": lambda samples, rate, random: with_noise(samples, "clicks", 20.0, rate, random, per_minute=0.0),
    "clicks and coughs": lambda samples, rate, random: with_noise(
        with_noise(samples, "clicks", 10.0, rate, random, 20.0), "coughs", 6.0, rate, random, 6.0
    ),
    "coded": lambda samples, rate, random: coded(samples, rate, 30.0, 6000.0),
}
PLAYED: dict[str, Callable[[Notes, np.random.Generator], Notes]] = {"expressive": perform, "pauses of 1 to 3 s": with_pauses}
RETUNED, LATE, SCANNED = "50 cents higher", "begins after 2 s", "scanned sheet"
CONDITIONS = (DEFAULT, *PROGRAMS, *PLAYED, RETUNED, LATE, *CHANGES, SCANNED)
SILENCE = 2  # seconds before the first note under LATE


def under(condition: str, pieces: Sequence[Piece], config: GameConfig, seed: int = 0, font: Path | None = None) -> list[Piece]:
    """The pieces under one of CONDITIONS. font: of the instruments, by default pretty_midi's.

    Their sound must be made from MIDI files. Raises ValueError for an unknown condition, UserError when a piece's files cannot
    be read.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"{condition!r} is no condition; there are {', '.join(CONDITIONS)}")
    if condition == DEFAULT:
        return list(pieces)

    def change(piece: Piece) -> Piece:
        random = np.random.default_rng([seed, zlib.crc32(condition.encode()), *piece.name.encode()])
        if condition == SCANNED:
            return as_scanned(piece, random)
        performer = Performer(piece, config)
        return performer.piece_of(_sounding(condition, performer, random, font), piece.name)

    with ThreadPoolExecutor(worker_threads()) as pool:
        return list(pool.map(change, pieces))


def spread(pieces: Sequence[Piece], config: GameConfig, seed: int = 0, font: Path | None = None) -> list[Piece]:
    """The pieces, each `under` one of CONDITIONS in turn, in the same order; recordings stay as they are."""
    heard = list(pieces)
    for number, condition in enumerate(CONDITIONS):
        chosen = [index for index in range(number, len(pieces), len(CONDITIONS)) if can_be_performed(pieces[index])]
        for index, piece in zip(chosen, under(condition, [pieces[index] for index in chosen], config, seed, font)):
            heard[index] = piece
    return heard


def _sounding(condition: str, performer: Performer, random: np.random.Generator, font: Path | None) -> Sounding:
    notes = PLAYED[condition](performer.notes, random) if condition in PLAYED else performer.notes
    if condition in PROGRAMS:
        return performer.render(notes, Instrument(font or default_sound_font(), PROGRAMS[condition]))
    sounding = performer.render(notes, Instrument(default_sound_font(), 0))
    if condition == RETUNED:
        samples, factor = retuned(sounding.samples, 50.0)
        return Sounding(samples, sounding.onsets * factor)
    rate = performer.config.spectrogram_params.sample_rate
    if condition == LATE:
        return after_silence(sounding, SILENCE * rate, rate)
    if condition in CHANGES:
        return replace(sounding, samples=CHANGES[condition](sounding.samples, rate, random))
    return sounding
