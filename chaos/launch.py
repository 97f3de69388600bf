"""Starts a part of Parley with wounds in it: `python -m chaos.launch parley_api`.

The product holds no code for tests. What a fault needs to happen inside a process is put around its ports from here,
by environment variables; what a wound does at present is read from the control file.
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
from parley_core.storage.objects import ObjectStore

OBJECT_CALLS = ("save", "put", "create", "read", "keys", "delete")
RANDOM = random.Random(os.environ.get("FAULTS_SEED", ""))

Method = Callable[..., Any]


def wrap(owner: type, name: str, before: Callable[[], float], after: Callable[[], None]) -> None:
    """Put `before` (returns seconds to wait, may raise) and `after` around a method, synchronous or not."""
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
    """`module:Class.method`, comma-separated: SIGKILL this process right after such a call, with the chance set."""
    control = Control.of_environment()

    def maybe_die() -> None:
        if RANDOM.random() < control.wounds.die_chance:
            os.kill(os.getpid(), signal.SIGKILL)

    for step in steps.split(","):
        module, _, path = step.partition(":")
        owner, _, method = path.partition(".")
        wrap(getattr(import_module(module), owner), method, lambda: 0.0, maybe_die)


def wound_objects(_: str) -> None:
    """Let calls to the object store fail or take long, as the control file says."""
    control = Control.of_environment()

    def before() -> float:
        if RANDOM.random() < control.wounds.objects_fail:
            raise ObjectStoreUnavailable("The object store fails, as the fault harness told it to.")
        return control.wounds.objects_delay

    for name in OBJECT_CALLS:
        wrap(ObjectStore, name, before, lambda: None)


def shorten_retries(seconds: str) -> None:
    """Wait so long before attempts 2, 3 and 4 (comma-separated), so that a schedule does not take hours."""
    job.RETRY_SECONDS = tuple(float(part) for part in seconds.split(","))  # type: ignore[assignment]


def shorten_limits(seconds: str) -> None:
    """`soft,hard`: give short recordings these limits instead of nine and ten minutes."""
    soft, hard = (float(part) for part in seconds.split(","))
    settings.SOFT_LIMIT_FLOOR, settings.HARD_AFTER_SOFT = soft, hard - soft


def shift_clock(seconds: str) -> None:
    """Let Python's wall clock in this process be off; used where libfaketime is not installed."""
    offset, true_time, true_ns = float(seconds), time.time, time.time_ns
    time.time = lambda: true_time() + offset
    time.time_ns = lambda: true_ns() + int(offset * 1e9)


WOUNDS: dict[str, Callable[[str], None]] = {
    "FAULTS_RETRY_SECONDS": shorten_retries,
    "FAULTS_LIMITS": shorten_limits,
    "FAULTS_OBJECTS": wound_objects,
    "FAULTS_DIE_AFTER": die_after,
    "FAULTS_CLOCK": shift_clock,
}


def main(module: str) -> None:
    """Wound this process as the environment says, then be that module."""
    for variable, wound in WOUNDS.items():
        if variable in os.environ:
            wound(os.environ[variable])
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
