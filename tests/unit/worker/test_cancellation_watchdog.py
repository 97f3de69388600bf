"""Which children the watchdog kills, and that it never kills a child that has gone on to other work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from celery.worker import state

from parley_core.job import Failure, Job, RetryIn
from parley_core.transcript import TranscriptionRequest
from parley_worker.celery import cancellation_watchdog as watchdog_module
from parley_worker.celery.cancellation_watchdog import CancellationWatchdog
from parley_worker.dependencies import worker_name
from tests.support.fakes import MemoryJobStore, new_job

GRACE = 2.0
PID = 4242


@dataclass(eq=False)
class Message:
    """The members of a Celery request that the watchdog reads."""

    args: tuple[str]
    worker_pid: int = PID


class WatchdogFixture:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.store = MemoryJobStore()
        self.killed: list[tuple[int, int]] = []
        self.watchdog = CancellationWatchdog(
            self.store, GRACE, kill=lambda pid, number: self.killed.append((pid, number))
        )
        monkeypatch.setattr(watchdog_module.time, "monotonic", lambda: self.now)

    def message(self, job_id: str | None = None) -> Message:
        message = Message((job_id or self.store.create(new_job()).job.id,))
        state.active_requests.add(message)
        return message

    def start(self, message: Message, lease_seconds: float = 60.0) -> Job:
        started = self.store.start_attempt(message.args[0], worker_name(message.worker_pid), lease_seconds)
        assert started
        return started[0]

    def check_for(self, seconds: float, *messages: Message) -> None:
        """Check every half second, as the thread does, and kill what is overdue."""
        for _ in range(int(seconds / 0.5) + 1):
            self.watchdog.check(messages)
            self.watchdog.kill_overdue()
            self.now += 0.5


@pytest.fixture
def fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchdogFixture]:
    yield WatchdogFixture(monkeypatch)
    state.active_requests.clear()


def test_a_child_that_owns_its_job_lives(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(60, message)
    assert fixture.killed == []


def test_the_child_of_a_cancelled_job_is_killed_after_the_grace_time(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.cancel(message.args[0])
    fixture.check_for(GRACE - 0.5, message)
    assert fixture.killed == []
    fixture.check_for(1.0, message)
    assert fixture.killed[0] == (PID, signal.SIGKILL)


def test_the_stop_of_a_killed_child_is_measured_once_redis_answers(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.cancel(message.args[0])
    fixture.check_for(GRACE + 0.5, message)
    assert fixture.killed
    state.active_requests.clear()
    fixture.store.available = False
    fixture.check_for(1.0)
    fixture.store.available = True
    fixture.check_for(1.0)
    counters = fixture.store.stats().counters
    assert sum(count for name, count in counters.items() if name.startswith("cancel_seconds_bucket")) == 1


def test_a_job_cancelled_before_the_first_check_is_noticed_too(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.store.cancel(message.args[0])
    fixture.check_for(GRACE + 1, message)
    assert fixture.killed


def test_a_child_whose_job_another_attempt_holds_is_killed(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message, lease_seconds=-1)
    fixture.check_for(0, message)
    lapsed = fixture.store.lapsed_leases(1)[0]
    fixture.store.fail_attempt(lapsed.lease, Failure("worker_lost", "x"), RetryIn(0))
    assert fixture.store.start_attempt(message.args[0], "elsewhere/x/1", 60)
    fixture.check_for(GRACE + 1, message)
    assert fixture.killed


def test_a_retry_right_after_the_cancellation_does_not_save_the_old_attempt(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.cancel(message.args[0])
    fixture.store.retry(message.args[0])
    fixture.check_for(GRACE + 1, message)
    assert fixture.killed


def test_the_child_of_a_purged_job_is_killed(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.cancel(message.args[0])
    fixture.store.purge(message.args[0])
    fixture.check_for(GRACE + 1, message)
    assert fixture.killed


def test_the_children_of_a_duplicate_and_of_a_message_not_started_yet_live(fixture: WatchdogFixture) -> None:
    first = fixture.message()
    fixture.start(first)
    duplicate = Message(first.args, worker_pid=PID + 1)
    state.active_requests.add(duplicate)
    fixture.check_for(60, duplicate, fixture.message(), fixture.message("unknown"))
    assert fixture.killed == []


def test_the_child_that_writes_down_words_after_the_end_lives(
    fixture: WatchdogFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has made the attempt too, and the job has ended."""
    message = fixture.message()
    job = fixture.start(message)
    fixture.store.cancel(job.id)
    ended = replace(fixture.store.get(job.id), words_request=TranscriptionRequest(worker_name(PID), "nonce", 1))
    monkeypatch.setattr(fixture.store, "get", lambda _: ended)
    fixture.check_for(60, message)
    assert fixture.killed == []


def test_a_child_that_went_on_to_other_work_before_the_kill_lives(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.cancel(message.args[0])
    for _ in range(8):
        fixture.watchdog.check([message])
        fixture.now += 0.5
    state.active_requests.discard(message)
    fixture.watchdog.kill_overdue()
    assert fixture.killed == []


def test_no_child_is_killed_while_the_store_does_not_answer(fixture: WatchdogFixture) -> None:
    message = fixture.message()
    fixture.start(message)
    fixture.check_for(0.5, message)
    fixture.store.available = False
    fixture.check_for(60, message)
    fixture.store.available = True
    fixture.check_for(1, message)
    assert fixture.killed == []
