"""Whatever Redis has lost, nothing accepted is lost, nothing ended runs again, nothing purged comes back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotFound, JobNotRetryable, JobPurged, ObjectStoreUnavailable, RecordUnreadable
from parley_core.job import Failure, GiveUp, History, Job, JobState, JobTrace, ResultSummary, RetryIn
from parley_core.job_id import day_of
from parley_core.redis.restoration import LOOK_AGAIN_AFTER
from parley_core.storage.manifests import HistoryMarker
from parley_keeper.maintenance import reap
from parley_keeper.reconciliation import BEGINNING, MARKER_EVERY, Reconciler, lost_since
from tests.support.fakes import MemoryJobStore, MemoryRecordingStore, id_of, new_job

NOW = datetime.now(UTC)
WHOLE = History("a", 7, NOW, same_server=True, server="s", now=NOW)


def nothing() -> None:
    """No progress to note."""


def result(name: str) -> ResultSummary:
    return ResultSummary(f"results/x/{name}.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0})


class KeeperFixture:
    def __init__(self, objects: MemoryRecordingStore | None = None) -> None:
        self.ahead = timedelta()  # of Redis's clock: time passes at once
        self.index = MemoryJobStore(lambda: time.time() + self.ahead.total_seconds())
        self.objects = objects or MemoryRecordingStore()
        self.store = DurableJobStore(self.index, self.objects)
        self.reconciler = Reconciler(self.store)

    def run_once(self) -> int:
        return self.reconciler.run_once(nothing)

    def submit(self, job_id: str | None = None) -> str:
        return self.store.create(new_job(job_id)).job.id

    def succeed(self, job_id: str) -> None:
        started = self.store.start_attempt(job_id, "w/1", 30)
        assert started is not None
        self.store.succeed(started[1], result(job_id))

    def wipe(self) -> None:
        self.index.roll_back(MemoryJobStore().snapshot())

    def states(self, ids: list[str]) -> dict[str, str]:
        """What the record says of each job."""
        found = {}
        for job_id in ids:
            try:
                found[job_id] = self.index.get(job_id).state.value
            except JobPurged:
                found[job_id] = "purged"
            except JobNotFound:
                found[job_id] = "unknown"
        return found


@pytest.fixture
def fixture() -> KeeperFixture:
    fixture = KeeperFixture()
    fixture.run_once()
    return fixture


def test_a_new_installation_has_lost_nothing(fixture: KeeperFixture) -> None:
    assert fixture.reconciler.reconciliations == 0
    fixture.submit()
    fixture.wipe()
    fixture.run_once()
    assert fixture.reconciler.reconciliations == 1


def test_a_new_installation_and_a_restart_that_loses_nothing_raise_no_alert(fixture: KeeperFixture) -> None:
    fixture.submit()
    fixture.ahead = LOOK_AGAIN_AFTER
    fixture.run_once()
    fixture.index.roll_back(fixture.index.snapshot())
    fixture.run_once()
    assert fixture.reconciler.found.looked_at
    assert fixture.reconciler.reconciliations == 0


def test_an_emptied_redis_is_told_that_traces_are_sent_before_ends_come_back(fixture: KeeperFixture) -> None:
    told: list[int] = []
    fixture.reconciler = Reconciler(fixture.store, lambda: told.append(len([*fixture.index.unfinished_ids()])))
    fixture.submit()
    fixture.run_once()
    assert told == []
    fixture.wipe()
    fixture.run_once()
    assert (told, len([*fixture.index.unfinished_ids()])) == ([0], 1)


def test_a_redis_without_voiceprints_and_jobs_is_not_new_where_a_keeper_has_left_its_marker(
    fixture: KeeperFixture,
) -> None:
    fixture.wipe()
    fixture.run_once()
    assert fixture.reconciler.reconciliations == 1


@pytest.mark.parametrize(
    ("history", "marker", "since"),
    [
        (WHOLE, HistoryMarker("a", 7), None),
        (WHOLE, HistoryMarker("a", 6), None),
        (WHOLE, None, None),
        (WHOLE, HistoryMarker("a", 8), NOW),
        (WHOLE, HistoryMarker("b", 1), BEGINNING),
        (History("b", 0, BEGINNING, same_server=False, server="s", now=NOW), None, BEGINNING),
        (History("b", 0, NOW, same_server=True, server="s", now=NOW), HistoryMarker("a", 7), BEGINNING),
        (History("a", 7, NOW, same_server=False, server="t", now=NOW), HistoryMarker("a", 7), NOW),
        (replace(WHOLE, evicted=True), HistoryMarker("a", 7), BEGINNING),
    ],
)
def test_lost_writes_are_noticed(history: History, marker: HistoryMarker | None, since: datetime | None) -> None:
    assert lost_since(history, marker) == since


def test_an_undisturbed_history_is_not_reconciled(fixture: KeeperFixture) -> None:
    before = fixture.reconciler.reconciliations
    fixture.submit()
    assert [fixture.run_once() for _ in range(3)] == [0, 0, 0]
    assert fixture.reconciler.reconciliations == before


def test_the_marker_is_read_every_ten_seconds_and_after_a_loss(
    fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[None] = []
    marker = fixture.store.manifests.marker
    monkeypatch.setattr(fixture.store.manifests, "marker", lambda: (reads.append(None), marker())[1])
    for _ in range(3):
        fixture.run_once()
    assert len(reads) == 0, "the first round of the fixture has read it"
    fixture.reconciler._marked_at -= MARKER_EVERY
    fixture.run_once()
    fixture.run_once()
    assert len(reads) == 1
    fixture.wipe()
    fixture.run_once()
    assert len(reads) == 2


def test_a_record_that_cannot_be_read_stops_no_other(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [fixture.submit() for _ in range(3)]
    get = fixture.index.get

    def refuse_first(job_id: str) -> Job:
        if job_id == jobs[0]:
            raise RecordUnreadable("written by a newer version")
        return get(job_id)

    fixture.wipe()
    monkeypatch.setattr(fixture.index, "get", refuse_first)
    found = fixture.reconciler.reconcile(BEGINNING, nothing)
    assert (found.restored, found.unreadable) == (2, 1)


def test_a_wiped_redis_has_every_job_again_as_it_was(fixture: KeeperFixture) -> None:
    waiting, succeeded, failed, cancelled, retried = (fixture.submit() for _ in range(5))
    deleted = fixture.submit()
    fixture.succeed(succeeded)
    started = fixture.store.start_attempt(failed, "w/1", 30)
    assert started is not None
    fixture.store.fail_attempt(started[1], Failure("engine_error", "It broke."), GiveUp())
    fixture.store.cancel(cancelled)
    fixture.store.cancel(retried)
    fixture.store.retry(retried)
    fixture.store.remove(fixture.store.cancel(deleted))
    known = fixture.store.get(succeeded)
    fixture.wipe()
    assert fixture.run_once() == 5
    assert fixture.states([waiting, succeeded, failed, cancelled, retried]) == {
        waiting: "accepted",
        succeeded: "succeeded",
        failed: "failed",
        cancelled: "cancelled",
        retried: "accepted",
    }
    restored = fixture.index.get(succeeded)
    assert (restored.result, len(restored.attempts)) == (known.result, len(known.attempts))
    with pytest.raises(JobPurged):
        fixture.store.get(deleted)
    assert {dispatch.job_id for dispatch in fixture.store.claim_due(10)} == {waiting, retried}
    assert fixture.run_once() == 0


def test_a_redis_rolled_back_follows_what_happened_since(fixture: KeeperFixture) -> None:
    ended, cancelled, deleted, retried = (fixture.submit() for _ in range(4))
    fixture.store.cancel(retried)
    fixture.succeed(deleted)
    fixture.run_once()
    before = fixture.index.snapshot()
    fixture.succeed(ended)
    fixture.store.cancel(cancelled)
    fixture.store.remove(fixture.store.get(deleted))
    fixture.store.retry(retried)
    new = fixture.submit()
    fixture.index.roll_back(before)
    assert fixture.run_once() > 0
    assert fixture.states([ended, cancelled, deleted, retried, new]) == {
        ended: "succeeded",
        cancelled: "cancelled",
        deleted: "purged",
        retried: "queued",
        new: "accepted",
    }


def test_a_reconciliation_broken_off_is_done_again(fixture: KeeperFixture) -> None:
    jobs = [fixture.submit() for _ in range(5)]
    fixture.wipe()
    calls = 0

    def break_off() -> None:
        nonlocal calls
        calls += 1
        fixture.objects.available = calls != 3

    with pytest.raises(ObjectStoreUnavailable):
        fixture.reconciler.run_once(break_off)
    fixture.objects.available = True
    assert fixture.run_once() == 3
    assert set(fixture.states(jobs).values()) == {"accepted"}


def test_a_document_that_cannot_be_read_stops_no_other(fixture: KeeperFixture) -> None:
    damaged, sound = fixture.submit(), [fixture.submit() for _ in range(3)]
    fixture.objects.put(f"jobs/{day_of(damaged)}/{damaged}/manifest.json", b"nonsense")
    fixture.wipe()
    found = fixture.reconciler.reconcile(BEGINNING, nothing)
    assert (found.restored, found.unreadable) == (3, 1)
    assert set(fixture.states(sound).values()) == {"accepted"}


def test_another_redis_on_the_same_objects_takes_everything_over(fixture: KeeperFixture) -> None:
    waiting, ended = fixture.submit(), fixture.submit()
    fixture.succeed(ended)
    other = KeeperFixture(fixture.objects)
    other.submit()
    assert other.run_once() == 2
    assert other.states([waiting, ended]) == {waiting: "accepted", ended: "succeeded"}
    assert other.run_once() == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_job_has_one_end_whatever_redis_forgets(seed: int) -> None:
    """Random histories with random losses: what was promised and what was seen as an end stays."""
    rng = random.Random(seed)
    fixture = KeeperFixture()
    fixture.run_once()
    accepted: list[str] = []
    ends: dict[str, str] = {}
    snapshots = [fixture.index.snapshot()]
    for _ in range(120):
        act = rng.randrange(8)
        unended = [job_id for job_id in accepted if job_id not in ends]
        if act <= 1 or not unended:
            accepted.append(fixture.submit())
        elif act <= 3:
            job_id = rng.choice(unended)
            started = fixture.store.start_attempt(job_id, "w/1", 30)
            if started is None:
                continue
            if rng.random() < 0.3:
                fixture.store.fail_attempt(started[1], Failure("engine_error", "x"), RetryIn(0))
                continue
            snapshots.append(fixture.index.snapshot())
            fixture.store.succeed(started[1], result(job_id))
            ends[job_id] = "succeeded"
        elif act == 4:
            job_id = rng.choice(unended)
            fixture.store.cancel(job_id)
            ends[job_id] = "cancelled"
        elif act == 5 and ends:
            job_id = rng.choice(list(ends))
            if ends[job_id] != "purged":
                fixture.store.remove(fixture.store.get(job_id))
                ends[job_id] = "purged"
        elif act == 6:
            snapshots.append(fixture.index.snapshot())
            fixture.run_once()
        else:
            fixture.index.roll_back(rng.choice(snapshots[-4:]))
            fixture.run_once()
            seen = fixture.states([job_id for job_id in accepted if ends.get(job_id) != "purged"])
            assert {job_id: seen[job_id] for job_id in ends if ends[job_id] != "purged"} == {
                job_id: end for job_id, end in ends.items() if end != "purged"
            }
            assert all(JobState(seen[job_id]) and not JobState(seen[job_id]).terminal for job_id in unended)
            for job_id, end in ends.items():
                if end == "purged":
                    with pytest.raises(JobPurged):
                        fixture.store.get(job_id)


def test_old_days_are_not_listed_after_a_short_loss(fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    traces = fixture.store.manifests.traces
    fixture.objects.put("jobs/2020-01-01/old/manifest.json", b"{}")
    fixture.submit()

    def note(day: str, since: datetime) -> Iterator[JobTrace]:
        listed.append(day)
        return traces(day, since)

    monkeypatch.setattr(fixture.store.manifests, "traces", note)
    fixture.reconciler.reconcile(NOW - timedelta(minutes=1), nothing)
    assert "2020-01-01" not in listed
    assert listed


def test_a_redis_that_is_lost_again_while_it_is_brought_back_gets_every_job(fixture: KeeperFixture) -> None:
    jobs = [fixture.submit() for _ in range(6)]
    fixture.wipe()
    calls = 0

    def lose_again() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            fixture.wipe()

    fixture.reconciler.run_once(lose_again)
    assert sum(job_id in fixture.index.unfinished_ids() for job_id in jobs) == 3
    fixture.run_once()
    assert set(fixture.states(jobs).values()) == {"accepted"}


def test_what_an_old_primary_took_after_its_successor_was_compared_is_not_lost(fixture: KeeperFixture) -> None:
    """A primary that is cut off takes writes for some seconds, and its callers get their 202."""
    old = KeeperFixture(fixture.objects)
    retried = fixture.submit(id_of(NOW - timedelta(days=3)))
    fixture.store.cancel(retried)
    fixture.run_once()
    fixture.index.roll_back(fixture.index.snapshot())
    old.index.roll_back(fixture.index.snapshot())
    fixture.run_once()
    late = old.submit()
    old.store.retry(retried)
    assert fixture.run_once() == 0
    assert late not in fixture.index.unfinished_ids()
    fixture.ahead = LOOK_AGAIN_AFTER
    assert fixture.run_once() == 2
    assert fixture.states([late, retried]) == {late: "accepted", retried: "queued"}
    before = fixture.reconciler.reconciliations
    fixture.run_once()
    assert fixture.reconciler.reconciliations == before, "once is enough"


def test_a_job_of_a_process_whose_clock_is_slow_is_not_lost(fixture: KeeperFixture) -> None:
    before = fixture.index.snapshot()
    job_id = fixture.submit(id_of(NOW - timedelta(minutes=50)))
    fixture.index.roll_back(before)
    assert fixture.run_once() == 1
    assert fixture.states([job_id]) == {job_id: "accepted"}


@pytest.mark.parametrize("hours", [-1, 24], ids=["slow", "fast"])
def test_a_purge_noted_by_a_process_whose_clock_is_wrong_is_not_lost(fixture: KeeperFixture, hours: int) -> None:
    deleted = fixture.submit(id_of(NOW - timedelta(days=3)))
    fixture.succeed(deleted)
    fixture.run_once()
    before = fixture.index.snapshot()
    fixture.store.remove(fixture.store.get(deleted))
    (change,) = fixture.objects.keys("changes")
    day = (datetime.now(UTC) + timedelta(hours=hours)).date().isoformat()
    fixture.objects.delete(change)
    fixture.objects.put(f"changes/{day}/{deleted}.purged", b"")
    fixture.index.roll_back(before)
    fixture.run_once()
    assert fixture.states([deleted]) == {deleted: "purged"}


def test_a_job_that_somebody_else_has_brought_back_stops_no_other(
    fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two keepers bring back a retry: the second finds that the job has been retried."""
    jobs = [fixture.submit() for _ in range(3)]
    for job_id in jobs:
        fixture.store.cancel(job_id)
    cancelled = fixture.index.snapshot()
    for job_id in jobs:
        fixture.store.retry(job_id)
    fixture.index.roll_back(cancelled)
    retry = fixture.index.retry

    def refuse_first(job_id: str, run: int | None = None) -> Job:
        if job_id == jobs[0]:
            raise JobNotRetryable("Only a failed or cancelled job can be tried again.")
        return retry(job_id, run)

    monkeypatch.setattr(fixture.index, "retry", refuse_first)
    found = fixture.reconciler.reconcile(BEGINNING, nothing)
    assert (found.corrected, found.unreadable) == (2, 1)


