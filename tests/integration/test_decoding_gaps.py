"""Gaps between timestamps become silence, as in a player; timestamps that no recorder writes change nothing."""

from __future__ import annotations

from collections.abc import Callable
from math import sin
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from parley_audio import LEVEL_SAMPLES, SAMPLE_RATE, DecodeLimits, decode, levels, probe
from parley_audio.reading import clock
from parley_core.errors import RecordingTooLong
from tests.support.formats import FORMATS, LEVEL, by_ffmpeg, by_sndfile
from tests.support.timestamps import FRAGMENTED, Retime, behind_video, retimed, without
from tests.support.unconfined import unconfined

OPUS = by_ffmpeg("ogg", "libopus", 48_000)(20.02)
SHORT = by_ffmpeg("ogg", "libopus", 48_000)(4.0)
AAC = by_ffmpeg("mp4", "aac", 44_100)
AMR = by_ffmpeg("3gp", "libopencore_amrnb", 8_000)
STEREO = by_ffmpeg("ogg", "libopus", 48_000, channels=2)
BYTES = by_ffmpeg("wav", "pcm_u8", 8_000)
VORBIS = by_sndfile("OGG", "VORBIS", 44_100)

HOLED: dict[str, Callable[[Retime], bytes]] = {
    "opus in webm": lambda hole: retimed(OPUS, "webm", hole),
    "opus in ogg": lambda hole: retimed(OPUS, "ogg", hole),
    "opus in fragmented mp4": lambda hole: retimed(OPUS, "mp4", hole, FRAGMENTED),
    "aac in matroska": lambda hole: retimed(AAC(20.02), "matroska", hole),
    "aac in mp4": lambda hole: retimed(AAC(20.02), "mp4", hole),
    "stereo opus in webm": lambda hole: retimed(STEREO(20.02), "webm", hole),
    "8-bit pcm in matroska": lambda hole: retimed(BYTES(20.02), "matroska", hole),
    "vorbis in webm": lambda hole: retimed(VORBIS(20.02), "webm", hole),
    "amr in 3gp": lambda hole: retimed(AMR(20.02), "3gp", hole),
}
TIMED = ("ogg vorbis", "ogg opus", "m4a", "mp4", "webm", "matroska", "amr in 3gp")

JOINED: dict[str, Callable[[], bytes]] = {
    "chained ogg": lambda: SHORT * 3,
    "concatenated webm": lambda: retimed(SHORT, "webm", lambda time: time) * 2,
    "a jump of an hour": lambda: retimed(SHORT, "webm", lambda time: time if time < 2 else time + 3600),
    "a clock that does not begin at zero": lambda: retimed(SHORT, "webm", lambda time: time + 30),
    "all at the same time": lambda: retimed(SHORT, "webm", lambda time: 0),
    "a clock of half the speed": lambda: retimed(SHORT, "webm", lambda time: time / 2),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def joined(file: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float32]:
    """Return the sound as if there were no timestamps."""
    with monkeypatch.context() as patched:
        patched.setattr(clock, "TIMED_CONTAINERS", frozenset())
        return unconfined(file)


def loud(waveform: NDArray[np.float32], start: float, end: float) -> float:
    """Return the share of samples between two times that are not silent."""
    return float(np.mean(np.abs(waveform[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]) > LEVEL / 50))


@pytest.mark.parametrize("name", HOLED)
def test_a_hole_is_silence_of_its_length(name: str, file: Path) -> None:
    file.write_bytes(HOLED[name](without(3, 10)))
    waveform = decode(file)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(20.02, abs=0.05)
    assert probe(file).seconds == pytest.approx(len(waveform) / SAMPLE_RATE, abs=0.03)
    assert loud(waveform, 0.1, 2.9) > 0.9
    assert loud(waveform, 3.2, 9.9) == 0
    assert loud(waveform, 10.2, 19.9) > 0.9
    moments = levels(file, probe(file).channels)[:, 0]
    assert len(moments) == -(-len(waveform) // LEVEL_SAMPLES)
    assert moments[160:495].max() < LEVEL**2 / 1000
    assert min(moments[10:145].min(), moments[510:990].min()) > LEVEL**2 / 4


def test_many_small_holes_of_dtx_do_not_add_up(file: Path) -> None:
    """Opus sends one packet in 400 ms where nobody speaks."""
    pause = without(5, 15)
    file.write_bytes(retimed(OPUS, "webm", lambda time: pause(time) if round(time * 50) % 20 else time))
    waveform = decode(file)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(20.02, abs=0.03)
    assert probe(file).seconds == pytest.approx(20.02, abs=0.03)
    assert loud(waveform, 5, 15) == pytest.approx(1 / 20, abs=0.03)
    assert loud(waveform, 15.05, 20) > 0.9


@pytest.mark.parametrize("name", TIMED)
def test_rounded_timestamps_and_priming_add_no_sample(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(FORMATS[name][1](20.0))
    assert np.array_equal(decode(file), joined(file, monkeypatch))


@pytest.mark.parametrize("name", JOINED)
def test_timestamps_that_no_recorder_writes_change_nothing(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(JOINED[name]())
    waveform = decode(file)
    assert np.array_equal(waveform, joined(file, monkeypatch))
    assert probe(file).seconds == pytest.approx(len(waveform) / SAMPLE_RATE, abs=0.07)


def test_timestamps_that_waver_add_silence_once_and_not_each_time(file: Path) -> None:
    file.write_bytes(retimed(OPUS, "webm", lambda time: time + 0.05 * (1 + sin(5 * time))))
    assert 20.02 < len(decode(file)) / SAMPLE_RATE < 20.13


@pytest.mark.parametrize(("form", "codec"), [("webm", "libvpx"), ("mp4", "mpeg4")])
def test_sound_that_begins_after_its_video_begins_with_silence(form: str, codec: str, file: Path) -> None:
    file.write_bytes(behind_video(SHORT, form, codec, seconds=5, lead=1.5))
    waveform = decode(file)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(5.5, abs=0.03)
    assert probe(file).seconds == pytest.approx(5.5, abs=0.04)
    assert loud(waveform, 0, 1.45) == 0
    assert loud(waveform, 1.55, 5.4) > 0.9


@pytest.mark.parametrize("step", [0.1, 55, 599])
def test_forged_gaps_count_as_length(step: float, file: Path) -> None:
    file.write_bytes(retimed(OPUS, "webm", lambda time: time * 50 * step))
    limits = DecodeLimits(max_seconds=90, cpu_seconds=3)
    for read in (probe, decode):
        with pytest.raises(RecordingTooLong, match="90 s"):
            read(file, limits)


def test_a_gap_of_minutes_takes_no_longer_than_sound(file: Path) -> None:
    """The time between packets is limited for what makes no progress: a gap is progress."""
    file.write_bytes(retimed(SHORT, "webm", lambda time: time + 590 * min(time // 0.5, 5)))
    waveform = decode(file)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(4 + 5 * 590, abs=0.05)
    assert loud(waveform, 590 * 5 + 3.1, 590 * 5 + 3.9) > 0.9
