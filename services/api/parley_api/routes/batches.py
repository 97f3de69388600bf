"""Batches: submit many recordings by one request, read what became of them, cancel them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from parley_api.http.errors import (
    BatchNotFound,
    BodyStalled,
    BodyTooLarge,
    QuotaExceeded,
    TooManyUploads,
    UnsupportedBody,
)
from parley_api.http.ids import require_id
from parley_api.http.openapi import BATCH_ACCEPTED, BATCH_CALL, problems
from parley_api.routes.context import Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas.batch_examples import BATCH_ID
from parley_api.schemas.batches import BatchAnswer, BatchPageAnswer, BatchQuery, BatchSummaryAnswer
from parley_api.use_cases import batches as use_cases
from parley_core import errors
from parley_core.batches import Batch
from parley_core.job_id import accepted_at

router = APIRouter(prefix="/v1/batches", tags=["batches"])

SUBMIT_ERRORS = (
    BodyStalled,
    BodyTooLarge,
    UnsupportedBody,
    TooManyUploads,
    QuotaExceeded,
    errors.InvalidRequest,
    errors.IdempotencyKeyReused,
    errors.IdempotencyKeyInUse,
    errors.QueueFull,
    errors.JobStoreFull,
)


async def batch_of_path(
    batch_id: Annotated[str, Path(description="Id of the batch.", examples=[BATCH_ID])], deps: Deps, tenant: Tenant
) -> Batch:
    """Return the tenant's batch. Raises BatchNotFound."""
    return await deps.blocking.objects(deps.batches.get, tenant, require_id(batch_id, BatchNotFound, "batch"))


FoundBatch = Annotated[Batch, Depends(batch_of_path)]


@router.post(
    "",
    status_code=202,
    summary="Submit many recordings",
    response_model=BatchAnswer,
    openapi_extra=BATCH_CALL,
    responses={**BATCH_ACCEPTED, **problems(*SUBMIT_ERRORS)},
    dependencies=needs(Scope.SUBMIT),
)
async def submit_batch(request: Request, response: Response, query: NoQuery, deps: Deps, tenant: Tenant) -> BatchAnswer:
    """Submit recordings that are named by links or uploads. Some may be refused: see `problem` of each item.

    Send the same request again after any answer but this one and 4xx: it goes on where the last one has stopped.
    """
    batch, replayed = await use_cases.submit_batch(deps, tenant, request)
    response.headers["Location"] = f"/v1/batches/{batch.id}"
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return await use_cases.answer(deps, batch)


@router.get("", summary="List batches", responses=problems(), dependencies=needs(Scope.READ))
async def list_batches(query: Annotated[BatchQuery, Query()], deps: Deps, tenant: Tenant) -> BatchPageAnswer:
    """Return your batches, newest first, without the states of their jobs."""
    found, following = await deps.blocking.objects(deps.batches.page, tenant, query.limit, query.cursor)
    summaries = [
        BatchSummaryAnswer(
            id=batch.id,
            created_at=accepted_at(batch.id),
            reference=batch.reference,
            jobs=len(batch.job_ids),
            refused=len(batch.items) - len(batch.job_ids),
        )
        for batch in found
    ]
    return BatchPageAnswer(batches=summaries, next_cursor=following)


@router.get("/{batch_id}", summary="Read a batch", responses=problems(BatchNotFound), dependencies=needs(Scope.READ))
async def get_batch(query: NoQuery, deps: Deps, batch: FoundBatch) -> BatchAnswer:
    """Return a batch with the state of each of its jobs."""
    return await use_cases.answer(deps, batch)


@router.post(
    "/{batch_id}/cancel",
    status_code=202,
    summary="Cancel the jobs of a batch",
    responses=problems(BatchNotFound),
    dependencies=needs(Scope.SUBMIT),
)
async def cancel_batch(query: NoQuery, deps: Deps, batch: FoundBatch) -> BatchAnswer:
    """Cancel those jobs of a batch that have not ended. It is no error if all have."""
    await use_cases.cancel(deps, batch)
    return await use_cases.answer(deps, batch)
