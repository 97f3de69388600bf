"""What the engine says about the sound of a recording."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks.data.audio import SHIPPED
from benchmarks.data.sounds import hold_music
from benchmarks.scoring.der import read_rttm
from parley_core.turns import AudioQuality
from parley_worker.engines.onnx.audio_quality import audio_quality, echoes, without_speech
from parley_worker.engines.onnx.grid import FRAME_HOP, SAMPLE_RATE, frame_seconds
from tests.support.rooms import in_a_room

Waveform = NDArray[np.float32]
RANDOM = np.random.default_rng(1)


@pytest.fixture(scope="module")
def spoken(conversation: Waveform) -> NDArray[np.bool_]:
    """Whether somebody speaks in each frame, by the labels of the conversation."""
    moments = frame_seconds(np.arange(len(conversation) // FRAME_HOP))
    turns = read_rttm(SHIPPED / "conversation.rttm")
    return np.any([(turn.start <= moments) & (moments < turn.end) for turn in turns], axis=0)


def with_sound(speech: Waveform, sound: Waveform, decibels: float) -> Waveform:
    """Add a sound, some decibels below the speech."""
    return np.asarray(speech + sound * (speech.std() / sound.std() * 10 ** (-decibels / 20)), np.float32)


def noisy(speech: Waveform) -> Waveform:
    return with_sound(speech, RANDOM.normal(0, 1, len(speech)).astype(np.float32), 0)


def with_music(speech: Waveform) -> Waveform:
    return with_sound(speech, hold_music(len(speech) / SAMPLE_RATE, RANDOM), 3)


def narrow(speech: Waveform) -> Waveform:
    return np.asarray(resample_poly(resample_poly(speech, 1, 4), 4, 1)[: len(speech)], np.float32)


def codes(quality: AudioQuality) -> list[str]:
    return [warning.code for warning in quality.warnings]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (noisy, "noise"),
        (with_music, "background_sound"),
        (in_a_room, "reverberation"),
        (narrow, "narrow_band"),
        (lambda speech: speech * np.float32(0.001), "quiet"),
        (lambda speech: np.clip(30 * speech, -1, 1), "clipped"),
    ],
)
def test_an_unusual_sound_is_named(
    conversation: Waveform,
    spoken: NDArray[np.bool_],
    change: Callable[[Waveform], Waveform],
    code: str,
) -> None:
    quality = audio_quality(change(conversation), spoken)
    assert code in codes(quality)
    assert quality.needs_review


def test_reverberation_is_noticed_where_it_hides_the_speech(conversation: Waveform, spoken: NDArray[np.bool_]) -> None:
    quality = audio_quality(in_a_room(conversation), np.zeros_like(spoken) | (np.arange(len(spoken)) < 20))
    assert echoes(quality)


@pytest.mark.parametrize("seconds", [1, 5, 46])
def test_an_ordinary_recording_has_no_warning(conversation: Waveform, spoken: NDArray[np.bool_], seconds: int) -> None:
    quality = audio_quality(conversation[: seconds * SAMPLE_RATE], spoken[: seconds * SAMPLE_RATE // FRAME_HOP])
    assert codes(quality) == []
    assert not quality.needs_review
    assert not echoes(quality)


def test_sound_before_the_speech_is_not_taken_for_noise(conversation: Waveform, spoken: NDArray[np.bool_]) -> None:
    frames = 30 * SAMPLE_RATE // FRAME_HOP
    call = np.concatenate([hold_music(frames * FRAME_HOP / SAMPLE_RATE, RANDOM), np.zeros(16_000), conversation])
    quality = audio_quality(call.astype(np.float32), np.pad(spoken, (frames + 16_000 // FRAME_HOP, 0)))
    assert codes(quality) == ["other_sound"]
    assert not quality.needs_review


def test_measures_of_a_long_recording_come_from_all_of_it(conversation: Waveform, spoken: NDArray[np.bool_]) -> None:
    part = conversation[: len(conversation) // FRAME_HOP * FRAME_HOP]
    once, often = audio_quality(part, spoken), audio_quality(np.tile(part, 30), np.tile(spoken, 30))
    assert often.measures["signal_to_noise_db"] == pytest.approx(once.measures["signal_to_noise_db"], abs=3)
    assert often.measures["level_dbfs"] == pytest.approx(once.measures["level_dbfs"], abs=2)


@pytest.mark.parametrize(
    ("sound", "code"),
    [(np.zeros(16_000), "silent"), (np.zeros(0), "silent"), (RANDOM.normal(0, 0.01, 16_000), "no_speech")],
)
def test_a_recording_without_speech_needs_review(sound: NDArray[np.float64], code: str) -> None:
    quality = without_speech(sound.astype(np.float32))
    assert codes(quality) == [code]
    assert quality.needs_review


@pytest.mark.parametrize("samples", [0, 200, 700, 3_000, 8_000, 12_000])
def test_a_moment_of_speech_has_no_warning(conversation: Waveform, samples: int) -> None:
    start = 3 * SAMPLE_RATE
    assert codes(audio_quality(conversation[start : start + samples], np.ones(20, np.bool_))) == []
