"""The embedded S3 server: a real versitygw, set up as in the chart, with the keys and the policy of each role."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from parley_api.corrections.log import CorrectionLog
from parley_api.http.errors import UploadOffsetConflict
from parley_api.runtime.uploads import Uploads
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import ObjectStoreUnavailable
from parley_core.job import IdempotencyKey, JobOptions, JobState, ResultSummary
from parley_core.recording import checkpoint_folder, peaks_key, result_key, transcript_key
from parley_core.storage import remote
from parley_core.storage.manifests import HistoryMarker
from parley_core.storage.remote import RemoteStore
from parley_keeper.abandoned_uploads import UploadCollector
from parley_keeper.inventory import Inventory
from parley_keeper.orphans import OrphanCollector
from parley_keeper.retention import purge_expired, remove_recordings
from tests.chart.rendering import CHART, render, tool
from tests.support.fakes import MemoryJobStore, new_job
from tests.support.waiting import until

RIGHTS = CHART / "files" / "object_rights.py"
# Every prefix that core writes to.
FOLDERS = (
    *("recordings", "results", "jobs", "changes", "unrecorded", "history", "idempotency", "checks", "checkpoints"),
    *("keys", "uploads", "batches", "batches/open", "voiceprints", "voiceprints/ending"),
)
Login = Callable[[str], RemoteStore]


def pod() -> dict[str, Any]:
    return dict(render().pods()["release-parley-objects"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def login(folder: Path) -> Iterator[Login]:
    """The bucket as the init containers leave it, served by the command of the pod; gives the store of a role."""
    program = tool("versitygw")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys, users = folder / "root", folder / "users"
    for made in (keys, users):
        made.mkdir()
    for role in ("", "api-", "keeper-", "worker-"):
        for name in ("access-key", "secret-key"):
            (keys / f"{role}{name}").write_text(f"{role}{name}".ljust(20, "k"))
    places = {
        "/data": str(folder / "data"),
        "/etc/parley/root": str(keys),
        "/etc/parley/users": str(users),
        ":7070": f"127.0.0.1:{port}",
    }

    def here(words: list[str]) -> list[str]:
        for place, moved in places.items():
            words = [word.replace(place, moved) for word in words]
        return [sys.executable if word == "python" else word for word in words]

    for container in pod()["initContainers"]:
        subprocess.run(here(container["command"]), check=True)
    environment = os.environ | {"PATH": f"{Path(program).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(here(pod()["containers"][0]["command"]), env=environment)

    def store(role: str) -> RemoteStore:
        prefix = "" if role == "root" else f"{role}-"
        files = {"AWS_ACCESS_KEY_ID": "access-key", "AWS_SECRET_ACCESS_KEY": "secret-key"}
        secrets = {name: SecretStr((keys / f"{prefix}{file}").read_text()) for name, file in files.items()}
        return RemoteStore("s3://parley", secrets)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ALLOW_HTTP", "true")
        patch.setenv("AWS_REGION", "us-east-1")
        until(lambda: listens(port), what="the S3 server did not start")
        yield store
    process.kill()
    process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def sound(chunks: int = 1) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield b"s" * 1024 * 1024


def nothing() -> None:
    """No progress to note."""


def test_a_new_version_of_parley_does_not_restart_the_store() -> None:
    bucket, rights = pod()["initContainers"]
    server, flush = pod()["containers"]
    assert (bucket["image"], rights["image"]) == (server["image"], flush["image"])


def test_many_objects_are_stored_listed_and_deleted_together(login: Login) -> None:
    store = login("keeper")
    keys = [f"jobs/{number}/purged" for number in range(30)]
    store.put_each(keys, b"x", lambda: None)
    assert sorted(store.keys_each([f"jobs/{number}/" for number in range(31)], lambda: None)) == sorted(keys)
    store.delete_each([*keys, "jobs/none"], lambda: None)
    assert list(store.keys("jobs")) == []


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_outlives_its_last_object(login: Login, folder: Path, name: str) -> None:
    """versitygw removes an empty folder, and a put at that moment fails or is lost (5 of 5,800)."""
    store = login("root")
    store.put(f"{name}/a", b"x")
    store.delete(f"{name}/a")
    assert (folder / "data" / "parley" / name).is_dir()
    assert list(store.keys(name)) == []


def test_each_role_does_its_part_of_a_job_with_its_own_key(login: Login) -> None:
    api, keeper, worker = (login(role) for role in ("api", "keeper", "worker"))
    for store in (api, keeper, worker):
        store.check()
    index = MemoryJobStore()
    at_api, at_keeper, at_worker = (DurableJobStore(index, store) for store in (api, keeper, worker))
    new = new_job(options=JobOptions(retain_seconds=0, retain_audio_seconds=0))
    again = new_job(options=JobOptions(retain_seconds=86400))
    for one in (new, again):
        asyncio.run(api.save(one.recording.key, sound(12)))  # in parts
        at_api.manifests.bind_key(one.tenant, IdempotencyKey(one.id, "d"), one.id)
        at_api.create(one, IdempotencyKey(one.id, "d"))
        at_api.manifests.mark_unrecorded(one.id)
        at_keeper.manifests.mark_recorded(one.id)
    at_api.cancel(again.id)
    at_api.retry(again.id)
    for one in (new, again):
        job, lease = at_worker.start_attempt(one.id, "w/1", 30) or pytest.fail("the job does not start")
        with worker.fetch(job.recording.key) as path:
            assert path.stat().st_size == 12 * 1024**2
        worker.put(f"{checkpoint_folder(job.id)}/a", b"c")
        assert [worker.read(key) for key in worker.keys(f"{checkpoint_folder(job.id)}/")] == [b"c"]
        worker.delete(f"{checkpoint_folder(job.id)}/a")
        key = result_key(job.id, lease.nonce)
        for stored in (key, peaks_key(key)):
            worker.put(stored, b"{}")
        at_worker.succeed(lease, ResultSummary(key, 0, 0, 0.0, {}, {}))
        assert api.read(key) == b"{}"
        assert CorrectionLog(api, key).read() == ()
        api.put(transcript_key(job.id), b"{}")
        api.put(f"keys/{job.id}.json", b"{}")
        api.put(f"voiceprints/ending/{job.id}", b"x")
        keeper.read(f"voiceprints/ending/{job.id}")
        keeper.delete(f"voiceprints/ending/{job.id}")
        at_keeper.manifests.mark_delivered(job.id, 0)
        at_api.manifests.mark_undelivered(job.id, 0)
    at_keeper.manifests.mark(HistoryMarker("h", 1))
    assert remove_recordings(at_keeper, nothing) == 1
    assert purge_expired(at_keeper, nothing) == 1
    OrphanCollector(at_keeper, keeper, 0, lambda: datetime.now(UTC)).collect(nothing)
    Inventory(keeper).find_oldest(nothing)
    assert index.get(again.id).state is JobState.SUCCEEDED
    assert set(at_api.remove(at_api.get(again.id))) == {"recording", "result", "transcript", "record"}
    left = [key for prefix in ("recordings/", "results/", "checkpoints/") for key in login("root").keys(prefix)]
    assert left == []


def test_a_recording_arrives_in_parts_and_abandoned_ones_go(login: Login) -> None:
    api, keeper = login("api"), login("keeper")
    uploads = Uploads(api, 600)
    taken, left = (uploads.create("north", length, "visit.wav") for length in (9 * 1024**2, 7))
    assert sorted(uploads.lengths_of("north").values()) == [7, taken.length]
    assert uploads.lengths_of("south") == {}
    parts = uploads.parts(taken)
    for data in (b"a" * 5 * 1024**2, b"b" * 4 * 1024**2):
        before, parts = parts, uploads.append(taken, parts, data)
        with pytest.raises(UploadOffsetConflict):
            uploads.append(taken, before, b"of another writer")
    assert uploads.parts(uploads.find("north", taken.id)) == parts
    read = b"".join(uploads.read(taken, start) for start in parts.starts)
    assert (len(read), read[:1], read[-1:]) == (taken.length, b"a", b"b")
    uploads.append(left, uploads.parts(left), b"1234")
    uploads.remove(taken)
    assert UploadCollector(keeper, 600).collect(nothing) == 0
    assert UploadCollector(keeper, 600, lambda: datetime.now(UTC) + timedelta(hours=2)).collect(nothing) == 1
    assert list(login("root").keys("uploads/")) == []


REFUSED = {
    "a worker changes a recording": ("worker", "put", "recordings/d/a"),
    "a worker removes a recording": ("worker", "delete", "recordings/d/a"),
    "a worker changes what was accepted": ("worker", "put", "jobs/d/a/manifest.json"),
    "a worker says that a job is purged": ("worker", "put", "jobs/d/a/purged"),
    "a worker removes an end": ("worker", "delete", "jobs/d/a/end-0.json"),
    "a worker begins a run": ("worker", "put", "jobs/d/a/retry-1"),
    "a worker makes itself an API key": ("worker", "put", "keys/a.json"),
    "a worker reads API keys": ("worker", "read", "keys/a.json"),
    "a worker reads voiceprints that end": ("worker", "read", "voiceprints/ending/a"),
    "a worker reads results": ("worker", "read", "results/d/a/1.json"),
    "a worker makes a link to a job": ("worker", "put", "results/d/a/shares/b.json"),
    "a worker corrects a result": ("worker", "put", "results/d/a/1.corrections/00000001.json"),
    "a worker removes a transcript": ("worker", "delete", "results/d/a/transcript"),
    "a worker writes elsewhere": ("worker", "put", "anything"),
    "a worker reads an upload": ("worker", "read", "uploads/t/u/0"),
    "a keeper reads an upload": ("keeper", "read", "uploads/t/u/0"),
    "a keeper reads a recording": ("keeper", "read", "recordings/d/a"),
    "a keeper changes a recording": ("keeper", "put", "recordings/d/a"),
    "a keeper makes itself an API key": ("keeper", "put", "keys/a.json"),
    "a keeper reads API keys": ("keeper", "read", "keys/a.json"),
    "an API moves the marker of history": ("api", "put", "history/marker.json"),
    "an API reads checkpoints": ("api", "read", "checkpoints/d/a/1"),
}


@pytest.mark.parametrize(("role", "call", "key"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_role_does_not_need_is_refused(login: Login, role: str, call: str, key: str) -> None:
    root, store = login("root"), login(role)
    root.put(key, b"kept")
    with pytest.raises(ObjectStoreUnavailable):
        getattr(store, call)(*((key, b"other") if call == "put" else (key,)))
    assert root.read(key) == b"kept"
    root.delete(key)


def test_a_server_that_does_not_know_the_user_or_the_bucket_is_not_one_without_objects(
    login: Login, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While users change, versitygw answers 404 to those that it does not know."""
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.0)
    login("root").put("checks/known", b"x")
    unknown = {"AWS_ACCESS_KEY_ID": SecretStr("nobody"), "AWS_SECRET_ACCESS_KEY": SecretStr("k" * 20)}
    root = {"AWS_ACCESS_KEY_ID": "access-key", "AWS_SECRET_ACCESS_KEY": "secret-key"}
    known = {name: SecretStr((folder / "root" / file).read_text()) for name, file in root.items()}
    for store in (RemoteStore("s3://parley", unknown), RemoteStore("s3://elsewhere", known)):
        for call in (
            lambda store=store: store.read("checks/known"),
            lambda store=store: store.put("checks/x", b"x"),
            lambda store=store: store.create("checks/y", b"x"),
            lambda store=store: store.delete("checks/known"),
            lambda store=store: store.delete_each(["checks/known", "checks/x"], nothing),
            lambda store=store: store.keys("checks/"),
        ):
            with pytest.raises(ObjectStoreUnavailable):
                call()
    assert login("root").read("checks/known") == b"x"
    with pytest.raises(KeyError):
        login("root").read("checks/none")


