"""The Python client of Parley."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from parley import _calls, _resumable
from parley._batches import BatchMethods
from parley._calls import LONG_POLL_SECONDS, LongPolls
from parley._retry import RetryPolicy
from parley._transport import OnRetry, Transport
from parley._upload import OnBytes
from parley.corrections import Correction, Questions
from parley.models import Document, Job, QueueStatus
from parley.options import SubmitOptions
from parley.results import Transcript, Turns
from parley.tenant import ApiKey, Consent, Delivery, Share, Usage, Voiceprint

if TYPE_CHECKING:
    import httpx


class Parley(BatchMethods):
    """A Parley server. Threads may share a client.

        with Parley() as parley:
            job = parley.submit("consult.flac", num_speakers=2)
            if parley.wait(job.id).succeeded:
                print(parley.turns(job.id).turns)

    Every method that sends a request raises ParleyConnectionError if no response arrives, ParleyApiError if the server
    refuses the request (ParleyUnavailable if the same call can succeed later), and UnexpectedResponse if the response
    does not come from Parley. Calls are repeated automatically where that is safe.

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
        sleep: Callable[[float], None] = time.sleep,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(url, api_key, retry, on_retry, sleep, http_transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    def submit(
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
        """Submit the recording in a file, or behind a link, and return its job.

        An accepted job always reaches a terminal state.

        The file is streamed, so that its size costs no memory. All tries of one submit have the same idempotency key,
        so that they make one job.

        Args:
            recording: path of the file; or a link that the server fetches, such as `https://pacs.example/visit.wav` or
                `s3://calls/visit.wav`. The operator allows its host or bucket.
            transcript: path of what a recogniser has written about the file; the turns will have text.
            idempotency_key: your own key, to get the same job again from another process; by default a random one.
            on_bytes: called with the number of bytes sent so far and the total.
            sha256: with a link: SHA-256 of the recording, in hex. Another recording is refused.
            etag: with a link: `ETag` of the recording. A recording with another one is refused.
            resumable: send the file so that it goes on after a cut; by default from 32 MiB on.
            resume_folder: where unfinished uploads are noted, so that a later call with the same file goes on.
            options: see SubmitOptions.

        Raises:
            OSError: the file cannot be read.
            TypeError: a link has a transcript, a file has a condition, or neither can be resumed.
        """
        words = None if transcript is None else Path(transcript)
        if _resumable.applies(recording, words, resumable) and not (sha256 or etag):
            notes = _resumable.UploadNotes(Path(resume_folder), self.url) if resume_folder else None
            steps = _resumable.submit(Path(recording), idempotency_key, on_bytes, options, notes)
            return self._transport.run(steps)
        conditions = {"sha256": sha256, "etag": etag}
        call = _calls.submit(recording, words, idempotency_key, on_bytes, conditions, options)
        return self._transport.send(call)

    def job(self, job_id: str, *, wait: float = 0.0) -> Job:
        """Return a job: now, or with `wait` at its next change of state, at the latest after `wait` seconds."""
        return self._transport.send(_calls.job(job_id, wait))

    def watch(self, job_id: str, *, every: float = LONG_POLL_SECONDS) -> Iterator[Job]:
        """Yield a job now, at every change of state and at least every `every` seconds, until it is terminal."""
        job = self.job(job_id)
        yield job
        while not job.terminal:
            job = self.job(job_id, wait=every)
            yield job

    def wait(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Return a job as soon as it is terminal.

        Raises:
            WaitTimedOut: the job is unfinished after `timeout` seconds.
        """
        polls = LongPolls(timeout)
        job = self.job(job_id)
        while not job.terminal:
            job = self.job(job_id, wait=polls.next(job))
        return job

    def jobs(
        self,
        *,
        state: str | None = None,
        queue: str | None = None,
        reference: str | None = None,
        id_prefix: str | None = None,
    ) -> Iterator[Job]:
        """Yield your jobs, newest first. Pages are requested as they are needed.

        Args:
            state: only jobs in this state.
            queue: only jobs in this queue.
            reference: only jobs with this reference.
            id_prefix: only jobs with an id that begins like this.
        """
        filters = {"state": state, "queue": queue, "reference": reference, "id": id_prefix}
        page = self._transport.send(_calls.jobs(filters, cursor=None))
        while True:
            yield from page.jobs
            if page.next_cursor is None:
                return
            page = self._transport.send(_calls.jobs(filters, page.next_cursor))

    def turns(self, job_id: str, *, embeddings: bool = False, version: int | None = None) -> Turns:
        """Return the turns of a job that succeeded.

        Args:
            job_id: a job that succeeded.
            embeddings: the document holds the speaker embeddings too.
            version: number of corrections; 0 is the result of the engine. By default the newest version.

        Raises:
            ParleyApiError: by code, `job_not_finished`, `job_not_succeeded`, `speaker_embeddings_not_kept` and others.
        """
        return self._transport.send(_calls.turns(job_id, embeddings, version))

    def export(self, job_id: str, file_format: str, *, speakers: str | None = None, version: int | None = None) -> str:
        """Return the turns of a job as a file for other programs.

        Args:
            job_id: a job that succeeded.
            file_format: `txt`, `md`, `vtt`, `srt`, `csv`, `rttm`, `textgrid`, `eaf`, `audacity` or
                `diarized_json`; `svg` is the timeline as a picture.
            speakers: `names` or `labels`; by default labels in RTTM and names elsewhere.
            version: as in `turns`.
        """
        return self._transport.send(_calls.export(job_id, file_format, speakers, version))

    def picture(self, job_id: str, *, version: int | None = None) -> bytes:
        """Return the timeline of a job that succeeded as PNG. `version` is as in `turns`."""
        return self._transport.send(_calls.picture(job_id, version))

    def correct(
        self,
        job_id: str,
        operations: Sequence[Document],
        *,
        author: str,
        base_version: int | None = None,
        redecide: bool = False,
    ) -> Correction:
        """Correct turns or speakers of a job and return the correction. The turns of the engine stay.

        Args:
            job_id: a job that succeeded.
            operations: all of them are made, or none, for example
                `{"operation": "merge_speakers", "speaker": "SPEAKER_02", "into": "SPEAKER_00"}`.
            author: who makes the correction.
            base_version: version of the turns that you saw; by default the newest one.
            redecide: turns that nobody has given or confirmed are decided again by voice, in the same correction. Not
                with `undo` and `redo`.

        Raises:
            ParleyApiError: by code, `correction_conflict` if there is a newer version, `invalid_correction`,
                `too_many_corrections` and others.
        """
        if base_version is None:
            base_version = len(self.corrections(job_id))
        return self._transport.send(_calls.correct(job_id, operations, author, base_version, redecide))

    def corrections(self, job_id: str) -> list[Correction]:
        """Return the corrections of a job, oldest first. Their number is the newest version."""
        return self._transport.send(_calls.corrections(job_id))

    def questions(self, job_id: str) -> Questions:
        """Return what to ask a person who can listen: the question first whose answer is expected to change most.

        Answer with `correct(..., redecide=True)` and ask again: an answer changes what to ask next.

        Args:
            job_id: a job that succeeded. Results of engines other than `onnx` have no questions.
        """
        return self._transport.send(_calls.questions(job_id))

    def send_transcript(
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
        return self._transport.send(_calls.send_transcript(job_id, Path(transcript), file_format))

    def transcribe(self, job_id: str) -> Job:
        """Ask the server's recogniser for the words of a job that has succeeded. Asking twice is asking once.

        `Job.result.transcription` shows how it goes; the job itself stays as it is. Needs the recording still.
        """
        return self._transport.send(_calls.transcribe(job_id))

    def transcript(self, job_id: str) -> Transcript:
        """Return who said each word of a job that succeeded and has a transcript."""
        return self._transport.send(_calls.transcript(job_id))

    def save_audio(self, job_id: str, path: str | os.PathLike[str]) -> None:
        """Download the recording of a job into a file, as it was submitted. A file that exists is replaced.

        Raises:
            OSError: the file cannot be written.
        """
        self._transport.send(_calls.save_audio(job_id, Path(path)))

    def cancel(self, job_id: str) -> Job:
        """Cancel an unfinished job and return it. A terminal job raises ParleyApiError `job_already_terminal`."""
        return self._transport.send(_calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Run a failed or cancelled job again with its options, and return it."""
        return self._transport.send(_calls.retry(job_id))

    def delete(self, job_id: str) -> Document:
        """Delete recording, result and record of a terminal job, and return the receipt: what was removed, and when."""
        return self._transport.send(_calls.delete(job_id))

    def enrol(
        self, name: str, job_id: str, speaker: str, *, role: str | None = None, consent: Consent | None = None
    ) -> Voiceprint:
        """Enrol a speaker of a job as a voiceprint. The job must keep speaker embeddings.

        Args:
            name: name of the person.
            job_id: a job that was submitted with `speaker_embeddings`.
            speaker: label of the speaker in this job.
            role: `clinician`, `patient` or None.
            consent: of the person; None only where the server does not require it.

        Raises:
            ParleyApiError: by code, `consent_required`, `speaker_embeddings_not_kept`, `unknown_speaker`,
                `speaker_without_embedding`, `voiceprint_name_taken` and others.
        """
        return self._transport.send(_calls.enrol(name, job_id, speaker, role, consent))

    def voiceprints(self) -> list[Voiceprint]:
        """Return your voiceprints, oldest first."""
        return self._transport.send(_calls.voiceprints())

    def delete_voiceprint(self, voiceprint_id: str) -> Document:
        """Delete a voiceprint and return the receipt."""
        return self._transport.send(_calls.delete_voiceprint(voiceprint_id))

    def deliveries(self, *, state: str | None = None, job_id: str | None = None, limit: int = 50) -> list[Delivery]:
        """Return deliveries of your jobs and batches, those of the newest ends first.

        Args:
            state: only deliveries in this state: `pending`, `delivered` or `failed`.
            job_id: only deliveries of this job.
            limit: largest number of deliveries, up to 200.
        """
        return self._transport.send(_calls.deliveries(state, job_id, limit))

    def resend(self, delivery_id: str) -> Delivery:
        """Send a delivery once more, under the same id, and return it."""
        return self._transport.send(_calls.resend(delivery_id))

    def create_key(self, name: str, scopes: Sequence[str], *, expires_at: datetime | None = None) -> ApiKey:
        """Make an API key of your tenant and return it with its text, which cannot be read again.

        Args:
            name: what it is for.
            scopes: what it may do: `submit`, `read`, `correct`, `delete`, `voiceprints`, `export`, `share`, `admin`.
            expires_at: a time with a time zone; None is never.
        """
        return self._transport.send(_calls.create_key(name, scopes, expires_at))

    def keys(self) -> list[ApiKey]:
        """Return the API keys that your tenant has made, oldest first."""
        return self._transport.send(_calls.keys())

    def revoke_key(self, key_id: str) -> Document:
        """Revoke an API key and return the receipt."""
        return self._transport.send(_calls.revoke_key(key_id))

    def share(self, job_id: str, seconds: int, *, audio: bool = False) -> Share:
        """Make a link that opens the timeline of a job without an API key, and return it with its secret.

        Whoever has the link reads turns, names and text of this job until it expires; see `revoke_share`.

        Args:
            job_id: a job that has succeeded.
            seconds: how long the link works, from 60.
            audio: whether it plays the recording too.

        Raises:
            ParleyApiError: by code, `sharing_off`, `too_many_shares`, `invalid_option` and others.
        """
        return self._transport.send(_calls.share(job_id, seconds, audio))

    def shares(self, job_id: str) -> list[Share]:
        """Return the links of a job, oldest first."""
        return self._transport.send(_calls.shares(job_id))

    def revoke_share(self, job_id: str, share_id: str) -> Document:
        """Revoke a link and return the receipt."""
        return self._transport.send(_calls.revoke_share(job_id, share_id))

    def queues(self) -> list[QueueStatus]:
        """Return the load of every queue."""
        return self._transport.send(_calls.queues())

    def usage(self, first: date | None = None, last: date | None = None) -> Usage:
        """Return what your tenant has used.

        Args:
            first: first UTC day; by default the first of the month of `last`.
            last: last UTC day; by default today.
        """
        return self._transport.send(_calls.usage(first, last))

    def focus_usage(self, first: date | None = None, last: date | None = None) -> str:
        """Get the same as CSV by FOCUS, the FinOps Open Cost and Usage Specification."""
        return self._transport.send(_calls.focus_usage(first, last))

    def ready(self) -> Document:
        """Return the readiness of the server. `status` is `ok`, or `detail` names the component that is down."""
        return self._transport.send(_calls.ready())

    def version(self) -> str:
        """Return the version of the server."""
        return self._transport.send(_calls.version())
