"""The API on in-memory ports, asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from limits.aio.storage import Storage
from starlette.routing import BaseRoute

from parley_api.main import RESOURCES, create_app
from parley_api.runtime.dependencies import Dependencies
from parley_audio import Probe
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import EngineError, NotAudio, UnreadableRecording
from parley_core.job import Failure, GiveUp, JobQuery, ResultSummary
from parley_core.recording import result_folder
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.transcript import Transcription
from tests.support.fakes import (
    MemoryJobQueue,
    MemoryJobStore,
    MemoryRecordingStore,
    MemoryVoiceprintStore,
)

AUDIO = b"fLaC" + bytes(range(256)) * 40
DAMAGED = b"fLaC damaged"
TURN = {"start": 0.5, "end": 2.25, "speaker": "SPEAKER_00", "confidence": None}
ANSWERED_TURN = TURN | {"needs_review": None}
ANSWERED_TURNS = {
    "version": 0,
    "turns": [ANSWERED_TURN | {"id": "1", "confirmed": False}],
    "exclusive_turns": [ANSWERED_TURN],
    "speaker_count": None,
    "purity": [],
    "audio_quality": None,
}
CONSENT = {
    "given_by": "Dr. Weber",
    "given_at": "2026-01-02T03:04:05.000Z",
    "purpose": "Names in notes",
    "until": "2400-01-01T00:00:00.000Z",
}
ENGINE = {"name": "scripted", "version": "1", "weights": {}, "parameters": {}, "kernels": {}}

_COMPILED: dict[int, BaseRoute] = {}
"""The routes of each resource, by the identity of its router."""


class ScriptedProbe:
    """RecordingProbe that takes bytes beginning like FLAC for a recording, unless they say `damaged`."""

    def __init__(self) -> None:
        self.seconds, self.channels = 3.0, 1

    def sniff(self, head: bytes) -> None:
        if not head.startswith(b"fLaC"):
            raise NotAudio("This is no audio container that Parley reads.")

    def measure(self, path: Path) -> Probe:
        if b"damaged" in path.read_bytes():
            raise UnreadableRecording("The recording is damaged.")
        return Probe("audio/flac", self.seconds, 16_000, self.channels)

    def warm(self) -> None:
        """Nothing to start."""


@dataclass
class ApiFixture:
    """All ports of one API, and the API itself once it was asked for."""

    settings: Settings = field(default_factory=lambda: Settings(max_recording_bytes=100_000, redis_timeout_seconds=1))
    store: MemoryJobStore = field(default_factory=MemoryJobStore)
    recordings: MemoryRecordingStore = field(default_factory=MemoryRecordingStore)
    queue: MemoryJobQueue = field(default_factory=MemoryJobQueue)
    probe: ScriptedProbe = field(default_factory=ScriptedProbe)
    voiceprints: MemoryVoiceprintStore = field(default_factory=MemoryVoiceprintStore)
    rates: Storage | None = None

    def deps(self) -> Dependencies:
        deliveries = RedisDeliveries.from_settings(self.settings)  # of a real Redis where a test needs it
        return Dependencies(
            self.settings,
            self.durable,
            self.recordings,
            self.queue,
            self.probe,
            self.voiceprints,
            deliveries,
            RedisWordsRequests.from_settings(self.settings),
            rates=self.rates,
        )

    def app(self) -> FastAPI:
        """The API, with the routes of the first one that was made: FastAPI compiles them at the first request.

        That takes 0.1 s, more than most tests, and the settings of an API do not change its routes.
        """
        app = create_app(self.settings, self.deps())
        routes = app.router.routes
        for index, route in enumerate(routes):
            router = getattr(route, "original_router", None)
            if any(router is resource.router for resource in RESOURCES):
                routes[index] = _COMPILED.setdefault(id(router), route)
        return app

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7001", headers=headers) as client:
            yield client

    @property
    def durable(self) -> DurableJobStore:
        """The store of the API: on the index in memory, with manifests beside the recordings."""
        return DurableJobStore(self.store, self.recordings)

    @property
    def sounds(self) -> dict[str, bytes]:
        """Recordings and results, by key."""
        folders = ("recordings/", "results/")
        return {key: data for key, data in self.recordings.objects.items() if key.startswith(folders)}

    def empty(self) -> bool:
        """True when neither an object nor a job nor a message is left."""
        jobs = self.store.page(JobQuery(tenant="default")).jobs
        return not (self.recordings.objects or jobs or self.queue.published)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Every member that RFC 9457 and the contract promise is there."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    if response.request.method == "HEAD":  # without a body
        assert response.status_code == status
        return {"detail": f"unknown, but for its code `{code}`"}
    document: dict[str, object] = response.json()
    assert (response.status_code, document["status"], document["code"]) == (status, status, code), response.text
    assert document["type"] == f"urn:parley:problem:{code}"
    assert document["title"]
    assert document["detail"]
    return document


def form(*parts: tuple[str, bytes], boundary: str = "b0undary", file: str = "audio") -> tuple[bytes, dict[str, str]]:
    """Return a multipart body and its header: name and value of each part, in order; `file` is the part of a file."""
    body = b""
    for name, value in parts:
        file_name = '; filename="patient name.flac"' if name == file else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'
        body += head.encode() + value + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def succeed(
    api: ApiFixture, job_id: str, transcription: Transcription | None = None, **found: object
) -> dict[str, Any]:
    """Do what a worker does; return the result, with what else it has found."""
    started = api.store.start_attempt(job_id, "worker/1", 30)
    assert started is not None
    result = {
        "job_id": job_id,
        "turns": [TURN],
        "exclusive_turns": [TURN],
        "overlaps": [],
        "speakers": ["SPEAKER_00"],
        "engine": ENGINE,
        "recording": {"sha256": "0" * 64, "seconds": 3.0},
        **found,
    }
    key = f"{result_folder(job_id)}/1.json"
    api.recordings.put(key, json.dumps(result).encode())
    api.store.succeed(
        started[1], ResultSummary(key, 1, 1, 1.75, dict(ENGINE), {"engine": 0.1}, transcription=transcription)
    )
    return result


def fail(api: ApiFixture, job_id: str) -> None:
    started = api.store.start_attempt(job_id, "worker/1", 30)
    assert started is not None
    api.store.fail_attempt(started[1], Failure(EngineError.code, "The engine broke."), GiveUp())
