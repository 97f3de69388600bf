"""What the keeper removes, and above all what it does not."""

from __future__ import annotations

import pytest

from parley_api.keeper.retention import ORPHAN_SECONDS, PLAUSIBLE_ORPHANS, Sweeper, purge_expired
from parley_core.errors import JobPurged, ObjectStoreUnavailable
from parley_core.job import JobOptions, JobState, ResultSummary
from parley_core.testing import MemoryJobStore, MemoryJournal, MemoryRecordingStore, new_job


class House:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.store = MemoryJobStore(now=lambda: self.now)
        self.objects = MemoryRecordingStore()
        self.journal = MemoryJournal(self.objects)
        self.sweeper = Sweeper(self.store, self.objects, self.journal, now=lambda: self.now)

    def finished(self, retain_seconds: int = 10, tokens: int = 1) -> str:
        """A succeeded job with its recording and a result of each attempt."""
        new = new_job(options=JobOptions(retain_seconds=retain_seconds))
        self.objects.put(new.recording.key, b"sound")
        self.store.create(new)
        started = self.store.start_attempt(new.id, "w", 30)
        assert started
        for token in range(1, tokens + 1):
            self.objects.put(f"results/{new.id}/{token}.json", b"{}")
        self.store.succeed(started[1], ResultSummary(f"results/{new.id}/1.json", 0, 0, 0.0, {}, {}))
        return new.id

    def sweep_twice(self) -> int:
        first = self.sweeper.sweep()
        self.now += ORPHAN_SECONDS
        return first + self.sweeper.sweep()


@pytest.fixture
def house() -> House:
    return House()


def test_a_job_is_purged_with_all_its_objects_when_its_retention_is_over(house: House) -> None:
    job_id, kept = house.finished(), house.finished(retain_seconds=1000)
    assert purge_expired(house.store, house.objects) == 0
    house.now += 11
    assert purge_expired(house.store, house.objects) == 1
    with pytest.raises(JobPurged):
        house.store.get(job_id)
    assert sorted(house.objects.objects) == sorted([f"recordings/{kept}", f"results/{kept}/1.json"])


def test_a_purge_that_cannot_remove_the_objects_keeps_the_record_to_try_again(house: House) -> None:
    job_id = house.finished()
    house.now += 11
    house.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        purge_expired(house.store, house.objects)
    house.objects.available = True
    assert house.store.get(job_id).state is JobState.SUCCEEDED
    assert purge_expired(house.store, house.objects) == 1
    assert house.objects.objects == {}


def test_a_recording_of_no_job_is_removed_after_an_hour_and_not_before(house: House) -> None:
    house.objects.put("recordings/nobodys", b"sound")
    assert house.sweeper.sweep() == 0
    house.now += ORPHAN_SECONDS - 1
    assert house.sweeper.sweep() == 0
    house.now += 1
    assert house.sweeper.sweep() == 1
    assert house.objects.objects == {}


def test_a_recording_whose_record_came_late_stays(house: House) -> None:
    new = new_job()
    house.objects.put(new.recording.key, b"sound")
    house.sweeper.sweep()
    house.store.create(new)
    house.now += ORPHAN_SECONDS
    assert house.sweeper.sweep() == 0
    assert new.recording.key in house.objects.objects


def test_a_second_upload_that_the_job_does_not_use_is_removed(house: House) -> None:
    job_id = house.finished(retain_seconds=10_000)
    house.objects.put(f"recordings/{job_id}_again", b"sound")
    assert house.sweep_twice() == 1
    assert f"recordings/{job_id}" in house.objects.objects


def test_what_the_journal_knows_stays(house: House) -> None:
    new = new_job()
    house.objects.put(new.recording.key, b"sound")
    house.journal.add(new, None)
    assert house.sweep_twice() == 0


def test_of_a_finished_job_only_the_committed_result_stays(house: House) -> None:
    job_id = house.finished(retain_seconds=10_000, tokens=3)
    assert house.sweep_twice() == 2
    assert sorted(house.objects.objects) == [f"recordings/{job_id}", f"results/{job_id}/1.json"]


def test_results_of_a_job_that_still_runs_stay(house: House) -> None:
    new = new_job()
    house.store.create(new)
    house.store.start_attempt(new.id, "w", 30)
    house.objects.put(f"results/{new.id}/1.json", b"{}")
    assert house.sweep_twice() == 0


def test_objects_of_a_purged_job_are_removed(house: House) -> None:
    job_id = house.finished()
    house.store.purge(job_id)
    assert house.sweep_twice() == 2
    assert house.objects.objects == {}


def test_a_store_without_records_does_not_cost_the_recordings(house: House) -> None:
    for number in range(PLAUSIBLE_ORPHANS + 1):
        house.objects.put(f"recordings/{number}", b"sound")
    assert house.sweep_twice() == 0
    assert len(house.objects.objects) == PLAUSIBLE_ORPHANS + 1
