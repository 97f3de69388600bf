"""The way of a submit, from the first byte to the 202: what is promised is durable before it is said.

Order: reserve the caller's key, store the recording, measure it, bind the key, create the record, publish.
A crash between two steps leaves either nothing that was promised, or a record that the keeper publishes.
With Redis down the job is accepted all the same, by its manifest beside the recording.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from parley_api.intake.body import Body
from parley_api.intake.options import canonical, require_channels, with_reference
from parley_api.intake.upload import Draft, discarded_unless_kept, move
from parley_api.runtime.dependencies import Dependencies
from parley_audio import Probe
from parley_core.errors import (
    IdempotencyKeyInUse,
    InvalidRequest,
    JobStoreFull,
    JobStoreUnavailable,
    ParleyError,
)
from parley_core.job import IdempotencyKey, Job, JobOptions, NewJob, dispatch_of
from parley_core.job_id import new_id
from parley_core.logs import get_logger
from parley_core.recording import Recording, recording_key

log = get_logger(__name__)

RESERVED_SECONDS = 15.0  # an API that died in mid upload blocks the caller's key no longer than this
RESERVE_AGAIN_SECONDS = 5.0
MAX_KEY = 255  # characters


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted job; `replayed` when an earlier request with the same key had made it."""

    job: Job
    replayed: bool


def require_key(values: list[str]) -> str | None:
    """Return the caller's Idempotency-Key, None when there is none. Raises InvalidRequest."""
    if not values:
        return None
    key = values[0]
    if len(values) > 1 or not 0 < len(key) <= MAX_KEY or not all("!" <= character <= "~" for character in key):
        raise InvalidRequest(f"`Idempotency-Key` must be one value of 1 to {MAX_KEY} visible ASCII characters.")
    return key


class Submission:
    """One submit of one tenant. `session_id` makes it a consult's."""

    def __init__(self, deps: Dependencies, tenant: str, key: str | None, session_id: str | None = None) -> None:
        self._deps, self._tenant, self._key, self._session_id = deps, tenant, key, session_id
        self._id = new_id()

    async def run(self, body: Body) -> Submitted:
        """Take the body in and return its job, accepted for good.

        Raises:
            ParleyError: by class what is wrong with the request, the recording or the stores. Nothing stays then.
        """
        deps = self._deps
        answers = await deps.admission.require_memory()
        draft = Draft(recording_key(self._id), deps.recordings, deps.probe, deps.settings.max_recording_bytes)
        async with self._reserved(answers), discarded_unless_kept(draft, deps.recordings, deps.blocking):
            options = with_reference(await body.receive(draft, deps.admission.require_room), self._session_id)
            return await self._accept(await self._new_job(draft, options), draft)

    async def _new_job(self, draft: Draft, options: JobOptions) -> NewJob:
        measured = await self._deps.blocking.probe(self._measure, draft.key)
        require_channels(options, measured.channels)
        recording = Recording(draft.key, draft.sha256, draft.bytes, measured.seconds, measured.media_type)
        limits = self._deps.settings.limits_for(measured.seconds)
        return NewJob(self._id, self._tenant, recording, options, limits)

    def _measure(self, key: str) -> Probe:
        with self._deps.recordings.fetch(key) as path:
            return self._deps.probe.measure(Path(path))

    async def _accept(self, new: NewJob, draft: Draft) -> Submitted:
        deps = self._deps
        binding = IdempotencyKey(self._key, digest(new)) if self._key else None
        if binding:
            bound = await deps.blocking.objects(deps.store.manifests.bind_key, new.tenant, binding, new.id)
            if bound != new.id:
                if known := await deps.blocking.objects(deps.store.find_accepted, bound):
                    return Submitted(known, replayed=True)
                new = await self._made_good(bound, new, draft)
        return await self._record(new, binding, draft)

    async def _record(self, new: NewJob, binding: IdempotencyKey | None, draft: Draft) -> Submitted:
        deps = self._deps
        draft.keep()  # until a refusal is certain: a record without its recording would be worse than the reverse
        try:
            created = await deps.blocking.objects(deps.store.create, new, binding)
        except ParleyError:
            draft.drop()
            raise
        if created.job.recording.key != draft.key:  # an answer lost on the wire replays too, with our own recording
            draft.drop()
            return Submitted(created.job, replayed=True)
        job = await published(deps, created.job) if created.recorded else created.job
        return Submitted(job, replayed=False)

    async def _made_good(self, job_id: str, new: NewJob, draft: Draft) -> NewJob:
        """The job that an earlier request did not get to make, with this recording under its name."""
        key = recording_key(job_id, again=new.id)
        await move(draft, key, self._deps.recordings, self._deps.blocking)
        return replace(new, id=job_id, recording=replace(new.recording, key=key))

    @asynccontextmanager
    async def _reserved(self, store_answers: bool) -> AsyncIterator[None]:
        """Hold the caller's key while the body streams. Raises IdempotencyKeyInUse.

        With the store down nobody can hold it; then the binding in the object store alone decides who came first.
        """
        if self._key is None or not store_answers or not await self._reserve():
            yield
            return
        holding = asyncio.create_task(self._hold())
        try:
            yield
        finally:
            holding.cancel()
            with anyio.CancelScope(shield=True):
                await self._release()

    async def _reserve(self) -> bool:
        calls, store = self._deps.blocking, self._deps.store
        try:
            await calls.store(store.reserve_key, self._tenant, self._key, self._id, RESERVED_SECONDS)
        except JobStoreUnavailable:
            return False
        return True

    async def _hold(self) -> None:
        """Reserve again and again: a large recording takes longer than a reservation."""
        while True:
            await asyncio.sleep(RESERVE_AGAIN_SECONDS)
            with suppress(JobStoreUnavailable, JobStoreFull, IdempotencyKeyInUse):
                await self._reserve()

    async def _release(self) -> None:
        with suppress(JobStoreUnavailable):
            await self._deps.blocking.store(self._deps.store.release_key, self._tenant, self._key, self._id)


async def published(deps: Dependencies, job: Job) -> Job:
    """Hand the job to Celery and return it as it is then; what fails here is the keeper's to put right."""
    calls, store, dispatch = deps.blocking, deps.store, dispatch_of(job)
    try:
        await calls.store(deps.queue.publish, dispatch)
        await calls.store(store.mark_queued, dispatch)
        return await calls.store(store.get, job.id)
    except JobStoreUnavailable as error:
        log.warning("not published; the keeper will", job_id=job.id, error=error.detail)
        return job


def digest(new: NewJob) -> str:
    """Return what an Idempotency-Key stands for: the bytes of the recording and the options, as hex."""
    return hashlib.sha256(f"{new.recording.sha256}\n{canonical(new.options)}".encode()).hexdigest()
