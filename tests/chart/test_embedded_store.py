"""The embedded S3 server keeps what it acknowledged: a real versitygw, set up as in the chart."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from parley_core.storage.objects import ObjectStore
from tests.chart.rendering import render, tool

# Every prefix that core writes to.
FOLDERS = (
    "recordings",
    "results",
    "jobs",
    "changes",
    "unrecorded",
    "history",
    "idempotency",
    "checks",
    "checkpoints",
    "keys",
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """The bucket as the init container leaves it, served by the command of the pod."""
    program = tool("versitygw")
    pod: dict[str, Any] = render().pods()["release-parley-objects"]
    bucket, server = pod["initContainers"][0], pod["containers"][0]
    assert bucket["image"] == server["image"]  # a new version of Parley must not restart the store
    subprocess.run([word.replace("/data", str(tmp_path / "data")) for word in bucket["command"]], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = tmp_path / "root"
    keys.mkdir()
    for name in ("access-key", "secret-key"):
        (keys / name).write_text("k" * 20)
    places = {"/data": str(tmp_path / "data"), "/etc/parley/root": str(keys), ":7070": f"127.0.0.1:{port}"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    words = server["command"]
    for place, here in places.items():
        words = [word.replace(place, here) for word in words]
    process = subprocess.Popen(words, env=os.environ | {"PATH": f"{Path(program).parent}:{os.environ['PATH']}"})
    login = {name: SecretStr("k" * 20) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    yield ObjectStore("s3://parley", login)
    process.kill()
    process.wait()


def test_many_objects_are_stored_listed_and_deleted_together(store: ObjectStore) -> None:
    keys = [f"jobs/{number}/purged" for number in range(30)]
    store.put_each(keys, b"x", lambda: None)
    assert sorted(store.keys_each([f"jobs/{number}/" for number in range(31)], lambda: None)) == sorted(keys)
    store.delete_each([*keys, "jobs/none"], lambda: None)
    assert list(store.keys("jobs")) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_outlives_its_last_object(store: ObjectStore, tmp_path: Path, folder: str) -> None:
    """versitygw removes an empty folder, and a put at that moment fails or is lost (5 of 5,800)."""
    store.put(f"{folder}/a", b"x")
    store.delete(f"{folder}/a")
    assert (tmp_path / "data" / "parley" / folder).is_dir()
    assert list(store.keys(folder)) == []
