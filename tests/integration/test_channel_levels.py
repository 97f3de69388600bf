"""How loud each channel is: in time with the waveform, in every kind of container, and bounded like all decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from parley_audio import LEVEL_SAMPLES, SAMPLE_RATE, DecodeLimits, decode, levels
from parley_core.errors import EmptyRecording, NotAudio, RecordingTooLong, UnreadableRecording
from tests.support.formats import LEVEL, by_ffmpeg, by_sndfile

SECONDS = 2.5
MOMENTS = int(SECONDS * SAMPLE_RATE / LEVEL_SAMPLES)

STEREO = {
    "wav, 44.1 kHz": by_sndfile("WAV", "PCM_16", 44_100, channels=2),
    "flac": by_sndfile("FLAC", "PCM_16", channels=2),
    "m4a": by_ffmpeg("mp4", "aac", 48_000, channels=2),
    "webm": by_ffmpeg("webm", "libopus", 48_000, channels=2),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording"


@pytest.mark.parametrize("name", STEREO)
def test_the_tone_is_on_the_left_and_nothing_on_the_right(name: str, file: Path) -> None:
    file.write_bytes(STEREO[name](SECONDS))
    found = levels(file, 2)
    assert found.dtype == np.float32
    assert len(found) == pytest.approx(MOMENTS, abs=4)
    middle = found[20:-20].mean(axis=0)
    assert middle[0] == pytest.approx(LEVEL**2 / 2, rel=0.1)
    assert middle[1] < 1e-4 * middle[0]


def test_moments_are_in_time_with_the_waveform(file: Path) -> None:
    samples: NDArray[np.float32] = np.zeros((3 * SAMPLE_RATE, 2), np.float32)
    samples[SAMPLE_RATE : 2 * SAMPLE_RATE, 1] = 0.5
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    found = levels(file, 2)
    assert np.flatnonzero(found[:, 1] > 0.01).tolist() == list(range(50, 100))
    waveform = decode(file)
    assert np.flatnonzero(np.abs(waveform) > 0.1)[[0, -1]].tolist() == [SAMPLE_RATE, 2 * SAMPLE_RATE - 1]


def test_a_last_moment_that_is_short_counts(file: Path) -> None:
    soundfile.write(file, np.full((LEVEL_SAMPLES + 10, 2), 0.5, np.float32), SAMPLE_RATE, format="WAV", subtype="FLOAT")
    assert levels(file, 2) == pytest.approx(np.full((2, 2), 0.25))


def test_another_number_of_channels_is_refused(file: Path) -> None:
    file.write_bytes(by_sndfile("WAV", "PCM_16", channels=1)(SECONDS))
    with pytest.raises(UnreadableRecording, match="1 channels and not 2"):
        levels(file, 2)


def test_what_is_no_finite_number_is_loud_and_not_contagious(file: Path) -> None:
    samples = np.zeros((SAMPLE_RATE, 2), np.float32)
    samples[100] = (np.nan, np.inf)
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    found = levels(file, 2)
    assert np.isfinite(found).all()
    assert found[5:].max() == 0


def test_longer_than_the_limit_is_refused(file: Path) -> None:
    file.write_bytes(by_sndfile("WAV", "PCM_16", channels=2)(SECONDS))
    with pytest.raises(RecordingTooLong):
        levels(file, 2, DecodeLimits.for_seconds(1.0))


@pytest.mark.parametrize(("content", "error"), [(b"", EmptyRecording), (b"#EXTM3U\n/etc/passwd\n", NotAudio)])
def test_what_is_no_recording_is_refused(content: bytes, error: type[Exception], file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(error):
        levels(file, 2)
