"""Transcripts of every recogniser are read, and no word is lost, changed or moved."""

from __future__ import annotations

import json
from typing import Any

import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from parley_api.http.errors import InvalidTranscript
from parley_api.transcripts.reading import read_transcript, require_within
from parley_core import timed_words
from parley_core.transcript import Transcript, Word
from tests.support.recognisers import RECOGNISERS, Spoken, written

SAID: Spoken = [("Good", 0.4, 0.6), ("morning.", 0.6, 1.1), ("It's", 61.0, 61.2), ("fine?", 61.25, 61.5)]
WORDS = tuple(Word(text, round(start * 1000), round(end * 1000)) for text, start, end in SAID)


def words_of(document: Any) -> list[tuple[str, int, int]]:
    found = read_transcript(json.dumps(document).encode()).words
    return [(word.text, word.start, word.end) for word in found]


@pytest.mark.parametrize("name", RECOGNISERS)
def test_the_words_of_a_recogniser_are_read_as_they_are(name: str) -> None:
    found = read_transcript(written(name, SAID))
    assert found == Transcript(WORDS, RECOGNISERS[name][0])
    assert Transcript.from_json(found.to_json()) == found


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
MILLISECONDS = st.integers(0, 10_000)


@st.composite
def spoken(draw: st.DrawFn) -> Spoken:
    said, now = [], 0
    for text in draw(st.lists(TEXTS, min_size=1, max_size=8)):
        start = now + draw(MILLISECONDS)
        now = start + draw(MILLISECONDS)
        said.append((text, start / 1000, now / 1000))
    return said


@pytest.mark.parametrize("name", [name for name in RECOGNISERS if name not in ("AWS", "whisper.cpp")])
@settings(max_examples=25)
@given(said=spoken())
def test_no_word_is_lost_changed_or_moved(name: str, said: Spoken) -> None:
    found = read_transcript(written(name, said), RECOGNISERS[name][0])  # type: ignore[arg-type]
    assert [(word.text, word.start, word.end) for word in found.words] == [
        (text, round(start * 1000), round(end * 1000)) for text, start, end in said
    ]


LETTERS = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12)


@settings(max_examples=50)
@given(st.lists(st.lists(LETTERS, min_size=1, max_size=5), min_size=1, max_size=6), st.booleans())
def test_no_word_of_subtitles_is_lost_changed_or_moved(cues: list[list[str]], vtt: bool) -> None:
    file = pysubs2.SSAFile()
    for number, texts in enumerate(cues):
        file.append(pysubs2.SSAEvent(start=number * 3000, end=number * 3000 + 2000, text=" ".join(texts)))
    text = file.to_string("vtt" if vtt else "srt")
    found = read_transcript(text.encode())
    assert [word.text for word in found.words] == [text for texts in cues for text in texts]
    assert found.source == ("vtt" if vtt else "srt")
    assert [word.start for word in found.words] == sorted(word.start for word in found.words)


def test_webvtt_by_another_library_loses_its_markup_and_nothing_else() -> None:
    file = webvtt.WebVTT()
    text = "<v Dr. Who><b>Tom</b> &amp; <00:00:02.000>I</v>"
    file.captions.append(webvtt.Caption("00:00:01.000", "00:00:03.000", text))
    found = read_transcript(f"{file.content}\n\nNOTE not said\nat all\n\n00:04.000 --> 00:05.000\na < b\n".encode())
    assert [word.text for word in found.words] == ["Tom", "&", "I", "a", "<", "b"]
    assert (found.words[0].start, found.words[-1].end) == (1000, 5000)


ODD_SRT = """\ufeff00:00:01,000 --> 00:00:02,000\r
no number\r
2\r
00:00:02,000 --> 00:00:03,000 X1:1\r
<i>no</i> blank line\r
\r
3\r
00:03.5 --> 0:00:04\r
no hours\r
\r
2024\r
\r
"""


def test_subtitles_that_are_a_little_wrong_keep_their_words() -> None:
    found = read_transcript(ODD_SRT.encode())
    assert " ".join(word.text for word in found.words) == "no number no blank line no hours 2024"
    assert [found.words[0].start, found.words[2].start, found.words[5].start] == [1000, 2000, 3500]


def test_words_without_times_stand_between_their_neighbours() -> None:
    said = [{"word": "at"}, {"word": "4", "start": 1.0, "end": 1.5}, {"word": "o'clock"}, {"word": "x", "start": 2}]
    assert words_of(said) == [("at", 0, 1000), ("4", 1000, 1500), ("o'clock", 1500, 2000), ("x", 2000, 2000)]


