"""Corrections of a job's result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from parley_api.corrections.draft import Draft
from parley_api.corrections.history import History
from parley_api.corrections.log import CorrectionLog
from parley_api.http.errors import CorrectionConflict
from parley_api.runtime.dependencies import Dependencies
from parley_api.schemas import CorrectionRequest, CorrectionsAnswer, QuestionsAnswer
from parley_api.schemas.corrections import Correction
from parley_api.use_cases.results import engine_result, require_result
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.result_document import ResultDocument

if TYPE_CHECKING:
    from parley_api.corrections.voiced_draft import VoicedDraft

log = get_logger(__name__)


async def correct(deps: Dependencies, job: Job, asked: CorrectionRequest) -> Correction:
    """Make a correction of a job's result; return it.

    Raises:
        TurnsNotYet, NoTurns: the job has no result.
        JobPurged: the job is being deleted.
        CorrectionConflict: `asked.base_version` is not the newest version.
        TooManyCorrections: there are as many corrections as there may be.
        InvalidCorrection: the correction does not fit the result. Nothing is stored then.
    """
    made = await deps.blocking.objects(_correct, deps, job, asked)
    log.info("result corrected", job_id=job.id, version=made.version)
    return made


def _correct(deps: Dependencies, job: Job, asked: CorrectionRequest) -> Correction:
    key = require_result(job).key
    corrections = CorrectionLog(deps.recordings, key)
    earlier = corrections.read()
    if asked.base_version != len(earlier):
        raise CorrectionConflict(len(earlier))
    new = Correction(
        version=len(earlier) + 1,
        author=asked.author,
        created_at=datetime.now(UTC),
        operations=tuple(asked.operations),
    )
    document = engine_result(deps.recordings, key)
    draft = _draft(document, History.of(earlier).followed_by(new))
    voiced = _by_voice(deps, key, document, draft) if asked.redecide else None
    if voiced is not None:
        new = new.model_copy(update={"redecided": voiced.decided_again()})
    corrections.append(earlier, new, lambda: deps.store.manifests.trace(job.id).purged)
    return new


async def questions_of(deps: Dependencies, job: Job) -> QuestionsAnswer:
    """Return the questions about a job's result. Raises TurnsNotYet, NoTurns or JobPurged."""
    return await deps.blocking.objects(_questions, deps, job)


def _questions(deps: Dependencies, job: Job) -> QuestionsAnswer:
    key = require_result(job).key
    earlier = CorrectionLog(deps.recordings, key).read()
    document = engine_result(deps.recordings, key)
    voiced = _by_voice(deps, key, document, _draft(document, History.of(earlier)))
    return QuestionsAnswer(
        job_id=job.id,
        version=len(earlier),
        by_voice=voiced is not None,
        questions=voiced.questions() if voiced is not None else [],
    )


def _by_voice(deps: Dependencies, key: str, document: ResultDocument, draft: Draft) -> VoicedDraft | None:
    from parley_api.corrections.voiced_draft import VoicedDraft  # loads NumPy, a tenth of the processor time of a start

    return VoicedDraft.read(deps.recordings, key, document, draft)


def _draft(document: ResultDocument, history: History) -> Draft:
    """Return a draft with all corrections that count. Raises InvalidCorrection."""
    draft = Draft(document)
    for correction in history.counting:
        draft.make(correction)
    return draft


async def corrections_of(deps: Dependencies, job: Job) -> CorrectionsAnswer:
    """Return the corrections of a job's result. Raises TurnsNotYet, NoTurns or JobPurged."""
    made = await deps.blocking.objects(CorrectionLog(deps.recordings, require_result(job).key).read)
    history = History.of(made)
    counting = frozenset(one.version for one in history.counting)
    return CorrectionsAnswer.of(job.id, made, counting, bool(history.undone))
