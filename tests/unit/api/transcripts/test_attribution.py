"""Who said each word, by the engine's evidence."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from parley_api.transcripts.attribution import attribute
from parley_api.transcripts.evidence import as_shown, evidence_of_turns
from parley_api.transcripts.utterances import spoken, texts_of, utterances
from parley_core.frame_evidence import FrameEvidence
from parley_core.transcript import Word
from parley_core.turns import Turn

HOP = 0.05
A, B = "SPEAKER_00", "SPEAKER_01"


def evidence(levels: NDArray[np.float64]) -> FrameEvidence:
    labels = tuple(f"SPEAKER_{number:02}" for number in range(levels.shape[1]))
    return FrameEvidence(labels, HOP / 2, HOP, np.rint(levels * 255).astype(np.uint8).tobytes())


def heard(seconds: float, *spans: tuple[int, float, float, float]) -> FrameEvidence:
    """Return the evidence of two speakers: speaker, start, end, level of each span."""
    levels = np.zeros((round(seconds / HOP), 2))
    for speaker, start, end, level in spans:
        levels[round(start / HOP) : round(end / HOP), speaker] = level
    return evidence(levels)


def said(text: str, start: float, pace: float = 0.5) -> list[Word]:
    """Return the words of a text, one after the other, `pace` seconds each."""
    return [
        Word(word, round((start + number * pace) * 1000), round((start + (number + 1) * pace) * 1000))
        for number, word in enumerate(text.split())
    ]


def speakers(words: list[Word], found: FrameEvidence) -> str:
    """Return the speakers of words as letters."""
    return "".join("?" if one is None else "ABCDEFGH"[int(one[-2:])] for one in attribute(words, found).speakers)


def test_each_word_belongs_to_the_speaker_who_is_heard() -> None:
    words = said("How are you? Fine. And you?", 0)
    assert speakers(words, heard(4, (0, 0, 1.5, 1), (1, 1.5, 3, 1))) == "AAABBB"


def test_a_late_word_stays_in_its_sentence() -> None:
    """The last word of the question is written 0.2 s late and lies mostly in the answer."""
    words = [*said("Does it still hurt", 0), Word("much?", 2200, 2700), *said("No, it is fine.", 2.7)]
    assert speakers(words, heard(6, (0, 0, 2.4, 1), (1, 2.4, 6, 1))) == "AAAAABBBB"


def test_a_word_in_between_goes_to_the_other_speaker_who_is_heard() -> None:
    words = [*said("So I took the", 0), Word("OK.", 2000, 2400), *said("tablets and went home.", 2.1)]
    both = heard(5, (0, 0, 5, 1), (1, 1.9, 2.5, 0.6))
    assert speakers(words, both) == "AAAABAAAA"
    assert speakers(words, heard(5, (0, 0, 5, 1))) == "AAAAAAAAA"


def test_two_who_talk_at_once_each_say_their_own_sentence() -> None:
    mine, yours = said("I think that it began yesterday.", 0), said("When did it all begin then?", 0.1)
    words = [word for pair in zip(mine, yours, strict=True) for word in pair]
    assert speakers(words, heard(4, (0, 0, 4, 1), (1, 0, 4, 1))) in ("AB" * 6, "BA" * 6)


def test_capitals_tell_nothing_where_the_recogniser_writes_none() -> None:
    words = said("how are you i am fine", 0)
    assert speakers(words, heard(4, (0, 0, 1.5, 1), (1, 1.5, 3, 1))) == "AAABBB"


def test_confidence_is_the_share_of_the_evidence() -> None:
    found = attribute(said("One two three.", 0, 1.0), heard(4, (0, 0, 4, 1), (1, 2, 4, 1)))
    assert found.confidence[0] > 0.95
    assert found.confidence[2] == pytest.approx(0.5, abs=0.03)


def test_without_evidence_the_turns_stand_for_it() -> None:
    turns = (Turn(0.0, 1.5, A), Turn(1.5, 3.0, B))
    assert speakers(said("How are you? Fine. And you?", 0), evidence_of_turns(turns, (A, B), 3.0)) == "AAABBB"


def test_evidence_is_read_as_it_was_written() -> None:
    found = FrameEvidence(("X", "Y", "Z"), 0.025, HOP, bytes(range(9)))
    assert FrameEvidence.from_bytes(found.to_bytes()) == found
    for damaged in (b"", b"{}\n", found.to_bytes()[:-3], b"[]\nx", found.to_bytes().replace(b'"Z"', b'"Z", "Q"')):
        with pytest.raises(ValueError, match="frame evidence"):
            FrameEvidence.from_bytes(damaged)


QUESTION = ("How are you? Fine. And you?", 0)
ENGINE_TURNS = (Turn(0.0, 1.5, A), Turn(1.5, 3.0, B))
BY_ENGINE = (0, 0, 1.5, 0.9), (1, 1.5, 3, 0.9)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (ENGINE_TURNS, "AAABBB"),
        ((Turn(0.0, 1.5, A), Turn(1.5, 3.0, A)), "AAAAAA"),  # the speakers are merged
        ((Turn(0.0, 1.5, A), Turn(1.5, 2.0, B), Turn(2.0, 3.0, "SPEAKER_02")), "AAABCC"),  # a part is a new speaker's
        ((Turn(0.0, 1.0, A), Turn(1.0, 3.0, B)), "AABBBB"),  # an edge is moved
        ((Turn(0.0, 1.5, B), Turn(1.5, 3.0, A)), "BBBAAA"),
        ((Turn(0.0, 1.5, A),), "AAAAAA"),  # a turn is removed: its words go to somebody who is left
    ],
)
def test_words_follow_the_turns_that_people_see(shown: tuple[Turn, ...], wanted: str) -> None:
    labels = tuple(dict.fromkeys(turn.speaker for turn in shown))
    found = attribute(said(*QUESTION), *as_shown(heard(3, *BY_ENGINE), ENGINE_TURNS, shown, labels))
    assert "".join("ABC"[int(str(one)[-2:])] for one in found.speakers) == wanted


def test_in_silence_there_is_no_speaker() -> None:
    found = attribute(said("Hello? Hello?", 0), FrameEvidence((), 0.025, HOP, b""))
    assert (found.speakers, found.confidence) == ((None, None), (0.0, 0.0))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_word_gets_one_speaker_whatever_the_evidence(data: st.DataObject) -> None:
    """No word is lost, changed or moved: not by attribution, not in utterances, not in the texts of turns."""
    width = data.draw(st.integers(1, 5))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    found = evidence(random.random((data.draw(st.integers(1, 60)), width)) ** data.draw(st.integers(1, 6)))
    texts = data.draw(st.lists(st.sampled_from(["a", "B", "I", "c.", "D?", "...", "中。", "7"]), max_size=150))
    times = random.integers(0, 9000, (len(texts), 2))
    words = [Word(text, int(low), int(high)) for text, (low, high) in zip(texts, np.sort(times), strict=True)]
    result = attribute(words, found)
    assert set(result.speakers) <= set(found.speakers)
    assert all(0 < one <= 1 for one in result.confidence)
    joined = spoken(words, result)
    assert [one.word for utterance in utterances(joined) for one in utterance.words] == words
    turns = [Turn(float(number), number + 0.9, speaker) for number, speaker in enumerate(found.speakers * 2)]
    by_turns = texts_of(turns, joined)
    for speaker in found.speakers:
        own = [text for turn, text in zip(turns, by_turns, strict=True) if turn.speaker == speaker]
        assert sorted(" ".join(own).split()) == sorted(one.word.text for one in joined if one.speaker == speaker)


def test_the_cost_grows_with_the_words_alone() -> None:
    """Thousands of words in which everybody talks at once take no longer, word by word, than a few hundred."""

    def seconds(count: int) -> float:
        random = np.random.default_rng(1)
        found = evidence(random.random((count * 6, 4)))
        words = said("And then he said. " * (count // 4), 0, 0.3)
        began = time.process_time()
        attribute(words, found)
        return time.process_time() - began

    seconds(400)
    assert seconds(16_000) < 40 * 4 * max(0.005, seconds(400))
