"""Writes small MusicXML scores."""

from __future__ import annotations

DIVISIONS = 12
_TYPES = {4.0: "whole", 2.0: "half", 1.0: "quarter", 0.5: "eighth", 0.25: "16th"}
ONE_STAFF = "<clef><sign>G</sign><line>2</line></clef>"
TWO_STAVES = (
    '<staves>2</staves><clef number="1"><sign>G</sign><line>2</line></clef><clef number="2"><sign>F</sign><line>4</line></clef>'
)


def note(
    pitch: str,
    quarters: float = 1.0,
    *,
    value: float | None = None,
    alter: int = 0,
    tuplet: str = "",
    voice: int = 1,
    staff: int = 0,
    more: str = "",
    notations: str = "",
    attributes: str = "",
    divisions: int = DIVISIONS,
) -> str:
    """A note like "C5", or a rest "R".

    value: of its type, in quarters; 0 for none.  tuplet: like "3:2".  more: <chord/>, or elements after <duration>.
    """
    written = (
        "<rest/>" if pitch == "R" else f"<pitch><step>{pitch[0]}</step>{_alter(alter)}<octave>{pitch[1:]}</octave></pitch>"
    )
    value = quarters if value is None else value
    type_ = f"<type>{_TYPES[value]}</type>" if value else ""
    actual, _, normal = tuplet.partition(":")
    modification = (
        f"<time-modification><actual-notes>{actual}</actual-notes><normal-notes>{normal}</normal-notes></time-modification>"
        if tuplet
        else ""
    )
    place = f"<staff>{staff}</staff>" if staff else ""
    return (
        f"<note {attributes}>{more if more == '<chord/>' else ''}{written}<duration>{round(quarters * divisions)}</duration>"
        f"{more if more != '<chord/>' else ''}<voice>{voice}</voice>{type_}{modification}{place}"
        f"{f'<notations>{notations}</notations>' if notations else ''}</note>"
    )


def _alter(alter: int) -> str:
    return f"<alter>{alter}</alter>" if alter else ""


def notes(pitches: str, **options: object) -> str:
    return "".join(note(pitch, **options) for pitch in pitches.split())  # type: ignore[arg-type]


def back(quarters: float, divisions: int = DIVISIONS) -> str:
    return f"<backup><duration>{round(quarters * divisions)}</duration></backup>"


def part(
    *bars: str, staves: str = ONE_STAFF, meter: str = "4/4", fifths: int = 0, more: str = "", divisions: int = DIVISIONS
) -> str:
    """The measures of a part. more: in its first attributes, after the clefs."""
    beats, _, unit = meter.partition("/")
    first = (
        f"<attributes><divisions>{divisions}</divisions><key><fifths>{fifths}</fifths></key><time><beats>{beats}</beats>"
        f"<beat-type>{unit}</beat-type></time>{staves}{more}</attributes>"
    )
    return "".join(
        f'<measure number="{number}">{first if number == 1 else ""}{bar}</measure>' for number, bar in enumerate(bars, 1)
    )


def score(*parts: str, names: tuple[str, ...] = ("Part 1", "Part 2", "Part 3", "Part 4")) -> str:
    listed = "".join(
        f'<score-part id="P{number}"><part-name>{name}</part-name></score-part>'
        for number, (name, _) in enumerate(zip(names, parts), 1)
    )
    content = "".join(f'<part id="P{number}">{measures}</part>' for number, measures in enumerate(parts, 1))
    return f'<score-partwise version="3.1"><part-list>{listed}</part-list>{content}</score-partwise>'


LINE = notes("C5 D5 E5 F5")
