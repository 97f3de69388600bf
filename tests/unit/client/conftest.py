"""A scripted server, both clients for it without real pauses, and a recording to submit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from parley import AsyncParley, Parley
from tests.unit.client.scripted import ScriptedServer

Connect = Callable[..., Parley]
"""Makes a client from the arguments of Parley; `pauses` collects the seconds that it would sleep."""


class BlockingAsyncParley:
    """An AsyncParley with the blocking methods of Parley, so that every test of the client runs on both."""

    def __init__(self, **arguments: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncParley(**arguments)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any, **options: Any) -> Any:
            result = attribute(*arguments, **options)
            if inspect.isasyncgen(result):
                return self._iterate(result)
            return self._runner.run(result)

        return call

    def _iterate(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        done = object()
        while (value := self._runner.run(_next(values, done))) is not done:
            yield value

    def disconnect(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


async def _next(values: AsyncIterator[Any], done: object) -> Any:
    return await anext(values, done)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    monkeypatch.setenv("PARLEY_URL", scripted.url)
    monkeypatch.delenv("PARLEY_API_KEY", raising=False)
    yield scripted
    scripted.close()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the client slept between tries."""
    return []


@pytest.fixture(params=["Parley", "AsyncParley"])
def connect(request: pytest.FixtureRequest, pauses: list[float]) -> Iterator[Connect]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def make(url: str, **arguments: Any) -> Parley:
        if request.param == "Parley":
            return clients.enter_context(Parley(url, sleep=pauses.append, **arguments))
        client = BlockingAsyncParley(url=url, sleep=sleep, **arguments)
        clients.callback(client.disconnect)
        return cast(Parley, client)

    with ExitStack() as clients:
        yield make


@pytest.fixture
def client(server: ScriptedServer, connect: Connect) -> Parley:
    return connect(server.url)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consult.flac"
    path.write_bytes(b"fLaC")
    return path
