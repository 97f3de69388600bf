"""What the keeper removes, and above all what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import (
    JobNotRetryable,
    JobPurged,
    JobStoreUnavailable,
    JobStoreUnusable,
    ObjectStoreUnavailable,
    RecordUnreadable,
)
from parley_core.job import Job, JobOptions, JobState, NewJob, ResultSummary
from parley_core.job_id import day_of
from parley_core.recording import checkpoint_folder, recording_key, result_folder
from parley_core.storage.manifests import BEGINNING
from parley_keeper.loop import NoteProgress
from parley_keeper.orphans import OrphanCollector
from parley_keeper.reconciliation import Reconciler
from parley_keeper.retention import purge_expired, remove_recordings
from tests.support.fakes import MemoryJobStore, MemoryRecordingStore, new_job

RETAIN = 7 * 86400
LATER = timedelta(days=30)


def nothing() -> None:
    """No progress to note."""


class KeeperFixture:
    def __init__(self) -> None:
        self.moved = timedelta()
        self.index = MemoryJobStore(now=lambda: self.now().timestamp())
        self.objects = MemoryRecordingStore(self.now)
        self.store = DurableJobStore(self.index, self.objects)
        self.collector = OrphanCollector(self.store, self.objects, RETAIN, self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def pass_by(self, seconds: float) -> None:
        self.moved += timedelta(seconds=seconds)

    def accepted(self, retain_seconds: int | None = 10, retain_audio_seconds: int | None = None) -> NewJob:
        options = JobOptions(retain_seconds=retain_seconds, retain_audio_seconds=retain_audio_seconds)
        new = new_job(options=options)
        self.objects.put(new.recording.key, b"sound")
        self.store.create(new)
        return new

    def finished(
        self, retain_seconds: int | None = 10, results: int = 1, retain_audio_seconds: int | None = None
    ) -> str:
        """A succeeded job with its recording and a result of each attempt."""
        new = self.accepted(retain_seconds, retain_audio_seconds)
        started = self.store.start_attempt(new.id, "w", 30)
        assert started
        for number in range(1, results + 1):
            self.objects.put(f"{result_folder(new.id)}/{number}.json", b"{}")
        self.store.succeed(started[1], ResultSummary(f"{result_folder(new.id)}/1.json", 0, 0, 0.0, {}, {}))
        return new.id

    def sounds(self) -> list[str]:
        """Recordings and results that are left."""
        return sorted(key for key in self.objects.objects if key.startswith(("recordings/", "results/")))

    def purge(self) -> int:
        return purge_expired(self.store, nothing, self.now)

    def remove_recordings(self) -> int:
        return remove_recordings(self.store, nothing, self.now)

    def collect(self) -> int:
        return self.collector.collect(nothing)


@pytest.fixture
def fixture() -> KeeperFixture:
    return KeeperFixture()


def test_a_job_is_purged_with_all_its_objects_when_its_retention_is_over(fixture: KeeperFixture) -> None:
    job_id, kept = fixture.finished(results=3), fixture.finished(retain_seconds=1000)
    assert fixture.purge() == 0
    fixture.pass_by(11)
    assert fixture.purge() == 1
    with pytest.raises(JobPurged):
        fixture.store.get(job_id)
    assert fixture.sounds() == sorted([recording_key(kept), f"{result_folder(kept)}/1.json"])
    assert [key for key in fixture.objects.objects if job_id in key] == [f"jobs/{day_of(job_id)}/{job_id}/purged"]


def test_a_purge_that_cannot_remove_the_objects_is_done_again(fixture: KeeperFixture) -> None:
    job_id = fixture.finished()
    fixture.pass_by(11)
    fixture.objects.available = False
    with pytest.raises(ObjectStoreUnavailable):
        fixture.purge()
    fixture.objects.available = True
    assert fixture.store.get(job_id).state is JobState.SUCCEEDED
    fixture.pass_by(61)  # the claim has lapsed
    assert fixture.purge() == 1
    assert fixture.sounds() == []


@pytest.mark.parametrize("hours", [2, -2])
def test_nothing_is_purged_while_the_clocks_differ(fixture: KeeperFixture, hours: int) -> None:
    """A Redis whose clock is years ahead would take every retention for over."""
    fixture.finished()
    fixture.pass_by(11)
    with pytest.raises(JobStoreUnusable, match="clock"):
        purge_expired(fixture.store, nothing, lambda: fixture.now() - timedelta(hours=hours))
    assert len(fixture.sounds()) == 2
    assert purge_expired(fixture.store, nothing, lambda: fixture.now() - timedelta(minutes=50)) == 1


def test_a_round_goes_on_until_nothing_is_due_and_two_keepers_share_it(fixture: KeeperFixture) -> None:
    for _ in range(450):
        fixture.finished()
    fixture.pass_by(11)
    claimed = fixture.store.claim_expired(100)
    assert len(claimed) == 100, "another keeper is at work on these"
    assert fixture.purge() == 350
    fixture.pass_by(61)
    assert fixture.purge() == 100, "and died"


def test_a_job_that_is_tried_again_keeps_its_objects(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    new = fixture.accepted(retain_seconds=0)
    claims = iter([[fixture.store.cancel(new.id)]])
    fixture.store.retry(new.id)
    monkeypatch.setattr(fixture.store, "claim_expired", lambda limit: next(claims, []))
    assert fixture.purge() == 0
    assert fixture.sounds() == [new.recording.key]
    assert fixture.store.get(new.id).state is JobState.QUEUED


def test_one_job_that_cannot_be_purged_delays_no_other(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = fixture.finished(), [fixture.finished() for _ in range(3)]
    forget = fixture.store.manifests.forget_each

    def fail(job_ids: Sequence[str], note_progress: NoteProgress) -> None:
        if broken in job_ids:
            raise RuntimeError("whatever a damaged job brings")
        forget(job_ids, note_progress)

    monkeypatch.setattr(fixture.store.manifests, "forget_each", fail)
    fixture.pass_by(11)
    assert fixture.purge() == 3
    assert all(recording_key(job_id) not in fixture.objects.objects for job_id in sound)


def test_a_job_that_another_keeper_removes_meanwhile_is_counted_there(
    fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [fixture.finished() for _ in range(3)]
    fixture.pass_by(11)
    forget = fixture.store.manifests.forget_each

    def forget_slowly(job_ids: Sequence[str], note_progress: NoteProgress) -> None:
        forget(job_ids, note_progress)
        fixture.index.purge(ids[0])

    monkeypatch.setattr(fixture.store.manifests, "forget_each", forget_slowly)
    assert fixture.purge() == 2


@pytest.mark.parametrize("calls", range(12))
def test_a_purge_that_is_broken_off_has_left_its_tombstone_first_and_is_done_again(
    fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Whatever is gone after some calls of the object store, nothing brings the jobs back."""
    ids = [fixture.finished() for _ in range(2)]
    before, left = dict(fixture.objects.objects), [calls]
    fixture.pass_by(11)

    def require_available(store: MemoryRecordingStore) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise ObjectStoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryRecordingStore, "_require_available", require_available)
        with pytest.raises(ObjectStoreUnavailable):
            fixture.purge()
    if before.keys() - fixture.objects.objects.keys():
        assert all(f"jobs/{day_of(job_id)}/{job_id}/purged" in fixture.objects.objects for job_id in ids)
    fixture.pass_by(61)
    assert fixture.purge() == 2
    assert fixture.sounds() == []


