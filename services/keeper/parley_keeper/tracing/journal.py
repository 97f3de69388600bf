"""What the transitions of a run noted for its trace, read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from parley_core.job import JobState, Phase
from parley_core.job_id import made_at
from parley_core.redis.record import milliseconds

# Of an attempt that Redis knew and the end of the job does not: two ran, because Redis had lost the first claim, and
# the end is that of the other one.
SUPERSEDED = "superseded"
LONGEST_UPLOAD = timedelta(hours=1)  # an id that is older than its job by more was made on a clock that is wrong


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """A phase of an attempt; times are milliseconds since 1970."""

    phase: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AttemptTime:
    """An attempt. `code` is that of its error, `given_back` or SUPERSEDED; None for success."""

    worker: str
    start: int
    end: int
    code: str | None
    phases: tuple[PhaseTime, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether the record counts it."""
        return self.code != SUPERSEDED


@dataclass(frozen=True, slots=True)
class RunTrace:
    """A run of a job, from its acceptance or its retry by hand to its end.

    Attributes:
        submitted: when the submit began; None for a run that a retry began.
        accepted: when the run began to wait.
        attempts: also those that stopping workers gave back or that the end superseded, in the order of their start.
    """

    job_id: str
    run: int
    tenant: str
    queue: str
    state: JobState
    traceparent: str | None
    submitted: int | None
    accepted: int
    finished: int
    audio_seconds: float
    audio_bytes: int
    media_type: str
    error_code: str | None
    attempts: tuple[AttemptTime, ...]


@dataclass
class _Started:
    """An attempt as its own lines tell."""

    worker: str
    start: int
    marks: list[tuple[str, int]] = field(default_factory=list)
    given_back: int | None = None


def read_run(job_id: str, run: int, lines: Sequence[str]) -> RunTrace:
    """Return a run from its lines. Raises ValueError, KeyError or TypeError for lines that are not of this version."""
    end = json.loads(lines[-1])
    accepted, finished = int(end["accepted_at"]), int(end["finished_at"])
    return RunTrace(
        job_id=job_id,
        run=run,
        tenant=end["tenant"],
        queue=end["queue"],
        state=JobState(end["state"]),
        traceparent=end.get("traceparent"),
        submitted=_submitted(job_id, accepted) if run == 0 else None,
        accepted=accepted,
        finished=finished,
        audio_seconds=round(float(end["seconds"]), 3),
        audio_bytes=int(end["bytes"]),
        media_type=end["media_type"],
        error_code=end.get("error_code"),
        attempts=_attempts(end, _started(lines[:-1]), finished),
    )


def _submitted(job_id: str, accepted: int) -> int:
    """Return the time in the id, which the API made at the beginning of the submit, in milliseconds."""
    try:
        made = milliseconds(made_at(job_id))
    except ValueError:
        return accepted
    return made if 0 <= accepted - made <= LONGEST_UPLOAD / timedelta(milliseconds=1) else accepted


def _started(lines: Sequence[str]) -> list[_Started]:
    found: list[_Started] = []
    for line in lines:
        what, moment, *rest = line.split(" ", 2)
        if what == "start":
            found.append(_Started(rest[0], int(moment), [(Phase.DECODING.value, int(moment))]))
        elif found and what == "phase":
            found[-1].marks.append((rest[0], int(moment)))
        elif found and what == "give_back":
            found[-1].given_back = int(moment)
    return found


def _attempts(end: dict[str, object], started: Sequence[_Started], finished: int) -> tuple[AttemptTime, ...]:
    """Return the attempts of the record with the phases of their lines, and those that only the lines know."""
    recorded = end["attempts"] or []
    if not isinstance(recorded, list):
        raise TypeError("attempts are a list")
    known = {(one.worker, one.start): one for one in started}
    found = []
    for worker, start, ended, code in recorded:
        if not start:
            continue
        lines = known.pop((worker, int(start)), None)
        attempt = AttemptTime(worker, int(start), int(ended or finished), code or None)
        found.append(replace(attempt, phases=_marked(lines.marks, attempt.end)) if lines else attempt)
    if found and end["state"] == JobState.SUCCEEDED and found[-1].code is None:
        found[-1] = replace(found[-1], phases=_timed(end, found[-1]) or found[-1].phases)
    for lines in known.values():
        ended = lines.given_back or finished
        code = "given_back" if lines.given_back else SUPERSEDED
        found.append(AttemptTime(lines.worker, lines.start, ended, code, _marked(lines.marks, ended)))
    return tuple(sorted(found, key=lambda attempt: attempt.start))


def _marked(marks: Sequence[tuple[str, int]], end: int) -> tuple[PhaseTime, ...]:
    """Return phases from their beginnings, as renewals of the lease noted them."""
    ends = [start for _, start in marks[1:]] + [end]
    return tuple(PhaseTime(phase, start, max(start, ended)) for (phase, start), ended in zip(marks, ends, strict=True))


def _timed(end: dict[str, object], attempt: AttemptTime) -> tuple[PhaseTime, ...]:
    """Return the phases of a successful attempt, one after another, from the seconds that the worker measured."""
    found, moment = [], attempt.start
    for phase in Phase:
        seconds = end.get(f"timing:{phase.value}")
        if seconds is not None:
            until = min(attempt.end, moment + round(float(str(seconds)) * 1000))
            found.append(PhaseTime(phase.value, moment, until))
            moment = until
    return tuple(found)
