"""Submits by resumable uploads, by the tus protocol: after a cut, a recording goes on where it has arrived.

The steps are a generator of calls, so that both clients share them: https://tus.io/protocols/resumable-upload.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from base64 import b64encode
from collections.abc import Generator
from pathlib import Path
from typing import Any

from parley import _calls
from parley._calls import Call
from parley._httpx import httpx
from parley._upload import CHUNK_BYTES, OnBytes, Part
from parley.errors import ParleyApiError, ParleyConnectionError, ParleyUnavailable, UnexpectedResponse
from parley.models import Job
from parley.options import SubmitOptions

AUTOMATIC_BYTES = 32 * 1024 * 1024  # from here on a recording is sent so: it takes longer than a proxy may wait
PART_BYTES = 16 * 1024 * 1024  # per request
SMALLEST_PART_BYTES = 512 * 1024  # where a proxy refuses larger bodies
PROXY_REFUSES = "http_413"  # the code of a body that is too large, in a response that is not Parley's
CHANGED = "link_changed"  # the code of a recording that has another digest
FAILURES = 7  # in a row, without a new byte
PASSING = frozenset({408, 409, 429})  # statuses of a request that may succeed from another offset, or later
GONE = frozenset({404, 410})  # statuses of a submit of an upload that no job has taken
TUS = {"Tus-Resumable": "1.0.0"}
ADDRESS = re.compile(r"/v1/uploads/[A-Za-z0-9-]{1,80}$")

Steps = Generator[Call[Any], Any, Job]


class Digest:
    """SHA-256 of a file, read once from its beginning, a part at a time."""

    def __init__(self, path: Path) -> None:
        self._path, self._sum, self._end = path, hashlib.sha256(), 0

    def read_to(self, end: int) -> None:
        """Read what was not read before. Raises OSError."""
        with self._path.open("rb") as file:
            file.seek(self._end)
            while self._end < end and (data := file.read(min(CHUNK_BYTES, end - self._end))):
                self._sum.update(data)
                self._end += len(data)

    def hex(self) -> str:
        """Return the digest of what was read."""
        return self._sum.hexdigest()


class UploadNotes:
    """Addresses of unfinished uploads, one file each, so that another process can go on with them.

    Args:
        folder: it is made when it is needed.
        url: of the server.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url

    def find(self, recording: Path) -> str | None:
        """Return the address of the upload of a file that has not changed since, None without one."""
        try:
            address = self._note(recording).read_text()
        except OSError:
            return None
        return address if ADDRESS.fullmatch(address) else None

    def keep(self, recording: Path, address: str) -> None:
        """Note an address. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._note(recording).write_text(address)

    def forget(self, recording: Path) -> None:
        """Remove a note; no error if there is none."""
        self._note(recording).unlink(missing_ok=True)

    def _note(self, recording: Path) -> Path:
        found = recording.stat()
        state = [self._url, os.fsdecode(recording.resolve()), found.st_size, found.st_mtime_ns]
        return self._folder / hashlib.sha256(json.dumps(state).encode()).hexdigest()


def applies(recording: str | os.PathLike[str], transcript: Path | None, wanted: bool | None) -> bool:
    """Return whether a submit goes by a resumable upload.

    Raises:
        TypeError: it is wanted for a link, or with a transcript.
        OSError: the file cannot be read.
    """
    if _calls.is_link(recording) or transcript is not None:
        if wanted:
            raise TypeError("submit() resumes uploads of files without a transcript; send it with send_transcript()")
        return False
    return Path(recording).stat().st_size >= AUTOMATIC_BYTES if wanted is None else wanted


def submit(
    path: Path,
    idempotency_key: str | None,
    on_bytes: OnBytes | None,
    options: SubmitOptions,
    notes: UploadNotes | None,
) -> Steps:
    """Yield the calls that upload and submit a recording; return its job.

    The caller sends back what each call returns, or throws its error in.

    Raises:
        ParleyClientError: the server refuses, or nothing more arrives after seven tries.
        OSError: the file cannot be read, or the note cannot be written.
    """
    total, digest = path.stat().st_size, Digest(path)
    address = notes.find(path) if notes else None
    offset = 0
    if address is not None:
        try:
            offset = yield _ask(address)
        except ParleyApiError as error:
            if isinstance(error, ParleyUnavailable):
                raise
            digest.read_to(total)  # the same request as that of the first run, or another one is meant
            made = yield from _made_of(address, idempotency_key, options, digest.hex())
            if made is not None and notes is not None:
                notes.forget(path)
                return made
            address = None
    if address is None:
        address = yield _begin(options.get("file_name") or _calls.name_of(path), total)
        if notes:
            notes.keep(path, address)
    yield from _send(path, address, offset, total, on_bytes, digest)
    try:
        job: Job = yield _calls.submit_upload(address.rpartition("/")[2], idempotency_key, options, digest.hex())
    except ParleyApiError as error:
        if error.code == CHANGED:  # the file was changed meanwhile: the next run begins anew
            yield Call("DELETE", address, lambda _: None, headers=TUS)
            if notes:
                notes.forget(path)
        raise
    if notes:
        notes.forget(path)
    return job


def _made_of(
    address: str, idempotency_key: str | None, options: SubmitOptions, sha256: str
) -> Generator[Call[Any], Any, Job | None]:
    """Yield the call that finds the job of an upload that is gone: a submit without an answer may have taken it."""
    try:
        job: Job = yield _calls.submit_upload(address.rpartition("/")[2], idempotency_key, options, sha256)
    except ParleyApiError as error:
        if error.status not in GONE:
            raise
        return None
    return job


def _send(
    path: Path, address: str, offset: int, total: int, on_bytes: OnBytes | None, digest: Digest
) -> Generator[Call[Any], Any, None]:
    """Yield the calls that send a recording from an offset on. The digest reads the whole file."""
    digest.read_to(offset)
    failures, part_bytes = 0, PART_BYTES
    while offset < total:
        digest.read_to(min(total, offset + part_bytes))
        part = Part(path, offset, min(total, offset + part_bytes), total, on_bytes)
        headers = {**TUS, **part.headers, "Upload-Offset": str(offset)}
        try:
            offset = yield Call("PATCH", address, _offset, headers=headers, upload=part, repeatable=False)
            failures = 0
        except (ParleyConnectionError, ParleyApiError) as error:
            failures += 1
            passing = not isinstance(error, ParleyApiError) or error.status in PASSING or error.status >= 500
            if error.code == PROXY_REFUSES and part_bytes > SMALLEST_PART_BYTES:
                part_bytes = max(SMALLEST_PART_BYTES, part_bytes // 4)
            elif failures >= FAILURES or not passing:
                raise
            before, offset = offset, (yield _ask(address))
            failures = 0 if offset > before else failures
    digest.read_to(total)


def _begin(file_name: str, length: int) -> Call[str]:
    name = b64encode(file_name.encode()).decode()
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}

    def read(response: httpx.Response) -> str:
        found = ADDRESS.search(response.headers.get("Location", ""))  # it may begin with a path of the host
        if found is None:
            raise UnexpectedResponse("The server does not say where the upload is.")
        return found[0]

    return Call("POST", "/v1/uploads", read, headers=headers)


def _ask(address: str) -> Call[int]:
    return Call("HEAD", address, _offset, headers=TUS)


def _offset(response: httpx.Response) -> int:
    try:
        return int(response.headers["Upload-Offset"])
    except (KeyError, ValueError):
        raise UnexpectedResponse("The server does not say how much of the upload has arrived.") from None
