"""The flusher of the embedded object store confirms only what is on the disk."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from types import ModuleType
from typing import Any

import httpx
import pytest

from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage import remote
from parley_core.storage.remote import RemoteStore
from tests.chart.rendering import CHART, render
from tests.support.s3 import ForgetfulS3, environment_of
from tests.support.waiting import HANG_SECONDS, until

CALLERS = 8


@pytest.fixture(scope="module")
def flush() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flush", CHART / "files" / "flush.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Disk:
    """Flushes when it is allowed to."""

    def __init__(self) -> None:
        self.flushes = 0
        self.allowed = threading.Semaphore(0)
        self.error: OSError | None = None

    def flush(self) -> None:
        self.flushes += 1
        assert self.allowed.acquire(timeout=HANG_SECONDS)
        if self.error:
            raise self.error


def test_calls_during_a_flush_share_the_next_one(flush: ModuleType) -> None:
    disk = Disk()
    flusher = flush.Flusher(disk.flush)
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        first = pool.submit(flusher.run)
        until(lambda: disk.flushes == 1)
        later = [pool.submit(flusher.run) for _ in range(CALLERS)]
        disk.allowed.release()
        assert first.result()
        until(lambda: disk.flushes == 2)
        assert not any(call.done() for call in later)  # the flush that ran when they came is not enough
        disk.allowed.release(CALLERS)
        assert all(call.result() for call in later)
    assert 2 <= disk.flushes <= 3  # 3: a call that had not begun yet when the second flush began


def test_after_an_error_nothing_is_confirmed(flush: ModuleType) -> None:
    disk = Disk()
    disk.error = OSError(5, "Input/output error")
    disk.allowed.release(2)
    flusher = flush.Flusher(disk.flush)
    assert not flusher.run()
    disk.error = None
    assert not flusher.run()  # the kernel reports an error once, and drops what it could not write


@contextmanager
def serving(server: Any) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_put_returns_after_its_flush_and_fails_without_one(
    flush: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.3)
    monkeypatch.setattr(flush, "REFUSE_SECONDS", 0.0)
    disk = Disk()
    left: Queue[int] = Queue()
    server, flusher = ForgetfulS3(0), flush.Flusher(disk.flush)
    with server.serving() as port, serving(flush.server_of(flusher, 0, left.put)) as url:
        for name, value in environment_of(port).items():
            monkeypatch.setenv(name, value)
        store = RemoteStore("s3://parley", flush_url=url)
        disk.allowed.release(4)
        store.put("results/a", b"x")
        assert store.create("jobs/a", b"x")
        assert not store.create("jobs/a", b"y")
        store.put_each(["results/d", "results/e", "results/f"], b"x", lambda: None)
        assert disk.flushes == 4  # one for those three; also after the object of another call: the caller relies on it
        disk.error = OSError(5, "Input/output error")
        disk.allowed.release()
        with pytest.raises(ObjectStoreUnavailable):
            store.put("results/b", b"x")
        assert left.get(timeout=HANG_SECONDS) == 1  # the container starts again
    with pytest.raises(ObjectStoreUnavailable):
        store.put("results/c", b"x")  # nobody flushes


def test_the_container_of_the_chart_flushes_its_volume(tmp_path: Path) -> None:
    pod = render().pods()["release-parley-objects"]
    [container] = [container for container in pod["containers"] if container["name"] == "flush"]
    assert {"name": "data", "mountPath": "/data", "readOnly": True} in container["volumeMounts"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, *container["command"][1:]]
    words[words.index("/data")], words[words.index("7071")] = str(tmp_path), str(port)
    with subprocess.Popen(words) as process:
        try:
            assert until(lambda: flushed(port)) == 204
        finally:
            process.terminate()


def flushed(port: int) -> int | None:
    """Return the status of the answer, None while nobody listens."""
    with suppress(httpx.TransportError):
        return httpx.post(f"http://127.0.0.1:{port}/").status_code
    return None


def test_only_an_embedded_store_has_a_flusher() -> None:
    variable = "PARLEY_OBJECTS_FLUSH_URL"

    def flushers(values: dict[str, Any]) -> set[str | None]:
        pods = render({"objects": values}).pods()
        parts = [pods[f"release-parley-{part}"]["containers"][0]["env"] for part in ("api", "keeper")]
        return {next((one["value"] for one in env if one["name"] == variable), None) for env in parts}

    assert flushers({"kind": "embedded"}) == {"http://release-parley-objects:7071"}
    assert flushers({"kind": "url", "url": "s3://bucket"}) == {None}


def test_the_flusher_ends_at_once_when_it_is_asked_to(tmp_path: Path) -> None:
    """Process 1 of a container ignores SIGTERM unless the program handles it, which its exit status shows."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(CHART / "files" / "flush.py"), str(tmp_path), str(port)])
    until(lambda: answers(port))
    process.terminate()
    assert process.wait(HANG_SECONDS) == 0


def answers(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/").is_success
    return False
