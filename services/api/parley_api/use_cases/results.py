"""The result object of a job that has one."""

from __future__ import annotations

import json
from typing import Any

from parley_api.http.errors import NoTurns, TurnsNotYet
from parley_api.runtime.dependencies import Dependencies
from parley_core.errors import JobPurged
from parley_core.job import Job, JobState
from parley_core.ports import RecordingStore
from parley_core.review import needs_review

Document = dict[str, Any]
"""A result object, parsed."""


async def result_of(deps: Dependencies, job: Job) -> Document:
    """Return the result object, each turn saying whether it needs review.

    Raises TurnsNotYet, NoTurns or JobPurged.
    """
    if not job.state.terminal:
        raise TurnsNotYet(job)
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise NoTurns(job)
    try:
        return await deps.calls.objects(_reviewed, deps.recordings, job.result.key)
    except KeyError:
        raise JobPurged("The result is gone: the job is being deleted.") from None


def _reviewed(recordings: RecordingStore, key: str) -> Document:
    """Return a stored result with `needs_review`, which is not stored: 0.1.0 reads turns that have four members."""
    document: Document = json.loads(recordings.read(key))
    for turn in (*document["turns"], *document["exclusive_turns"]):
        turn["needs_review"] = needs_review(turn["confidence"], document["engine"]["parameters"])
    return document
