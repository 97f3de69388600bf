"""A scripted server, a client that talks to it without waiting, and a recording to submit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parley import Parley
from tests.unit.client.scripted import Reply, ScriptedServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    monkeypatch.setenv("PARLEY_URL", scripted.url)
    monkeypatch.delenv("PARLEY_API_KEY", raising=False)
    scripted.on("GET", "/livez", Reply(document={"status": "ok"}))
    yield scripted
    scripted.close()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the client meant to wait between tries."""
    return []


@pytest.fixture
def client(server: ScriptedServer, pauses: list[float]) -> Iterator[Parley]:
    with Parley(server.url, pause=pauses.append) as parley:
        yield parley


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consult.flac"
    path.write_bytes(b"fLaC")
    return path
