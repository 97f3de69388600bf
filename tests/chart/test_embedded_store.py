"""The embedded S3 server keeps what it acknowledged: a real versitygw, set up as in the chart."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley_core.storage.objects import ObjectStore
from tests.chart.rendering import render, tool

# Every prefix that core writes to.
FOLDERS = ("recordings", "results", "jobs", "changes", "unrecorded", "history", "idempotency", "checks")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """The bucket as the init container leaves it, served by the command of the pod."""
    program = tool("versitygw")
    pod: dict[str, Any] = render().pods()["release-parley-objects"]
    bucket, server = pod["initContainers"][0], pod["containers"][0]
    assert bucket["image"] == server["image"]  # a new version of Parley must not restart the store
    subprocess.run([word.replace("/data", str(tmp_path)) for word in bucket["command"]], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.replace("/data", str(tmp_path)) for word in server["command"][1:]]
    words[words.index(":7070")] = f"127.0.0.1:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name in ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "k" * 20)
    process = subprocess.Popen([program, *words])
    yield ObjectStore("s3://parley")
    process.kill()
    process.wait()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_outlives_its_last_object(store: ObjectStore, tmp_path: Path, folder: str) -> None:
    """versitygw removes an empty folder, and a put at that moment fails or is lost (5 of 5,800)."""
    store.put(f"{folder}/a", b"x")
    store.delete(f"{folder}/a")
    assert (tmp_path / "parley" / folder).is_dir()
    assert list(store.keys(folder)) == []
