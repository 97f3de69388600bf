"""The calls of the HTTP API: what each one sends, and how its response is read.

`Parley` and `AsyncParley` send the same calls; they differ only in how they wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from parley._download import Download
from parley._httpx import httpx
from parley._responses import api_error, parse
from parley._upload import OnBytes, Part, Upload
from parley.corrections import Correction, Questions
from parley.errors import WaitTimedOut
from parley.models import Document, Job, JobPage, QueueStatus
from parley.options import SubmitOptions
from parley.results import Transcript, Turns
from parley.tenant import ApiKey, Consent, Delivery, Share, Usage, Voiceprint

T = TypeVar("T")
Read = Callable[[httpx.Response], T]

READ_SECONDS = 60.0  # an upload is answered after the server has stored it durably
LINK_SECONDS = 330.0  # the server fetches for five minutes at most, by default
URL_SCHEMES, BUCKET_SCHEMES = ("https", "http"), ("s3", "gs", "az")
LONG_POLL_SECONDS = 30.0  # the server answers earlier if the job changes
LONG_POLL_MARGIN = 15.0  # seconds for network and server on top of a long poll
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and the reader of its response.

    Attributes:
        read: makes the result from the response.
        params: query parameters; those that are None are left out.
        json: request body as a JSON object.
        content: request body as bytes.
        upload: request body as a recording, or as a part of one.
        download: where the body of a successful response goes; `read` then sees an empty one.
        repeatable: the call has the same effect when the server receives it twice.
        accept: status codes from 400 on that `read` expects.
        read_seconds: how long to wait for the response.
    """

    method: str
    path: str
    read: Read[T]
    params: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Document | None = None
    content: bytes | None = None
    upload: Upload | Part | None = None
    download: Download | None = None
    repeatable: bool = True
    accept: tuple[int, ...] = ()
    read_seconds: float = READ_SECONDS


def submit(
    recording: str | os.PathLike[str],
    transcript: Path | None,
    idempotency_key: str | None,
    on_bytes: OnBytes | None,
    conditions: Mapping[str, str | None],
    options: SubmitOptions,
) -> Call[Job]:
    """Submit a recording. One idempotency key for all tries makes the call repeatable."""
    params = sent_options(options)
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    if is_link(recording):
        return _submit_link(str(recording), transcript, headers, conditions, params)
    if any(conditions.values()):
        raise TypeError("submit() takes sha256 and etag with a link only")
    for flag in ("speaker_embeddings", "transcribe"):
        params[flag] = "true" if options.get(flag) else None
    path = Path(recording)
    params["file_name"] = options.get("file_name") or name_of(path)
    upload = Upload(path, on_bytes, transcript)
    return Call("POST", "/v1/jobs", _job, params=params, headers=upload.headers | headers, upload=upload)


def submit_upload(
    upload_id: str, idempotency_key: str | None, options: SubmitOptions, sha256: str | None = None
) -> Call[Job]:
    """Submit an upload that is complete. Without a key, the server takes the upload for it, over all runs."""
    given = {"upload": upload_id, "sha256": sha256, **sent_options(options)}
    body = {name: value for name, value in given.items() if value not in (None, False)}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return Call("POST", "/v1/jobs", _job, headers=headers, json=body, read_seconds=LINK_SECONDS)


def name_of(path: Path) -> str:
    """Return the name of a file as text: bytes that are not UTF-8 (surrogates in Python) cannot be sent."""
    return path.name.encode(errors="replace").decode()


def sent_options(options: SubmitOptions) -> dict[str, object]:
    """Return options as the server takes them. Raises TypeError for one that there is not."""
    if unknown := options.keys() - SubmitOptions.__optional_keys__:
        raise TypeError(f"submit() has no option {', '.join(sorted(unknown))}")
    channels = options.get("channels")
    return {**options, "channels": ",".join(channels) if channels else None}


def is_link(recording: str | os.PathLike[str]) -> bool:
    """Return whether a recording is a link instead of a path."""
    return isinstance(recording, str) and recording.partition("://")[0] in (*URL_SCHEMES, *BUCKET_SCHEMES)


def place_of(link: str) -> str:
    """Return the member of a submit that a link is sent in. Raises TypeError for a text that is no link."""
    if not is_link(link):
        raise TypeError("a recording that the server fetches is named by a link: https://, s3://, gs:// or az://")
    return "url" if link.partition("://")[0] in URL_SCHEMES else "object"


def _submit_link(
    link: str,
    transcript: Path | None,
    headers: Mapping[str, str],
    conditions: Mapping[str, str | None],
    options: Mapping[str, object],
) -> Call[Job]:
    if transcript is not None:
        raise TypeError("submit() takes a transcript with a file only; send it with send_transcript()")
    given = {place_of(link): link, **conditions, **options}
    body = {name: value for name, value in given.items() if value not in (None, False)}
    return Call("POST", "/v1/jobs", _job, headers=headers, json=body, read_seconds=LINK_SECONDS)


