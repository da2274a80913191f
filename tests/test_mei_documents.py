"""What of an MEI document is played, at what tempo, and which documents are refused."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest
from mei_tools import SCALE, bar, edited, engraver, note, notes, read, score, tuplet

from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.engraving.mei.movements import movement_labels, one_movement
from score_following_game.data_preparation.errors import EngravingError

DATA = Path(__file__).parent / "data"


INCIPIT = (
    '<workList><work><incip><score><scoreDef keysig="4f"><staffGrp><staffDef n="1"/><staffDef n="2"/></staffGrp></scoreDef>'
    '<section><measure><staff n="1"><layer><note pname="a" oct="4" dur="4"/></layer></staff><tempo tstamp="1" mm="200"/>'
    "</measure></section></score></incip></work></workList>"
)


# --- what is music


def test_an_incipit_is_not_the_music() -> None:
    """Neither its key, nor its tempo, nor its staves, nor its bars."""
    flat = 'accid.ges="f"'
    text = score(
        bar(note("a4", 4, flat) + note("b4", 4, flat) + notes("c5 g4"), after='<tempo tstamp="1" mm="60" mm.unit="4"/>'),
        bar(notes("a4 b4 c4 d4")),
        head=INCIPIT,
    )
    prepared, reading = read_mei(text)
    assert [pitch for _, _, pitch in read(text)] == [68, 70, 72, 67, 69, 71, 60, 62]
    assert [bar.tempi for bar in reading.bars] == [((F(0), 60.0),), ()]
    assert "incip" not in prepared and prepared.count("<staffDef") == 1


MOVEMENTS = (
    '<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body>{}<mdiv><mdiv label="Trio"><score><scoreDef><staffGrp>'
    '<staffDef n="1"/></staffGrp></scoreDef><section><measure><staff n="1"><layer><note pname="d" oct="5" dur="4"/></layer>'
    "</staff></measure></section></score></mdiv></mdiv><mdiv><score><scoreDef/></score></mdiv></body></music></mei>"
)


FIRST = score(bar(note("c4"))).partition("<body>")[2].partition("</body>")[0]


def test_every_mdiv_with_measures_is_a_movement() -> None:
    text = MOVEMENTS.format(FIRST)
    assert movement_labels(text) == ["", "Trio"]
    assert [read(one_movement(text, number)) for number in (1, 2)] == [[(0, 1, 60)], [(0, 1, 74)]]
    with pytest.raises(EngravingError, match="several movements"):
        read_mei(text)
    with pytest.raises(EngravingError, match="no movement 3 in 2"):
        one_movement(text, 3)
    assert movement_labels("<mei") == [] == movement_labels("<x><mdiv><score><measure/></score></mdiv></x>")
    assert read(MOVEMENTS.format("")) == [(0, 1, 74)]


@pytest.mark.parametrize(
    ("markup", "pitch"),
    [
        ("<choice><orig>{0}</orig><reg>{1}</reg></choice>", 62),
        ("<choice><sic>{0}</sic><corr>{1}</corr></choice>", 62),
        ("<choice><reg>{1}</reg><orig>{0}</orig></choice>", 62),
        ("<choice><unclear>{1}</unclear><unclear>{0}</unclear></choice>", 62),
        ("<app><rdg>{0}</rdg><lem>{1}</lem></app>", 62),
        ("<app><rdg>{1}</rdg><rdg>{0}</rdg></app>", 62),
        ("<subst><del>{0}</del><add>{1}</add></subst>", 62),
        ("<del>{0}</del>{1}", 62),
        ("<restore><del>{1}</del></restore>", 62),
        ("<supplied>{1}</supplied>", 62),
        ("<sic>{1}</sic>", 62),
        ("<app><lem><choice><sic>{0}</sic><corr>{1}</corr></choice></lem><rdg>{0}</rdg></app>", 62),
    ],
)
def test_one_version_of_the_text_is_played(markup: str, pitch: int) -> None:
    text = score(bar(note("e4") + markup.format(note("c4"), note("d4"))))
    assert read(text) == [(0, 1, 64), (1, 1, pitch)]
    engraved = engraver(read_mei(text)[0]).getMEI()
    assert engraved.count("<note ") == 2


def test_ossia_staves_are_not_played() -> None:
    staff = '<staff n="1"><layer>{}</layer></staff>'
    ossia = f"<ossia>{staff.format(note('c4'))}<oStaff n='1'><layer>{note('d4')}</layer></oStaff></ossia>"
    assert read(score(f"<measure>{ossia}</measure>")) == [(0, 1, 60)]


def test_copies_have_the_content_of_their_original() -> None:
    text = score(bar(SCALE, more='xml:id="m"'), '<measure n="2" copyof="#m"/>')
    assert [pitch for _, _, pitch in read(text)] == [60, 62, 64, 65] * 2
    assert [bar.name for bar in read_mei(text)[1].bars] == ["1", "2"]


def test_foreign_namespaces_do_no_harm() -> None:
    """In the header, where verovio's own MEI would use a prefix without declaring it, and in the music."""
    text = score(bar(SCALE + "<x:beam>" + note("g4") + "</x:beam>"), head='<xi:include href="a.mei" x:y="1"/>')
    text = text.replace("<mei ", '<mei xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:x="http://x" ', 1)
    prepared, _ = read_mei(text)
    assert len(read(text)) == 4
    assert "include" not in engraver(prepared).getMEI()


