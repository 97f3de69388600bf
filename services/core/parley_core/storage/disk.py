"""Files of one machine: what a flush of a name and of its bytes takes, and scratch files that outlive no process."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parley_core.process import LIBC


@contextmanager
def scratch_file() -> Iterator[tuple[Any, Path]]:
    """Give a file without a name on disk, and a path that opens it in this process: nothing outlives a SIGKILL.

    Only Linux opens the path as a file of its own; elsewhere the file has a name until the context ends.
    """
    if sys.platform == "linux":
        with tempfile.TemporaryFile() as file:
            yield file, Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile(prefix="parley-") as file:
            yield file, Path(file.name)


def remove_empty(folder: Path) -> None:
    """Remove a folder if it is empty. A put that needs it makes it again.

    Folders above stay: a put that makes two levels fails when another call removes the upper one meanwhile.
    """
    with suppress(OSError):  # not empty
        folder.rmdir()


def flush_file_system(folder: Path) -> None:
    """Flush all that the file system of a folder has (syncfs(2)). Raises OSError."""
    with _opened(folder) as descriptor:
        if LIBC.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs failed")


def fsync(path: Path) -> None:
    """Flush a file, or the names in a folder. Raises OSError."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
