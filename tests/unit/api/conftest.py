"""Fixtures of the API's unit tests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.api_fixture import ApiFixture


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def api() -> ApiFixture:
    return ApiFixture()


@pytest.fixture
async def client(api: ApiFixture) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as client:
        yield client


@pytest.fixture
def within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test begin at the twentieth second of a minute: rates are counted from minute to minute."""
    now = time.time
    ahead = 20 - now() % 60
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