def job(job_id: str, wait: float) -> Call[Job]:
    """Get a job; with `wait` at its next change of state, or after this number of seconds."""
    params = {"wait": wait} if wait else {}
    return Call("GET", _job_path(job_id), _job, params=params, read_seconds=wait + LONG_POLL_MARGIN)


def jobs(filters: Mapping[str, str | None], cursor: str | None) -> Call[JobPage]:
    """Get one page of jobs."""
    params = {**filters, "limit": PAGE_SIZE, "cursor": cursor}
    return Call("GET", "/v1/jobs", lambda response: parse(response, JobPage.from_document), params=params)


def turns(job_id: str, embeddings: bool, version: int | None) -> Call[Turns]:
    """Get the turns of a job."""
    params = {"format": "json", "embeddings": "true" if embeddings else None, "version": version}
    path = f"{_job_path(job_id)}/turns"
    return Call("GET", path, lambda response: parse(response, Turns.from_document), params=params)


def export(job_id: str, file_format: str, speakers: str | None, version: int | None) -> Call[str]:
    """Get the turns of a job as a file of another program."""
    params: dict[str, object] = {"format": file_format, "speakers": speakers, "version": version}
    path = f"{_job_path(job_id)}/turns"
    if file_format == "svg":
        path = f"{_job_path(job_id)}/timeline.svg"
        del params["format"]
    return Call("GET", path, lambda response: response.content.decode(), params=params)


def picture(job_id: str, version: int | None) -> Call[bytes]:
    """Get the timeline of a job as PNG."""
    path = f"{_job_path(job_id)}/timeline.png"
    return Call("GET", path, lambda response: response.content, params={"version": version})


def correct(
    job_id: str, operations: Sequence[Document], author: str, base_version: int, redecide: bool
) -> Call[Correction]:
    """Correct a result. A second one on the same version is refused, so that the call is not repeatable."""
    body: Document = {"base_version": base_version, "author": author, "operations": list(operations)}
    if redecide:
        body = {**body, "redecide": True}
    path = f"{_job_path(job_id)}/corrections"
    return Call("POST", path, lambda response: parse(response, Correction.from_document), json=body, repeatable=False)


def corrections(job_id: str) -> Call[list[Correction]]:
    """Get the corrections of a result."""

    def build(document: Document) -> list[Correction]:
        return [Correction.from_document(one) for one in document["corrections"]]

    return Call("GET", f"{_job_path(job_id)}/corrections", lambda response: parse(response, build))


def questions(job_id: str) -> Call[Questions]:
    """Get the questions about a result."""
    path = f"{_job_path(job_id)}/corrections/questions"
    return Call("GET", path, lambda response: parse(response, Questions.from_document))


def send_transcript(job_id: str, transcript: Path, file_format: str | None) -> Call[Document]:
    """Send a transcript of a job. A second one takes the place of the first."""
    headers = {"Content-Type": "application/octet-stream"}
    params, content = {"format": file_format}, transcript.read_bytes()
    return Call("POST", f"{_job_path(job_id)}/transcript", _document, params=params, headers=headers, content=content)


def transcribe(job_id: str) -> Call[Job]:
    """Ask for the words of a job."""
    return Call("POST", f"{_job_path(job_id)}/transcribe", _job)


def transcript(job_id: str) -> Call[Transcript]:
    """Get who said each word."""
    path = f"{_job_path(job_id)}/transcript"
    return Call("GET", path, lambda response: parse(response, Transcript.from_document))


def save_audio(job_id: str, path: Path) -> Call[None]:
    """Get the recording of a job, into a file."""
    return Call("GET", f"{_job_path(job_id)}/audio", lambda response: None, download=Download(path))


def cancel(job_id: str) -> Call[Job]:
    """Cancel a job. A second cancel is refused, so that the call is not repeatable."""
    return Call("POST", f"{_job_path(job_id)}/cancel", _job, repeatable=False)


def retry(job_id: str) -> Call[Job]:
    """Run a job again."""
    return Call("POST", f"{_job_path(job_id)}/retry", _job, repeatable=False)


def delete(job_id: str) -> Call[Document]:
    """Delete a job and get the receipt."""
    return Call("DELETE", _job_path(job_id), _document, repeatable=False)


def enrol(name: str, job_id: str, speaker: str, role: str | None, consent: Consent | None) -> Call[Voiceprint]:
    """Enrol a voiceprint. A second enrolment is refused because the name is taken."""
    enrolment: Document = {"name": name, "job_id": job_id, "speaker": speaker, "role": role}
    if consent is not None:
        enrolment = {**enrolment, "consent": consent.to_document()}
    return Call(
        "POST",
        "/v1/voiceprints",
        lambda response: parse(response, Voiceprint.from_document),
        json=enrolment,
        repeatable=False,
    )


def voiceprints() -> Call[list[Voiceprint]]:
    """Get all voiceprints."""

    def build(document: Document) -> list[Voiceprint]:
        return [Voiceprint.from_document(voiceprint) for voiceprint in document["voiceprints"]]

    return Call("GET", "/v1/voiceprints", lambda response: parse(response, build))


