"""Channels that cancel in their mean are mixed so that the speech stays; every other recording keeps the mean."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from parley_audio import SAMPLE_RATE, decode
from parley_audio.reading.polarity import MOST_MOMENTS, ChannelMeter
from tests.support.formats import encoded
from tests.support.unconfined import unconfined

Samples = NDArray[np.float32]
SECONDS = 6
LOUD = 0.05  # RMS of the talkers below


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def talker(seed: int, seconds: float = SECONDS, rate: int = SAMPLE_RATE) -> Samples:
    """Return noise that comes and goes in syllables."""
    noise = np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate))
    syllables = np.sin(2 * np.pi * 2.3 * np.arange(len(noise)) / rate + seed) > 0
    return (noise * syllables).astype(np.float32).clip(-0.5, 0.5)


def in_turns(first: Samples, second: Samples) -> tuple[Samples, Samples]:
    """Silence each talker while the other one speaks, two seconds each."""
    second_speaks = np.arange(len(first)) // (2 * SAMPLE_RATE) % 2 == 1
    return np.where(second_speaks, 0, first), np.where(second_speaks, second, 0)


def write(file: Path, *channels: Samples, rate: int = SAMPLE_RATE) -> None:
    soundfile.write(file, np.stack(channels, axis=1), rate, format="WAV", subtype="FLOAT")


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def test_an_inverted_second_channel_keeps_the_first_ones_speech(file: Path) -> None:
    write(file, talker(1), -talker(1))
    assert np.allclose(decode(file), talker(1), atol=1e-6)


@pytest.mark.parametrize(
    ("form", "codec", "rate"), [("flac", "flac", 44_100), ("mp4", "aac", 48_000), ("webm", "libopus", 48_000)]
)
def test_an_inverted_channel_is_noticed_in_every_kind_of_container(
    form: str, codec: str, rate: int, file: Path
) -> None:
    speech = talker(1, rate=rate)
    file.write_bytes(encoded(np.stack([speech, -speech], axis=1), form, codec, rate, {"b": "192000"}))
    assert rms(decode(file)) > LOUD / 2


def test_eight_bits_around_their_middle_are_understood(file: Path) -> None:
    soundfile.write(file, np.stack([talker(1), -talker(1)], axis=1), SAMPLE_RATE, format="WAV", subtype="PCM_U8")
    assert rms(decode(file)) > LOUD


def test_a_softer_noisy_inverted_channel_is_noticed(file: Path) -> None:
    hiss = np.random.default_rng(9).normal(0, 0.003, (2, SECONDS * SAMPLE_RATE)).astype(np.float32)
    write(file, talker(1) + hiss[0], -0.8 * talker(1) + hiss[1])
    assert rms(decode(file)) > 0.8 * rms(talker(1))


def test_two_of_four_channels_inverted_do_not_cancel(file: Path) -> None:
    speech = talker(1)
    write(file, speech, -speech, speech, -speech)
    assert np.allclose(decode(file), speech, atol=1e-6)


def test_a_side_microphone_that_cancels_either_way_leaves_the_louder_channel(file: Path) -> None:
    """Middle and side: the first talker is the same on both, the second one inverted on the side."""
    left, right = in_turns(talker(1), talker(2))
    write(file, left + right, 0.95 * (left - right))
    assert np.allclose(decode(file), left + right, atol=1e-6)


SILENCE = np.zeros(SECONDS * SAMPLE_RATE, np.float32)
LONG = talker(1, 20)
LEFT, RIGHT = in_turns(talker(1), talker(2))
ORDINARY: dict[str, tuple[Samples, ...]] = {
    "one channel": (talker(1),),
    "the same twice": (talker(1), talker(1)),
    "a talker on each channel at once": (talker(1), talker(2)),
    "a talker on each channel in turns": (LEFT, RIGHT),
    "a second channel of silence": (talker(1), SILENCE),
    "silence": (SILENCE, SILENCE),
    "two microphones a metre apart": (talker(1), np.roll(talker(1), 48)),
    "an inverted echo, a third as loud": (talker(1), (-0.33 * talker(1)).astype(np.float32)),
    "inverted for a second of twenty": (LONG, np.where(np.arange(len(LONG)) < SAMPLE_RATE, -LONG, LONG)),
    "one of three inverted": (talker(1), talker(1), -talker(1)),
    "no numbers": (np.full_like(SILENCE, np.nan), np.full_like(SILENCE, np.inf)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_recording_is_its_mean_bit_for_bit(name: str, file: Path) -> None:
    write(file, *ORDINARY[name])
    assert np.array_equal(decode(file), unconfined(file))


def test_hours_of_moments_take_no_more_memory_than_minutes() -> None:
    meter = ChannelMeter()
    frame = av.AudioFrame.from_ndarray(np.ones((2, 1600), np.float32), "fltp", "stereo")
    frame.sample_rate = 8_000
    for _ in range(100 * MOST_MOMENTS):
        meter.add(frame)
        assert len(meter._moments) <= MOST_MOMENTS
    assert meter.weights() is None
