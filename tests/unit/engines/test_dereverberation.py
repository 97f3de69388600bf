"""Late reverberation is suppressed before the segmentation hears a recording of a room that echoes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.data.audio import SHIPPED
from benchmarks.scoring.der import read_rttm
from parley_worker.engines.onnx import OnnxEngine
from parley_worker.engines.onnx.audio_quality import audio_quality
from parley_worker.engines.onnx.dereverberation import BLOCK, Dereverberated
from parley_worker.engines.onnx.grid import SAMPLE_RATE, frame_seconds
from tests.support.rooms import in_a_room

Waveform = NDArray[np.float32]


def test_parts_are_those_of_the_whole_wherever_reading_begins(conversation: Waveform) -> None:
    recording = conversation[: 9 * BLOCK + 100]
    whole = Dereverberated(recording)[0 : len(recording)]
    assert len(whole) == len(Dereverberated(recording)) == len(recording)
    parts = Dereverberated(recording)
    for start, end in [(8 * BLOCK - 5, 9 * BLOCK + 500), (0, 10), (BLOCK - 1, 4 * BLOCK + 1), (7, 7)]:
        np.testing.assert_array_equal(parts[start:end], whole[start:end])


@pytest.mark.parametrize("samples", [1, 511, BLOCK, BLOCK + 1])
def test_recordings_of_any_length_are_read(conversation: Waveform, samples: int) -> None:
    found = Dereverberated(conversation[:samples])[0 : samples + 1]
    assert len(found) == samples
    assert np.isfinite(found).all()


def test_silence_stays_silent() -> None:
    assert not Dereverberated(np.zeros(2 * BLOCK, np.float32))[0 : 2 * BLOCK].any()


def test_blocks_join_without_a_seam(conversation: Waveform) -> None:
    """The same recording half a block later gives the same, except where its first frames know less."""
    half = BLOCK // 2
    early = Dereverberated(conversation)[half : 3 * BLOCK]
    late = Dereverberated(conversation[half:])[0 : 3 * BLOCK - half]
    known = slice(SAMPLE_RATE, None)
    np.testing.assert_allclose(early[known], late[known], atol=2e-4)


def test_reverberation_fades_and_speech_stays(conversation: Waveform) -> None:
    word, pause = conversation[:SAMPLE_RATE], np.zeros(SAMPLE_RATE, np.float32)
    wet = in_a_room(np.concatenate([word, pause]))
    dry = Dereverberated(wet)[0 : len(wet)]
    tail = slice(SAMPLE_RATE + SAMPLE_RATE // 10, SAMPLE_RATE + SAMPLE_RATE // 2)
    assert dry[tail].std() < 0.2 * wet[tail].std()
    assert dry[:SAMPLE_RATE].std() > 0.3 * wet[:SAMPLE_RATE].std()


def test_a_room_that_echoes_is_heard_and_then_measured(engine: OnnxEngine, conversation: Waveform) -> None:
    recording = in_a_room(conversation)
    heard = engine.run_models(recording, lambda *_: None)
    assert heard is not None
    found = heard.segmentation.count > 0
    assert heard.quality == audio_quality(recording, found)
    moments = frame_seconds(np.arange(len(found)))
    turns = read_rttm(SHIPPED / "conversation.rttm")
    spoken = np.any([(turn.start <= moments) & (moments < turn.end) for turn in turns], axis=0)
    assert (found != spoken).sum() < 0.055 * spoken.sum()  # 0.039; 0.073 without it
