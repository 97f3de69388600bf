"""Recordings of every sort into a real API: what is sound is accepted, what is not is a problem and leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.api_process import ApiProcess
from tests.support.containers import flac, m4a, pcm, silent_flac, wav_that_claims
from tests.support.forgeries import PLAYLIST

UNREADABLE, TOO_LONG = {"unreadable_recording"}, {"recording_too_long"}

BAD: dict[str, tuple[Callable[[], bytes], int, set[str]]] = {
    "nothing": (lambda: b"", 422, {"empty_recording"}),
    "text renamed to .wav": (lambda: b"Dear colleague,\n" * 1000, 415, {"not_audio"}),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(9000), 415, {"not_audio"}),
    "a playlist of local files": (lambda: PLAYLIST, 415, {"not_audio"}),
    "a cut MP4": (lambda: m4a(3)[:9000], 422, UNREADABLE),
    "a WAV of 1 Hz": (lambda: wav_that_claims(1, 32_000), 422, UNREADABLE | TOO_LONG),
    "ten hours of silence in a megabyte": (lambda: silent_flac(10), 422, TOO_LONG),
}


@pytest.mark.parametrize(("make", "status", "codes"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("kind", ["raw", "form"])
def test_a_bad_recording_is_a_problem_and_leaves_nothing(
    api: ApiProcess, api_settings: Settings, kind: str, make: Callable[[], bytes], status: int, codes: set[str]
) -> None:
    body = make()
    if kind == "raw":
        response = api.http.post("/v1/jobs", content=body, headers={"Content-Type": "audio/wav"})
    else:
        response = api.http.post("/v1/jobs", files={"audio": ("visit.wav", body, "audio/wav")})
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"] in codes) == (status, True), response.text
    assert "passwd" not in response.text
    assert object_store(api_settings).keys("recordings") == []
    assert api.http.get("/v1/jobs").json()["jobs"] == []


GOOD: dict[str, tuple[Callable[[], bytes], float, str]] = {
    "0.05 s": (lambda: flac(0.05), 0.05, "audio/flac"),
    "0.6 s": (lambda: flac(0.6), 0.6, "audio/flac"),
    "stereo at 44.1 kHz": (lambda: pcm(2, 44_100, 2), 2.0, "audio/wav"),
    "AAC in MP4": (lambda: m4a(2), 2.0, "audio/mp4"),
    "an hour of silence": (lambda: silent_flac(1), 3600.0, "audio/flac"),
}


@pytest.mark.parametrize(("make", "seconds", "media_type"), GOOD.values(), ids=GOOD.keys())
def test_a_sound_recording_is_accepted_by_its_content(
    api: ApiProcess, make: Callable[[], bytes], seconds: float, media_type: str
) -> None:
    body = make()
    response = api.http.post("/v1/jobs", content=body, headers={"Content-Type": "application/octet-stream"})
    assert response.status_code == 202, response.text
    recording = response.json()["recording"]
    assert recording["sha256"] == hashlib.sha256(body).hexdigest()
    assert recording["bytes"] == len(body)
    assert recording["media_type"] == media_type
    assert recording["seconds"] == pytest.approx(seconds, abs=0.15)  # an AAC encoder pads to whole frames
