"""How tests wait: on conditions. Promises in seconds are measured by the benches, on a known machine.

A test that has to hold a duration compares it with one that it measures itself, in the same run on the same machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

HANG_SECONDS = 90.0  # no promise: bounds a hang, and stays below the time limit of a test so that the failure says why

T = TypeVar("T")


def until(ask: Callable[[], T | None], seconds: float = HANG_SECONDS, what: str = "") -> T:
    """Return the first true answer. Raises TimeoutError after this many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise TimeoutError(what or f"the condition did not become true within {seconds:.1f} s")
        time.sleep(0.02)


def seconds_of(action: Callable[[], object]) -> float:
    """Run the action; return its duration in seconds."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


@contextmanager
def hanging() -> Iterator[Callable[..., None]]:
    """A call that does not return within the context. Fails when one has returned before the end of the context."""
    end = threading.Event()
    returned: list[bool] = []

    def hang(*_: object) -> None:
        returned.append(end.wait(HANG_SECONDS))

    try:
        yield hang
        assert not returned, "the call was waited for"
    finally:
        end.set()