def test_a_redis_of_another_deployment_gets_every_job_and_costs_none(fixture: KeeperFixture) -> None:
    """Somebody restores the snapshot of another system: its history has another id, however long it is."""
    waiting, ended, deleted = fixture.submit(), fixture.submit(), fixture.submit()
    fixture.succeed(ended)
    fixture.store.remove(fixture.store.cancel(deleted))
    fixture.run_once()
    stored = {key for key in fixture.objects.objects if not key.startswith("history/")}
    other = KeeperFixture()
    foreign = other.submit()
    for _ in range(50):
        other.run_once()
    fixture.index.roll_back(other.index.snapshot())
    fixture.run_once()
    assert fixture.states([waiting, ended]) == {waiting: "accepted", ended: "succeeded"}
    with pytest.raises(JobPurged):
        fixture.store.get(deleted)
    assert fixture.index.get(foreign).state is JobState.ACCEPTED, "it fails when it runs: its recording is elsewhere"
    assert {key for key in fixture.objects.objects if not key.startswith("history/")} == stored


Racing = Callable[[KeeperFixture, str], object]
RACING: dict[str, tuple[Racing, str]] = {
    "cancel": (lambda fixture, job_id: fixture.store.cancel(job_id), "cancelled"),
    "delete": (lambda fixture, job_id: fixture.store.remove(fixture.store.cancel(job_id)), "purged"),
    "retry": (lambda fixture, job_id: (fixture.store.cancel(job_id), fixture.store.retry(job_id)), "queued"),
    "attempt": (lambda fixture, job_id: (fixture.store.find_accepted(job_id), fixture.succeed(job_id)), "succeeded"),
}


