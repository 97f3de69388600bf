"""Starts a part of Parley with faults inside: `python -m chaos.launch parley_api`.

The product has no code for tests. Environment variables say which methods of its ports this module wraps, and the
control file says which of these faults are active.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
import runpy
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from chaos.control import Control
from parley_core import job, settings
from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage.folder import FolderStore
from parley_core.storage.remote import RemoteStore

OBJECT_CALLS = ("save", "put", "create", "read", "keys", "delete")
RANDOM = random.Random(os.environ.get("FAULTS_SEED", ""))

Method = Callable[..., Any]


def wrap(owner: type, name: str, before: Callable[[], float], after: Callable[[], None]) -> None:
    """Call `before`, which returns seconds to wait or raises, and `after` around a method, async or not."""
    method: Method = getattr(owner, name)

    @functools.wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        time.sleep(before())
        result = method(*arguments, **options)
        after()
        return result

    @functools.wraps(method)
    async def call_async(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(before())
        result = await method(*arguments, **options)
        after()
        return result

    setattr(owner, name, call_async if inspect.iscoroutinefunction(method) else call)


def die_after(steps: str) -> None:
    """Kill this process after calls of `module:Class.method`, comma-separated, with `kill_probability`."""
    control = Control.of_environment()

    def maybe_die() -> None:
        if RANDOM.random() < control.active.kill_probability:
            os.kill(os.getpid(), signal.SIGKILL)

    for step in steps.split(","):
        module, _, path = step.partition(":")
        owner, _, method = path.partition(".")
        wrap(getattr(import_module(module), owner), method, lambda: 0.0, maybe_die)


def disturb_objects(_: str) -> None:
    """Let calls to the object store fail or take long, as the control file says."""
    control = Control.of_environment()

    def before() -> float:
        if RANDOM.random() < control.active.object_error_share:
            raise ObjectStoreUnavailable("The fault harness lets this call fail.")
        return control.active.object_delay_seconds

    for store in (FolderStore, RemoteStore):
        for name in OBJECT_CALLS:
            wrap(store, name, before, lambda: None)


def shorten_retries(seconds: str) -> None:
    """Set the waits before attempts 2, 3 and 4, comma-separated, so that a schedule does not take hours."""
    job.RETRY_SECONDS = tuple(float(part) for part in seconds.split(","))  # type: ignore[assignment]


def shorten_limits(seconds: str) -> None:
    """Set the limits `soft,hard` of short recordings, instead of nine and ten minutes."""
    soft, hard = (float(part) for part in seconds.split(","))
    settings.SOFT_LIMIT_FLOOR, settings.HARD_AFTER_SOFT = soft, hard - soft


def shift_clock(seconds: str) -> None:
    """Shift the wall clock of Python in this process, where libfaketime is not installed."""
    offset, true_time, true_ns = float(seconds), time.time, time.time_ns
    time.time = lambda: true_time() + offset
    time.time_ns = lambda: true_ns() + int(offset * 1e9)


def trace_celery(endpoint: str) -> None:
    """Trace tasks with the stock instrumentation of Celery, beside Parley's own traces."""
    from chaos import stock_traces

    stock_traces.install(endpoint)


INJECTORS: dict[str, Callable[[str], None]] = {
    "FAULTS_RETRY_SECONDS": shorten_retries,
    "FAULTS_LIMITS": shorten_limits,
    "FAULTS_OBJECTS": disturb_objects,
    "FAULTS_DIE_AFTER": die_after,
    "FAULTS_CLOCK": shift_clock,
    "FAULTS_CELERY_TRACES": trace_celery,
}


def main(module: str) -> None:
    """Inject the faults of the environment into this process, then run the module."""
    for variable, inject in INJECTORS.items():
        if variable in os.environ:
            inject(os.environ[variable])
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