def test_a_recording_that_no_manifest_knows_is_kept_and_counted(fixture: KeeperFixture) -> None:
    fixture.objects.put("recordings/undated/nobodys", b"sound")
    fixture.objects.put("recordings/2020-01-01/nobodys", b"sound")
    fixture.moved = LATER
    assert fixture.collect() == 0
    assert fixture.collector.kept == 2
    assert len(fixture.sounds()) == 2


def test_what_is_owed_is_kept_whatever_redis_says(fixture: KeeperFixture) -> None:
    waiting, ended = fixture.accepted(), fixture.finished(retain_seconds=365 * 86400)
    fixture.index.roll_back(MemoryJobStore().snapshot())
    fixture.moved = LATER
    assert fixture.collect() == 0
    assert fixture.collector.kept == 0
    assert recording_key(waiting.id) in fixture.sounds()
    assert recording_key(ended) in fixture.sounds()


def test_objects_of_an_expired_job_without_a_record_are_removed(fixture: KeeperFixture) -> None:
    fixture.finished()
    fixture.index.roll_back(MemoryJobStore().snapshot())
    fixture.moved = timedelta(seconds=RETAIN)
    assert fixture.collect() == 0, "the day is not over for good"
    fixture.moved = LATER
    assert fixture.collect() == 2
    assert fixture.sounds() == []


