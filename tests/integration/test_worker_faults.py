"""A real worker on a real Valkey: whatever dies, every job ends once, with one result."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parley_core.job import MAX_ATTEMPTS, JobState, Phase, Queue, TimeLimits
from parley_core.recording import result_folder
from parley_core.settings import Settings
from parley_keeper.maintenance import reap
from parley_worker.celery.cancellation_watchdog import CHECK_SECONDS
from tests.support.engines import SPUN
from tests.support.waiting import HANG_SECONDS, seconds_of, until
from tests.support.worker import System, cpu_seconds, is_running, running_system

GATED = "tests.support.engines:Gated"


@pytest.fixture
def system(settings: Settings, tmp_path: Path) -> Iterator[System]:
    with running_system(settings, tmp_path) as system:
        yield system


def child_of(system: System, job_id: str) -> int:
    """The pid of the child that works on a job: the last part of its name in the record."""
    job = system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    return int(job.attempts[-1].worker.rpartition("/")[2])


def reap_until(system: System, job_id: str, token: int) -> None:
    """Do the keeper's part of the work until a later attempt than `token` runs or the job has ended."""

    def step() -> bool:
        reap(system.store, lambda: None)
        for dispatch in system.store.claim_due(10):
            system.queue.publish(dispatch)
            system.store.mark_queued(dispatch)
        job = system.store.get(job_id)
        return job.token > token or job.state.terminal

    until(step, what=str(system.store.get(job_id)))


def test_a_killed_child_costs_one_attempt_and_leaves_one_result(system: System) -> None:
    system.worker(GATED)
    job_id = system.submit()
    os.kill(child_of(system, job_id), signal.SIGKILL)
    system.let_engines_end()
    reap_until(system, job_id, token=1)
    job = system.wait_for_end(job_id)
    assert job.state is JobState.SUCCEEDED
    assert [attempt.error.code if attempt.error else None for attempt in job.attempts] == ["worker_lost", None]
    assert system.results(job_id) == [f"{result_folder(job_id)}/{job.nonce}.json"]


def test_the_same_message_for_two_workers_at_once_gives_one_result(system: System) -> None:
    workers = [system.worker(GATED, PARLEY_CONCURRENCY=1) for _ in range(2)]
    for worker in workers:
        worker.wait_until_ready()
    job_id = system.submit()
    for _ in range(5):
        system.publish(system.store.get(job_id))
    until(lambda: sum(len(worker.events("job cannot be started")) for worker in workers) == 5)
    system.let_engines_end()
    job = system.wait_for_end(job_id)
    assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 1)
    assert system.results(job_id) == [f"{result_folder(job_id)}/{job.nonce}.json"]
    assert system.store.stats().counters["attempts_started|queue=interactive"] == 1


def test_a_job_that_kills_its_process_costs_four_executions_and_the_worker_lives(system: System) -> None:
    quick = {"PARLEY_CONCURRENCY": 1, "PARLEY_LEASE_SECONDS": 1.5}
    worker = system.worker("tests.support.engines:Poisonous", **quick)
    job_id = system.submit()
    for token in range(1, MAX_ATTEMPTS + 1):
        system.wait(job_id, lambda job, token=token: job.token == token)
        reap_until(system, job_id, token)
    job = system.wait_for_end(job_id)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, MAX_ATTEMPTS)
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert worker.process.poll() is None


@pytest.mark.parametrize("engine", ["Spinning", "Greedy"])
def test_a_cancel_frees_the_processor_in_time_however_the_engine_is_busy(system: System, engine: str) -> None:
    system.worker(f"tests.support.engines:{engine}", PARLEY_CONCURRENCY=1, PARLEY_LEASE_SECONDS=60)
    job_id = system.submit()
    start = seconds_of(lambda: child_of(system, job_id))
    child = child_of(system, job_id)
    until(lambda: cpu_seconds(child) > 0.2)
    assert system.store.cancel(job_id).state is JobState.CANCELLED
    # The bound of 5 s is for `make bench`. Here: the configured pauses, and no more than what a worker needs to start.
    pauses = system.settings.cancel_grace_seconds + 2 * CHECK_SECONDS
    assert seconds_of(lambda: until(lambda: not is_running(child))) < pauses + start
    assert (system.store.get(job_id).state, system.results(job_id)) == (JobState.CANCELLED, [])


def test_after_a_killed_child_the_next_job_is_done(system: System, tmp_path: Path) -> None:
    worker = system.worker("tests.support.engines:FirstSpins", PARLEY_CONCURRENCY=1, PARLEY_LEASE_SECONDS=60)
    first = system.submit()
    child = child_of(system, first)
    until((tmp_path / SPUN).exists)  # the engine has begun: killed before, the next job would be its first
    second = system.submit()
    system.store.cancel(first)
    assert system.wait_for_end(second).state is JobState.SUCCEEDED
    assert not is_running(child)
    assert worker.process.poll() is None


def test_a_cancel_between_batches_needs_no_kill(system: System) -> None:
    system.worker(GATED, PARLEY_CONCURRENCY=1, PARLEY_CANCEL_GRACE_SECONDS=3600)
    job_id = system.submit()
    child = child_of(system, job_id)
    system.store.cancel(job_id)
    following = system.submit()
    assert child_of(system, following) == child


