"""Renditions: pieces performed again by other players, on other instruments, in other rooms; drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.channel import coded, retuned, with_drifting_gain, with_wow
from score_following_game.data_processing.acoustics.instruments import Instrument, draw_instrument
from score_following_game.data_processing.acoustics.noises import STEADY, SUDDEN, with_noise
from score_following_game.data_processing.acoustics.performing import Notes, perform
from score_following_game.data_processing.acoustics.rooms import draw_room, in_room, through_microphone
from score_following_game.data_processing.acoustics.switches import SWITCHES
from score_following_game.data_processing.augmentation import as_scanned, with_varied_sheet
from score_following_game.data_processing.level import gain_for
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.note_table import NoteTable
from score_following_game.data_processing.piece import Piece, find_score, merge_onsets, onset_frames, place_of_score
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.data_processing.spectrogram import band_magnitudes, compress
from score_following_game.data_processing.synthesis import default_sound_font, synthesise

# Shares of the renditions that each switch changes.
SHARES = dict(zip(SWITCHES, (0.9, 0.9, 0.5, 0.6, 0.5, 0.6, 0.2, 0.9)))
# Share of renditions on which no room, noise, gain and coding acts. By SHARES hardly one in ten would be clean. An agent that
# has always heard a noise floor follows clean sound worse than noisy sound (R_on .85 against .97 on test tunes).
CLEAN, CHANNEL = 0.3, frozenset(("rooms", "gain", "noise", "coding"))
SCANNED = 0.4  # share of the varied sheets
CENTS = 50.0  # of another tuning
WOW = (0.006, 0.3, 3.0)  # largest relative depth, and range of the frequency in Hz
GAIN = 12.0  # decibels, largest drift
NOISE = (8.0, 45.0)  # decibels, range of the music's level above the noise
BURST = (-6.0, 22.0)  # decibels, range of the peak of clicks and coughs above the music's
PER_MINUTE = (2.0, 40.0)
CODING = (25.0, 50.0)  # decibels below the loudest bin of a band
HIGHEST = (4500.0, 10000.0)  # Hz
LEAD_IN = 1.5  # seconds of silence at the beginning, at most
LEVEL = 3.0  # decibels, largest error of the level


@dataclass(frozen=True)
class Sounding:
    """Samples, float32 (n,) at the config's rate, and the onsets of the notes in them, float64 seconds by note number."""

    samples: np.ndarray
    onsets: np.ndarray


Stage = Callable[[Sounding, int, np.random.Generator], Sounding]


class Performer:
    """Performs one piece again and again.

    Raises UserError when the piece's files have become unreadable.
    """

    def __init__(self, piece: Piece, config: GameConfig) -> None:
        """piece: one whose sound is its MIDI file (see `can_be_performed`)."""
        self.piece, self.config = piece, config
        self.notes = Notes.of(read_midi(piece.midi_path))
        self.score: Score = read_score(find_score(place_of_score(piece.midi_path)))

    def render(self, notes: Notes, instrument: Instrument) -> Sounding:
        """Play notes on an instrument, dry."""
        rate = self.config.spectrogram_params.sample_rate
        midi = notes.midi(instrument.program, instrument.vibrato)
        return Sounding(synthesise(midi, instrument.font, rate), notes.start)

    def plain(self) -> Piece:
        """The piece as the default piano plays its MIDI file."""
        return self.piece_of(self.render(self.notes, Instrument(default_sound_font(), 0)), self.piece.name)

    def piece_of(self, sounding: Sounding, name: str, level: float = 1.0) -> Piece:
        """The piece with other sound. level: a factor for the level at which the agents hear music."""
        params = self.config.spectrogram_params
        rate, fps = params.sample_rate, params.fps
        magnitudes = band_magnitudes(sounding.samples, rate, rate=rate, frame_size=params.frame_size, fps=fps)
        gain = level * gain_for(self.config.audio_peak, sounding.samples, magnitudes, rate / fps)
        note_frames = onset_frames(sounding.onsets, fps)
        frames, x = merge_onsets(self.score, note_frames, self.piece.midi_path)
        return replace(
            self.piece,
            name=name,
            sheet=self.score.sheet,
            onset_frames=frames,
            onset_x=x,
            spectrogram=compress(magnitudes * np.float32(gain)),
            notes=NoteTable.of(self.score, note_frames, self.notes.pitch),
        )


