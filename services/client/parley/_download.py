"""A response that is written to a file as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


class Download:
    """The body of a response, written to a file. The file is there when all of it has arrived, and not before.

    Args:
        path: of the file; one that exists is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, chunks: Iterator[bytes]) -> None:
        """Write a body. Raises OSError if the file cannot be written."""
        with self._part() as file:
            for chunk in chunks:
                file.write(chunk)

    async def async_write(self, chunks: AsyncIterator[bytes]) -> None:
        """Write a body in a thread, so that the event loop is not blocked. Raises what `write` raises."""
        with self._part() as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)

    @contextmanager
    def _part(self) -> Iterator[BinaryIO]:
        """Give a file beside the wanted one, which takes its place at the end."""
        part = self._path.with_name(f".{uuid4().hex}.part")
        try:
            with part.open("xb") as file:
                yield file
            part.replace(self._path)
        except OSError as error:
            error.filename = str(self._path)  # the file that the caller has named
            raise
        finally:
            part.unlink(missing_ok=True)
