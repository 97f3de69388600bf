"""What becomes of an attempt that does not end in time when its worker stops."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from celery.worker import state

from parley_core.job import JobState
from parley_worker.celery import planned_stop
from parley_worker.celery.planned_stop import PlannedStop
from parley_worker.dependencies import worker_name
from tests.support.fakes import MemoryJobStore, new_job
from tests.support.waiting import HANG_SECONDS


@dataclass(eq=False)
class Message:
    """The members of a Celery request that a stop reads."""

    args: tuple[str]
    worker_pid: int


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ignores the signal to stop."""
    code = "import signal, sys; signal.signal(signal.SIGUSR2, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()
    state.active_requests.clear()


def test_a_child_that_does_not_stop_is_killed_and_its_job_is_due(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_stop, "FORCE_SECONDS", 0.2)
    monkeypatch.setattr(planned_stop, "REPEAT_SECONDS", 0.05)
    store = MemoryJobStore()
    left: list[int] = []
    job_id = store.create(new_job()).job.id
    store.start_attempt(job_id, worker_name(child.pid), 60)
    message = Message((job_id,), child.pid)  # Celery's set holds it weakly
    state.active_requests.add(message)
    PlannedStop(store, left.append).end_attempts()
    assert child.wait(HANG_SECONDS) < 0
    assert (store.get(job_id).state, [due.job_id for due in store.claim_due(1)]) == (JobState.QUEUED, [job_id])
    assert left == [0]


def test_the_job_of_another_worker_is_left_to_it(child: subprocess.Popen[bytes]) -> None:
    store = MemoryJobStore()
    job_id = store.create(new_job()).job.id
    store.start_attempt(job_id, worker_name(os.getpid()), 60)
    PlannedStop(store, lambda _: None).give_back(Message((job_id,), child.pid))
    assert store.get(job_id).state is JobState.RUNNING
