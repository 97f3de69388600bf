"""The bytes of an open recording, by reading and seeking alone: the confined process may ask no file for its state."""

from __future__ import annotations

import os


def size_of(descriptor: int) -> int:
    """Return how many bytes an open file has."""
    return os.lseek(descriptor, 0, os.SEEK_END)


class RecordingFile:
    """An open recording as the file that PyAV takes, with a position of its own."""

    name = "recording"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def read(self, size: int) -> bytes:
        part = os.pread(self._descriptor, size, self._position)
        self._position += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Raises OSError for a position before the beginning."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: size_of(self._descriptor)}[whence]
        if start + offset < 0:
            raise OSError("a position before the beginning of the recording")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True
