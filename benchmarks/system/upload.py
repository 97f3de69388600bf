"""One very large upload: how much the memory of the API grows, and how fast it receives."""

from __future__ import annotations

import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from benchmarks.measure import Measure
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey

MEGABYTES = 1000  # of 10^6 bytes
CHUNK = bytes(range(256)) * 1024  # 256 kB of samples
SAMPLE_RATE, CHANNELS, SAMPLE_BYTES = 48_000, 2, 3  # WAV in studio quality: 1 GB is 58 minutes


def upload_rows(console: Console) -> list[Measure]:
    """Send a gigabyte that is generated in chunks, so that it takes no memory in this process either."""
    console.print("bench: an upload of 1 GB")
    with tempfile.TemporaryDirectory(prefix="parley-upload-") as folder, _valkey(Path(folder)) as valkey:
        settings = Settings(redis_url=valkey.url, objects_url=f"file://{folder}/objects")
        with ApiProcess(settings, Path(folder) / "api.log") as api:
            _post(api, 20)  # the first request imports modules and opens pools
            before = api.resident_bytes()
            with _PeakMemory(api) as peak:
                seconds = _post(api, MEGABYTES)
    growth = (peak.bytes - before) / 1e6
    note = f"received at {MEGABYTES / seconds:.0f} MB/s, including the response"
    return [Measure("1 GB upload: growth of the API's memory", growth, "MB", 32, note=note)]


def _post(api: ApiProcess, megabytes: int) -> float:
    began = time.perf_counter()
    response = api.http.post(
        "/v1/jobs", content=_wav(megabytes * 1_000_000), headers={"Content-Type": "audio/wav"}, timeout=600
    )
    response.raise_for_status()
    assert response.json()["recording"]["bytes"] == megabytes * 1_000_000 // len(CHUNK) * len(CHUNK) + 44
    return time.perf_counter() - began


def _wav(about_bytes: int) -> Iterator[bytes]:
    chunks = about_bytes // len(CHUNK)
    data = chunks * len(CHUNK)
    frame = CHANNELS * SAMPLE_BYTES
    form = struct.pack("<HHIIHH", 1, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * frame, frame, 8 * SAMPLE_BYTES)
    yield struct.pack("<4sI4s4sI", b"RIFF", data + 36, b"WAVE", b"fmt ", len(form)) + form
    yield struct.pack("<4sI", b"data", data)
    for _ in range(chunks):
        yield CHUNK


@contextmanager
def _valkey(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder / "valkey")
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _PeakMemory:
    """Largest resident size of the API process, sampled every 10 ms."""

    def __init__(self, api: ApiProcess) -> None:
        self._api = api
        self._stop = threading.Event()
        self.bytes = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.bytes = max(self.bytes, self._api.resident_bytes())
