"""What Parley writes, read by libraries that know nothing of Parley."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import praatio.textgrid
import pympi
import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from parley_api.formats import BY_NAME, Conversation, Passage
from parley_core.turns import Turn
from parley_core.voiceprints import Role

Cue = tuple[int, int, str]
"""Start and end in milliseconds, and who speaks or what they say."""

ODD = [
    "Dr. Weber",
    "<b>Weber</b>",
    "--> 00:00:01,000 --> 00:00:02,000",
    r'{\an8}"Weber" \N',
    "&amp; Söhne & Co",
    "two\nlines",
    "=1+1",
    "*bold* _it_ [link](x) `code`",
    "1. a",
    "12",
    "NOTE",
    "\U0001f600",
]
MINUTE = 60_000


def conversation(names: list[str], texts: list[str] | None = None, length: int = MINUTE) -> Conversation:
    """Return one passage per name, half a second after each other; the last one begins before its predecessor ends."""
    labels = [f"SPEAKER_{number:02}" for number in range(len(names))]
    times = [(number * 500 + 7, number * 500 + 1001) for number in range(len(names))]
    passages = [
        Passage(start, end, label, None if texts is None else texts[number], 0.9, False)
        for number, ((start, end), label) in enumerate(zip(times, labels, strict=True))
    ]
    return Conversation(
        job_id="019ab9a4",
        ended_at=datetime(2025, 11, 25, tzinfo=UTC),
        milliseconds=length,
        turns=tuple(Turn(one.start / 1000, one.end / 1000, one.speaker) for one in passages),
        passages=tuple(passages),
        has_text=texts is not None,
        names=dict(zip(labels, names, strict=True)),
        roles={labels[0]: Role.CLINICIAN} if labels else {},
    )


def written(name: str, spoken: Conversation) -> str:
    write = BY_NAME[name].write
    assert write is not None
    return write(spoken)


def flat(text: str) -> str:
    return " ".join(text.split())


def expected(spoken: Conversation, joined: str = "{name}: {text}") -> list[Cue]:
    """Return the cues that a line-based format has."""
    return [
        (
            one.start,
            one.end,
            flat(spoken.name_of(one) if one.text is None else joined.format(name=spoken.name_of(one), text=one.text)),
        )
        for one in spoken.passages
    ]


def read_srt(text: str) -> list[Cue]:
    cues = pysubs2.SSAFile.from_string(text, "srt", keep_html_tags=True, keep_newlines=True)
    return [(cue.start, cue.end, cue.text.replace("\u2060", "")) for cue in cues]


def read_audacity(text: str) -> list[Cue]:
    rows = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [(milliseconds(start), milliseconds(end), label) for start, end, label in rows]


def read_text(text: str) -> list[Cue]:
    lines = [re.fullmatch(r"\[([\d:.]+) - ([\d:.]+)\] (.*)", line) for line in text.split("\n")[:-1]]
    return [(clock(line[1]), clock(line[2]), line[3]) for line in lines if line is not None]


def read_vtt(text: str) -> list[tuple[int, int, str, str]]:
    cues = webvtt.from_string(text)
    found = []
    for cue in cues:
        voice = re.fullmatch(r"<v ([^>]*)>([^<]*)</v>", cue.raw_text)
        assert voice is not None, cue.raw_text
        start, end = (clock(moment) for moment in (cue.start, cue.end))
        found.append((start, end, html.unescape(voice[1]), html.unescape(voice[2])))
    return found


def milliseconds(seconds: str | float) -> int:
    return round(float(seconds) * 1000)


def clock(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE + milliseconds(seconds)


@pytest.fixture(params=["turns", "transcript"])
def spoken(request: pytest.FixtureRequest) -> Conversation:
    return conversation(ODD, [f"word {name}" for name in reversed(ODD)] if request.param == "transcript" else None)


@pytest.mark.parametrize(("name", "read"), [("srt", read_srt), ("audacity", read_audacity), ("txt", read_text)])
def test_a_cue_per_passage_with_whole_names(spoken: Conversation, name: str, read: Callable[[str], list[Cue]]) -> None:
    assert read(written(name, spoken)) == expected(spoken)


def test_vtt_has_the_speaker_as_voice(spoken: Conversation) -> None:
    cues = read_vtt(written("vtt", spoken))
    assert [(start, end, text) for start, end, _, text in cues] == expected(spoken, "{text}")
    assert [voice for _, _, voice, _ in cues] == [flat(name) for name in ODD]


def test_another_library_reads_as_many_vtt_cues(spoken: Conversation) -> None:
    cues = pysubs2.SSAFile.from_string(written("vtt", spoken), "vtt")
    assert [(cue.start, cue.end) for cue in cues] == [(one.start, one.end) for one in spoken.passages]


def test_csv_has_a_row_per_passage(spoken: Conversation) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", spoken), newline="")))
    assert [(milliseconds(row["start"]), milliseconds(row["end"])) for row in rows] == [
        (one.start, one.end) for one in spoken.passages
    ]
    assert [row["text"] for row in rows] == [one.text or "" for one in spoken.passages]
    assert [row["speaker"] for row in rows] == [f"'{name}" if name[0] in "=-" else name for name in ODD]
    assert [row["role"] for row in rows] == ["clinician"] + [""] * (len(ODD) - 1)
    assert {(row["confidence"], row["needs_review"]) for row in rows} == {("0.900", "false")}


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r=", "  =", "＝", "\u00a0=", "\u3000+", "\ufeff=", "\u200b@"]
)
def test_no_cell_begins_like_a_formula(start: str) -> None:
    spoken = conversation([f"{start}cmd|'/c calc'!A1"], [f"{start}HYPERLINK(1)"])
    for row in csv.reader(io.StringIO(written("csv", spoken), newline="")):
        assert not [cell for cell in row if cell.strip("\u200b\ufeff \u00a0\u3000\t\r").startswith(tuple("=+-@＝"))]


def test_rttm_has_ten_fields_for_every_name(spoken: Conversation) -> None:
    lines = [line.split(" ") for line in written("rttm", spoken).splitlines()]
    assert [len(line) for line in lines] == [10] * len(ODD)
    assert [(milliseconds(line[3]), milliseconds(line[4])) for line in lines] == [
        (one.start, one.end - one.start) for one in spoken.passages
    ]
    assert [line[7] for line in lines] == ["_".join(name.split()) for name in ODD]


def test_praatio_reads_a_tier_per_speaker(spoken: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "turns.TextGrid"
    path.write_text(written("textgrid", spoken), "utf-8")
    grid = praatio.textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert list(grid.tierNames) == [flat(name) for name in ODD]
    assert milliseconds(grid.maxTimestamp) == MINUTE
    for (start, end, text), tier in zip(expected(spoken, "{text}"), grid.tiers, strict=True):
        assert [(milliseconds(one.start), milliseconds(one.end)) for one in tier.entries if one.label] == [(start, end)]
        assert [one.label for one in tier.entries if one.label] == [text]
        assert all(before.end == after.start for before, after in pairwise(tier.entries))


def test_pympi_reads_a_tier_per_speaker(spoken: Conversation, tmp_path: Path) -> None:
    path = tmp_path / "turns.eaf"
    path.write_text(written("eaf", spoken), "utf-8")
    document = pympi.Eaf(path)
    tiers = [flat(name) for name in ODD]
    assert list(document.get_tier_names()) == tiers
    found = [document.get_annotation_data_for_tier(tier) for tier in tiers]
    assert found == [[cue] for cue in expected(spoken, "{text}")]
    assert [document.get_parameters_for_tier(tier)["PARTICIPANT"] for tier in tiers] == tiers


def test_markdown_shows_names_and_words_as_they_are(spoken: Conversation) -> None:
    paragraphs = [one for one in MarkdownIt().parse(written("md", spoken)) if one.type == "inline"]
    shown = []
    for paragraph in paragraphs:
        children = paragraph.children or []
        kinds = {child.type for child in children}
        assert kinds <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
        shown.append("".join("\n" if child.type == "softbreak" else child.content for child in children))
    assert len(shown) == len(spoken.passages)
    for (start, end, text), paragraph, name in zip(expected(spoken, "{text}"), shown, ODD, strict=True):
        head, _, rest = paragraph.partition("\n")
        times = re.fullmatch(rf"{re.escape(flat(name))} \(([\d:.]+) - ([\d:.]+)\)", head)
        assert times is not None, head
        assert (clock(times[1]), clock(times[2])) == (start, end)
        assert rest == (text if spoken.has_text else "")


def test_the_client_of_openai_reads_diarized_json(spoken: Conversation) -> None:
    from openai.types.audio import TranscriptionDiarized  # takes half a second, which each process would pay

    document = TranscriptionDiarized.model_validate_json(written("diarized_json", spoken), strict=True)
    assert (document.task, document.duration) == ("transcribe", 60)
    assert [(milliseconds(one.start), milliseconds(one.end), one.speaker) for one in document.segments] == [
        (one.start, one.end, name) for one, name in zip(spoken.passages, ODD, strict=True)
    ]
    assert [one.text for one in document.segments] == [one.text or "" for one in spoken.passages]
    assert document.text == " ".join(one.text for one in spoken.passages if one.text)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "json"])
def test_a_recording_without_speech_is_a_valid_file(name: str, tmp_path: Path) -> None:
    text = written(name, conversation([]))
    path = tmp_path / "turns"
    path.write_text(text, "utf-8")
    read: dict[str, Callable[[], object]] = {
        "vtt": lambda: len(webvtt.from_string(text)),
        "srt": lambda: len(pysubs2.SSAFile.from_string(text, "srt")) if text else 0,
        "csv": lambda: len(text.splitlines()) - 1,
        "textgrid": lambda: len(praatio.textgrid.openTextgrid(str(path), includeEmptyIntervals=True).tierNames),
        "eaf": lambda: len(pympi.Eaf(path).get_tier_names()) if ElementTree.fromstring(text) is not None else 1,
        "diarized_json": lambda: len(json.loads(text)["segments"]),
    }
    assert read.get(name, lambda: len(text))() == 0


def test_overlapping_passages_of_one_speaker_get_rows_of_their_own() -> None:
    times = [(0, 900), (500, 1500), (900, 1200), (1200, 3000)]
    passages = tuple(Passage(start, end, "S", f"{start}") for start, end in times)
    spoken = conversation(["S"])
    spoken = Conversation(
        job_id="1",
        ended_at=spoken.ended_at,
        milliseconds=2000,
        turns=(),
        passages=passages,
        has_text=True,
        names={"S": "Kim"},
    )
    assert [(name, [one.start for one in row]) for name, row in spoken.rows()] == [
        ("Kim", [0, 900, 1200]),
        ("Kim (2)", [500]),
    ]
    assert "xmax = 3.000" in written("textgrid", spoken)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_format_keeps_its_structure_whatever_is_said(texts: list[str]) -> None:
    spoken = conversation([f"N{number}" for number in range(len(texts))], texts)
    count = len(texts)
    assert len(read_vtt(written("vtt", spoken))) == count
    assert len(read_srt(written("srt", spoken))) == count
    assert len(read_audacity(written("audacity", spoken))) == count
    assert len(read_text(written("txt", spoken))) == count
    assert len(list(csv.reader(io.StringIO(written("csv", spoken), newline="")))) == count + 1
    assert len(ElementTree.fromstring(written("eaf", spoken)).findall("TIER/ANNOTATION")) == count
    assert len([one for one in MarkdownIt().parse(written("md", spoken)) if one.type == "inline"]) == count
    assert [one["text"] for one in json.loads(written("diarized_json", spoken))["segments"]] == texts
