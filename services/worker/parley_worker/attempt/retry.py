"""How a worker waits for a store that does not answer: finished work is never thrown away because Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from parley_core.errors import JobStoreFull, JobStoreUnavailable, ObjectStoreUnavailable, RetryableError
from parley_core.logs import get_logger

FIRST_PAUSE = 0.1  # seconds: most gaps are a dropped connection
LONGEST_PAUSE = 1.0  # seconds: bounds how late a worker notices that Redis is back
STORE_TROUBLE = (JobStoreUnavailable, JobStoreFull, ObjectStoreUnavailable)

T = TypeVar("T")

log = get_logger(__name__)


class SoftLimitReached(Exception):  # noqa: N818  # the name says what happened, as the names in parley_core.errors do
    """The attempt has used up its soft time limit. Raised in the main thread, wherever it is; once per attempt."""


def retry_while_unavailable(move: Callable[[], T], seconds: float = float("inf")) -> T:
    """Return what `move` returns, trying again while its store is down or full.

    Args:
        move: something that may safely be repeated.
        seconds: when to give up and let the store's own error through; without it only the hard limit ends the wait.
    """
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        try:
            return move()
        except STORE_TROUBLE as error:
            if time.monotonic() + pause > deadline:
                raise
            _say_once(pause, error)
        time.sleep(pause)
    raise AssertionError("the pauses never end")


def retry_ignoring_soft_limit(move: Callable[[], T]) -> T:
    """Persist without an end. A soft limit on the way is passed over: the work is done, only its record is missing."""
    try:
        return retry_while_unavailable(move)
    except SoftLimitReached:
        return retry_while_unavailable(move)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(LONGEST_PAUSE, pause * 2)


def _say_once(pause: float, error: RetryableError) -> None:
    if pause == FIRST_PAUSE:
        log.warning("waiting for a store", code=error.code, detail=error.detail)