def test_a_prefix_for_mei_is_as_good_as_none() -> None:
    text = score(bar(SCALE)).replace("<", "<m:").replace("<m:/", "</m:").replace("xmlns=", "xmlns:m=")
    assert len(read(text)) == 4
    assert "<m:" not in read_mei(text)[0]


def test_page_layout_of_the_file_is_left_out() -> None:
    layout = 'spacing.staff="93" page.height="1545" system.leftmar="0" vu.height="0.9mm" lyric.name="Times" music.size="9"'
    staff = '<staffDef n="1" scale="50%" spacing="4" visible="false"/>'
    extra = f"<scoreDef><pgHead>x</pgHead><layout/><staffGrp>{staff}</staffGrp></scoreDef>"
    marked = bar(note("c4", 4, 'ho="3" color="white"'), more='width="9"')
    prepared, _ = read_mei(score(marked, extra, bar(SCALE), definition=layout + ' keysig="1s"'))
    names = "spacing page. system. vu. lyric music. scale visible layout pgHead ho= color width"
    assert [name for name in names.split() if name in prepared] == []
    assert 'keysig="1s"' in prepared


def test_a_staff_has_five_lines_and_old_names_are_understood() -> None:
    text = score(bar(notes("f4")), definition='key.sig="1s"').replace(' lines="5"', "").replace('"5.0"', '"2013"')
    prepared, _ = read_mei(text)
    assert 'lines="5"' in prepared and 'keysig="1s"' in prepared
    assert read(text)[0][2] == 66


def test_ids_are_unique_and_survive_the_engraver() -> None:
    twice = note("c4", 4, 'xml:id="a"') * 2 + '<rest dur="4" xml:id="a"/>'
    text = score(bar(twice, after='<slur startid="#a" endid="#a"/>'), bar(f'<chord dur="4">{notes("c4 e4", "")}</chord>'))
    prepared, reading = read_mei(text)
    ids = [note.id for bar in reading.bars for note in bar.notes]
    assert ids == ["note-0", "note-1", "rest-0", "note-2", "note-3"]
    engraved = engraver(prepared).getMEI()
    assert all(engraved.count(f'xml:id="{name}"') == 1 for name in (*ids, "bar-0", "bar-1", "chord-0"))
    assert 'startid="#note-0"' in engraved


def test_hidden_notes_are_kept() -> None:
    text = score(bar(note("c4", 4, 'visible="false"') + note("d4", 4, 'head.visible="false"')))
    assert len(read(text)) == 2
    assert 'visible="false"' in read_mei(text)[0] and 'head.visible="false"' in read_mei(text)[0]


# --- tempi


@pytest.mark.parametrize(
    ("mark", "tempo"), [('mm="60"', 60), ('mm="60" mm.unit="2" mm.dots="1"', 180), ('mm="60" midi.bpm="70"', 70)]
)
def test_a_definition_may_state_a_metronome_mark(mark: str, tempo: float) -> None:
    assert read_mei(score(bar(SCALE), definition=mark))[1].tempo_map(range(1))[0][1] == tempo


