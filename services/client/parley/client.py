"""The Python client of Parley."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx

from parley._answers import Document, segment, understand, unexpected
from parley._transport import Call, OnRetry, RetryPolicy, Transport
from parley._upload import OnBytes, Upload
from parley.errors import ParleyApiError, WaitTimedOut
from parley.models import Job, QueueStatus, Turns
from parley.voiceprints import Voiceprint

DEFAULT_URL = "http://127.0.0.1:7001"
LONG_POLL_SECONDS = 30.0  # the server answers earlier when the job changes
PAGE_JOBS = 100


class Parley:
    """A Parley server, for use by any number of threads.

        with Parley() as parley:
            job = parley.submit("consult.flac", num_speakers=2)
            if parley.wait(job.id).succeeded:
                print(parley.turns(job.id).turns)

    Every method raises ParleyConnectionError when no answer comes, ParleyApiError when the server refuses
    (ParleyUnavailable when it may do it later), and UnexpectedAnswer when something else than Parley answers.
    BlockingCalls are tried again by themselves where that is safe.

    Args:
        url: the server; by default PARLEY_URL, else http://127.0.0.1:7001.
        api_key: by default PARLEY_API_KEY, else none.
        retry: how patiently calls are tried again.
        pause: sleeps so many seconds between tries.
        on_retry: told of every error that is tried again.
        http_transport: replaces the network, in tests.

    Raises:
        ValueError: the URL is none.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        pause: Callable[[float], None] = time.sleep,
        on_retry: OnRetry = lambda error, seconds: None,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(
            url or os.environ.get("PARLEY_URL") or DEFAULT_URL,
            api_key or os.environ.get("PARLEY_API_KEY"),
            retry or RetryPolicy(),
            pause=pause,
            on_retry=on_retry,
            http_transport=http_transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._transport.url

    def submit(
        self,
        recording: str | os.PathLike[str],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        queue: str | None = None,
        reference: str | None = None,
        callback_url: str | None = None,
        retain_seconds: int | None = None,
        speaker_embeddings: bool = False,
        channels: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        on_bytes: OnBytes = lambda sent, total: None,
    ) -> Job:
        """Send the recording in a file and return its job, accepted for good.

        The file is streamed, so its size costs no memory. A connection that breaks is tried again under the same
        idempotency key, so that there is one job however often it breaks.

        Args:
            num_speakers: how many there are, if known; or else `min_speakers` and `max_speakers`, both inclusive.
            queue: `interactive` (a person waits; the default) or `batch`.
            reference: your own name for the conversation.
            callback_url: where the delivery goes when the job ends.
            retain_seconds: how long recording and result are kept after the end.
            speaker_embeddings: keep an embedding of each speaker in the result, to enrol and to be named.
            channels: whose microphone each channel is, in order: clinician, patient or other.
            idempotency_key: your own, to find the same job again from another process; by default a fresh one.
            on_bytes: told of the progress.

        Raises:
            OSError: the file cannot be read.
        """
        upload = Upload(Path(recording), on_bytes)
        options = {
            "num_speakers": num_speakers,
            "min_speakers": min_speakers,
            "max_speakers": max_speakers,
            "queue": queue,
            "reference": reference,
            "callback_url": callback_url,
            "retain_seconds": retain_seconds,
            "speaker_embeddings": "true" if speaker_embeddings else None,
            "channels": ",".join(channels) if channels else None,
        }
        headers = upload.headers | {"Idempotency-Key": idempotency_key or str(uuid4())}
        return self._job(Call("POST", "/v1/jobs", params=options, headers=headers, body=upload.pieces))

    def job(self, job_id: str, *, wait: float = 0.0) -> Job:
        """Return the record; with `wait` at the job's next change of state, or after so many seconds."""
        patience = {"wait": wait} if wait else {}
        # The network and the server's own work come on top of the wait that was asked for.
        return self._job(Call("GET", f"/v1/jobs/{segment(job_id)}", params=patience, answer_seconds=wait + 15.0))

    def watch(self, job_id: str, *, every: float = LONG_POLL_SECONDS) -> Iterator[Job]:
        """Yield the record now, at every change of state and at least every so many seconds, until it is terminal."""
        job = self.job(job_id)
        yield job
        while not job.terminal:
            job = self.job(job_id, wait=every)
            yield job

    def wait(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Return the job once it is terminal, however it ended.

        Raises:
            WaitTimedOut: it is still unfinished after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        job = self.job(job_id)
        while not job.terminal:
            left = LONG_POLL_SECONDS if deadline is None else min(LONG_POLL_SECONDS, deadline - time.monotonic())
            if left <= 0:
                raise WaitTimedOut(job, timeout or 0.0)
            job = self.job(job_id, wait=left)
        return job

    def jobs(
        self, *, state: str | None = None, queue: str | None = None, reference: str | None = None
    ) -> Iterator[Job]:
        """Yield your jobs, newest first, page by page as they are asked for."""
        filters = {"state": state, "queue": queue, "reference": reference}
        cursor: str | None = None
        while True:
            page = self._document(Call("GET", "/v1/jobs", params=filters | {"limit": PAGE_JOBS, "cursor": cursor}))
            yield from understand(page, lambda document: [Job.from_document(job) for job in document["jobs"]])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def turns(self, job_id: str, *, embeddings: bool = False) -> Turns:
        """Return who spoke when; with `embeddings` the document holds the vectors of the speakers' voices too.

        Raises:
            ParleyApiError: `job_not_finished` or `job_not_succeeded` when there are no turns;
                `speaker_embeddings_not_kept`.
        """
        wanted = {"format": "json"} | ({"embeddings": "true"} if embeddings else {})
        document = self._document(Call("GET", f"/v1/jobs/{segment(job_id)}/turns", params=wanted))
        return understand(document, Turns.from_document)

    def rttm(self, job_id: str) -> str:
        """Return the turns as NIST RTTM, one line per turn."""
        call = Call("GET", f"/v1/jobs/{segment(job_id)}/turns", params={"format": "rttm"})
        return self._transport.send(call).text

    def cancel(self, job_id: str) -> Job:
        """Cancel an unfinished job, for good. ParleyApiError `job_already_terminal` when nothing is left to cancel."""
        return self._job(Call("POST", f"/v1/jobs/{segment(job_id)}/cancel", repeatable=False))

    def retry(self, job_id: str) -> Job:
        """Run a failed or cancelled job again, with the options that it was submitted with."""
        return self._job(Call("POST", f"/v1/jobs/{segment(job_id)}/retry", repeatable=False))

    def delete(self, job_id: str) -> Document:
        """Remove recording, result and record of a terminal job; return the receipt: what was removed, and when."""
        return self._document(Call("DELETE", f"/v1/jobs/{segment(job_id)}", repeatable=False))

    def enrol(self, name: str, job_id: str, speaker: str, *, role: str | None = None) -> Voiceprint:
        """Enrol a speaker of a job that was submitted with `voices`: from now on this person has a name.

        Args:
            role: clinician, patient or none.

        Raises:
            ParleyApiError: by code: `speaker_embeddings_not_kept`, `unknown_speaker`, `speaker_without_embedding`,
                `voiceprint_name_taken` and others.
        """
        asked = json.dumps({"name": name, "job_id": job_id, "speaker": speaker, "role": role}).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(asked))}
        call = Call("POST", "/v1/voiceprints", headers=headers, body=lambda: [asked], repeatable=False)
        return understand(self._document(call), Voiceprint.from_document)

    def voiceprints(self) -> list[Voiceprint]:
        """Return your enrolled voices, in order of enrolment."""
        document = self._document(Call("GET", "/v1/voiceprints"))
        return understand(document, lambda answer: [Voiceprint.from_document(voice) for voice in answer["voiceprints"]])

    def delete_voiceprint(self, voiceprint_id: str) -> Document:
        """Forget a voice, at once and for good; return the receipt."""
        return self._document(Call("DELETE", f"/v1/voiceprints/{segment(voiceprint_id)}", repeatable=False))

    def queues(self) -> list[QueueStatus]:
        """Return how busy every queue is."""
        document = self._document(Call("GET", "/v1/queues"))
        return understand(document, lambda answer: [QueueStatus.from_document(queue) for queue in answer["queues"]])

    def alive(self) -> None:
        """Return when a server answers at all, in whatever condition; ParleyConnectionError when none does."""
        self._transport.send(Call("GET", "/livez"))

    def ready(self) -> Document:
        """Return what the server says of its own parts, also when it is not ready.

        The answer's `status` is `ok` when it is; a server that is not ready names the missing part in `detail`.
        """
        try:
            return self._document(Call("GET", "/readyz", once=True))
        except ParleyApiError as error:
            if error.status != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            return {"status": "unavailable", "code": error.code, "detail": error.detail}

    def version(self) -> str:
        """Return the version of the server."""
        document = self._document(Call("GET", "/openapi.json"))
        return understand(document, lambda answer: str(answer["info"]["version"]))

    def _job(self, call: Call) -> Job:
        return understand(self._document(call), Job.from_document)

    def _document(self, call: Call) -> Document:
        response = self._transport.send(call)
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise unexpected(f"{call.method} {call.path}")
        return document