@pytest.mark.parametrize("call", ["put", "create", "read"])
def test_a_server_that_will_know_the_user_is_waited_for(login: Login, folder: Path, call: str) -> None:
    login("root").put("checks/known", b"x")
    users = folder / "users" / "users.json"
    added = json.loads(users.read_text())
    secret = "k" * 20
    added["accessAccounts"][f"new-{call}"] = {"access": f"new-{call}", "secret": secret, "role": "admin"}
    store = RemoteStore(
        "s3://parley", {"AWS_ACCESS_KEY_ID": SecretStr(f"new-{call}"), "AWS_SECRET_ACCESS_KEY": SecretStr(secret)}
    )
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: store.put("checks/x", b"x"),
        "create": lambda: store.create(f"checks/{uuid4().hex}", b"x"),
        "read": lambda: store.read("checks/known"),
    }
    with ThreadPoolExecutor() as thread:
        asked = thread.submit(calls[call])
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.5)
        whole = users.with_suffix(".new")
        whole.write_text(json.dumps(added))
        whole.replace(users)
        assert asked.result() in (None, True, b"x")


def test_a_policy_for_a_bucket_of_ones_own_names_the_prefix_and_the_role() -> None:
    command = [sys.executable, str(RIGHTS), "policy", "records/parley", "worker=arn:aws:iam::1:role/worker"]
    policy = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert all(statement["Principal"] == {"AWS": ["arn:aws:iam::1:role/worker"]} for statement in policy["Statement"])
    listing, *others = [statement["Resource"] for statement in policy["Statement"]]
    assert listing == ["arn:aws:s3:::records"]
    assert all(one.startswith("arn:aws:s3:::records/parley/") for resources in others for one in resources)
    assert subprocess.run([sys.executable, str(RIGHTS), "policy", "b", "other=x"], check=False).returncode == 2
