"""How many files one submit and one attempt enter: the real API and the real task, traced in this process.

The submit is a form with the sample conversation, two options and an Idempotency-Key. It goes to the ASGI application
on a real Valkey and a folder of objects. The attempt is the first one of a worker process, by the Celery task's own
function and the default engine. A file is entered when one of its functions is called, in any thread. The bodies of
modules and the processes of the sandbox do not count.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
SAMPLE = SERVICES / "client" / "parley" / "sample" / "conversation.flac"


class Tracer:
    """Collects the functions below services/ that are entered while `collecting` is active."""

    def __init__(self) -> None:
        self._entered: set[tuple[str, str, int]] | None = None
        # From the start, since a profile function reaches only the threads that start later.
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if self._entered is None or event != "call" or code.co_name == "<module>":
            return
        if code.co_filename.startswith(f"{SERVICES}/"):
            self._entered.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    @contextmanager
    def collecting(self) -> Iterator[set[str]]:
        """Yield the set of files, which is filled at the end of the block."""
        files: set[str] = set()
        self._entered = set()
        try:
            yield files
        finally:
            files |= {str(Path(name).relative_to(SERVICES)) for name, _, _ in self._entered}
            self._entered = None


async def submit(app: Any) -> str:
    """Submit the sample conversation; return the id of the job."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7001") as client:
        answer = await client.post(
            "/v1/jobs",
            files={"audio": (SAMPLE.name, SAMPLE.read_bytes(), "audio/flac")},
            data={"num_speakers": "3", "reference": "consult 7"},
            headers={"Idempotency-Key": "structure"},
        )
    job_id: str = answer.raise_for_status().json()["id"]
    return job_id


async def trace_submit(tracer: Tracer, settings: Any) -> tuple[str, set[str]]:
    """Return the id of a submitted job, and the files that its submit entered."""
    from parley_api.main import create_app

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        with tracer.collecting() as files:
            job_id = await submit(app)
    return job_id, files


def measure() -> tuple[list[str], list[str]]:
    """Return the files that one submit enters, and those that one attempt enters without the engine's own."""
    tracer = Tracer()
    sys.path.insert(0, str(ROOT))
    from parley_core.settings import Settings
    from tests.support.valkey import Valkey

    with tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(Path(folder) / "valkey")
        valkey.start()
        try:
            os.environ |= {"PARLEY_REDIS_URL": valkey.url, "PARLEY_OBJECTS_URL": f"file://{folder}/objects"}
            os.environ["PARLEY_AUDIT_FOLDER"] = f"{folder}/audit"  # standard output is for what was measured
            job_id, submitted = asyncio.run(trace_submit(tracer, Settings()))
            from parley_worker.celery.tasks import diarize

            with tracer.collecting() as attempted:
                outcome = diarize(job_id)
        finally:
            valkey.stop()
    if outcome != "succeeded":
        raise SystemExit(f"The attempt that was traced ended with {outcome}.")
    return sorted(submitted), sorted(name for name in attempted if "/engines/" not in name)
