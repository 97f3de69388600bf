"""PARLEY_HOME: the folder of one system, and the lock that keeps a second one out."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from parley_local.errors import HomeInUse

LOCK_PATIENCE = 5.0  # seconds; a killed system's orphan_reaper is done with clearing up long before


class Home:
    """The folder, locked for as long as this object or a process that inherited `lock_fd` lives.

    Raises:
        HomeInUse: another system has it.
    """

    def __init__(self, folder: Path, patience: float = LOCK_PATIENCE) -> None:
        self.folder = folder.expanduser().absolute()
        self.objects, self.logs, self.valkey = (self.folder / name for name in ("objects", "logs", "valkey"))
        for path in (self.folder, self.objects, self.logs, self.valkey):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)  # recordings of patients: nobody else's business
        self.lock_fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._lock(patience)

    def _lock(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while not self._try_lock():
            if time.monotonic() > deadline:
                owner = os.pread(self.lock_fd, 20, 0).decode().strip()
                os.close(self.lock_fd)
                raise HomeInUse(
                    f"Parley already runs on {self.folder} (process {owner or 'unknown'}). "
                    "Stop it with Ctrl-C in its terminal, or set PARLEY_HOME to another folder."
                )
            time.sleep(0.05)
        os.ftruncate(self.lock_fd, 0)
        os.pwrite(self.lock_fd, f"{os.getpid()}\n".encode(), 0)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let the next system have the folder."""
        os.close(self.lock_fd)
