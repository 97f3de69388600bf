"""What the keeper measures in the object store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage.manifests import Manifests
from parley_keeper import inventory as inventory_module
from parley_keeper.inventory import Inventory
from tests.support.fakes import MemoryRecordingStore, new_job


def nothing() -> None:
    """No progress to note."""


def values(inventory: Inventory) -> dict[str, float]:
    return {sample.name: sample.value for metric in inventory.metrics() for sample in metric.samples}


@pytest.fixture
def objects() -> MemoryRecordingStore:
    return MemoryRecordingStore()


def test_nothing_is_known_before_the_first_round(objects: MemoryRecordingStore) -> None:
    assert values(Inventory(objects)) == {}


def test_the_backlog_is_counted_to_its_bound(objects: MemoryRecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = Inventory(objects)
    inventory.count_backlog(nothing)
    assert values(inventory) == {"parley_keeper_unrecorded_jobs": 0}
    for _ in range(3):
        Manifests(objects).mark_unrecorded(new_job().id)
    inventory.count_backlog(nothing)
    assert values(inventory) == {"parley_keeper_unrecorded_jobs": 3}
    monkeypatch.setattr(inventory_module, "COUNTED", 2)
    inventory.count_backlog(nothing)
    assert values(inventory) == {"parley_keeper_unrecorded_jobs": 2}


def test_an_object_store_that_is_down_leaves_the_values_out(objects: MemoryRecordingStore) -> None:
    inventory = Inventory(objects)
    inventory.count_backlog(nothing)
    objects.put(new_job().recording.key, b"sound")
    inventory.find_oldest(nothing)
    assert len(values(inventory)) == 2
    objects.available = False
    for task in (inventory.count_backlog, inventory.find_oldest):
        with pytest.raises(ObjectStoreUnavailable):
            task(nothing)
    assert values(inventory) == {}


def test_the_oldest_recording_is_found_by_its_id(objects: MemoryRecordingStore) -> None:
    inventory = Inventory(objects, now=lambda: datetime.now(UTC) + timedelta(days=3))
    for new in (new_job(), new_job()):
        objects.put(new.recording.key, b"sound")
    inventory.find_oldest(nothing)
    (age,) = values(inventory).values()
    assert timedelta(days=3).total_seconds() <= age < timedelta(days=3, hours=1).total_seconds()
    objects.objects.clear()
    inventory.find_oldest(nothing)
    assert values(inventory) == {}
