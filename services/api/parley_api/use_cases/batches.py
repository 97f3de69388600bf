"""A batch: many submits of one request. Each of them is one that the caller could have made alone.

The key of a batch gives each item a key of its own. So a request that was broken off is sent again as it is: items that
have a job get it again, and the others are submitted. The batch itself is stored when all items have been looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from parley_api.http.audit_trail import ACTOR
from parley_api.http.errors import BatchNotFound, InvalidOption, LinkUnreachable, UnknownOption
from parley_api.http.problem_kinds import INTERNAL_ERROR, KINDS
from parley_api.http.validation import explain
from parley_api.intake.json_body import read_json
from parley_api.intake.named import options_of
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas.base import Problem
from parley_api.schemas.batches import BatchAnswer, BatchItemAnswer, BatchRequest
from parley_api.schemas.links import LinkBody
from parley_api.use_cases import submit as submitting
from parley_core.batches import Batch, BatchItem, JobOutline
from parley_core.errors import (
    DecodingInterrupted,
    IdempotencyKeyInUse,
    InvalidRequest,
    JobAlreadyTerminal,
    JobNotFound,
    JobPurged,
    JobStoreUnavailable,
    ParleyError,
    RetryableError,
)
from parley_core.job import Failure, IdempotencyKey
from parley_core.job_id import accepted_at, new_id
from parley_core.storage.stored_job import stored_job

MAX_BYTES = 1024 * 1024  # 100 signed links and their options
REFUSED, PURGED = "refused", "purged"
OF_THE_RECORDING = (LinkUnreachable, DecodingInterrupted)  # may pass by itself, or never


async def submit_batch(deps: Dependencies, tenant: str, request: Request) -> tuple[Batch, bool]:
    """Submit each recording of the request's body; return the batch, and whether an earlier request had made it.

    Raises:
        ParleyError: the request is wrong; or an error that passes by itself, such as a full queue. After the latter the
            same request goes on where this one has stopped.
    """
    key = submitting.idempotency_key(request)
    if key is None:
        raise InvalidRequest("Send an `Idempotency-Key` with a batch: repeated requests make no job twice then.")
    asked = await read_json(request, BatchRequest, MAX_BYTES)
    bodies, sent = list(asked.submits()), hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    own = IdempotencyKey(f"{key} batch", sent)  # no caller can send a key with a space
    batch_id, reservable = new_id(), await deps.admission.require_memory()
    async with submitting.reserved(deps, tenant, own.key if reservable else None, batch_id):
        known_id = await deps.blocking.objects(deps.store.manifests.find_bound, tenant, own.key, sent)
        if known_id is not None:
            with suppress(BatchNotFound):
                return await deps.blocking.objects(deps.batches.get, tenant, known_id), True
        if asked.callback_url is not None:
            deps.callbacks.require(asked.callback_url, tenant)
        _require_options(deps, tenant, bodies)
        batch_id = await deps.blocking.objects(deps.store.manifests.bind_key, tenant, own, batch_id, sent)
        items = await _submit_each(deps, tenant, request, bodies, key, batch_id)
        if asked.callback_url is not None:
            await deps.blocking.objects(deps.batches.promise_delivery, tenant, batch_id, asked.callback_url)
        batch = Batch(tenant, batch_id, asked.reference, items)
        return await deps.blocking.objects(deps.batches.create, batch), False


def _require_options(deps: Dependencies, tenant: str, bodies: Sequence[LinkBody]) -> None:
    """Raise InvalidOption or UnknownOption, with the place of the item, before anything is fetched."""
    for index, body in enumerate(bodies):
        try:
            options_of(body, (), deps, tenant)
        except RequestValidationError as error:
            text = " ".join(explain(one)[1] for one in error.errors())
            raise InvalidOption(f"Item {index} of `jobs`: {text}") from None
        except (InvalidOption, UnknownOption) as error:
            raise type(error)(f"Item {index} of `jobs`: {error.detail}") from None


async def _submit_each(
    deps: Dependencies, tenant: str, request: Request, bodies: Sequence[LinkBody], key: str, batch_id: str
) -> list[BatchItem]:
    """Submit recordings, a few at a time. Raises the first error that passes by itself; no further one begins then."""
    failed: list[BaseException] = []

    async def one(index: int, body: LinkBody) -> BatchItem | None:
        async with deps.batch_items.slot(tenant):
            try:
                return None if failed else await _submit_one(deps, tenant, request, body, f"{key} {index}", batch_id)
            except BaseException as error:
                failed.append(error)
                raise

    found = await asyncio.gather(*(one(*numbered) for numbered in enumerate(bodies)), return_exceptions=True)
    if failed:
        raise failed[0]
    return [item for item in found if isinstance(item, BatchItem)]


async def _submit_one(
    deps: Dependencies, tenant: str, request: Request, body: LinkBody, key: str, batch_id: str
) -> BatchItem:
    """Return an item with its job, or with what is wrong with its recording."""
    try:
        job = await submitting.find_earlier(deps, tenant, key, submitting.as_sent(body))
        if job is None:
            await submitting.require_within_limits(deps, tenant, request)
            submitted = await submitting.submit_named(deps, tenant, request, body, key)
            job = submitted.job
            if not submitted.replayed:
                actor = request.scope[ACTOR]
                deps.audit.write("job.submit", outcome="done", status=202, **actor, job=job.id, target=batch_id)
        return BatchItem(job.id)
    except OF_THE_RECORDING as error:
        refusal = Failure(error.code, error.detail)
    except (RetryableError, IdempotencyKeyInUse):
        raise
    except ParleyError as error:
        refusal = Failure(error.code, error.detail)
    reference = (body.model_extra or {}).get("reference")
    return BatchItem(None, None if reference is None else str(reference), refusal)


async def answer(deps: Dependencies, batch: Batch) -> BatchAnswer:
    """Return a batch with the states that its jobs have now. Raises JobStoreUnavailable."""
    outlines = await deps.blocking.objects(_outlines, deps, batch.job_ids)
    items = [_item(index, item, outlines) for index, item in enumerate(batch.items)]
    unfinished = any(not outline.state.terminal for outline in outlines.values())
    counts = Counter(item.state for item in items)
    return BatchAnswer(
        id=batch.id,
        created_at=accepted_at(batch.id),
        reference=batch.reference,
        done=not unfinished,
        counts=counts,
        items=items,
    )


async def cancel(deps: Dependencies, batch: Batch) -> None:
    """Cancel the jobs of a batch that have not ended. Raises ObjectStoreUnavailable or JobStoreUnavailable."""

    async def one(job_id: str) -> None:
        async with deps.batch_items.slot(batch.tenant):
            with suppress(JobAlreadyTerminal, JobNotFound, JobPurged):
                await deps.blocking.objects(deps.store.cancel, job_id)

    outlines = await deps.blocking.objects(_outlines, deps, batch.job_ids)
    unfinished = [job_id for job_id, outline in outlines.items() if not outline.state.terminal]
    await asyncio.gather(*map(one, unfinished))


def _outlines(deps: Dependencies, job_ids: Sequence[str]) -> Mapping[str, JobOutline]:
    """Return what is left of jobs: in one round trip to Redis, and from the object store where Redis has no record."""
    why: JobNotFound | JobStoreUnavailable = JobNotFound("There is no job with this id.")
    found: dict[str, JobOutline] = {}
    try:
        found |= deps.store.index.outlines(job_ids)
    except JobStoreUnavailable as error:
        why = error
    for job_id in job_ids:
        if job_id not in found:
            with suppress(JobNotFound, JobPurged):
                job = stored_job(deps.store.manifests, job_id, why)
                found[job_id] = JobOutline(job.state, job.options.reference)
    return found


def _item(index: int, item: BatchItem, outlines: Mapping[str, JobOutline]) -> BatchItemAnswer:
    refusal = item.refusal
    if item.job_id is None and refusal is not None:
        kind = KINDS.get(refusal.code, KINDS[INTERNAL_ERROR])
        problem = Problem(
            type=f"urn:parley:problem:{refusal.code}",
            title=kind.title,
            status=kind.status,
            detail=refusal.detail,
            code=refusal.code,
        )
        return BatchItemAnswer(index=index, reference=item.reference, job=None, state=REFUSED, problem=problem)
    outline = outlines.get(item.job_id or "")
    state, reference = (PURGED, None) if outline is None else outline
    return BatchItemAnswer(index=index, reference=reference, job=item.job_id, state=state, problem=None)
