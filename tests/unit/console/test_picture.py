"""The timeline as SVG, and the colours that it shares with the page."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from parley_console import FILES
from parley_console.picture import COLOURS, clock, timeline_svg
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.turns import PURITY_REVIEW_BELOW, REVIEW_BELOW, EngineInfo, Span, SpeakerCount, Turn

SVG = "{http://www.w3.org/2000/svg}"
TURNS = (Turn(0.0, 30.0, "SPEAKER_00", 0.9), Turn(30.0, 60.0, "SPEAKER_01", 0.4), Turn(55.0, 60.0, "SPEAKER_00", 0.9))


def result(turns: tuple[Turn, ...] = TURNS, seconds: float = 60.0) -> ResultDocument:
    return ResultDocument(
        job_id="1",
        recording=DiarizedRecording("0" * 64, seconds),
        speakers=tuple(dict.fromkeys(turn.speaker for turn in turns)),
        turns=turns,
        exclusive_turns=turns,
        overlaps=(Span(55.0, 60.0),),
        engine=EngineInfo("onnx", "1", parameters={REVIEW_BELOW: 0.6}),
    )


def drawn(svg: str, colour: str) -> list[tuple[float, float]]:
    """Return left edge and width of every bar in a colour."""
    paths = [path for path in ElementTree.fromstring(svg).iter(f"{SVG}path") if path.get("fill") == colour]
    found = [re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", path.get("d", "")) for path in paths]
    return [(float(left), float(width)) for bars in found for left, width in bars]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_each_turn_is_a_bar_where_it_was_said() -> None:
    svg = timeline_svg(result(), {})
    (first, again), (other,) = drawn(svg, COLOURS[0]), drawn(svg, COLOURS[1])
    assert first[1] == pytest.approx(other[1], abs=0.2)
    assert other[0] == pytest.approx(first[0] + first[1], abs=0.6)
    assert again[1] == pytest.approx(first[1] / 6, abs=0.3)


def test_names_totals_and_shares_are_written() -> None:
    written = texts(timeline_svg(result(), {"SPEAKER_00": "Dr. Ruiz & <Co>"}))
    assert {"Dr. Ruiz & <Co>", "SPEAKER_01", "0:35", "54%", "0:30", "46%"} <= set(written)


def test_turns_to_review_and_overlaps_are_marked() -> None:
    svg = timeline_svg(result(), {})
    assert len(drawn(svg, "#a15c00")) == 1
    assert "Overlap" in texts(svg)
    sure = replace(result(), engine=EngineInfo("onnx", "1"), overlaps=())
    assert drawn(timeline_svg(sure, {}), "#a15c00") == []
    assert "Overlap" not in texts(timeline_svg(sure, {}))


def test_doubts_about_the_speakers_are_written() -> None:
    engine = EngineInfo("onnx", "1", {}, {PURITY_REVIEW_BELOW: 0.5})
    purity = {"SPEAKER_00": 0.4, "SPEAKER_01": 0.9}
    svg = timeline_svg(replace(result(), engine=engine, purity=purity, speaker_count=SpeakerCount(2, (2, 3))), {})
    assert "2 speakers, 2 to 3 are plausible" in svg
    assert svg.count("may be several people") == 1
    assert "may be several" not in timeline_svg(replace(result(), purity=purity), {})


def test_an_empty_result_is_a_picture_too() -> None:
    assert "Nobody speaks in this recording." in texts(timeline_svg(result(()), {}))


def test_hours_of_turns_stay_a_small_picture() -> None:
    turns = tuple(Turn(start, start + 0.9, f"SPEAKER_{start % 2:02}") for start in range(4 * 3600))
    assert len(timeline_svg(result(turns, 4 * 3600.0), {})) < 100_000


def test_positions_read_like_a_clock() -> None:
    assert [clock(7), clock(751), clock(14350.9)] == ["0:07", "12:31", "3:59:10"]


def test_the_picture_has_the_colours_of_the_page() -> None:
    css = (FILES / "css" / "colours.css").read_text()
    assert tuple(re.findall(r"--speaker-\d+: light-dark\((#[0-9a-f]{6}),", css)) == COLOURS