def test_tempi_at_their_places() -> None:
    first = '<tempo tstamp="1" mm="60" mm.unit="2" mm.dots="1"/><tempo tstamp="3" midi.bpm="90" mm="1"/><tempo>Adagio</tempo>'
    first += '<tempo tstamp="4">Andante <rend>\u2669</rend> = 50</tempo>'
    later = f'<tempo startid="#x" mm="{50}" mm.unit="8"/>'
    text = score(
        bar(SCALE, after=first),
        bar(SCALE),
        '<scoreDef midi.bpm="77"/>',
        bar(note("c4", 4, 'xml:id="w"') + note("d4", 4, 'xml:id="x"'), after=later),
        '<scoreDef meter.unit="8" meter.count="4"/>',
        bar(SCALE, after='<tempo tstamp="3" mm="100"/>'),
        definition='midi.bpm="120" meter.count="4" meter.unit="4"',
    )
    assert [bar.tempi for bar in read_mei(text)[1].bars] == [
        ((0, 180.0), (2, 90.0), (3, 50.0)),
        (),
        ((0, 77.0), (1, 25.0)),
        ((1, 100.0),),
    ]


@pytest.mark.parametrize(
    ("content", "tempo"),
    [
        ("Andante (\u2669 = 60)", 60),
        ("Andante \u2669=60-66", 60),
        ("\u2669. = ca. 60", 90),
        ("<rend fontfam='smufl'>\ueca3</rend> = 60.5", 121),
        ("\U0001d15d=30", 120),
        ("\u2669 = \u266a, \u266a = 100", 50),
        ("Andante = 60", None),
        ("No. 60", None),
        ("\u2669 = \u2669.", None),
        ("\u2669 = 0", None),
    ],
)
def test_a_tempo_in_the_text_of_a_mark(content: str, tempo: float | None) -> None:
    tempi = ((1, tempo),) if tempo else ()
    assert read_mei(score(bar(SCALE, after=f'<tempo tstamp="2">{content}</tempo>')))[1].bars[0].tempi == tempi
    stated = score(bar(SCALE, after=f'<tempo mm="77">{content}</tempo>'))
    assert read_mei(stated)[1].bars[0].tempi == ((0, 77),)


# --- refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (score(bar(note("c4", ""))), "bar 1, staff 1: a note without a duration"),
        (score(bar(note("c4", 5))), "bar 1, note with dur='5'"),
        (score(bar(note("c4", 4, 'dots="99999999"'))), "bar 1, note with dots='99999999'"),
        (score(bar(tuplet(SCALE, 'num="0"'))), "bar 1, tuplet with num='0'"),
        (score(bar("<mRpt/>")), "bar 1, staff 1: mRpt with nothing to repeat"),
        (score(bar(SCALE, SCALE)), "bar 1, staff '2' is not defined"),
        (score(bar("<mRest/>")), "no notes"),
        (score(), "no measures"),
        (score(bar(SCALE)).replace("<staffDef", "<x").replace("staffGrp", "y"), "it has no staff"),
        ("<mei/>", "it has no score"),
        ("<mei>", "not well-formed"),
        ("<mei>\ud800</mei>", "not well-formed"),
    ],
)
def test_reasons(text: str, message: str) -> None:
    with pytest.raises(EngravingError) as refused:
        read_mei(text)
    told = f"{refused.value.reason}: {refused.value.detail}"
    assert message in told and "\n" not in told


def test_random_edits_end_in_a_reading_or_a_reason() -> None:
    """A thousand more on other files: 0 crashes (issue 13)."""
    texts = [(DATA / "piano.mei").read_text(), score(bar(SCALE), bar(tuplet(SCALE) + note("c4", 4, 'tie="i"')), head=INCIPIT)]
    ends = {True: 0, False: 0}
    for seed in range(120):
        try:
            ends[bool(read_mei(edited(texts[seed % 2], seed))[1].bars)] += 1
        except EngravingError as error:
            assert "\n" not in error.detail
            ends[False] += 1
    assert min(ends.values()) > 20
