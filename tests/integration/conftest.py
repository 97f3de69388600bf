"""One API process for all tests that do it no harm: starting it costs more than most of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey

STARTS_PROCESSES = 300  # seconds: each test here starts up to seven, and a busy machine takes 10 s for one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test of this folder its time limit, which only bounds a hang."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(STARTS_PROCESSES))


@pytest.fixture(scope="session")
def long_lived_api(
    valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApiProcess, Settings]]:
    folder = tmp_path_factory.mktemp("api")
    settings = Settings(redis_url=valkey_server.url, objects_url=f"file://{folder}/objects")
    with ApiProcess(settings, folder / "api.log", PARLEY_FLOWER_URL="https://flower.example") as api:
        yield api, settings


@pytest.fixture
def api(long_lived_api: tuple[ApiProcess, Settings], api_settings: Settings) -> ApiProcess:
    """A running API whose stores are empty."""
    return long_lived_api[0]


@pytest.fixture
def api_settings(long_lived_api: tuple[ApiProcess, Settings], valkey: Valkey) -> Settings:
    """The settings of `api`."""
    shutil.rmtree(long_lived_api[1].objects_url.removeprefix("file://"), ignore_errors=True)
    return long_lived_api[1]


@pytest.fixture
def store(valkey: Valkey) -> RedisJobStore:
    """The record in an empty Valkey."""
    return RedisJobStore.from_settings(Settings(redis_url=valkey.url))


@pytest.fixture
def redis(valkey: Valkey) -> Any:
    """A client of the same Valkey, to look at what the record wrote."""
    return valkey.client()
