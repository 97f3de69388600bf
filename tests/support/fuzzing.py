"""Submits hostile recordings to a running API, reads them as workers do, and looks for what is left behind."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import psutil

from parley_audio import DecodeLimits, decode
from parley_core.errors import RecordingError
from parley_core.ports import RecordingStore
from tests.support.api_process import ApiProcess
from tests.support.mutations import mutant

REFUSALS = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY}
LIMITS = DecodeLimits.for_seconds(900)
SLOW_SECONDS = 20.0  # on a busy machine; a sound recording takes hundredths


@dataclass(frozen=True, slots=True)
class Finding:
    """A recording that was not treated as it should: `number` makes it again by `mutant(number)`."""

    number: int
    format: str
    what: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an API process holds, apart from its memory."""

    descriptors: int
    processes: int
    recordings: int


def footprint(api: ApiProcess, objects: RecordingStore) -> Footprint:
    process = psutil.Process(api.running.pid)
    children = process.children(recursive=True)
    return Footprint(process.num_fds(), len(children), len(objects.keys("recordings")))


def findings(api: ApiProcess, numbers: Iterable[int]) -> Iterator[Finding | None]:
    """Submit one recording after the other; yield what is wrong with its answer, None where nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            name, data = mutant(number)
            what = wrong_with_answer(api.http, data) or wrong_with_reading(Path(folder) / "recording", data)
            yield Finding(number, name, what) if what else None


def wrong_with_answer(http: httpx.Client, data: bytes) -> str:
    """Submit a recording, and delete what is accepted. Return what is wrong with the answer, empty if nothing is."""
    began = time.monotonic()
    answer = http.post("/v1/jobs", content=data, headers={"Content-Type": "application/octet-stream"})
    seconds = time.monotonic() - began
    if answer.status_code == HTTPStatus.ACCEPTED:
        path = f"/v1/jobs/{answer.json()['id']}"
        http.post(f"{path}/cancel")
        deleted = http.delete(path)
        return "" if deleted.is_success else f"the delete answered {deleted.status_code}"
    if answer.status_code not in REFUSALS:
        return f"the submit answered {answer.status_code}: {answer.text[:200]}"
    return "" if seconds < SLOW_SECONDS else f"the refusal took {seconds:.1f} s"


def wrong_with_reading(path: Path, data: bytes) -> str:
    """Decode a recording as a worker does. Return what is wrong, empty if nothing is."""
    path.write_bytes(data)
    try:
        decode(path, LIMITS)
    except RecordingError:
        return ""
    except Exception as error:  # noqa: BLE001 - any other one is a finding
        return f"decoding raised {type(error).__name__}: {error}"
    return ""