def test_a_recorded_job_is_the_purges_to_remove(fixture: KeeperFixture) -> None:
    fixture.finished()
    fixture.moved = LATER
    assert fixture.collect() == 0
    assert fixture.purge() == 1


def test_what_a_purge_has_left_is_removed(fixture: KeeperFixture) -> None:
    job_id = fixture.finished()
    fixture.store.remove(fixture.store.get(job_id))
    fixture.objects.put(f"{result_folder(job_id)}/late.json", b"{}")  # a worker that slept through it all
    fixture.objects.put(recording_key(job_id, "again"), b"sound")
    fixture.moved = LATER
    assert fixture.collect() == 2
    assert fixture.sounds() == []


def test_tombstones_of_days_long_past_go_and_nothing_else(fixture: KeeperFixture) -> None:
    purged, left_over, kept = fixture.finished(), fixture.finished(), fixture.finished(retain_seconds=365 * 86400)
    for job_id in (purged, left_over):
        fixture.store.remove(fixture.store.get(job_id))
    fixture.objects.put(recording_key(left_over), b"sound")  # nobody looked for two months
    tombstones = {f"jobs/{day_of(job_id)}/{job_id}/purged" for job_id in (purged, left_over)}
    before = {key for key in fixture.objects.objects if key.startswith("jobs/")}
    fixture.moved = timedelta(seconds=RETAIN) + timedelta(days=29)
    fixture.collect()
    assert tombstones < set(fixture.objects.objects)
    fixture.objects.put(recording_key(left_over), b"sound")
    fixture.moved += timedelta(days=2)
    fixture.collect()
    assert {key for key in fixture.objects.objects if key.startswith("jobs/")} == before - tombstones
    assert recording_key(left_over) not in fixture.objects.objects, "condemned before its tombstone went"
    assert list(fixture.objects.keys("changes/")) == []
    assert fixture.store.get(kept).state is JobState.SUCCEEDED


def test_a_late_purge_leaves_its_tombstone_for_as_long(fixture: KeeperFixture) -> None:
    job_id = fixture.finished(retain_seconds=365 * 86400)
    fixture.moved = timedelta(days=100)
    fixture.store.remove(fixture.store.get(job_id))
    fixture.collect()
    assert f"jobs/{day_of(job_id)}/{job_id}/purged" in fixture.objects.objects
    assert list(fixture.objects.keys("changes/"))


def test_checkpoints_go_with_the_end_and_stay_until_then(fixture: KeeperFixture) -> None:
    running, ended = fixture.accepted().id, fixture.finished()
    for job_id in (running, ended):
        fixture.objects.put(f"{checkpoint_folder(job_id)}/embedding-00000000", b"{}")
    assert fixture.collect() == 1
    assert list(fixture.objects.keys("checkpoints/")) == [f"{checkpoint_folder(running)}/embedding-00000000"]


def test_a_purge_removes_checkpoints(fixture: KeeperFixture) -> None:
    job_id = fixture.finished()
    fixture.objects.put(f"{checkpoint_folder(job_id)}/embedding-00000000", b"{}")
    fixture.store.remove(fixture.store.get(job_id))
    assert list(fixture.objects.keys("checkpoints/")) == []


def test_a_job_whose_end_cannot_be_read_is_kept(fixture: KeeperFixture) -> None:
    job_id = fixture.finished()
    fixture.objects.put(f"jobs/{day_of(job_id)}/{job_id}/end-0.json", b"nonsense")
    fixture.index.roll_back(MemoryJobStore().snapshot())
    fixture.moved = LATER
    assert fixture.collect() == 0
    assert len(fixture.sounds()) == 2


