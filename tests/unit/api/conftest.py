"""Fixtures of the API's unit tests."""

from __future__ import annotations

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
