"""Jobs and turns as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from rich.text import Text

from parley.cli.durations import age, format_duration
from parley.cli.progress import describe
from parley.cli.terminal import Terminal, printable
from parley.cli.timeline import clock, render_turns
from parley.models import Attempt, Job, Turns

STATE_COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
JOB_COLUMNS = ("ID", "STATE", "QUEUE", "AGE", "LENGTH", "OUTCOME", "REFERENCE")


def show_jobs(terminal: Terminal, jobs: Iterable[Job]) -> None:
    """Print a row per job."""
    terminal.print_table(JOB_COLUMNS, (_job_row(job) for job in jobs))


def show_job(terminal: Terminal, job: Job) -> None:
    """Print one job, a line per fact and per attempt."""
    for name, value in _job_facts(job).items():
        if value is not None:
            terminal.out.print(Text.assemble((f"{name:<10}", "bold"), printable(value)), soft_wrap=True)
    for attempt in job.attempts:
        terminal.out.print(Text(printable(_attempt_line(attempt))), soft_wrap=True)


def show_turns(terminal: Terminal, turns: Turns) -> None:
    """Print the turns and the timeline, with names and roles beside the speaker labels."""
    labels = {identity.speaker: printable(identity.label) for identity in turns.identities}
    named = [replace(turn, speaker=labels.get(turn.speaker, turn.speaker)) for turn in turns.turns]
    render_turns(named, turns.seconds, terminal.out)


def turns_json(turns: Turns) -> str:
    """Return the server's JSON of the turns."""
    return json.dumps(turns.document, indent=2) + "\n"


def _job_row(job: Job) -> tuple[str | Text, ...]:
    return (
        job.id,
        Text(job.state, style=STATE_COLOURS.get(job.state, "")),
        job.queue,
        format_duration(age(job.created_at)),
        clock(job.recording.seconds),
        _outcome(job),
        job.reference or "",
    )


def _outcome(job: Job) -> str:
    """Return the error, the result or the progress of a job, in a few words."""
    if job.error is not None:
        return job.error.code
    if job.result is not None:
        review = f", {job.result.turns_to_review} to review" if job.result.turns_to_review else ""
        return f"{job.result.speakers} speakers, {job.result.turns} turns{review}"
    if job.state == "running":
        return f"{describe(job)} {job.progress:.0%}"
    return f"{job.position} ahead" if job.position is not None else ""


def _job_facts(job: Job) -> dict[str, str | None]:
    recording = job.recording
    return {
        "job": job.id,
        "state": job.state,
        "queue": job.queue,
        "reference": job.reference,
        "created": f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC, {format_duration(age(job.created_at))} ago",
        "file": recording.file_name,
        "recording": f"{clock(recording.seconds)}, {recording.bytes:,} bytes, {recording.media_type}",
        "sha256": recording.sha256,
        "now": None if job.terminal else _outcome(job) or None,
        "eta": None if job.eta_seconds is None or job.terminal else f"{job.eta_seconds:.0f} s",
        "result": _outcome(job) if job.result else None,
        "error": f"{job.error.detail} ({job.error.code})" if job.error else None,
    }


def _attempt_line(attempt: Attempt) -> str:
    end = f"to {attempt.ended_at:%H:%M:%S}" if attempt.ended_at else "until now"
    error = f": {attempt.error.detail} ({attempt.error.code})" if attempt.error else ""
    return f"attempt {attempt.number} by {attempt.worker} from {attempt.started_at:%H:%M:%S} {end}{error}"