def delete_voiceprint(voiceprint_id: str) -> Call[Document]:
    """Delete a voiceprint and get the receipt."""
    return Call("DELETE", f"/v1/voiceprints/{_segment(voiceprint_id)}", _document, repeatable=False)


def deliveries(state: str | None, job_id: str | None, limit: int) -> Call[list[Delivery]]:
    """Get deliveries."""

    def build(document: Document) -> list[Delivery]:
        return [Delivery.from_document(delivery) for delivery in document["deliveries"]]

    params = {"state": state, "job_id": job_id, "limit": limit}
    return Call("GET", "/v1/deliveries", lambda response: parse(response, build), params=params)


def resend(delivery_id: str) -> Call[Delivery]:
    """Send a delivery again."""
    path = f"/v1/deliveries/{_segment(delivery_id)}/resend"
    return Call("POST", path, lambda response: parse(response, Delivery.from_document), repeatable=False)


def create_key(name: str, scopes: Sequence[str], expires_at: datetime | None) -> Call[ApiKey]:
    """Make an API key."""
    body = {"name": name, "scopes": list(scopes), "expires_at": expires_at.isoformat() if expires_at else None}
    return Call("POST", "/v1/keys", lambda response: parse(response, ApiKey.from_document), json=body, repeatable=False)


def keys() -> Call[list[ApiKey]]:
    """Get the API keys of the tenant."""

    def build(document: Document) -> list[ApiKey]:
        return [ApiKey.from_document(key) for key in document["keys"]]

    return Call("GET", "/v1/keys", lambda response: parse(response, build))


def revoke_key(key_id: str) -> Call[Document]:
    """Revoke an API key and get the receipt."""
    return Call("DELETE", f"/v1/keys/{_segment(key_id)}", _document, repeatable=False)


def share(job_id: str, seconds: int, audio: bool) -> Call[Share]:
    """Make a link to the timeline of a job."""
    body: Document = {"seconds": seconds, "audio": audio}
    path = f"{_job_path(job_id)}/shares"
    return Call("POST", path, lambda response: parse(response, Share.from_document), json=body, repeatable=False)


def shares(job_id: str) -> Call[list[Share]]:
    """Get the links of a job."""

    def build(document: Document) -> list[Share]:
        return [Share.from_document(one) for one in document["shares"]]

    return Call("GET", f"{_job_path(job_id)}/shares", lambda response: parse(response, build))


def revoke_share(job_id: str, share_id: str) -> Call[Document]:
    """Revoke a link and get the receipt."""
    return Call("DELETE", f"{_job_path(job_id)}/shares/{_segment(share_id)}", _document, repeatable=False)


def queues() -> Call[list[QueueStatus]]:
    """Get the load of every queue."""

    def build(document: Document) -> list[QueueStatus]:
        return [QueueStatus.from_document(queue) for queue in document["queues"]]

    return Call("GET", "/v1/queues", lambda response: parse(response, build))


def usage(first: date | None, last: date | None) -> Call[Usage]:
    """Get what the tenant has used."""
    params = {"first": first and first.isoformat(), "last": last and last.isoformat()}
    return Call("GET", "/v1/usage", lambda response: parse(response, Usage.from_document), params=params)


def focus_usage(first: date | None, last: date | None) -> Call[str]:
    """Get what the tenant has used as CSV by FOCUS."""
    params = {"first": first and first.isoformat(), "last": last and last.isoformat(), "format": "csv"}
    return Call("GET", "/v1/usage", lambda response: response.text, params=params)


def ready() -> Call[Document]:
    """Get the readiness of the server; 503 is a result here, not an error."""

    def read(response: httpx.Response) -> Document:
        if response.is_success:
            return _document(response)
        error = api_error(response)
        return {"status": "unavailable", "code": error.code, "detail": error.detail}

    return Call("GET", "/readyz", read, accept=(httpx.codes.SERVICE_UNAVAILABLE,))


def version() -> Call[str]:
    """Get the version of the server."""
    return Call(
        "GET",
        "/openapi.json",
        lambda response: parse(response, lambda document: str(document["info"]["version"])),
    )


class LongPolls:
    """The seconds of each long poll of a wait with a timeout."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._started = time.monotonic()

    def next(self, job: Job) -> float:
        """Return the seconds of the next poll. Raises WaitTimedOut when none are left."""
        if self._timeout is None:
            return LONG_POLL_SECONDS
        left = self._timeout - (time.monotonic() - self._started)
        if left <= 0:
            raise WaitTimedOut(job, self._timeout)
        return min(LONG_POLL_SECONDS, left)


def _job(response: httpx.Response) -> Job:
    return parse(response, Job.from_document)


def _document(response: httpx.Response) -> Document:
    return parse(response, dict)


def _job_path(job_id: str) -> str:
    return f"/v1/jobs/{_segment(job_id)}"


def _segment(text: str) -> str:
    return quote(text, safe="")
