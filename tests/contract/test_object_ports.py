"""Every RecordingStore and Journal keeps these promises: on a folder and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from parley_core.errors import IdempotencyKeyReused, RecordingTooLarge
from parley_core.job import IdempotencyKey
from parley_core.ports import Journal, RecordingStore
from parley_core.storage.journal import ObjectJournal
from parley_core.storage.objects import ObjectStore
from tests.support.fakes import MemoryJournal, MemoryRecordingStore, new_job


@pytest.fixture(params=["folder", "memory"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RecordingStore, Journal]:
    if request.param == "memory":
        memory = MemoryRecordingStore()
        return memory, MemoryJournal(memory)
    store = ObjectStore(f"file://{tmp_path}/objects with space")
    return store, ObjectJournal(store)


@pytest.fixture
def store(ports: tuple[RecordingStore, Journal]) -> RecordingStore:
    return ports[0]


@pytest.fixture
def journal(ports: tuple[RecordingStore, Journal]) -> Journal:
    return ports[1]


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


def test_what_is_not_there_is_a_key_error(store: RecordingStore) -> None:
    with pytest.raises(KeyError):
        store.read("results/none")
    with pytest.raises(KeyError), store.fetch("results/none"):
        pass


def test_the_check_leaves_nothing_behind(store: RecordingStore) -> None:
    store.check()
    assert list(store.keys("checks/")) == []


def test_the_journal_gives_back_what_was_accepted(journal: Journal) -> None:
    new, key = new_job(), IdempotencyKey("k", "d")
    journal.add(new, key)
    journal.add(other := new_job(), None)
    assert journal.find(new.id) == new
    entries = {entry[0].id: entry for entry in journal.entries()}
    assert entries == {new.id: (new, key), other.id: (other, None)}
    journal.remove(new.id)
    journal.remove(new.id)
    assert journal.find(new.id) is None


def test_the_journal_binds_a_key_to_the_first_job(journal: Journal) -> None:
    assert journal.remember_key("t", IdempotencyKey("k", "d"), "job-1") == "job-1"
    assert journal.remember_key("t", IdempotencyKey("k", "d"), "job-2") == "job-1"
    assert journal.remember_key("other tenant", IdempotencyKey("k", "d"), "job-2") == "job-2"
    with pytest.raises(IdempotencyKeyReused):
        journal.remember_key("t", IdempotencyKey("k", "other"), "job-3")
