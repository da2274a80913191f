"""Reads the music of one ABC tune: from its tokens to measures of notes and rests.

Accidentals hold for their own octave to the end of the bar, as in standard notation, unless the tune says otherwise
(I:propagate-accidentals), and those of grace notes hold, too. Of a chord only the top note is kept, and its tie, and a rest
only if it is alone. Ties join notes that stand on the same line or space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.fields import (
    Meter,
    is_compound,
    parse_length,
    parse_meter,
    parse_tempo,
    parse_unit,
    unit_length,
)
from score_following_game.data_preparation.engraving.abc.keys import Key, parse_key
from score_following_game.data_preparation.engraving.abc.notation import Event, Measure, Melody, Pitch, Tuplet
from score_following_game.data_preparation.engraving.abc.properties import Clef, Properties, split_properties
from score_following_game.data_preparation.engraving.abc.thirds import write_as_tuplets
from score_following_game.data_preparation.engraving.abc.tune_book import (
    ALTER,
    MORE_TRANSPOSITION,
    PROPAGATION,
    TRANSPOSITION,
    AbcError,
    Token,
    Tune,
    grace_notes,
    instruction_of,
    is_division,
    played_once,
    sounding_tokens,
)
from score_following_game.data_preparation.engraving.abc.voices import voice_name, voice_tokens
from score_following_game.data_preparation.engraving.silent import MICROTONE, NOT_MIDI, UNPITCHED, is_without_pitch

_Spelled = tuple[Pitch | None, int | None, str]  # pitch, printed accidental, why there is no pitch
_WITHIN_CHORDS = ("rest", "space", "plus", "sign", "head", "grace")  # without a meaning there; one old book has a plus
_REACH = {"not": "not", "octave": "octave", "pitch": "pitch", "n": "not", "o": "octave", "p": "pitch"}
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # (p means p notes in the time of ...; for 5, 7 and 9 it depends on the meter


def read_melody(tune: Tune, part: str | None = None) -> Melody:
    """Read a tune, or one of its voices, with each bar once, of alternative endings the first. part: see `voice_tokens`.

    Raises AbcError if it has no key or no notes, overlays or unknown signs, or several voices and `part` is None.
    """
    voice, tokens = tokens_of(tune, part)
    return MelodyReader(tune, voice).read(played_once(tokens))


def tokens_of(tune: Tune, part: str | None, marks: bool = False) -> tuple[str, list[Token]]:
    """Like `voice_tokens`; also raises AbcError for a tune without a key."""
    if "K" not in tune.headers:
        raise AbcError("no K: field, which must end the header")
    return voice_tokens(tune, part, marks)


class MelodyReader:
    """Turns tokens into measures and keeps the key, meter, accidentals and so on that apply to the next token."""

    def __init__(self, tune: Tune, voice: str) -> None:
        self.first_meter = self.meter = parse_meter(tune.headers.get("M", "4/4"))
        key, self.properties = split_properties(tune.headers["K"])
        self.first_key = self.key = parse_key(key) or Key()
        if TRANSPOSITION in tune.headers:
            self._transpose(tune.headers[TRANSPOSITION])
        for value in (value for value in tune.voices if voice_name(value) == voice):
            self.properties = self.properties.changed_by(_properties_of_voice(value))
        for value in tune.headers.get(MORE_TRANSPOSITION, "").split():
            self._transpose(value, self.properties.transpose)
        self.first_clef = self.properties.clef or Clef()
        self.octaves, self.transposed = self.properties.octaves()
        self.unit = unit_length(tune.headers, self.meter)
        self.measures: list[Measure] = []
        self.measure = Measure()
        self.altered: dict[tuple[str, int | None], int | None] = {}  # see _spell
        self.reach = _reach(tune.headers.get(PROPAGATION, "octave"))  # of accidentals
        self.tuplet: Tuplet | None = None
        self.tuplet_left = 0
        self.tuplets = 0
        self.broken: Fraction | None = None  # length factor of the next note, after > or <
        self.last: Event | None = None
        self.new_beam = True
        self.head = ""  # shape of the next note's

    def read(self, tokens: Iterable[Token]) -> Melody:
        for token in tokens:
            self.take(token)
        self._require_complete_rhythm("the end of the tune")
        self.end_measure()
        if not any(event.pitch for measure in self.measures for event in measure.events):
            raise AbcError("no notes")
        return Melody(self.first_key, self.first_meter, self.first_clef, self.measures)

    def take(self, token: Token) -> None:
        getattr(self, f"_take_{token.kind}")(token)

    def end_measure(self) -> None:
        if self.measure.events:
            write_as_tuplets(self.measure.events, self._next_tuplet)
            self.measures.append(self.measure)
            self.measure = Measure()
        self.altered.clear()
        self.new_beam = True

    def split_bar(self) -> None:
        """End a measure where the text has no bar line. Its accidentals hold on, with signs from accidentals.py."""
        altered = dict(self.altered)
        self.end_measure()
        self.measure.divided = True
        self.altered = altered

    def _take_field(self, token: Token) -> None:
        name, value = token.parts["name"], token.parts["value"]
        if name == "L":
            self.unit = parse_unit(value)
        elif name == "Q" and (tempo := parse_tempo(value, self.unit)) is not None:
            self.measure.tempi.append((self.measure.quarters, tempo))
        elif name == "V":
            self._change(None, self.meter, _properties_of_voice(value))
        elif name == "M":
            self._change(None, parse_meter(value), Properties())
        elif name == "K":
            key, properties = split_properties(value)
            self._change(parse_key(key), self.meter, properties)
        elif name == "I" and (instruction := instruction_of(value)) is not None:
            self._follow(*instruction)

    def _follow(self, instruction: str, value: str) -> None:
        if instruction == PROPAGATION:
            self.reach = _reach(value)
        else:
            self._transpose(value, self.properties.transpose if instruction == MORE_TRANSPOSITION else None)

    def _transpose(self, semitones: str, more_than: int | None = None) -> None:
        """From now on, the sound differs from the print by so many semitones."""
        _, stated = split_properties(f"transpose={semitones}")
        self.properties = self.properties.changed_by(Properties(transpose=(stated.transpose or 0) + (more_than or 0)))
        self.octaves, self.transposed = self.properties.octaves()

    def _change(self, key: Key | None, meter: Meter, properties: Properties) -> None:
        """Begin a bar with another key (None: as before), meter or clef. If nothing on the sheet changes, the bar goes on."""
        clef = self.properties.clef or Clef()
        self.properties = self.properties.changed_by(properties)
        self.octaves, self.transposed = self.properties.octaves()
        now = self.properties.clef or Clef()
        if key not in (None, self.key) or meter != self.meter or now != clef:
            self.split_bar()
        if key not in (None, self.key):
            self.key = self.measure.key = key
        if meter != self.meter:
            self.meter = self.measure.meter = meter
        if now != clef:
            self.measure.clef = now
        if not self.measures and not self.measure.events:  # a change before the first note replaces the header's value
            self.first_key, self.first_meter, self.first_clef = self.key, self.meter, now
            self.measure.key = self.measure.meter = self.measure.clef = None

    def _take_space(self, _token: Token) -> None:
        self.new_beam = True

    def _take_bar(self, token: Token) -> None:
        if ":" in token.text or "bar_ending" in token.parts:
            self._require_complete_rhythm(token.text)
        self.end_measure()
        self.measure.divided = self.measure.divided or is_division(token)

    def _require_complete_rhythm(self, before: str) -> None:
        """A note after > or < must come next in time, too."""
        if self.broken is not None:
            raise AbcError(f"> or < before {before}, with no note between them; write out the length of the note before it")

    def _take_head(self, token: Token) -> None:
        self.head = token.parts["head"]

    def _take_tuplet(self, token: Token) -> None:
        if self.tuplet:
            raise AbcError(f"{token.text!r} begins before the tuplet before it ends; a tuplet within another is not read")
        number = int(token.parts["p"])
        base = int(token.parts.get("q") or _TUPLET_TIME.get(number, 3 if is_compound(self.meter) else 2))
        if base == 0 or token.parts.get("r") == "0":
            raise AbcError(f"{token.text!r} is not a tuplet")
        self.tuplet = Tuplet(number, base, self._next_tuplet())
        self.tuplet_left = int(token.parts.get("r") or number)

    def _next_tuplet(self) -> int:
        self.tuplets += 1
        return self.tuplets

    def _take_unread(self, token: Token) -> None:
        overlay = "; of several voices in one (&) none is read" if token.text[0] == "&" else ""
        raise AbcError(f"cannot read {token.text!r}{overlay}")

    def _take_plus(self, _token: Token) -> None:
        raise AbcError("+ does not begin a known decoration; write an old-style chord +CEG+ as [CEG]")

    def _take_tie(self, _token: Token) -> None:
        if self.last and self.last.pitch:
            self.last.tie_to = self.last.dash = True

    def _take_broken(self, token: Token) -> None:
        if self.last is None or not any(event is self.last for event in self.measure.events):
            raise AbcError(f"{token.text!r} does not follow a note in its bar")
        short = Fraction(1, 2 ** len(token.text))
        before, after = (2 - short, short) if token.text[0] == ">" else (short, 2 - short)
        self.last.written *= before
        self.broken = after

    def _take_note(self, token: Token) -> None:
        parts = token.parts
        self._add_note([self._spell(parts.get("accidental"), parts["letter"], parts["octave"])], parse_length(parts["length"]))

    def _take_chord(self, token: Token) -> None:
        notes: list[_Spelled] = []
        lengths: dict[str, list[str]] = {"note": [], "rest": []}
        tied: set[Pitch | None] = set()
        for inner in sounding_tokens(token.parts["inside"]):
            if inner.kind in lengths:
                lengths[inner.kind].append(inner.parts.get("length", inner.parts.get("rest_length", "")))
            if inner.kind == "note":
                notes.append(self._spell(inner.parts.get("accidental"), inner.parts["letter"], inner.parts["octave"]))
            elif inner.kind == "tie" and notes:
                tied.add(notes[-1][0])
            elif inner.kind not in _WITHIN_CHORDS:
                raise AbcError(f"cannot read chord {token.text!r}")
        if not any(lengths.values()):
            raise AbcError(f"cannot read chord {token.text!r}")
        length = parse_length((lengths["note"] or lengths["rest"])[0]) * parse_length(token.parts["chord_length"])
        event = self._add_note(notes, length) if notes else self._add(None, None, length)
        event.tie_to = event.dash = event.pitch is not None and event.pitch in tied

    def _take_grace(self, token: Token) -> None:
        """Grace notes are not played, but their accidentals reach the notes after them."""
        for accidental, letter, octave in grace_notes(token):
            self._spell(accidental, letter, octave)

    def _take_rest(self, token: Token) -> None:
        self._add(None, None, parse_length(token.parts["rest_length"]))

    def _take_bars_rest(self, token: Token) -> None:
        if self.meter is None:
            raise AbcError("whole-bar rest without a meter")
        for _ in range(int(token.parts["bars"] or 1)):
            self._add(None, None, Fraction(*self.meter) / self.unit)
            self.end_measure()

    def _spell(self, written: str | None, letter: str, octaves: str) -> _Spelled:
        """Returns the sounding pitch and the printed accidental.

        Remembers, until the bar line, the alter of the accidental, None for a microtone, by its step and octave; for all
        octaves the octave is None.
        """
        step = letter.upper()
        octave = 4 + letter.islower() + octaves.count("'") - octaves.count(",") + self.octaves
        place = step, octave if self.reach == "octave" else None
        alter = ALTER.get(written) if written else self.altered.get(place, self.key.alter(step))
        if written and self.reach != "not":
            self.altered[place] = alter
        if alter is None:
            return None, None, MICROTONE
        pitch = Pitch(step, octave, alter, self.transposed)
        if not 0 <= pitch.midi <= 127:
            return None, None, NOT_MIDI
        return pitch, ALTER[written] if written else None, ""

    def _add_note(self, notes: Sequence[_Spelled], length: Fraction) -> Event:
        """Add the top note of a chord; a rest, if none of its notes can be played."""
        without_pitch, self.head = is_without_pitch([self.head]), ""
        playable = [] if without_pitch else [(pitch, sign) for pitch, sign, _ in notes if pitch is not None]
        if playable:
            return self._add(*max(playable, key=lambda note: note[0].midi), length)
        event = self._add(None, None, length)
        event.lost = UNPITCHED if without_pitch else notes[0][2]
        return event

    def _add(self, pitch: Pitch | None, accidental: int | None, length: Fraction) -> Event:
        event = Event(pitch, length * self.unit * (self.broken or 1), accidental, self.tuplet, self.new_beam)
        if self.last and self.last.tie_to:
            self._tie(self.last, event)
        self.measure.events.append(event)
        self.last, self.broken, self.new_beam = event, None, False
        if self.tuplet:
            self.tuplet_left -= 1
            if not self.tuplet_left:
                self.tuplet = None
        return event

    @staticmethod
    def _tie(first: Event, second: Event) -> None:
        """Tie the two if they have one pitch. A tie carries an accidental over the bar line."""
        carry_accidental(first, second)
        second.tie_from = first.tie_to = second.pitch == first.pitch


def _reach(text: str) -> str:
    if text not in _REACH:
        raise AbcError(f"cannot read {PROPAGATION} {text!r}; it is not, octave or pitch")
    return _REACH[text]


def carry_accidental(first: Event, second: Event) -> None:
    """Give a note without a sign the accidental of the note to which it is tied."""
    if second.accidental is None and _same_place(first.pitch, second.pitch):
        second.pitch = first.pitch


def _properties_of_voice(value: str) -> Properties:
    """The properties of a V: field, which begins with the voice's name."""
    return split_properties("".join(value.split(maxsplit=1)[1:]))[1]


def _same_place(first: Pitch | None, second: Pitch | None) -> bool:
    """Whether both are notes on one line or space of the staff, whatever their accidentals."""
    return first is not None and second is not None and (first.step, first.octave) == (second.step, second.octave)
