"""Resumable uploads into real processes: connections that are cut, and an API that is killed."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
import socket
import struct
import wave
from contextlib import suppress
from pathlib import Path

import pytest

from parley import AsyncParley, Job, Parley, ParleyApiError, _resumable
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.proxy import TcpProxy
from tests.support.valkey import Valkey
from tests.support.waiting import until
from tests.unit.client.command import parley as parley_command

SEED, CUTS = 14, 200
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection ends with a reset
TUS = {"Tus-Resumable": "1.0.0"}


def noise(seconds: int) -> bytes:
    """Return a WAV file whose bytes are all different."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(random.Random(SEED).randbytes(seconds * 48_000 * 4))
    return file.getvalue()


class Uploading:
    """One recording on its way to an upload.

    Attributes:
        offset: what the server has said last.
    """

    def __init__(self, api: ApiProcess, recording: bytes) -> None:
        self.recording = recording
        begun = api.http.post("/v1/uploads", headers=TUS | {"Upload-Length": str(len(recording))})
        assert begun.status_code == 201, begun.text
        self.path = begun.headers["location"]
        self.offset = 0

    def ask(self, api: ApiProcess) -> None:
        asked = api.http.head(self.path, headers=TUS)
        assert asked.status_code == 200
        assert int(asked.headers["upload-offset"]) >= self.offset, "what was acknowledged is lost"
        self.offset = int(asked.headers["upload-offset"])

    def send_and_cut(self, api: ApiProcess, end: int, reset: bool) -> None:
        """Announce all that is left, send it up to an offset, and cut the connection."""
        head = (
            f"PATCH {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nTus-Resumable: 1.0.0\r\n"
            f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {self.offset}\r\n"
            f"Content-Length: {len(self.recording) - self.offset}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", api.port)) as connection:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(ConnectionError):  # answered already: another request still writes
                connection.sendall(head.encode() + self.recording[self.offset : end])

    def finish(self, api: ApiProcess) -> None:
        """Send the rest. A request that was cut may still be at work."""

        def sent() -> bool:
            self.ask(api)
            headers = TUS | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(self.offset)}
            answer = api.http.patch(self.path, content=self.recording[self.offset :], headers=headers)
            assert answer.status_code in (204, 409), answer.text
            return answer.status_code == 204

        until(sent, what="the rest of the upload is not taken")