def test_a_job_with_a_caller_who_waits_goes_before_a_batch(system: System) -> None:
    batch = [system.submit(Queue.BATCH) for _ in range(3)]
    urgent = system.submit(Queue.INTERACTIVE)
    system.worker(PARLEY_CONCURRENCY=1)
    started = {job_id: system.wait_for_end(job_id).started_at for job_id in [*batch, urgent]}
    assert min(started, key=lambda job_id: str(started[job_id])) == urgent


def test_a_planned_stop_gives_the_job_back_to_the_front_of_its_queue(system: System) -> None:
    first = system.worker(GATED, PARLEY_CONCURRENCY=1)
    running, waiting = system.submit(), system.submit()
    system.wait(running, lambda job: job.phase is Phase.EMBEDDING)
    until(lambda: workers_seen(system) == (1, 1))
    first.signal(signal.SIGTERM)
    assert first.process.wait(HANG_SECONDS) == 0
    assert workers_seen(system) == (0, 0)
    given_back = system.store.get(running)
    assert (given_back.state, given_back.attempts, system.store.get(waiting).token) == (JobState.QUEUED, (), 0)
    system.let_engines_end()
    system.worker(GATED, PARLEY_CONCURRENCY=1)
    jobs = [system.wait_for_end(job_id) for job_id in (running, waiting)]
    assert [(job.state, len(job.attempts)) for job in jobs] == [(JobState.SUCCEEDED, 1)] * 2
    assert jobs[0].attempts[0].started_at < jobs[1].attempts[0].started_at


def submit_with_limits(system: System, soft: float, hard: float) -> str:
    new = replace(system.upload(), limits=TimeLimits(soft, hard))
    system.publish(system.store.create(new).job)
    return new.id


def start_with(system: System, engine: str) -> float:
    """Start a worker and let it do a first job; return how long that took on this machine, in seconds."""
    system.worker(f"tests.support.engines:{engine}", PARLEY_CONCURRENCY=1)
    return seconds_of(lambda: system.wait_for_end(system.submit()))


def test_an_attempt_over_its_soft_limit_says_so_and_its_child_goes_on(system: System) -> None:
    start = start_with(system, "Long")
    job_id = submit_with_limits(system, soft=start, hard=20 * start)
    child = child_of(system, job_id)
    job = system.wait(job_id, lambda job: job.state is JobState.QUEUED and bool(job.attempts))
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.code == "attempt_timed_out"
    assert child_of(system, system.submit()) == child


def test_an_attempt_over_its_hard_limit_is_killed_and_reaped(system: System) -> None:
    start = start_with(system, "Deaf")
    job_id = submit_with_limits(system, soft=start, hard=2 * start)
    child = child_of(system, job_id)
    until(lambda: not is_running(child))
    reap_until(system, job_id, token=1)
    error = system.store.get(job_id).attempts[0].error
    assert error is not None
    assert error.code == "worker_lost"


def test_children_die_with_their_worker(system: System) -> None:
    worker = system.worker("tests.support.engines:Spinning")
    job_id = system.submit()
    start = seconds_of(lambda: child_of(system, job_id))
    child = child_of(system, job_id)
    worker.process.kill()
    assert seconds_of(lambda: until(lambda: not is_running(child))) < start


def test_a_worker_frozen_past_its_lease_wakes_without_a_say(system: System) -> None:
    frozen = system.worker(GATED, PARLEY_CONCURRENCY=1)
    job_id = system.submit()
    child = child_of(system, job_id)
    for pid in (child, frozen.process.pid):
        os.kill(pid, signal.SIGSTOP)
    system.worker(PARLEY_SCRIPTED_SECONDS=0.2, PARLEY_CONCURRENCY=1)
    reap_until(system, job_id, token=1)
    job = system.wait_for_end(job_id)
    system.let_engines_end()
    for pid in (frozen.process.pid, child):
        os.kill(pid, signal.SIGCONT)
    until(lambda: frozen.events("attempt ended"))
    assert frozen.events("attempt ended")[0]["outcome"] == "ended"
    assert system.store.get(job_id) == job
    assert system.results(job_id) == [f"{result_folder(job_id)}/{job.nonce}.json"]


def test_a_child_that_has_grown_is_replaced_after_its_job(system: System) -> None:
    system.worker("tests.support.engines:Leaking", PARLEY_CONCURRENCY=1, PARLEY_CHILD_MEMORY_BYTES=200_000_000)
    jobs = [system.submit() for _ in range(6)]
    ended = [system.wait_for_end(job_id) for job_id in jobs]
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    assert [len(job.attempts) for job in ended] == [1] * 6
    assert len({job.attempts[0].worker for job in ended}) > 1


def test_the_liveness_file_is_touched_while_the_worker_is_busy(system: System, tmp_path: Path) -> None:
    file = tmp_path / "liveness"
    system.worker(GATED, PARLEY_LIVENESS_FILE=file)
    job_id = system.submit()
    child_of(system, job_id)
    touched = until(file.exists) and file.stat().st_mtime
    until(lambda: file.stat().st_mtime > touched)
    assert system.store.get(job_id).state is JobState.RUNNING


def workers_seen(system: System) -> tuple[int, int]:
    (interactive, _) = system.store.queues()
    return interactive.workers, interactive.capacity
