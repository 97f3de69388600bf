"""How long a request waits for the two stores."""

from __future__ import annotations

import time

import anyio
import pytest

from parley_api.runtime.blocking_calls import GRACE_SECONDS, BlockingCalls
from parley_core.errors import JobStoreUnavailable

REDIS_SECONDS = 0.01


def slow() -> str:
    """Answer later than Redis may, as the object store does after a Redis that hung."""
    time.sleep(REDIS_SECONDS + GRACE_SECONDS + 0.1)
    return "found"


def test_the_object_store_has_time_of_its_own_after_a_redis_that_hung() -> None:
    calls = BlockingCalls(REDIS_SECONDS)

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused)
            assert await calls.look_up(slow) == "found"

    async def refused() -> None:
        with pytest.raises(JobStoreUnavailable):
            await calls.store(slow)

    anyio.run(both)
