"""The Python client of Parley for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from parley import _calls, _resumable
from parley._batches import AsyncBatchMethods
from parley._calls import LONG_POLL_SECONDS, LongPolls
from parley._retry import RetryPolicy
from parley._transport import AsyncTransport, OnRetry
from parley._upload import OnBytes
from parley.corrections import Correction, Questions
from parley.models import Document, Job, QueueStatus
from parley.options import SubmitOptions
from parley.results import Transcript, Turns
from parley.tenant import ApiKey, Consent, Delivery, Share, Usage, Voiceprint

if TYPE_CHECKING:
    import httpx


class AsyncParley(AsyncBatchMethods):
    """A Parley server, for programs that use asyncio. The methods do what those of Parley do;
    `watch` and `jobs` are asynchronous iterators.

        async with AsyncParley() as parley:
            job = await parley.submit("consult.flac", num_speakers=2)
            if (await parley.wait(job.id)).succeeded:
                print((await parley.turns(job.id)).turns)

    Args:
        url: address of the server; by default PARLEY_URL, else http://127.0.0.1:7001.
        api_key: by default PARLEY_API_KEY, else none.
        retry: how often calls are tried.
        on_retry: called before each retry with the error and the seconds until the retry.
        sleep: waits between tries.
        http_transport: replaces the network, in tests.

    Raises:
        ValueError: the URL is invalid.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        on_retry: OnRetry | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = AsyncTransport(url, api_key, retry, on_retry, sleep, http_transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    async def submit(
        self,
        recording: str | os.PathLike[str],
        *,
        transcript: str | os.PathLike[str] | None = None,
        idempotency_key: str | None = None,
        on_bytes: OnBytes | None = None,
        sha256: str | None = None,
        etag: str | None = None,
        resumable: bool | None = None,
        resume_folder: str | os.PathLike[str] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Submit the recording in a file, or behind a link, and return its job; see Parley.submit."""
        words = None if transcript is None else Path(transcript)
        if _resumable.applies(recording, words, resumable) and not (sha256 or etag):
            notes = _resumable.UploadNotes(Path(resume_folder), self.url) if resume_folder else None
            steps = _resumable.submit(Path(recording), idempotency_key, on_bytes, options, notes)
            return await self._transport.run(steps)
        conditions = {"sha256": sha256, "etag": etag}
        call = _calls.submit(recording, words, idempotency_key, on_bytes, conditions, options)
        return await self._transport.send(call)

    async def job(self, job_id: str, *, wait: float = 0.0) -> Job:
        """Return a job: now, or with `wait` at its next change of state, at the latest after `wait` seconds."""
        return await self._transport.send(_calls.job(job_id, wait))

    async def watch(self, job_id: str, *, every: float = LONG_POLL_SECONDS) -> AsyncIterator[Job]:
        """Yield a job now, at every change of state and at least every `every` seconds, until it is terminal."""
        job = await self.job(job_id)
        yield job
        while not job.terminal:
            job = await self.job(job_id, wait=every)
            yield job

    async def wait(self, job_id: str, *, timeout: float | None = None) -> Job:  # noqa: ASYNC109 - as in Parley.wait
        """Return a job as soon as it is terminal. Raises WaitTimedOut if it is unfinished after `timeout` seconds."""
        polls = LongPolls(timeout)
        job = await self.job(job_id)
        while not job.terminal:
            job = await self.job(job_id, wait=polls.next(job))
        return job

    async def jobs(
        self,
        *,
        state: str | None = None,
        queue: str | None = None,
        reference: str | None = None,
        id_prefix: str | None = None,
    ) -> AsyncIterator[Job]:
        """Yield your jobs, newest first. Pages are requested as they are needed."""
        filters = {"state": state, "queue": queue, "reference": reference, "id": id_prefix}
        page = await self._transport.send(_calls.jobs(filters, cursor=None))
        while True:
            for job in page.jobs:
                yield job
            if page.next_cursor is None:
                return
            page = await self._transport.send(_calls.jobs(filters, page.next_cursor))

    async def turns(self, job_id: str, *, embeddings: bool = False, version: int | None = None) -> Turns:
        """Return the turns of a job that succeeded, in its newest version unless another one is given."""
        return await self._transport.send(_calls.turns(job_id, embeddings, version))

    async def export(
        self, job_id: str, file_format: str, *, speakers: str | None = None, version: int | None = None
    ) -> str:
        """Return the turns of a job as a file for other programs."""
        return await self._transport.send(_calls.export(job_id, file_format, speakers, version))

    async def picture(self, job_id: str, *, version: int | None = None) -> bytes:
        """Return the timeline of a job that succeeded as PNG."""
        return await self._transport.send(_calls.picture(job_id, version))

    async def correct(
        self,
        job_id: str,
        operations: Sequence[Document],
        *,
        author: str,
        base_version: int | None = None,
        redecide: bool = False,
    ) -> Correction:
        """Correct turns or speakers of a job and return the correction. The turns of the engine stay."""
        if base_version is None:
            base_version = len(await self.corrections(job_id))
        return await self._transport.send(_calls.correct(job_id, operations, author, base_version, redecide))

    async def corrections(self, job_id: str) -> list[Correction]:
        """Return the corrections of a job, oldest first. Their number is the newest version."""
        return await self._transport.send(_calls.corrections(job_id))

    async def questions(self, job_id: str) -> Questions:
        """Return what to ask a person who can listen: the question first whose answer is expected to change most."""
        return await self._transport.send(_calls.questions(job_id))

    async def send_transcript(
        self, job_id: str, transcript: str | os.PathLike[str], *, file_format: str | None = None
    ) -> Document:
        """Send what a recogniser has written about a recording; return the receipt: number of words, and format.

        The turns of the job have text from then on. A later transcript takes the place of an earlier one.

        Args:
            job_id: the job, in any state.
            transcript: path of the file.
            file_format: `openai`, `whisper_cpp`, `vosk`, `deepgram`, `assemblyai`, `google`, `aws`, `azure`, `words`,
                `srt` or `vtt`; by default it is recognised.

        Raises:
            OSError: the file cannot be read.
        """
        return await self._transport.send(_calls.send_transcript(job_id, Path(transcript), file_format))

    async def transcribe(self, job_id: str) -> Job:
        """Ask the server's recogniser for the words of a job that has succeeded. See `Parley.transcribe`."""
        return await self._transport.send(_calls.transcribe(job_id))

    async def transcript(self, job_id: str) -> Transcript:
        """Return who said each word of a job that succeeded and has a transcript."""
        return await self._transport.send(_calls.transcript(job_id))

    async def save_audio(self, job_id: str, path: str | os.PathLike[str]) -> None:
        """Download the recording of a job into a file, as it was submitted. A file that exists is replaced.

        Raises:
            OSError: the file cannot be written.
        """
        await self._transport.send(_calls.save_audio(job_id, Path(path)))

    async def cancel(self, job_id: str) -> Job:
        """Cancel an unfinished job and return it."""
        return await self._transport.send(_calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """Run a failed or cancelled job again with its options, and return it."""
        return await self._transport.send(_calls.retry(job_id))

    async def delete(self, job_id: str) -> Document:
        """Delete recording, result and record of a terminal job, and return the receipt."""
        return await self._transport.send(_calls.delete(job_id))

    async def enrol(
        self, name: str, job_id: str, speaker: str, *, role: str | None = None, consent: Consent | None = None
    ) -> Voiceprint:
        """Enrol a speaker of a job as a voiceprint. The job must keep speaker embeddings."""
        return await self._transport.send(_calls.enrol(name, job_id, speaker, role, consent))

    async def voiceprints(self) -> list[Voiceprint]:
        """Return your voiceprints, oldest first."""
        return await self._transport.send(_calls.voiceprints())

    async def delete_voiceprint(self, voiceprint_id: str) -> Document:
        """Delete a voiceprint and return the receipt."""
        return await self._transport.send(_calls.delete_voiceprint(voiceprint_id))

    async def deliveries(
        self, *, state: str | None = None, job_id: str | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Return deliveries of your jobs and batches, those of the newest ends first.

        Args:
            state: only deliveries in this state: `pending`, `delivered` or `failed`.
            job_id: only deliveries of this job.
            limit: largest number of deliveries, up to 200.
        """
        return await self._transport.send(_calls.deliveries(state, job_id, limit))

    async def resend(self, delivery_id: str) -> Delivery:
        """Send a delivery once more, under the same id, and return it."""
        return await self._transport.send(_calls.resend(delivery_id))

    async def create_key(self, name: str, scopes: Sequence[str], *, expires_at: datetime | None = None) -> ApiKey:
        """Make an API key of your tenant and return it with its text, which cannot be read again.

        Args:
            name: what it is for.
            scopes: what it may do: `submit`, `read`, `correct`, `delete`, `voiceprints`, `admin`.
            expires_at: a time with a time zone; None is never.
        """
        return await self._transport.send(_calls.create_key(name, scopes, expires_at))

    async def keys(self) -> list[ApiKey]:
        """Return the API keys that your tenant has made, oldest first."""
        return await self._transport.send(_calls.keys())

    async def revoke_key(self, key_id: str) -> Document:
        """Revoke an API key and return the receipt."""
        return await self._transport.send(_calls.revoke_key(key_id))

    async def share(self, job_id: str, seconds: int, *, audio: bool = False) -> Share:
        """Make a link that opens the timeline of a job without an API key, and return it with its secret."""
        return await self._transport.send(_calls.share(job_id, seconds, audio))

    async def shares(self, job_id: str) -> list[Share]:
        """Return the links of a job, oldest first."""
        return await self._transport.send(_calls.shares(job_id))

    async def revoke_share(self, job_id: str, share_id: str) -> Document:
        """Revoke a link and return the receipt."""
        return await self._transport.send(_calls.revoke_share(job_id, share_id))

    async def queues(self) -> list[QueueStatus]:
        """Return the load of every queue."""
        return await self._transport.send(_calls.queues())

    async def usage(self, first: date | None = None, last: date | None = None) -> Usage:
        """Return what your tenant has used.

        Args:
            first: first UTC day; by default the first of the month of `last`.
            last: last UTC day; by default today.
        """
        return await self._transport.send(_calls.usage(first, last))

    async def focus_usage(self, first: date | None = None, last: date | None = None) -> str:
        """Get the same as CSV by FOCUS, the FinOps Open Cost and Usage Specification."""
        return await self._transport.send(_calls.focus_usage(first, last))

    async def ready(self) -> Document:
        """Return the readiness of the server."""
        return await self._transport.send(_calls.ready())

    async def version(self) -> str:
        """Return the version of the server."""
        return await self._transport.send(_calls.version())
