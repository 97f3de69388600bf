"""What every test may use: real servers, started once and emptied between tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator

import pytest

from parley_core.settings import Settings
from tests.support.valkey import Valkey

# The terminal of whoever runs the tests has no part in what the command prints.
for variable in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(variable, None)

# Tests start hundreds of processes. Without compiled modules, each costs twice as much.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A run in the background of a script ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT_TO_COLLECT = 10_000  # objects between two garbage collections: Python's 700 are for less memory


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Find the tests without garbage collections, and leave out what they have made from all later ones.

    Four processes import a million objects each, which stay. Half of the processor time went into walks through them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(LEFT_TO_COLLECT)
        gc.enable()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """A running, empty Valkey shared by the tests of a session. A test that kills servers makes its own."""
    valkey_server.client().flushall()
    return valkey_server


@pytest.fixture
def settings(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that point at the empty Valkey and an empty folder of objects."""
    objects = tmp_path_factory.mktemp("objects")
    return Settings(redis_url=valkey.url, objects_url=f"file://{objects}", lease_seconds=3, lease_renewal_seconds=0.5)