@dataclass(frozen=True)
class World:
    """What renditions vary in: some of SWITCHES. fonts: SoundFont files, by default pretty_midi's. keyboards_only: as for
    draw_instrument."""

    switches: frozenset[str] = frozenset(SWITCHES)
    fonts: tuple[Path, ...] = ()
    keyboards_only: bool = False

    def rendition(self, performer: Performer, seed: list[int]) -> Piece:
        """A rendition, named as the piece is; determined by the seed."""
        random = np.random.default_rng(seed)
        applied = {switch for switch in SWITCHES if random.random() < SHARES[switch]} & self.switches
        if random.random() < CLEAN:
            applied -= CHANNEL
        notes = perform(performer.notes, random, slow=True) if "timing" in applied else performer.notes
        fonts = self.fonts or (default_sound_font(),)
        instrument = Instrument(fonts[0], 0)
        if "instruments" in applied:
            instrument = draw_instrument(fonts, self.keyboards_only, random)
        sounding = performer.render(notes, instrument)
        rate = performer.config.spectrogram_params.sample_rate
        for switch, stage in STAGES.items():
            if switch in applied:
                sounding = stage(sounding, rate, random)
        level = 10 ** (random.uniform(-LEVEL, LEVEL) / 20) if "gain" in applied else 1.0
        piece = performer.piece_of(sounding, performer.piece.name, level)
        if "sheets" in applied:
            piece = with_varied_sheet(piece, random)
            piece = as_scanned(piece, random) if random.random() < SCANNED else piece
        return piece


def after_silence(sounding: Sounding, silence: int, rate: int) -> Sounding:
    """The same after `silence` samples without sound."""
    return Sounding(np.pad(sounding.samples, (silence, 0)), sounding.onsets + silence / rate)


def _begun_later(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    return after_silence(sounding, int(random.uniform(0, LEAD_IN) * rate) * (random.random() < 0.5), rate)


def _tuned(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    samples, factor = retuned(sounding.samples, random.uniform(-CENTS, CENTS))
    if random.random() < 0.3:
        samples = with_wow(samples, random.uniform(0, WOW[0]), random.uniform(*WOW[1:]), rate)
    return Sounding(samples, sounding.onsets * factor)


def _housed(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    samples = sounding.samples
    if random.random() < 0.8:
        samples = in_room(samples, draw_room(rate, random))
    if random.random() < 0.7:
        samples = through_microphone(samples, rate, random)
    return replace(sounding, samples=samples)


def _gained(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    return replace(sounding, samples=with_drifting_gain(sounding.samples, random.uniform(0, GAIN), rate, random))


def _disturbed(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    samples = sounding.samples
    if random.random() < 0.8:
        samples = with_noise(samples, str(random.choice(STEADY)), random.uniform(*NOISE), rate, random)
    if random.random() < 0.4:
        per_minute = random.uniform(*PER_MINUTE)
        samples = with_noise(samples, str(random.choice(SUDDEN)), random.uniform(*BURST), rate, random, per_minute)
    return replace(sounding, samples=samples)


def _coded(sounding: Sounding, rate: int, random: np.random.Generator) -> Sounding:
    return replace(sounding, samples=coded(sounding.samples, rate, random.uniform(*CODING), random.uniform(*HIGHEST)))


STAGES: dict[str, Stage] = {  # in the order in which sound meets them
    "timing": _begun_later,
    "tuning": _tuned,
    "rooms": _housed,
    "gain": _gained,
    "noise": _disturbed,
    "coding": _coded,
}
