"""The job index on its real and its in-memory side."""

from __future__ import annotations

import pytest
from redis import Redis

from parley_core.ports import JobIndex
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.fakes import MemoryJobStore
from tests.support.valkey import Valkey


@pytest.fixture(params=["redis", "memory"])
def index(request: pytest.FixtureRequest) -> JobIndex:
    if request.param == "memory":
        return MemoryJobStore()
    valkey: Valkey = request.getfixturevalue("valkey")
    Redis.from_url(valkey.url).flushall()
    return RedisJobStore.from_settings(Settings(redis_url=valkey.url))