def test_a_segment_without_words_deals_its_time_by_length() -> None:
    segments = {"segments": [{"text": " I am here", "start": 10.0, "end": 20.0}]}
    assert words_of(segments) == [("I", 10_000, 12_000), ("am", 12_000, 15_000), ("here", 15_000, 20_000)]


def test_several_results_of_vosk_are_one_transcript() -> None:
    body = b'{"result": [{"word": "a", "start": 1, "end": 2}], "text": "a"}\n{"text": ""}\n{"result": [], "text": ""}'
    assert read_transcript(body).words == (Word("a", 1000, 2000),)


def test_the_repeated_words_of_google_come_once() -> None:
    word = {"word": "a", "startTime": "1s", "endTime": "1.5s"}
    results = [{"alternatives": [{"words": [word]}]}, {"alternatives": [{"words": [word | {"speakerTag": 1}]}]}]
    assert words_of({"results": results}) == [("a", 1000, 1500)]


def test_channels_are_one_transcript_by_time() -> None:
    channels = [{"alternatives": [{"words": [{"word": str(s), "start": s, "end": s}]}]} for s in (5, 3)]
    assert [text for text, _, _ in words_of({"results": {"channels": channels}})] == ["3", "5"]


A = {"word": "a", "start": 0, "end": 1}
BAD = [
    (b"", "no words with times"), (b"\xff\xfe", "UTF-8"), (b"Good morning.", "no words"), (b"{", "neither valid JSON"),
    (b"[" * 200_000, "neither valid JSON"), (b"{}", "unknown"), (b"[]", "no words with times"), (b"7", "no words"),
    (b'{"a": 1}', "unknown"), (b"[1]", "unknown"), (b'["a"]', "unknown"), (b'{"words": 7}', "lacks members"),
    (b'{"words": [{}]}', "lacks members"), (b'{"results": {"channels": [{}]}}', "lacks members"),
    (b'{"results": {"items": [{"type": "pronunciation"}]}}', "lacks members"),
    (b'[{"word": 7, "start": 0, "end": 1}]', "not text"), (b'[{"word": "a", "start": "x"}]', "lacks members"),
    (b'[{"word": "a", "start": 1, "end": 0}]', "Word 1"), (b'[{"word": "a", "start": -1, "end": 0}]', "Word 1"),
    (b'[{"word": "a", "start": NaN, "end": 0}]', "Word 1"), (b'[{"word": "a", "start": 0, "end": 1e999}]', "Word 1"),
    (b'[{"word": "a", "start": 1%s}]' % (b"0" * 400), "lacks members"), (b'[{"word": "a"}]', "no times"),
    (b'[{"word": "\\ud800", "start": 0, "end": 1}]', "no valid text"),
    (b'[{"word": "%s", "start": 0, "end": 1}]' % (b"a" * 501), "longer than 500"),
    (b"1\n00:00:01,000 --> 00:99\na\n", "Line 2"), (b"WEBVTT\n\nsoon --> later\na\n", "Line 3"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "detail"), BAD, ids=range(len(BAD)))
def test_what_is_no_transcript_is_refused_in_a_sentence(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidTranscript, match=detail):
        read_transcript(body)


@pytest.mark.parametrize("name", RECOGNISERS)
@settings(max_examples=30, deadline=None)  # a busy machine takes longer at times
@given(data=st.data())
def test_a_damaged_transcript_is_read_or_refused(name: str, data: st.DataObject) -> None:
    body = bytearray(written(name, SAID))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_transcript(bytes(body), data.draw(st.sampled_from([None, RECOGNISERS[name][0]])))  # type: ignore[arg-type]
    except InvalidTranscript as refused:
        assert str(refused)


def test_more_words_than_ten_hours_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_words, "MAX_WORDS", 2)
    assert len(read_transcript(json.dumps([A, A]).encode()).words) == 2
    with pytest.raises(InvalidTranscript, match="more than 2 words"):
        read_transcript(json.dumps([A, A, A]).encode())


def test_words_after_the_end_belong_to_another_recording() -> None:
    transcript = read_transcript(written("plain", SAID))
    require_within(transcript, 52.0)  # recognisers go a little past the end
    with pytest.raises(InvalidTranscript, match=r"Word 3 starts after the end of the recording, which has 50\.0 s"):
        require_within(transcript, 50.0)
