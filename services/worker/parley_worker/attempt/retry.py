"""How an attempt waits for a store that does not answer. It never throws finished work away because Redis is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from parley_core.errors import JobStoreFull, JobStoreUnavailable, JobStoreUnusable, ObjectStoreUnavailable
from parley_core.logs import get_logger

FIRST_PAUSE = 0.1  # seconds: most outages are a dropped connection
LONGEST_PAUSE = 1.0  # seconds: the longest time for which a worker overlooks that the store is back
START_WAIT_SECONDS = 300.0  # for the job store; leaves the rest of the soft limit for the work
STORE_WAIT_SECONDS = 120.0  # for the object store, with finished work in memory
STORE_ERRORS = (JobStoreUnavailable, JobStoreUnusable, JobStoreFull, ObjectStoreUnavailable)

T = TypeVar("T")

log = get_logger(__name__)


class SoftLimitReached(Exception):  # noqa: N818  # the name says what happened, as the names in parley_core.errors do
    """The attempt has used up its soft time limit. Raised in the main thread, wherever it is; once per attempt."""


def retry_while_unavailable(operation: Callable[[], T], seconds: float = float("inf")) -> T:
    """Return what `operation` returns; call it again while its store is down or full.

    Args:
        operation: a call that may safely be repeated.
        seconds: time after which the store's error is raised. Without it only the hard time limit ends the wait.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return operation()
        except STORE_ERRORS as error:
            if time.monotonic() + pause > deadline:
                raise
            if pause == FIRST_PAUSE:  # one line per outage
                log.warning("waiting for a store", code=error.code, detail=error.detail)
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def retry_ignoring_soft_limit(operation: Callable[[], T]) -> T:
    """Retry without a deadline. The soft limit does not stop it: the work is done, only its record is missing."""
    try:
        return retry_while_unavailable(operation)
    except SoftLimitReached:
        return retry_while_unavailable(operation)
