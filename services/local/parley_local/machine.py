"""The whole system on one machine: home, ports, orphan reaper and supervisor."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr
from rich.console import Console

from parley_core.errors import UnsafeSettings
from parley_core.listening import listening_socket, require_safe_address
from parley_core.settings import Settings
from parley_local import valkey
from parley_local.errors import PortInUse
from parley_local.home import Home
from parley_local.output import Output
from parley_local.parts import stages
from parley_local.process import OrphanReaper, python_environment
from parley_local.settings import MachineSettings
from parley_local.supervisor import Stop, Supervisor


@contextmanager
def machine(settings: MachineSettings, console: Console, stop: Stop, *, quiet: bool = False) -> Iterator[Supervisor]:
    """Yield the running system. At the end of the context all its processes have ended.

    Raises:
        MachineError: the system cannot start.
        UnsafeSettings: the settings would expose it without authentication.
    """
    home = Home(settings.home)
    try:
        socket_path = valkey.socket_path(home.folder)
        redis_url = settings.redis_url.get_secret_value() if settings.redis_url else valkey.socket_url(socket_path)
        objects_url = settings.objects_url or home.objects.as_uri()
        require_safe_address(Settings(redis_url=SecretStr(redis_url), objects_url=objects_url))
        require_free_port(settings.host, settings.port, "PARLEY_PORT")
        require_free_port("127.0.0.1", settings.flower_port, "PARLEY_FLOWER_PORT")
        parts = stages(settings, home, redis_url, socket_path)
        output = Output(console, home.logs, quiet=quiet)
        mark = secrets.token_hex(8)
        environment = python_environment({"PARLEY_REDIS_URL": redis_url, "PARLEY_OBJECTS_URL": objects_url}, mark)
        environment.setdefault("PARLEY_AUDIT_FOLDER", str(home.folder / "audit"))
        environment.setdefault("PARLEY_FLOWER_URL", settings.flower_url)
        environment |= {"PARLEY_HOST": settings.host, "PARLEY_PORT": str(settings.port)}
        reaper = OrphanReaper(mark, keep_open=home.lock_fd)
        supervisor = Supervisor(parts, environment, output, reaper, stop)
        try:
            supervisor.start()
            yield supervisor
        finally:
            supervisor.stop()
            reaper.close()
    finally:
        home.close()


def require_free_port(host: str, port: int, variable: str) -> None:
    """Raise PortInUse if another process listens there."""
    try:
        listening_socket(host, port).close()
    except UnsafeSettings as error:
        message = f"{error.detail} Stop the process that uses it, or set {variable} to another port."
        raise PortInUse(message) from error


def stop_on_signals() -> Stop:
    """Return a Stop that Ctrl-C, SIGTERM and a closed terminal set."""
    stop = Stop()

    def count(number: int, frame: object) -> None:
        stop.times += 1

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, count)
    return stop
