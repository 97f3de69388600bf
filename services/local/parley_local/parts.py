"""The parts of the system: their command lines, and how to know that they are ready."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from parley_local import valkey
from parley_local.home import Home
from parley_local.settings import MachineSettings


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the system.

    Attributes:
        ready: asked again and again while it starts.
        needed: the system does not start without it; any other part may come up later.
        stop_seconds: from SIGTERM until it is killed.
    """

    name: str
    colour: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    needed: bool = False
    stop_seconds: float = 10.0


Stages = tuple[tuple[Part, ...], ...]
"""Started in this order, each stage when the one before is ready; stopped in the opposite order."""


def stages(settings: MachineSettings, home: Home, redis_url: str, socket_path: Path) -> Stages:
    """Return all parts: the store first, at the end those that take work, so that they are the first to stop."""
    store = () if settings.redis_url else (_valkey(settings, home, redis_url, socket_path),)
    return store, (_api(settings), _keeper()), (_worker(), _flower(settings))


def _valkey(settings: MachineSettings, home: Home, redis_url: str, socket_path: Path) -> Part:
    server = valkey.find_server()
    command = valkey.server_command(server, home.valkey, socket_path, settings.valkey_max_memory)
    return Part("valkey", "magenta", command, lambda: valkey.answers(redis_url), needed=True)


def _api(settings: MachineSettings) -> Part:
    command = (sys.executable, "-m", "parley_api")
    return Part("api", "cyan", command, lambda: _answers_ok(f"{settings.api_url}/readyz"), needed=True)


def _keeper() -> Part:
    return Part("keeper", "blue", (sys.executable, "-m", "parley_keeper"), _at_once)


def _worker() -> Part:
    # A running job gets this long to end; after a kill it is done again by the next start, so nothing is lost.
    return Part("worker", "green", (sys.executable, "-m", "parley_worker"), _at_once, stop_seconds=15.0)


def _flower(settings: MachineSettings) -> Part:
    celery = (sys.executable, "-m", "celery", "-A", "parley_core.celery_app", "flower")
    command = (*celery, "--address=127.0.0.1", f"--port={settings.flower_port}", "--logging=warning")
    return Part("flower", "yellow", command, lambda: _listens(settings.flower_port))


def _at_once() -> bool:
    """Nobody waits for this part: jobs are accepted before it is up."""
    return True


def _answers_ok(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
