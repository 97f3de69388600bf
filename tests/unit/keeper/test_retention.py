"""What the keeper removes, and above all what it does not."""

from __future__ import annotations

import pytest

from parley_core.errors import JobPurged, ObjectStoreUnavailable
from parley_core.job import JobOptions, JobState, ResultSummary
from parley_core.recording import recording_key, result_folder
from parley_keeper.retention import ORPHAN_SECONDS, PLAUSIBLE_ORPHANS, OrphanCollector, purge_expired
from tests.support.fakes import MemoryJobStore, MemoryJournal, MemoryRecordingStore, new_job


class ApiFixture:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.store = MemoryJobStore(now=lambda: self.now)
        self.objects = MemoryRecordingStore()
        self.journal = MemoryJournal(self.objects)
        self.sweeper = OrphanCollector(self.store, self.objects, self.journal, now=lambda: self.now)

    def finished(self, retain_seconds: int = 10, tokens: int = 1) -> str:
        """A succeeded job with its recording and a result of each attempt."""
        new = new_job(options=JobOptions(retain_seconds=retain_seconds))
        self.objects.put(new.recording.key, b"sound")
        self.store.create(new)
        started = self.store.start_attempt(new.id, "w", 30)
        assert started
        for token in range(1, tokens + 1):
            self.objects.put(f"{result_folder(new.id)}/{token}.json", b"{}")
        self.store.succeed(started[1], ResultSummary(f"{result_folder(new.id)}/1.json", 0, 0, 0.0, {}, {}))
        return new.id

    def sweep_twice(self) -> int:
        first = self.sweeper.collect()
        self.now += ORPHAN_SECONDS
        return first + self.sweeper.collect()


@pytest.fixture
def fixture() -> ApiFixture:
    return ApiFixture()


def test_a_job_is_purged_with_all_its_objects_when_its_retention_is_over(fixture: ApiFixture) -> None:
    job_id, kept = fixture.finished(), fixture.finished(retain_seconds=1000)
    assert purge_expired(fixture.store, fixture.objects) == 0
    fixture.now += 11
    assert purge_expired(fixture.store, fixture.objects) == 1
    with pytest.raises(JobPurged):
        fixture.store.get(job_id)
    assert sorted(fixture.objects.objects) == sorted([recording_key(kept), f"{result_folder(kept)}/1.json"])


def test_a_purge_that_cannot_remove_the_objects_keeps_the_record_to_try_again(fixture: ApiFixture) -> None:
    job_id = fixture.finished()
    fixture.now += 11
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        purge_expired(fixture.store, fixture.objects)
    fixture.objects.available = True
    assert fixture.store.get(job_id).state is JobState.SUCCEEDED
    assert purge_expired(fixture.store, fixture.objects) == 1
    assert fixture.objects.objects == {}


def test_a_job_that_is_tried_again_keeps_its_objects(fixture: ApiFixture) -> None:
    new = new_job(options=JobOptions(retain_seconds=0))
    fixture.objects.put(new.recording.key, b"sound")
    fixture.store.create(new)
    cancelled = fixture.store.cancel(new.id)
    fixture.store.retry(new.id)
    fixture.store.expired = lambda limit: [cancelled]  # type: ignore[method-assign]
    purge_expired(fixture.store, fixture.objects)
    assert list(fixture.objects.objects) == [new.recording.key]
    assert fixture.store.get(new.id).state is JobState.QUEUED


def test_a_recording_of_no_job_is_removed_after_an_hour_and_not_before(fixture: ApiFixture) -> None:
    fixture.objects.put("recordings/undated/nobodys", b"sound")
    assert fixture.sweeper.collect() == 0
    fixture.now += ORPHAN_SECONDS - 1
    assert fixture.sweeper.collect() == 0
    fixture.now += 1
    assert fixture.sweeper.collect() == 1
    assert fixture.objects.objects == {}


def test_a_recording_whose_record_came_late_stays(fixture: ApiFixture) -> None:
    new = new_job()
    fixture.objects.put(new.recording.key, b"sound")
    fixture.sweeper.collect()
    fixture.store.create(new)
    fixture.now += ORPHAN_SECONDS
    assert fixture.sweeper.collect() == 0
    assert new.recording.key in fixture.objects.objects


def test_a_second_upload_that_the_job_does_not_use_is_removed(fixture: ApiFixture) -> None:
    job_id = fixture.finished(retain_seconds=10_000)
    fixture.objects.put(recording_key(job_id, "again"), b"sound")
    assert fixture.sweep_twice() == 1
    assert recording_key(job_id) in fixture.objects.objects


def test_what_the_journal_knows_stays(fixture: ApiFixture) -> None:
    new = new_job()
    fixture.objects.put(new.recording.key, b"sound")
    fixture.journal.add(new, None)
    assert fixture.sweep_twice() == 0


def test_of_a_finished_job_only_the_committed_result_stays(fixture: ApiFixture) -> None:
    job_id = fixture.finished(retain_seconds=10_000, tokens=3)
    assert fixture.sweep_twice() == 2
    assert sorted(fixture.objects.objects) == [recording_key(job_id), f"{result_folder(job_id)}/1.json"]


def test_results_of_a_job_that_still_runs_stay(fixture: ApiFixture) -> None:
    new = new_job()
    fixture.store.create(new)
    fixture.store.start_attempt(new.id, "w", 30)
    fixture.objects.put(f"{result_folder(new.id)}/1.json", b"{}")
    assert fixture.sweep_twice() == 0


def test_objects_of_a_purged_job_are_removed(fixture: ApiFixture) -> None:
    job_id = fixture.finished()
    fixture.store.purge(job_id)
    assert fixture.sweep_twice() == 2
    assert fixture.objects.objects == {}


def test_a_store_without_records_does_not_cost_the_recordings(fixture: ApiFixture) -> None:
    for number in range(PLAUSIBLE_ORPHANS + 1):
        fixture.objects.put(recording_key(str(number)), b"sound")
    assert fixture.sweep_twice() == 0
    assert len(fixture.objects.objects) == PLAUSIBLE_ORPHANS + 1