@pytest.mark.parametrize("step", ["listed", "looked up", "manifest read", "end read"])
@pytest.mark.parametrize("action", RACING)
@pytest.mark.parametrize("ended", [False, True], ids=["waiting", "retried before"])
def test_what_a_caller_does_while_redis_is_rebuilt_stands(
    fixture: KeeperFixture, monkeypatch: pytest.MonkeyPatch, action: str, step: str, ended: bool
) -> None:
    act, expected = RACING[action]
    job_id = fixture.submit()
    if ended:
        fixture.store.cancel(job_id)
        fixture.store.retry(job_id)
    done: list[str] = []

    def race(job: str = job_id) -> None:
        if not done:
            done.append(step)
            act(fixture, job)

    def after(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object) -> object:
            result = call(*arguments)
            race()
            return result

        return wrapped

    fixture.wipe()
    manifests = fixture.store.manifests
    method = {"looked up": "trace", "manifest read": "find", "end read": "find_end"}.get(step)
    if method:
        monkeypatch.setattr(manifests, method, after(getattr(manifests, method)))
    fixture.reconciler.run_once(race if step == "listed" else nothing)
    race()
    fixture.run_once()
    assert fixture.states([job_id]) == {job_id: expected}
    fixture.wipe()
    fixture.run_once()
    restored = {"queued": "accepted", "purged": "unknown"}.get(expected, expected)
    assert fixture.states([job_id]) == {job_id: restored}


