"""Whom the guard condemns, whom it spares, and that it never kills a child that has gone on to other work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from celery.worker import state

from parley_core.job import Failure, Job, RetryIn
from parley_core.testing import MemoryJobStore, new_job
from parley_worker import guard as guard_module
from parley_worker.deps import worker_name
from parley_worker.guard import Guard

GRACE = 2.0
PID = 4242


@dataclass(eq=False)
class Message:
    """What Celery tells of a message being worked on."""

    args: tuple[str]
    worker_pid: int = PID


class House:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.store = MemoryJobStore()
        self.killed: list[tuple[int, int]] = []
        self.guard = Guard(self.store, GRACE, kill=lambda pid, number: self.killed.append((pid, number)))
        monkeypatch.setattr(guard_module.time, "monotonic", lambda: self.now)

    def message(self, job_id: str | None = None) -> Message:
        message = Message((job_id or self.store.create(new_job()).job.id,))
        state.active_requests.add(message)
        return message

    def start(self, message: Message, lease_seconds: float = 60.0) -> Job:
        started = self.store.start_attempt(message.args[0], worker_name(message.worker_pid), lease_seconds)
        assert started
        return started[0]

    def look_for(self, seconds: float, *messages: Message) -> None:
        """Check every half second, as the thread does, and execute what was decided."""
        for _ in range(int(seconds / 0.5) + 1):
            self.guard.check(messages)
            self.guard.execute()
            self.now += 0.5


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    yield House(monkeypatch)
    state.active_requests.clear()


def test_work_that_is_its_childs_own_is_left_alone(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(60, message)
    assert house.killed == []


def test_a_cancelled_job_has_its_grace_and_then_its_child_is_killed_once(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(0.5, message)
    house.store.cancel(message.args[0])
    house.look_for(GRACE - 0.5, message)
    assert house.killed == []
    house.look_for(1.0, message)
    assert house.killed[0] == (PID, signal.SIGKILL)


def test_a_job_cancelled_before_the_guard_ever_looked_is_noticed_too(house: House) -> None:
    message = house.message()
    house.start(message)
    house.store.cancel(message.args[0])
    house.look_for(GRACE + 1, message)
    assert house.killed


def test_a_child_whose_job_another_attempt_holds_is_killed(house: House) -> None:
    message = house.message()
    house.start(message, lease_seconds=-1)
    house.look_for(0, message)
    lapsed = house.store.lapsed_leases(1)[0]
    house.store.fail_attempt(lapsed.lease, Failure("worker_lost", "x"), RetryIn(0))
    assert house.store.start_attempt(message.args[0], "elsewhere/x/1", 60)
    house.look_for(GRACE + 1, message)
    assert house.killed


def test_a_cancelled_job_that_was_tried_again_at_once_does_not_save_the_old_attempt(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(0.5, message)
    house.store.cancel(message.args[0])
    house.store.retry(message.args[0])
    house.look_for(GRACE + 1, message)
    assert house.killed


def test_a_purged_job_is_no_ones(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(0.5, message)
    house.store.cancel(message.args[0])
    house.store.purge(message.args[0])
    house.look_for(GRACE + 1, message)
    assert house.killed


def test_a_duplicate_and_a_message_not_started_yet_are_left_alone(house: House) -> None:
    first = house.message()
    house.start(first)
    duplicate = Message(first.args, worker_pid=PID + 1)
    state.active_requests.add(duplicate)
    house.look_for(60, duplicate, house.message(), house.message("unknown"))
    assert house.killed == []


def test_a_child_that_went_on_to_other_work_before_the_execution_lives(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(0.5, message)
    house.store.cancel(message.args[0])
    for _ in range(8):
        house.guard.check([message])
        house.now += 0.5
    state.active_requests.discard(message)
    house.guard.execute()
    assert house.killed == []


def test_while_the_store_is_away_nobody_is_condemned(house: House) -> None:
    message = house.message()
    house.start(message)
    house.look_for(0.5, message)
    house.store.available = False
    house.look_for(60, message)
    house.store.available = True
    house.look_for(1, message)
    assert house.killed == []
