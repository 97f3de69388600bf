"""What all engines have in common: whole milliseconds, labels by first appearance, overlaps, no spurious turns."""

from __future__ import annotations

import numpy as np
import pytest

from parley_core.job import SpeakerBounds
from parley_core.turns import Span, SpeakerCount, Turn
from parley_worker.engines.result import (
    LEAST_CONFIDENCE,
    SHORTEST_SECONDS,
    Segment,
    SpeakerDoubts,
    SpeakerEmbeddings,
    diarization,
)

SURE, UNSURE = LEAST_CONFIDENCE, LEAST_CONFIDENCE - 0.01


def test_times_are_whole_milliseconds_inside_the_recording() -> None:
    found = diarization([Segment(0.12345, 1.98765, "a"), Segment(2.0, 9.0, "b")], [], seconds=3.0007)
    assert found.turns == (Turn(0.123, 1.988, "SPEAKER_00"), Turn(2.0, 3.0, "SPEAKER_01"))


def test_labels_are_in_order_of_appearance_and_overlaps_are_joined() -> None:
    turns = [Segment(1.0, 4.0, "late"), Segment(0.0, 2.0, "early"), Segment(2.0, 3.0, "early")]
    found = diarization(turns, [], seconds=10.0)
    assert [turn.speaker for turn in found.turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    assert found.overlaps == (Span(1.0, 3.0),)


@pytest.mark.parametrize(
    ("seconds", "confidence", "appears"),
    [
        (SHORTEST_SECONDS - 0.001, UNSURE, False),
        (0.017, 0.03, False),
        (SHORTEST_SECONDS, UNSURE, True),
        (SHORTEST_SECONDS - 0.001, SURE, True),
        (0.017, None, True),
    ],
)
def test_short_turns_of_almost_no_confidence_do_not_appear(
    seconds: float, confidence: float | None, appears: bool
) -> None:
    turns = [Segment(0.0, 5.0, "a", 0.9), Segment(3.0, 3.0 + seconds, "b", confidence)]
    found = diarization(turns, turns, seconds=10.0)
    assert len(found.turns) == len(found.exclusive_turns) == len(found.speakers) == 1 + appears
    assert len(found.overlaps) == appears


def test_a_speaker_without_a_turn_has_neither_label_nor_embedding() -> None:
    turns = [Segment(0.0, 0.05, "noise", 0.02), Segment(1.0, 2.0, "a", 0.9)]
    embeddings = SpeakerEmbeddings("model", {"noise": np.array([1.0, 0.0]), "a": np.array([0.0, 1.0])})
    found = diarization(turns, turns, 10.0, embeddings)
    assert found.speaker_embeddings == {"SPEAKER_00": (0.0, 1.0)}


@pytest.mark.parametrize(
    ("several", "doubtful", "bounds", "plausible"),
    [
        (set(), set(), SpeakerBounds(), (2, 2)),
        ({"a"}, set(), SpeakerBounds(), (2, 3)),
        ({"a"}, {"b", "without a turn"}, SpeakerBounds(), (1, 3)),
        (set(), {"a", "b"}, SpeakerBounds(), (1, 2)),
        ({"a", "b"}, {"b"}, SpeakerBounds(2, 3), (2, 3)),
        ({"a"}, {"b"}, SpeakerBounds(2, 2), (2, 2)),
        ({"a"}, {"b"}, SpeakerBounds(4, 4), (2, 3)),
    ],
)
def test_doubtful_speakers_widen_the_plausible_number_within_what_was_requested(
    several: set[str], doubtful: set[str], bounds: SpeakerBounds, plausible: tuple[int, int]
) -> None:
    turns = [Segment(0.0, 5.0, "a", 0.9), Segment(6.0, 9.0, "b", 0.9)]
    doubts = SpeakerDoubts({"a": 0.12345, "b": 0.9, "without a turn": 0.5}, several, doubtful, bounds)
    found = diarization(turns, turns, 10.0, doubts=doubts)
    assert found.speaker_count == SpeakerCount(2, plausible)
    assert found.purity == {"SPEAKER_00": 0.123, "SPEAKER_01": 0.9}


def test_a_recording_without_speech_has_no_turns() -> None:
    found = diarization([], [], seconds=10.0)
    assert (found.turns, found.exclusive_turns, found.overlaps, found.speakers) == ((), (), (), ())
