"""Every format comes out as the same waveform, with its true length."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from parley_audio import SAMPLE_RATE, DecodeLimits, decode, decode_recording, probe
from parley_core.errors import EmptyRecording, RecordingTooLong, UnreadableRecording
from tests.support.bombs import riff_chunk
from tests.support.containers import flac, m4a, pcm, silent_flac, wav_that_claims
from tests.support.formats import FORMATS, HERTZ, LEVEL, by_sndfile, encoded, tone, two_tracks
from tests.support.unconfined import unconfined

SECONDS = 2.5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def spectrum_peak(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * SAMPLE_RATE / len(samples)


@pytest.mark.parametrize("name", FORMATS)
def test_a_tone_keeps_its_length_pitch_and_level(name: str, file: Path) -> None:
    media_type, make = FORMATS[name]
    file.write_bytes(make(SECONDS))
    found = probe(file)
    assert found.media_type == media_type
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)
    waveform = decode(file)
    assert (waveform.dtype, waveform.ndim) == (np.float32, 1)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(SECONDS, abs=0.1)
    middle = waveform[SAMPLE_RATE // 2 : 2 * SAMPLE_RATE]
    assert spectrum_peak(middle) == pytest.approx(HERTZ, abs=1)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(LEVEL, rel=0.08)


@pytest.mark.parametrize("name", FORMATS)
def test_confinement_changes_no_sample(name: str, file: Path) -> None:
    file.write_bytes(FORMATS[name][1](SECONDS))
    assert np.array_equal(decode(file), unconfined(file))


def test_channels_are_averaged(file: Path) -> None:
    file.write_bytes(by_sndfile("WAV", "PCM_16", channels=2)(SECONDS))
    assert probe(file).channels == 2
    assert np.abs(decode(file)).max() == pytest.approx(LEVEL / 2, rel=0.02)


@pytest.mark.parametrize("form", ["matroska", "mp4"])
def test_of_two_tracks_the_first_is_read_and_both_are_counted(form: str, file: Path) -> None:
    file.write_bytes(two_tracks(form, SECONDS))
    found = decode_recording(file)
    assert found.tracks == 2
    assert spectrum_peak(found.waveform) == pytest.approx(HERTZ, abs=1)
    assert probe(file).seconds == pytest.approx(SECONDS, abs=0.1)


def test_the_channels_of_a_track_are_no_tracks(file: Path) -> None:
    """Also where they cancel each other, so that the file is decoded twice."""
    sound = tone(SECONDS, SAMPLE_RATE)
    file.write_bytes(encoded(np.hstack([sound, -sound]), "matroska", "aac", SAMPLE_RATE))
    assert decode_recording(file).tracks == 1


def test_16_khz_mono_comes_out_sample_for_sample(file: Path) -> None:
    file.write_bytes(by_sndfile("WAV", "FLOAT")(SECONDS))
    assert np.allclose(decode(file), tone(SECONDS, SAMPLE_RATE)[:, 0], atol=1e-6)


def test_sound_above_the_new_rate_does_not_fold_into_speech(file: Path) -> None:
    """9 kHz sampled at 48 kHz would sound as 7 kHz at 16 kHz."""
    samples = 0.5 * np.sin(2 * np.pi * 9_000 * np.arange(48_000) / 48_000)
    soundfile.write(file, samples, 48_000, format="WAV")
    assert np.abs(decode(file)[1000:-1000]).max() < 1e-3


def test_no_engine_meets_what_is_no_number(file: Path) -> None:
    samples = np.tile(np.array([np.nan, np.inf, -np.inf, 7.0], np.float32), 4000)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + samples.nbytes, b"WAVE", b"fmt ", 16, 3, 1, 16_000, 64_000,
                       4, 32, b"data", samples.nbytes)  # fmt: skip
    file.write_bytes(head + samples.tobytes())
    waveform = decode(file)
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1


@pytest.mark.parametrize("name", ["ogg vorbis", "ogg opus", "amr", "wma"])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
def test_a_short_clip_is_not_taken_for_damage_because_of_its_headers(name: str, seconds: float, file: Path) -> None:
    file.write_bytes(FORMATS[name][1](seconds))
    assert probe(file).seconds == pytest.approx(seconds, abs=0.06)


@pytest.mark.parametrize(("rate", "codec"), [(16_000, "VORBIS"), (48_000, "OPUS")])
def test_silence_in_an_ogg_file_takes_a_byte_a_packet_and_is_not_taken_for_damage(
    rate: int, codec: str, file: Path
) -> None:
    soundfile.write(file, np.zeros(rate * 20, np.float32), rate, format="OGG", subtype=codec)
    assert probe(file).seconds == pytest.approx(20, abs=0.1)


def test_the_comfort_noise_of_a_telephone_is_no_damage(file: Path) -> None:
    """Telephones send a description of the noise in pauses (DTX), which FFmpeg's own AMR decoder cannot read."""
    speech = tone(1.0, 8_000)
    pause = np.zeros((16_000, 1), np.float32)
    samples = np.concatenate([speech, pause, speech])
    file.write_bytes(encoded(samples, "amr", "libopencore_amrnb", 8_000, {"dtx": "1"}))
    assert len(file.read_bytes()) < 4 * 50 * 13  # the pause is shorter than frames of speech
    assert probe(file).seconds == pytest.approx(4, abs=0.05)
    waveform = decode(file)
    assert len(waveform) / SAMPLE_RATE == pytest.approx(4, abs=0.05)
    assert np.abs(waveform[-SAMPLE_RATE // 2 :]).max() > LEVEL / 2


@pytest.mark.parametrize("samples", [160, 800, 9_600])
def test_clips_as_short_as_a_word_are_read(samples: int, file: Path) -> None:
    file.write_bytes(flac(samples / SAMPLE_RATE))
    assert probe(file).seconds == pytest.approx(samples / SAMPLE_RATE)
    assert len(decode(file)) == samples


def test_the_waveform_is_the_callers_own(file: Path) -> None:
    file.write_bytes(pcm(0.5))
    first, second = decode(file), decode(file)
    first[:] = 0
    assert second.any()


def test_a_wav_that_was_piped_has_no_length_in_its_header(file: Path) -> None:
    file.write_bytes(wav_that_claims(16_000, 0xFFFF_FFFF))
    assert probe(file).seconds == pytest.approx(1)
    assert len(decode(file)) == SAMPLE_RATE


def test_a_tag_that_is_no_utf_8_does_not_keep_a_recording_out(file: Path) -> None:
    whole, tag = pcm(1.0), riff_chunk(b"LIST", b"INFO" + riff_chunk(b"INAM", "Gespräch".encode("latin-1")))
    file.write_bytes(whole[:36] + tag + whole[36:])
    assert probe(file).seconds == pytest.approx(1)
    assert decode(file).any()


CUT = {"flac": flac(3), "m4a": m4a(3), "wav": pcm(3)} | {
    name: FORMATS[name][1](3.0) for name in ("aiff", "aiff-c ima", "caf", "caf alac", "amr in 3gp", "wma", "matroska")
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused(name: str, share: float, file: Path) -> None:
    file.write_bytes(CUT[name][: int(len(CUT[name]) * share)])
    with pytest.raises((UnreadableRecording, EmptyRecording)):
        probe(file)


@pytest.mark.parametrize(("rate", "data_bytes"), [(1, 32_000), (16_000, 10 * 3600 * 32_000), (4_000_000, 32_000)])
def test_a_header_that_cannot_be_true_is_refused(rate: int, data_bytes: int, file: Path) -> None:
    file.write_bytes(wav_that_claims(rate, data_bytes))
    for read in (probe, decode):
        with pytest.raises(UnreadableRecording):
            read(file)


def test_hours_in_a_few_bytes_are_counted_before_they_are_unpacked(file: Path) -> None:
    file.write_bytes(silent_flac(10))
    for read in (probe, decode):
        with pytest.raises(RecordingTooLong, match="14400 s"):
            read(file)


def test_the_limit_is_the_deployments(file: Path) -> None:
    file.write_bytes(flac(3))
    limits = DecodeLimits.for_seconds(2)
    for read in (probe, decode):
        with pytest.raises(RecordingTooLong, match="2 s"):
            read(file, limits)


def test_no_sample_is_no_recording(file: Path) -> None:
    file.write_bytes(pcm(0))
    for read in (probe, decode):
        with pytest.raises(EmptyRecording):
            read(file)
