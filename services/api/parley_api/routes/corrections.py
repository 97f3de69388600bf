"""Corrections that people make to the turns of a job."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from parley_api.http.errors import (
    BodyStalled,
    BodyTooLarge,
    CorrectionConflict,
    InvalidCorrection,
    TooManyCorrections,
    UnsupportedBody,
)
from parley_api.http.openapi import CORRECTION_CALL, problems
from parley_api.intake.json_body import read_json
from parley_api.routes.context import Deps, FoundJob, NoQuery, needs
from parley_api.runtime.keys import Scope
from parley_api.schemas import CorrectionAnswer, CorrectionRequest, CorrectionsAnswer, QuestionsAnswer
from parley_api.use_cases.corrections import correct, corrections_of, questions_of
from parley_core.errors import JobNotFinished, JobNotFound, JobNotSucceeded, JobPurged, ObjectStoreUnavailable

router = APIRouter(prefix="/v1/jobs/{job_id}/corrections", tags=["jobs"])

MISSING = (JobNotFound, JobPurged, JobNotFinished, JobNotSucceeded, ObjectStoreUnavailable)


@router.post(
    "",
    status_code=201,
    summary="Correct the turns",
    openapi_extra=CORRECTION_CALL,
    responses=problems(
        *MISSING, InvalidCorrection, CorrectionConflict, TooManyCorrections, BodyTooLarge, BodyStalled, UnsupportedBody
    ),
    dependencies=needs(Scope.CORRECT),
)
async def make_correction(
    request: Request, response: Response, query: NoQuery, deps: Deps, job: FoundJob
) -> CorrectionAnswer:
    """Correct turns or speakers. The turns of the engine stay: they are version 0, and every correction adds a version.

    All operations of a correction are made, or none.
    """
    made = await correct(deps, job, await read_json(request, CorrectionRequest))
    response.headers["Location"] = f"/v1/jobs/{job.id}/turns?version={made.version}"
    return CorrectionAnswer.model_validate({**dict(made), "counts": True})


@router.get("", summary="List the corrections", responses=problems(*MISSING), dependencies=needs(Scope.READ))
async def list_corrections(query: NoQuery, deps: Deps, job: FoundJob) -> CorrectionsAnswer:
    """Return who corrected what, and when."""
    return await corrections_of(deps, job)


@router.get(
    "/questions", summary="List the most useful questions", responses=problems(*MISSING), dependencies=needs(Scope.READ)
)
async def list_questions(query: NoQuery, deps: Deps, job: FoundJob) -> QuestionsAnswer:
    """Return what to ask a person who can listen: the question first whose answer would change most by voice."""
    return await questions_of(deps, job)