def test_a_job_whose_record_cannot_be_read_is_kept(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    fixture.finished()

    def refuse(job_id: str) -> Job:
        raise RecordUnreadable("written by a newer version")

    monkeypatch.setattr(fixture.index, "get", refuse)
    fixture.moved = LATER
    assert fixture.collect() == 0
    assert len(fixture.sounds()) == 2


HOUR = 3600


def test_a_recording_goes_when_its_own_time_is_over_and_the_rest_stays(fixture: KeeperFixture) -> None:
    at_once, later = fixture.finished(HOUR, retain_audio_seconds=0), fixture.finished(HOUR, retain_audio_seconds=60)
    whole = fixture.finished(HOUR)
    assert fixture.remove_recordings() == 1
    assert fixture.store.get(at_once).recording_removed
    fixture.pass_by(61)
    assert fixture.remove_recordings() == 1
    job = fixture.store.get(later)
    assert (job.recording_removed, job.state) == (True, JobState.SUCCEEDED)
    assert fixture.sounds() == sorted(
        [recording_key(whole), *(f"{result_folder(job_id)}/1.json" for job_id in (at_once, later, whole))]
    )
    assert fixture.store.remove(job) == ("result", "record")
    fixture.pass_by(HOUR)
    assert fixture.purge() == 2
    assert fixture.sounds() == []


def test_a_lost_redis_neither_keeps_nor_brings_back_a_recording(fixture: KeeperFixture) -> None:
    gone, due = fixture.finished(HOUR, retain_audio_seconds=0), fixture.finished(HOUR, retain_audio_seconds=60)
    fixture.remove_recordings()
    fixture.index.available = False
    assert fixture.store.get(gone).recording_removed
    with pytest.raises(JobStoreUnavailable):
        fixture.remove_recordings()
    fixture.index.available = True
    fixture.index.roll_back(MemoryJobStore().snapshot())
    fixture.pass_by(61)
    Reconciler(fixture.store).reconcile(BEGINNING, nothing)
    assert fixture.remove_recordings() == 2, "the keeper looks again after those that it may have left half removed"
    assert all(fixture.store.get(job_id).recording_removed for job_id in (gone, due))
    assert fixture.index.tenant_load(fixture.store.get(due).tenant).stored_bytes == 0


def test_a_retry_that_redis_has_forgotten_keeps_its_recording(fixture: KeeperFixture) -> None:
    new = fixture.accepted(HOUR, retain_audio_seconds=60)
    fixture.store.cancel(new.id)
    before = fixture.index.snapshot()
    fixture.store.retry(new.id)
    fixture.index.roll_back(before)
    fixture.pass_by(61)
    assert fixture.remove_recordings() == 0
    assert fixture.sounds() == [new.recording.key]


def test_the_record_alone_condemns_no_recording(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that lists jobs too early, or jobs without that option, costs nothing."""
    whole, later = fixture.finished(HOUR), fixture.finished(HOUR, retain_audio_seconds=3 * HOUR)
    claims = iter([[fixture.store.get(whole), fixture.store.get(later)], []])
    monkeypatch.setattr(fixture.store, "claim_recordings", lambda limit: next(claims))
    assert fixture.remove_recordings() == 0
    assert len(fixture.sounds()) == 4


@pytest.mark.parametrize("forgotten", [False, True], ids=["recorded", "forgotten by Redis"])
def test_a_job_without_its_recording_is_not_tried_again(fixture: KeeperFixture, forgotten: bool) -> None:
    new = fixture.accepted(HOUR, retain_audio_seconds=0)
    fixture.store.cancel(new.id)
    before = fixture.index.snapshot()
    assert fixture.remove_recordings() == 1
    if forgotten:
        fixture.index.roll_back(before)
    with pytest.raises(JobNotRetryable, match="Submit it as a new job"):
        fixture.store.retry(new.id)
    assert fixture.store.get(new.id).state is JobState.CANCELLED
    assert fixture.store.manifests.trace(new.id).run == 0, "nothing was begun"


def test_a_removal_that_was_broken_off_is_done_again(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = fixture.finished(HOUR, retain_audio_seconds=0)
    monkeypatch.setattr(fixture.objects, "delete", lambda key: (_ for _ in ()).throw(ObjectStoreUnavailable("away")))
    with pytest.raises(ObjectStoreUnavailable):
        fixture.remove_recordings()
    monkeypatch.undo()
    assert recording_key(job_id) in fixture.sounds()
    fixture.pass_by(61)
    assert fixture.remove_recordings() == 1
    assert recording_key(job_id) not in fixture.sounds()