def test_a_store_that_lists_late_costs_time_and_no_job(fixture: KeeperFixture) -> None:
    waiting, ended = fixture.submit(), fixture.submit()
    fixture.succeed(ended)
    fixture.wipe()
    fixture.objects.listed_after = 3600.0
    fixture.run_once()
    assert list(fixture.index.unfinished_ids()) == []
    fixture.objects.listed_after = 0.0
    fixture.ahead = LOOK_AGAIN_AFTER
    fixture.run_once()
    assert fixture.states([waiting, ended]) == {waiting: "accepted", ended: "succeeded"}


def test_an_attempt_whose_commit_redis_has_lost_is_not_taken_for_one_of_a_lost_worker(fixture: KeeperFixture) -> None:
    job_id = fixture.submit()
    started = fixture.store.start_attempt(job_id, "w/1", 30)
    assert started is not None
    before = fixture.index.snapshot()
    fixture.store.succeed(started[1], result(job_id))
    fixture.index.roll_back(before)
    fixture.ahead += timedelta(seconds=31)
    assert reap(fixture.store, nothing) == 0
    job = fixture.index.get(job_id)
    assert (job.state, job.attempts[0].error) == (JobState.SUCCEEDED, None)


def test_a_silent_worker_is_reaped_while_the_object_store_is_away(fixture: KeeperFixture) -> None:
    job_id = fixture.submit()
    fixture.store.start_attempt(job_id, "w/1", 30)
    fixture.ahead += timedelta(seconds=31)
    fixture.objects.available = False
    assert reap(fixture.store, nothing) == 1
    assert fixture.index.get(job_id).state is JobState.QUEUED
