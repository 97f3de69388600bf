"""PARLEY_HOME: the folder of one system, locked against a second one."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from parley_local.errors import HomeInUse, HomeUnusable

LOCK_WAIT_SECONDS = 5.0  # the orphan reaper of a killed system needs less to end its processes


class Home:
    """The folder, locked until this object and every process that inherited `lock_fd` have ended.

    Raises:
        HomeInUse: another system uses it.
        HomeUnusable: it cannot be made or written.
    """

    def __init__(self, folder: Path, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        self.folder = folder.expanduser().absolute()
        self.objects, self.logs, self.valkey = (self.folder / name for name in ("objects", "logs", "valkey"))
        try:
            for path in (self.folder, self.objects, self.logs, self.valkey):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)  # recordings of patients
            self.lock_fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            self._lock(wait_seconds)
        except OSError as error:
            reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise HomeUnusable(
                f"Parley cannot keep its data in {self.folder}: {reason}. Set PARLEY_HOME to another folder."
            ) from error

    def _lock(self, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
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
        """Release the lock."""
        os.close(self.lock_fd)
