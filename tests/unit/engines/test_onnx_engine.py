"""What the onnx engines promise: no speakers in silence, bounds honoured, the same turns every time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import SHIPPED
from benchmarks.scoring.der import errors, read_rttm
from parley_audio import decode
from parley_core.errors import JobCancelled
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization
from parley_worker.engines.onnx import OnnxEngine, models
from parley_worker.engines.port import Engine
from tests.support.checkpoints import PartsInMemory

Waveform = NDArray[np.float32]
Bounded = Callable[..., Diarization]

RATE = 16_000
PHASES = [Phase.SEGMENTATION, Phase.EMBEDDING, Phase.CLUSTERING]


def diarize(engine: Engine, waveform: Waveform, least: int | None = None, most: int | None = None) -> Diarization:
    return engine.diarize(waveform, SpeakerBounds(least, most), lambda _phase, _share: None)


@dataclass
class Run:
    """The conversation of three readers, without bounds: what the engine computed, reported and found."""

    computed: PartsInMemory
    reported: list[tuple[Phase, float]]
    found: Diarization


@pytest.fixture(scope="module")
def run(engine: Engine, conversation: Waveform) -> Run:
    """The models, which know no bounds, run once for all tests."""
    assert isinstance(engine, OnnxEngine)
    computed, reported = PartsInMemory(), list[tuple[Phase, float]]()
    found = engine.resume(conversation, SpeakerBounds(), lambda phase, share: reported.append((phase, share)), computed)
    return Run(computed, reported, found)


@pytest.fixture(scope="module")
def bounded(engine: Engine, conversation: Waveform, run: Run) -> Bounded:
    """Finds the turns of three readers within bounds."""
    assert isinstance(engine, OnnxEngine)

    def found(least: int | None = None, most: int | None = None) -> Diarization:
        return engine.resume(conversation, SpeakerBounds(least, most), lambda _phase, _share: None, run.computed)

    return found


@pytest.fixture(scope="module")
def found(run: Run) -> Diarization:
    return run.found


def noise(seconds: float, level: float) -> Waveform:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0, 1 / RATE, 0.02, 0.05, 0.6, 12])
def test_silence_of_any_length_has_no_turns(any_engine: Engine, seconds: float) -> None:
    found = diarize(any_engine, np.zeros(int(seconds * RATE), np.float32))
    assert replace(found, audio_quality=None) == Diarization((), (), ())


@pytest.mark.parametrize("level", [0.001, 0.1])
def test_noise_has_no_turns(any_engine: Engine, level: float) -> None:
    assert replace(diarize(any_engine, noise(12, level)), audio_quality=None) == Diarization((), (), ())


@pytest.mark.parametrize("seconds", [0.05, 0.6, 3])
def test_a_short_cut_of_one_speaker_has_one_speaker_at_most(
    any_engine: Engine, conversation: Waveform, seconds: float
) -> None:
    start = 3 * RATE
    found = diarize(any_engine, conversation[start : start + int(seconds * RATE)])
    assert len(found.speakers) <= 1
    assert all(0 <= turn.start < turn.end <= seconds for turn in found.turns)


def test_three_readers_are_three_speakers_with_few_errors(found: Diarization) -> None:
    assert found.speakers == ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assert found.audio_quality is not None
    assert found.audio_quality.warnings == ()
    assert errors(read_rttm(SHIPPED / "conversation.rttm"), found.turns).rate < 11


def test_the_speaker_of_a_turn_is_heard_in_it(found: Diarization) -> None:
    evidence = found.evidence
    assert evidence is not None
    assert evidence.speakers == found.speakers
    levels = np.frombuffer(evidence.levels, np.uint8).reshape(-1, len(found.speakers))
    middles = evidence.first + evidence.hop * np.arange(len(levels))
    right = total = 0
    for turn in found.exclusive_turns:
        part = levels[(turn.start < middles) & (middles < turn.end)]
        right += int((part.argmax(axis=1) == found.speakers.index(turn.speaker)).sum())
        total += len(part)
    assert right / total > 0.97


def test_exclusive_turns_never_overlap_and_are_part_of_the_turns(found: Diarization) -> None:
    ends = [turn.end for turn in found.exclusive_turns]
    assert all(end <= after.start for end, after in zip(ends, found.exclusive_turns[1:], strict=False))
    for turn in found.exclusive_turns:
        assert any(t.speaker == turn.speaker and t.start <= turn.start and turn.end <= t.end for t in found.turns)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_exact_number_of_speakers_is_honoured(bounded: Bounded, number: int) -> None:
    assert len(bounded(number, number).speakers) == number


def test_bounds_move_the_number_of_speakers_only_when_it_lies_outside(bounded: Bounded, found: Diarization) -> None:
    assert len(bounded(least=4).speakers) >= 4
    assert len(bounded(most=2).speakers) == 2
    assert bounded(2, 10) == found


def test_more_speakers_than_the_speech_allows_are_not_invented(engine: Engine, conversation: Waveform) -> None:
    assert 1 <= len(diarize(engine, conversation[: 8 * RATE], 50, 50).speakers) <= 50


def test_a_file_with_an_inverted_second_channel_gives_the_same_turns_as_the_mono_file(
    engine: Engine, conversation: Waveform, found: Diarization, tmp_path: Path
) -> None:
    """The engine also finds the same turns each time: the waveforms are equal, and lie in different memory."""
    inverted = tmp_path / "inverted.wav"
    soundfile.write(inverted, np.stack([conversation, -conversation], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_array_equal(decode(SHIPPED / "conversation.flac"), conversation)
    assert diarize(engine, decode(inverted)) == found
    assert found.turns


def test_threads_that_share_an_engine_find_what_one_thread_finds(engine: Engine, conversation: Waveform) -> None:
    recordings = [conversation[: 16 * RATE], conversation[20 * RATE : 40 * RATE]]
    alone = [diarize(engine, recording) for recording in recordings]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            assert list(threads.map(partial(diarize, engine), recordings)) == alone


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_samples_of_another_kind_are_converted(engine: Engine, conversation: Waveform, kind: type[np.generic]) -> None:
    samples: Any = conversation[: 16 * RATE].astype(kind)
    found = diarize(engine, samples)
    assert found.turns == diarize(engine, samples.astype(np.float32)).turns
    assert found.turns


def test_progress_passes_through_the_phases_and_only_grows(run: Run) -> None:
    reported = run.reported
    assert list(dict.fromkeys(phase for phase, _ in reported)) == PHASES
    assert reported == sorted(reported, key=lambda step: (PHASES.index(step[0]), step[1]))
    assert all(0 <= share <= 1 for _, share in reported)


@pytest.mark.parametrize("phase", PHASES)
def test_a_cancel_stops_the_work_in_any_phase(engine: Engine, conversation: Waveform, phase: Phase) -> None:
    def cancel(now: Phase, _share: float) -> None:
        if now is phase:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        engine.diarize(conversation, SpeakerBounds(), cancel)


def test_the_reference_engine_honours_bounds_and_can_be_cancelled(exact: Engine, conversation: Waveform) -> None:
    two_speakers = conversation[5 * RATE : 17 * RATE]
    assert len(diarize(exact, two_speakers, most=1).speakers) == 1
    assert len(diarize(exact, two_speakers, 2, 2).speakers) == 2

    def cancel(phase: Phase, _share: float) -> None:
        if phase is Phase.EMBEDDING:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        exact.diarize(two_speakers, SpeakerBounds(), cancel)


def test_the_info_states_weights_and_parameters(any_engine: Engine) -> None:
    info = any_engine.info
    assert info.name.startswith("onnx")
    assert len(info.weights.keys() - {models.CHANNEL_SUBSPACE, models.COHORT}) == 2
    assert all(models.PINS[name] == digest for name, digest in info.weights.items())
    assert "clustering" in info.parameters
