"""A submit, from the first byte to the 202: what the response promises is durable before it is sent.

The steps: reserve the caller's idempotency key, receive and store the recording, measure it, bind the key, accept the
job and take the next turns, publish them. A crash between two steps leaves either nothing that was promised, or a job
that the keeper publishes. While Redis is down, the job is accepted by its manifest in the object store, and the keeper
records it later.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import anyio
from fastapi import Request
from structlog.contextvars import bind_contextvars

from parley_api.http.errors import InvalidOption, TooManyUploads
from parley_api.intake.json_body import is_json, read_json
from parley_api.intake.named import named
from parley_api.intake.upload import Upload, received
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.tenant_limits import Rate
from parley_api.runtime.tenant_slots import slot_or_refusal
from parley_api.schemas import ConsultOptions, SubmitOptions
from parley_api.schemas.links import LinkBody
from parley_api.transcripts.reading import require_within
from parley_audio import Probe
from parley_core.errors import (
    IdempotencyKeyInUse,
    InvalidRequest,
    JobStoreFull,
    JobStoreUnavailable,
)
from parley_core.job import Dispatch, IdempotencyKey, Job, NewJob
from parley_core.job_id import new_id
from parley_core.logs import get_logger
from parley_core.recording import Recording, recording_key
from parley_core.redis.record import dump, options_to_plain
from parley_core.trace_context import accepted_traceparent
from parley_core.transcript import Transcript

TOO_MANY = "Too many recordings are on their way at a time. Send this one again later."

log = get_logger(__name__)

RESERVED_SECONDS = 15.0  # an API that dies during an upload blocks the caller's key no longer than this
RENEWAL_SECONDS = 5.0
UPLOAD_WAIT_SECONDS = 10.0  # for a slot: many small recordings at once are no attack
TURNS = 8  # jobs published per submit at most: more than one where workers have joined
MAX_KEY = 255  # characters


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted job; `replayed` when an earlier request with the same key made it."""

    job: Job
    replayed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a submit says besides its recording.

    Attributes:
        request: whose response gets the headers of limits.
        key: idempotency key; None without one.
        sent: digest of what names the recording; None where the request holds it.
        session_id: of a consult. It becomes the job's reference, which the caller then cannot give.
    """

    request: Request
    key: str | None
    sent: str | None = None
    session_id: str | None = None


Receiving = Callable[[str], AbstractAsyncContextManager[tuple[Upload, ConsultOptions]]]
"""Stores a recording under a key, and gives it with its options while the context lasts."""


async def submit(deps: Dependencies, tenant: str, request: Request, session_id: str | None = None) -> Submitted:
    """Receive the request's recording and return its job, durably accepted.

    Args:
        session_id: of a consult; see Asked.

    Raises:
        ParleyError: its class says what is wrong with the request, the recording or the stores. Nothing stays then.
    """
    key = idempotency_key(request)
    await require_within_limits(deps, tenant, request)
    if session_id is None and is_json(request):
        body = await read_json(request, LinkBody)
        return await submit_named(deps, tenant, request, body, key)
    model = SubmitOptions if session_id is None else ConsultOptions
    receiving = partial(received, request, deps, tenant, model)
    return await _accepted(deps, tenant, Asked(request, key, session_id=session_id), receiving)


async def submit_named(deps: Dependencies, tenant: str, request: Request, body: LinkBody, key: str | None) -> Submitted:
    """Fetch the recording that a body names and return its job, durably accepted. Raises what `submit` raises.

    Args:
        request: its query may have options.
        key: idempotency key; None without one.
    """
    query = request.query_params.multi_items()
    if key is None and body.upload is not None:
        key = f"upload-{body.upload}"  # an upload is one job, however often a caller has to repeat this request
    asked = Asked(request, key, as_sent(body, query))
    return await _accepted(deps, tenant, asked, partial(named, body, query, deps, tenant))


async def find_earlier(deps: Dependencies, tenant: str, key: str | None, sent: str | None) -> Job | None:
    """Return the job that the same request has made, None without one: its link may have expired since."""
    if key is None or sent is None:
        return None
    known_id = await deps.blocking.objects(deps.store.manifests.find_bound, tenant, key, sent)
    return None if known_id is None else await deps.blocking.objects(deps.store.find_accepted, known_id)


async def _accepted(deps: Dependencies, tenant: str, asked: Asked, receiving: Receiving) -> Submitted:
    key, job_id = asked.key, new_id()
    reservable = await deps.admission.require_memory() and key is not None
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(reserved(deps, tenant, key if reservable else None, job_id))
        earlier = await find_earlier(deps, tenant, key, asked.sent)
        if earlier is not None:
            return Submitted(earlier, replayed=True)
        refusal, count = TooManyUploads(TOO_MANY), deps.http_metrics.refuse
        await stack.enter_async_context(slot_or_refusal(deps.uploads, tenant, UPLOAD_WAIT_SECONDS, refusal, count))
        upload, options = await stack.enter_async_context(receiving(recording_key(job_id)))
        new = await _new_job(deps, tenant, job_id, upload, options, asked.session_id)
        new = replace(new, traceparent=accepted_traceparent(asked.request.headers.getlist("traceparent")))
        if deps.keys is not None:
            await deps.limits.require_audio(tenant, new.recording.seconds, asked.request.scope)
        idempotency = IdempotencyKey(key, digest(new, upload.transcript)) if key else None
        if idempotency is not None:
            bind = deps.store.manifests.bind_key
            bound_id = await deps.blocking.objects(bind, tenant, idempotency, job_id, asked.sent)
            if bound_id != job_id:
                earlier = await deps.blocking.objects(deps.store.find_accepted, bound_id)
                if earlier is not None:
                    return Submitted(earlier, replayed=True)
                # An earlier request bound the key and made no job: make it now, with this recording.
                await upload.move(recording_key(bound_id, again=new.id))
                new = replace(new, id=bound_id, recording=replace(new.recording, key=upload.key))
        new = _with_audio_retention(deps, new)  # after the digest: the server's setting is not what the caller sent
        await upload.keep_transcript(new.id)
        job = await upload.hand_over(_accept(deps, new, idempotency))
        if deps.keys is not None and upload.owned:
            await deps.limits.count_audio(tenant, new.recording.seconds)
        bind_contextvars(job_id=job.id, trace_id=job.trace_id)
        return Submitted(job, replayed=not upload.owned)


def _with_audio_retention(deps: Dependencies, new: NewJob) -> NewJob:
    if new.options.retain_audio_seconds is not None:
        return new
    shortest = deps.settings.audio_retention(new.tenant)
    return replace(new, options=replace(new.options, retain_audio_seconds=shortest))


def as_sent(body: LinkBody, query: Sequence[tuple[str, str]] = ()) -> str:
    """Return a digest of a submit that names its recording, as it was sent."""
    sent = [body.model_dump(mode="json"), sorted(query)]
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()


async def require_within_limits(deps: Dependencies, tenant: str, request: Request) -> None:
    """Raise RateLimited or QuotaExceeded if the tenant may not submit another recording now."""
    if deps.keys is None:  # one machine, one person
        return
    await deps.limits.take(tenant, Rate.SUBMITS, request.scope)
    await deps.limits.require_room(tenant)
    await deps.limits.require_audio(tenant, 1.0, request.scope)


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request, None without one. Raises InvalidRequest."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    key = values[0]
    visible = all("!" <= character <= "~" for character in key)
    if len(values) > 1 or not visible or not 0 < len(key) <= MAX_KEY:
        raise InvalidRequest(f"`Idempotency-Key` must be one value of 1 to {MAX_KEY} visible ASCII characters.")
    return key


async def _new_job(
    deps: Dependencies, tenant: str, job_id: str, upload: Upload, form: ConsultOptions, session_id: str | None
) -> NewJob:
    """Measure the recording and return the job to accept."""

    def measure() -> Probe:
        with deps.recordings.fetch(upload.key) as path:
            return deps.probe.measure(path)

    async with deps.probes.slot(tenant):
        probe = await deps.blocking.probe(measure)
    if upload.transcript is not None and form.transcribe:
        raise InvalidOption("Send a `transcript`, or ask to `transcribe`. Not both.")
    if upload.transcript is not None:
        require_within(upload.transcript, probe.seconds)
    options = form.job_options()
    if session_id is not None:
        options = replace(options, reference=session_id)
    named = len(options.channels)
    if named and named != probe.channels:
        raise InvalidOption(f"`channels` names {named} channels, and the recording has {probe.channels}.")
    file_name = form.file_name or upload.file_name
    recording = Recording(upload.key, upload.sha256, upload.bytes, probe.seconds, probe.media_type, file_name)
    return NewJob(job_id, tenant, recording, options, deps.settings.limits_for(probe.seconds))


async def _accept(deps: Dependencies, new: NewJob, idempotency: IdempotencyKey | None) -> Job:
    """Accept the job, and publish it if it has a record; return it, or the job that the key made before."""
    created = await deps.blocking.objects(deps.store.create, new, idempotency, None, TURNS)
    own = created.job.recording.key == new.recording.key  # a response lost on the way replays, too
    if created.replayed and own:
        return await publish(deps, created.job)
    return await publish(deps, created.job, created.dispatches) if created.dispatches else created.job


async def publish(deps: Dependencies, job: Job, dispatches: Sequence[Dispatch] | None = None) -> Job:
    """Hand the next jobs to Celery; return the job as it is then. If this fails, the keeper does it.

    Args:
        dispatches: the next jobs, of a job that is queued already; by default it is queued, and they are found.
    """
    try:
        return await deps.blocking.store(_publish, deps, job, dispatches)
    except JobStoreUnavailable as error:
        log.warning("not published; the keeper will publish it", job_id=job.id, error=error.detail)
        return job


def _publish(deps: Dependencies, job: Job, dispatches: Sequence[Dispatch] | None) -> Job:
    """Do it in one thread: on a busy machine, each way back to the event loop waits for a processor."""
    for dispatch in deps.store.take_turns(TURNS, job.id) if dispatches is None else dispatches:
        deps.queue.publish(dispatch)
        deps.store.mark_queued(dispatch)
    return deps.store.get(job.id) if dispatches is None else job


def digest(new: NewJob, transcript: Transcript | None = None) -> str:
    """Return what an idempotency key stands for: the bytes of the recording, the options and the words, as hex."""
    sent = f"{new.recording.sha256}\n{dump(options_to_plain(new.options))}".encode()
    words = b"" if transcript is None else b"\n" + transcript.to_json()
    return hashlib.sha256(sent + words).hexdigest()


@asynccontextmanager
async def reserved(deps: Dependencies, tenant: str, key: str | None, job_id: str) -> AsyncIterator[None]:
    """Hold the caller's key while the recording arrives.

    Without Redis no key can be held. Then its binding in the object store decides which request came first.

    Raises:
        IdempotencyKeyInUse: another request holds it.
    """

    async def reserve() -> bool:
        try:
            await deps.blocking.store(deps.store.reserve_key, tenant, key, job_id, RESERVED_SECONDS)
        except JobStoreUnavailable:
            return False
        return True

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            with suppress(JobStoreFull, IdempotencyKeyInUse):
                await reserve()

    if key is None or not await reserve():
        yield
        return
    renewal = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewal.cancel()
        with anyio.CancelScope(shield=True), suppress(JobStoreUnavailable):
            await deps.blocking.store(deps.store.release_key, tenant, key, job_id)