def test_an_upload_survives_cuts_at_200_bytes_and_a_kill(valkey: Valkey, tmp_path: Path) -> None:
    settings = Settings(redis_url=valkey.url, objects_url=f"file://{tmp_path}/objects")
    recording, chance = noise(20), random.Random(SEED)
    cuts = sorted(chance.randrange(1, len(recording)) for _ in range(CUTS))
    with ApiProcess(settings, tmp_path / "api.log") as first:
        uploading = Uploading(first, recording)
        for cut in cuts[: CUTS // 2]:
            uploading.send_and_cut(first, cut, chance.random() < 0.5)
            uploading.ask(first)
        kept = uploading.offset
        first.running.kill()
    with ApiProcess(settings, tmp_path / "second.log") as second:
        uploading.ask(second)
        for cut in cuts[CUTS // 2 :]:
            uploading.send_and_cut(second, cut, chance.random() < 0.5)
            uploading.ask(second)
        uploading.finish(second)
        digest = hashlib.sha256(recording).hexdigest()
        body = {"upload": uploading.path.rpartition("/")[2], "sha256": digest}
        accepted = second.http.post("/v1/jobs", json=body)
        assert accepted.status_code == 202, accepted.text
        assert accepted.json()["recording"]["sha256"] == digest
        stored = second.http.get(accepted.json()["links"]["audio"]).content
        assert hashlib.sha256(stored).hexdigest() == digest
    assert kept > cuts[CUTS // 2 - 10], "what arrived before a cut was not kept"
    assert not any(path.is_file() for path in (tmp_path / "objects" / "uploads").rglob("*"))


def submit_while_cutting(api: ApiProcess, path: Path, cuts: list[int], kind: str) -> Job:
    """Submit a recording with one of the clients through a proxy that cuts the connection at these bytes."""
    with TcpProxy(api.port) as proxy:

        def on_bytes(sent: int, total: int) -> None:
            if cuts and sent >= cuts[0]:
                cuts.pop(0)
                proxy.cut()

        url = f"http://127.0.0.1:{proxy.port}"
        if kind == "Parley":
            with Parley(url, sleep=lambda seconds: None) as parley:
                return parley.submit(path, resumable=True, on_bytes=on_bytes, num_speakers=2)

        async def submit() -> Job:
            async with AsyncParley(url) as parley:
                return await parley.submit(path, resumable=True, on_bytes=on_bytes, num_speakers=2)

        return asyncio.run(submit())


@pytest.mark.parametrize("kind", ["Parley", "AsyncParley"])
def test_the_client_goes_on_after_cuts(
    api: ApiProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(_resumable, "PART_BYTES", 700_000)
    path = tmp_path / "visit 4711.wav"
    path.write_bytes(noise(10))
    cuts = [300_000, 900_000, 1_500_000]
    job = submit_while_cutting(api, path, cuts, kind)
    assert cuts == []
    assert job.recording.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (job.recording.file_name, job.document["speakers"]) == (path.name, {"min": 2, "max": 2})


def test_a_second_run_of_the_command_goes_on_with_the_upload(
    api: ApiProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_resumable, "AUTOMATIC_BYTES", 1)
    monkeypatch.setattr(_resumable, "PART_BYTES", 500_000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PARLEY_URL", api.url)
    path, notes = tmp_path / "visit.wav", tmp_path / "state" / "parley" / "uploads"
    path.write_bytes(noise(10))

    def interrupt(sent: int, total: int) -> None:
        if sent > 1_200_000:
            raise KeyboardInterrupt

    with Parley() as parley, pytest.raises(KeyboardInterrupt):
        parley.submit(path, on_bytes=interrupt, resume_folder=notes)
    [note] = notes.iterdir()
    asked = api.http.head(note.read_text(), headers=TUS)
    assert int(asked.headers["upload-offset"]) >= 1_000_000
    done = parley_command("submit", path, "--no-wait")
    assert done.exit_code == 0, done.stderr
    job = api.http.get(f"/v1/jobs/{done.stdout.strip()}").json()
    assert job["recording"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not list(notes.iterdir())
    assert api.http.head(asked.request.url.path, headers=TUS).status_code == 404, "another upload was begun"


def test_a_second_run_gets_the_job_whose_answer_the_first_one_did_not_see(
    api: ApiProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, notes = tmp_path / "visit.wav", tmp_path / "notes"
    path.write_bytes(noise(1))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with Parley(api.url) as parley:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(_resumable.UploadNotes, "forget", interrupt)
            parley.submit(path, resumable=True, resume_folder=notes)
        [made] = api.http.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
        assert parley.submit(path, resumable=True, resume_folder=notes).id == made["id"]
        assert not list(notes.iterdir())
        assert parley.submit(path, resumable=True, resume_folder=notes).id != made["id"]
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(_resumable.UploadNotes, "forget", interrupt)
            parley.submit(path, resumable=True, resume_folder=notes)
        assert parley.submit(path, resumable=True, resume_folder=notes, num_speakers=2).id != made["id"]


def test_a_file_that_changes_between_two_runs_makes_no_job_of_both(
    api: ApiProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time and its length say that it is the same: the digest of what was read in the second run does not."""
    monkeypatch.setattr(_resumable, "PART_BYTES", 500_000)
    path, notes = tmp_path / "visit.wav", tmp_path / "notes"
    sound = noise(10)
    path.write_bytes(sound)
    times = path.stat()

    def interrupt(sent: int, total: int) -> None:
        if sent > 600_000:
            raise KeyboardInterrupt

    with Parley(api.url) as parley:
        with pytest.raises(KeyboardInterrupt):
            parley.submit(path, on_bytes=interrupt, resumable=True, resume_folder=notes)
        path.write_bytes(sound[:100_000] + b"\x01" + sound[100_001:])
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(ParleyApiError) as refused:
            parley.submit(path, resumable=True, resume_folder=notes)
        assert refused.value.code == "link_changed"
        assert not list(notes.iterdir())
        assert api.http.get("/v1/uploads").json()["uploads"] == []
        job = parley.submit(path, resumable=True, resume_folder=notes)
    assert job.recording.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
