"""Every index brings jobs back as the object store has them: on Redis and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley_core.errors import JobNotRetryable
from parley_core.job import (
    Attempt,
    Failure,
    GiveUp,
    JobEnd,
    JobOptions,
    JobQuery,
    JobState,
    Queue,
    ResultSummary,
    dispatch_of,
)
from parley_core.ports import JobIndex
from parley_core.redis import restoration
from parley_core.redis.restoration import BEGINNING
from parley_core.transcript import Transcription
from tests.support.fakes import new_job
from tests.support.fakes import restoration as fakes_restoration
from tests.support.waiting import until

MADE = datetime(2026, 11, 27, 1, 2, 3, 456_000, tzinfo=UTC)
DONE = datetime.now(UTC).replace(microsecond=0)
WITHOUT_WORDS = Transcription(error_code="recogniser_refused", error_detail="The recogniser says no.")
RESULT = ResultSummary(
    "results/x/1.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0}, 2, 1.25, transcription=WITHOUT_WORDS
)
ATTEMPTS = (
    Attempt(1, "w/1", DONE - timedelta(seconds=9), DONE - timedelta(seconds=5), Failure("worker_lost", "It was lost.")),
    Attempt(2, "w/2", DONE - timedelta(seconds=4), DONE),
)
SUCCEEDED = JobEnd(JobState.SUCCEEDED, DONE, DONE - timedelta(seconds=9), 2, ATTEMPTS, None, RESULT)
FAILED = JobEnd(
    JobState.FAILED, DONE, DONE, 1, (replace(ATTEMPTS[0], ended_at=DONE),), Failure("engine_error", "It broke."), None
)
CANCELLED = JobEnd(JobState.CANCELLED, DONE)


def test_an_unfinished_job_waits_and_is_due_at_once(index: JobIndex) -> None:
    new = new_job(options=JobOptions(queue=Queue.BATCH, reference="consult 7"))
    assert index.restore(new, MADE, 0, None)
    job = index.get(new.id)
    assert (job.state, job.created_at, job.options, job.recording) == (
        JobState.ACCEPTED,
        MADE,
        new.options,
        new.recording,
    )
    assert [dispatch.job_id for dispatch in index.claim_due(10)] == [new.id]
    assert next(status.unfinished for status in index.queues() if status.queue is Queue.BATCH) == 1
    assert [job.id for job in index.page(JobQuery(new.tenant, reference="consult 7")).jobs] == [new.id]
    assert index.stats().counters["jobs_accepted|queue=batch"] == 1


@pytest.mark.parametrize("end", [SUCCEEDED, FAILED, CANCELLED], ids=lambda end: end.state.value)
def test_an_ended_job_is_as_it_ended(index: JobIndex, end: JobEnd) -> None:
    new = new_job()
    assert index.restore(new, MADE, 3, end)
    job = index.get(new.id)
    assert (
        JobEnd(job.state, job.finished_at or MADE, job.started_at, job.token, job.attempts, job.error, job.result)
        == end
    )
    assert (job.run, job.created_at) == (3, MADE)
    assert index.claim_due(10) == []
    assert all(status.unfinished == 0 for status in index.queues())
    labels = f"|code={end.error.code}" if end.error else ""
    counters = index.stats().counters
    assert counters[f"jobs_{end.state}{labels}|queue=interactive"] == 1
    assert counters.get("attempts_started|queue=interactive", 0) == end.token


def test_what_is_there_or_purged_is_not_restored(index: JobIndex) -> None:
    there, purged = new_job(), new_job()
    for new in (there, purged):
        index.create(new)
        index.cancel(new.id)
    index.purge(purged.id)
    assert not index.restore(there, MADE, 0, SUCCEEDED)
    assert index.get(there.id).state is JobState.CANCELLED
    assert not index.restore(purged, MADE, 0, None)


@pytest.mark.parametrize("end", [SUCCEEDED, FAILED, CANCELLED], ids=lambda end: end.state.value)
@pytest.mark.parametrize("state", [JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING])
def test_a_stored_end_is_shown_whatever_the_record_says(index: JobIndex, state: JobState, end: JobEnd) -> None:
    job = index.create(new_job()).job
    if state is not JobState.ACCEPTED:
        index.mark_queued(dispatch_of(job))
    if state is JobState.RUNNING:
        index.start_attempt(job.id, "w/1", 30)
    index.apply_end(job.id, 0, end)
    found = index.get(job.id)
    assert (found.state, found.finished_at, found.error, found.result) == (
        end.state,
        end.finished_at,
        end.error,
        end.result,
    )
    assert all((status.unfinished, status.running) == (0, 0) for status in index.queues())
    assert index.claim_due(10) == []
    if end.attempts:
        assert found.attempts == end.attempts
    if state is JobState.RUNNING:
        assert index.running_by_worker() == {}


def test_an_end_of_another_run_or_of_an_ended_job_changes_nothing(index: JobIndex) -> None:
    job = index.create(new_job()).job
    index.apply_end(job.id, 1, SUCCEEDED)
    assert index.get(job.id).state is JobState.ACCEPTED
    index.apply_end(job.id, 0, CANCELLED)
    index.apply_end(job.id, 0, SUCCEEDED)
    assert index.get(job.id).state is JobState.CANCELLED
    assert index.retry(job.id).run == 1
    index.apply_end(job.id, 0, SUCCEEDED)
    assert index.get(job.id).state is JobState.QUEUED
    index.apply_end(new_job().id, 0, SUCCEEDED)


def test_a_restored_job_is_purged_when_its_retention_is_over(index: JobIndex) -> None:
    old, fresh = new_job(options=JobOptions(retain_seconds=86_400)), new_job(options=JobOptions(retain_seconds=86_400))
    index.restore(old, MADE, 0, replace(SUCCEEDED, finished_at=DONE - timedelta(days=1, seconds=1)))
    index.restore(fresh, MADE, 0, SUCCEEDED)
    assert [job.id for job in index.claim_expired(10)] == [old.id]


def test_an_attempt_of_a_restored_job_counts_on(index: JobIndex) -> None:
    new = new_job()
    index.restore(new, MADE, 0, None)
    started = index.start_attempt(new.id, "w/1", 30)
    assert started is not None
    assert index.fail_attempt(started[1], Failure("x", "y"), GiveUp()).state is JobState.FAILED


def test_history_is_complete_up_to_the_last_note_of_the_same_server(index: JobIndex) -> None:
    fresh = index.history()
    assert (fresh.ticks, fresh.same_server, fresh.complete_until) == (0, False, BEGINNING)
    assert fresh.id
    assert index.confirm_history(fresh, look_again=False) == 1
    noted = index.history()
    assert (noted.id, noted.ticks, noted.same_server, noted.look_again_since) == (fresh.id, 1, True, None)
    for moment in (noted.complete_until, noted.now):
        assert abs(datetime.now(UTC) - moment) < timedelta(seconds=30)


@pytest.mark.parametrize("change", [{"server": "another"}, {"id": "another"}, {"ticks": 1}])
def test_a_history_that_was_lost_meanwhile_is_not_confirmed(index: JobIndex, change: dict[str, Any]) -> None:
    """Redis may lose its volume while a keeper brings it back: the rest of what it lacks is not complete."""
    seen = index.history()
    assert index.confirm_history(replace(seen, **change), look_again=True) is None
    assert replace(index.history(), now=seen.now) == seen


def test_after_a_loss_the_record_is_compared_once_more(index: JobIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (restoration, fakes_restoration):
        monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", timedelta(milliseconds=200))
    seen = index.history()
    index.confirm_history(seen, look_again=True)
    again = until(lambda: due if (due := index.history()).look_again_since else None)
    assert again.look_again_since is not None
    assert abs(again.look_again_since - seen.now) < timedelta(milliseconds=1)
    index.confirm_history(replace(again, look_again_since=None), look_again=False)
    assert index.history().look_again_since, "a round that has not compared does not put it off"
    index.confirm_history(again, look_again=False)
    confirmed = index.history()
    assert confirmed.look_again_since is None
    later = until(lambda: seen if (seen := index.history()).now > confirmed.now + timedelta(milliseconds=300) else None)
    assert later.look_again_since is None, "once is enough"


def test_it_is_compared_again_after_a_while_only(index: JobIndex) -> None:
    index.confirm_history(index.history(), look_again=True)
    assert index.history().look_again_since is None


def test_of_two_callers_who_retry_one_begins_the_next_run(index: JobIndex) -> None:
    job = index.create(new_job()).job
    for run in (0, 1):
        index.cancel(job.id)
        assert index.retry(job.id, run).run == run + 1
    index.cancel(job.id)
    with pytest.raises(JobNotRetryable):
        index.retry(job.id, 1)
    assert index.get(job.id).run == 2
