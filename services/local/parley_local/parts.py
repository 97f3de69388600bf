"""The parts of the system: their commands, and how to tell that they are ready."""

from __future__ import annotations

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

# A worker gives its jobs back within seconds. The next start goes on from their checkpoints.
WORKER_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the system.

    Attributes:
        ready: returns whether the part is ready. None: the start does not wait for this part.
        stop_seconds: time between SIGTERM and SIGKILL.
    """

    name: str
    colour: str
    command: tuple[str, ...]
    ready: Callable[[], bool] | None = None
    stop_seconds: float = 10.0


Stages = tuple[tuple[Part, ...], ...]
"""Parts in the order of their start. A stage starts when the one before is ready. They stop in reverse order."""


def stages(settings: MachineSettings, home: Home, redis_url: str, socket_path: Path) -> Stages:
    """Return all parts. The store is first. The parts that take work are last, so they stop first."""
    python = (sys.executable, "-m")
    api = Part("api", "cyan", (*python, "parley_api"), lambda: _answers(f"{settings.api_url}/readyz"))
    keeper = Part("keeper", "blue", (*python, "parley_keeper"))
    worker = Part("worker", "green", (*python, "parley_worker"), stop_seconds=WORKER_STOP_SECONDS)
    flower_options = ("--address=127.0.0.1", f"--port={settings.flower_port}", "--logging=warning")
    kept = ("--persistent", f"--db={home.folder / 'flower'}", "--state_save_interval=60000")
    flower_command = (*python, "celery", "-A", "parley_core.celery_app", "flower", *flower_options, *kept)
    flower = Part("flower", "yellow", flower_command)
    if settings.redis_url:
        return (api, keeper), (worker, flower)
    server = valkey.server_command(valkey.find_server(), home.valkey, socket_path, settings.valkey_max_memory)
    store = Part("valkey", "magenta", server, lambda: valkey.answers(redis_url))
    return (store,), (api, keeper), (worker, flower)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False
