"""Every RecordingStore keeps these promises: on a folder and in memory."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from parley_core.errors import RecordingTooLarge
from parley_core.ports import RecordingStore
from parley_core.storage import folder
from parley_core.storage.folder import FolderStore
from tests.support.fakes import MemoryRecordingStore


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RecordingStore:
    if request.param == "memory":
        return MemoryRecordingStore()
    return FolderStore(tmp_path / "objects with space")


async def chunks(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if error:
        raise error


def save(store: RecordingStore, key: str, stream: AsyncIterator[bytes]) -> None:
    async def run() -> None:
        await store.save(key, stream)
        await anyio.sleep(0.1)

    anyio.run(run)


def test_a_stream_is_stored_and_fetched_as_a_file(store: RecordingStore) -> None:
    save(store, "recordings/a", chunks(b"x" * 6_000_000, b"y"))
    with store.fetch("recordings/a") as path:
        assert path.read_bytes() == b"x" * 6_000_000 + b"y"


def test_a_stream_that_raises_leaves_nothing_and_keeps_its_own_error(store: RecordingStore) -> None:
    with pytest.raises(RecordingTooLarge):
        save(store, "recordings/a", chunks(b"x" * 6_000_000, error=RecordingTooLarge("too large")))
    assert store.keys("recordings/") == []


def test_small_objects_are_written_read_listed_and_deleted(store: RecordingStore) -> None:
    store.put("results/a/1.json", b"{}")
    store.put("resultsx/b", b"other folder")
    assert store.read("results/a/1.json") == b"{}"
    assert list(store.keys("results/")) == ["results/a/1.json"]
    store.delete("results/a/1.json")
    store.delete("results/a/1.json")
    assert list(store.keys("results/")) == []


@pytest.mark.parametrize("number", [1, 3, 30])
def test_many_objects_are_stored_listed_and_deleted_together(store: RecordingStore, number: int) -> None:
    keys, noted = [f"jobs/a/{place}/purged" for place in range(number)], list[None]()
    store.put_each(keys, b"", lambda: noted.append(None))
    assert len(noted) >= number
    assert sorted(store.keys_each(["jobs/a/", "jobs/none/"], lambda: None)) == sorted(keys)
    assert store.read(keys[-1]) == b""
    store.put("jobs/b/kept", b"x")
    store.delete_each([*keys, "jobs/a/none"], lambda: noted.append(None))
    assert len(noted) >= 2 * number
    assert list(store.keys("jobs/")) == ["jobs/b/kept"]


def test_a_folder_keeps_no_empty_folders_of_jobs(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "objects")
    for key in ("results/2026-11-27/a/1.json", "results/2026-11-27/b/1.json", "jobs/2026-11-27/a/purged"):
        store.put(key, b"x")
    store.delete("results/2026-11-27/a/1.json")
    store.delete("jobs/2026-11-27/a/purged")
    left = sorted(str(path.relative_to(tmp_path / "objects")) for path in (tmp_path / "objects").rglob("*/*"))
    assert left == ["jobs/2026-11-27", "results/2026-11-27", "results/2026-11-27/b", "results/2026-11-27/b/1.json"]
    store.put("jobs/2026-11-27/a/purged", b"x")
    assert store.read("jobs/2026-11-27/a/purged") == b"x"


def test_puts_and_deletes_of_the_only_jobs_of_a_day_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "objects")

    def put_and_delete(number: int) -> None:
        for turn in range(150):
            store.put(f"jobs/2026-11-27/{number}-{turn}/manifest", b"x")
            store.delete(f"jobs/2026-11-27/{number}-{turn}/manifest")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put_and_delete, range(8)))


@pytest.mark.skipif(sys.platform != "linux", reason="syncfs(2) is Linux's")
def test_many_objects_in_a_folder_share_a_flush_and_a_few_have_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, flushed, files = FolderStore(tmp_path / "objects"), list[str](), list[int]()
    flush, flush_all, flush_file = folder.fsync, folder.flush_file_system, os.fsync
    monkeypatch.setattr(folder, "fsync", lambda path: flushed.append(path.name) or flush(path))
    monkeypatch.setattr(folder, "flush_file_system", lambda path: flushed.append("all") or flush_all(path))
    monkeypatch.setattr(os, "fsync", lambda file: files.append(os.fstat(file).st_size) or flush_file(file))
    store.put_each(["jobs/a/purged"], b"bytes", lambda: None)
    assert (files[0], flushed) == (5, ["a", "jobs", "objects"])
    flushed.clear()
    store.put_each([f"jobs/{number}/purged" for number in range(folder.FLUSHED_AT_ONCE)], b"", lambda: None)
    assert flushed == ["all"]


def test_a_put_flushes_the_names_that_may_be_missing_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, flush, flushed = FolderStore(tmp_path / "objects"), folder.fsync, list[str]()
    monkeypatch.setattr(folder, "fsync", lambda path: flushed.append(path.name) or flush(path))

    def flushed_by(call: Callable[[], object]) -> list[str]:
        flushed.clear()
        call()
        return flushed.copy()

    assert flushed_by(lambda: store.put("jobs/day/a/end", b"x")) == ["a", "day", "jobs", "objects"]
    assert flushed_by(lambda: store.put("jobs/day/b/end", b"x")) == ["b", "day"], "the folder of a job may be new"
    assert flushed_by(lambda: store.create("jobs/other/a/end", b"x")) == ["end", "a", "other", "jobs"]
    assert flushed_by(lambda: store.put("changes/day/a", b"x")) == ["day", "changes", "objects"]
    store.delete("changes/day/a")
    assert flushed_by(lambda: store.put("changes/day/b", b"x")) == ["day", "changes"], "the delete has removed the day"


def test_what_is_not_there_is_a_key_error(store: RecordingStore) -> None:
    with pytest.raises(KeyError):
        store.read("results/none")
    with pytest.raises(KeyError), store.fetch("results/none"):
        pass


def test_the_check_leaves_nothing_behind(store: RecordingStore) -> None:
    store.check()
    assert list(store.keys("checks/")) == []


def test_of_two_that_create_the_same_object_one_does(store: RecordingStore) -> None:
    assert store.create("jobs/a/manifest.json", b"first")
    assert not store.create("jobs/a/manifest.json", b"second")
    assert store.read("jobs/a/manifest.json") == b"first"


def test_a_listing_tells_names_lengths_and_times_and_folders(store: RecordingStore) -> None:
    for key in ("jobs/2026-11-26/a/x", "jobs/2026-11-27/b/x", "jobs/2026-11-27/c/x"):
        store.put(key, b"four")
    entries = list(store.entries("jobs/2026-11-27/"))
    assert sorted(entry.key for entry in entries) == ["jobs/2026-11-27/b/x", "jobs/2026-11-27/c/x"]
    assert {entry.bytes for entry in entries} == {4}
    assert all(abs(datetime.now(UTC) - entry.modified) < timedelta(minutes=1) for entry in entries)
    assert sorted(store.folders("jobs")) == ["jobs/2026-11-26", "jobs/2026-11-27"]
    assert list(store.folders("none")) == []


def test_what_a_killed_upload_left_is_removed_after_a_while(tmp_path: Path) -> None:
    store, staged = FolderStore(tmp_path / "objects"), tmp_path / "objects" / ".staged"
    left = staged / "of-a-killed-process"

    async def upload() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        assert store.keys("recordings") == []
        [written] = staged.iterdir()
        left.hardlink_to(written)
        yield b"y"

    save(store, "recordings/2026-11-27/whole", upload())
    assert list(staged.iterdir()) == [left]
    assert store.remove_staged(3600) == 0
    os.utime(left, (time.time() - 3601, time.time() - 3601))
    assert store.remove_staged(3600) == 1
    assert list(store.keys("recordings")) == ["recordings/2026-11-27/whole"]


def test_a_cancelled_upload_leaves_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "objects")

    async def run() -> None:
        given = asyncio.Event()

        async def upload() -> AsyncIterator[bytes]:
            yield b"x" * 8_000_000
            given.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(store.save("recordings/a", upload()))
        await given.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_listing_begins_after_a_name(store: RecordingStore) -> None:
    keys = [f"jobs/2026-11-{day}/{job}/x" for day in (25, 26, 27) for job in "abc"]
    for key in keys:
        store.put(key, b"x")
    for place, key in enumerate(keys):
        assert sorted(entry.key for entry in store.entries("jobs/", key)) == keys[place + 1 :]
    assert sorted(entry.key for entry in store.entries("jobs/", "jobs/2026-11-26")) == keys[3:]
    assert sorted(entry.key for entry in store.entries("jobs/", "jobs/2026-11-26/b/")) == keys[4:]


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "recordings/../../outside", "recordings//a", "", "a/./b"])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    store = FolderStore(tmp_path / "objects")
    (tmp_path / "outside").write_bytes(b"secret")
    for call in (store.read, store.delete, lambda key: store.put(key, b"x"), lambda key: store.create(key, b"x")):
        with pytest.raises(ValueError, match="no object can have this key"):
            call(key)
    assert (tmp_path / "outside").read_bytes() == b"secret"
