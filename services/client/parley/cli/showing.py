"""Jobs and turns as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from rich.text import Text

from parley.cli.durations import age, short
from parley.cli.progress import describe
from parley.cli.terminal import Terminal, printable
from parley.cli.timeline import clock, render_turns
from parley.models import Attempt, Job, Turns

STATE_COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
JOB_COLUMNS = ("ID", "STATE", "QUEUE", "AGE", "LENGTH", "OUTCOME", "REFERENCE")


def show_jobs(terminal: Terminal, jobs: Iterable[Job]) -> None:
    """Print one row per job."""
    terminal.print_table(JOB_COLUMNS, (_job_row(job) for job in jobs))


def show_job(terminal: Terminal, job: Job) -> None:
    """Print all that matters of one job, a line each."""
    for name, value in _job_facts(job):
        terminal.out.print(Text.assemble((f"{name:<10}", "bold"), printable(value)), soft_wrap=True)
    for attempt in job.attempts:
        terminal.out.print(Text(printable(_attempt_line(attempt))), soft_wrap=True)


def show_turns(terminal: Terminal, turns: Turns) -> None:
    """Print the turns and the timeline, with what is known of the people beside their labels."""
    labels = {person.speaker: printable(person.label) for person in turns.identities}
    named = [replace(turn, speaker=labels.get(turn.speaker, turn.speaker)) for turn in turns.turns]
    render_turns(named, turns.seconds, terminal.out)


def turns_json(turns: Turns) -> str:
    """Return the turns as the server's JSON document."""
    return json.dumps(turns.document, indent=2) + "\n"


def _job_row(job: Job) -> tuple[str | Text, ...]:
    state = Text(job.state, style=STATE_COLOURS.get(job.state, ""))
    length = clock(job.recording.seconds)
    return job.id, state, job.queue, short(age(job.created_at)), length, _outcome(job), job.reference or ""


def _outcome(job: Job) -> str:
    """The most telling thing about a job at this moment."""
    if job.error is not None:
        return job.error.code
    if job.result is not None:
        doubt = f", {job.result.turns_to_review} to review" if job.result.turns_to_review else ""
        return f"{job.result.speakers} speakers, {job.result.turns} turns{doubt}"
    if job.state == "running":
        return f"{describe(job)} {job.progress:.0%}"
    return f"{job.position} before it" if job.position is not None else ""


def _job_facts(job: Job) -> list[tuple[str, str]]:
    facts = [
        ("job", job.id),
        ("state", job.state),
        ("queue", job.queue),
        ("reference", job.reference),
        ("created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC, {short(age(job.created_at))} ago"),
        ("recording", f"{clock(job.recording.seconds)}, {job.recording.bytes:,} bytes, {job.recording.media_type}"),
        ("sha256", job.recording.sha256),
        ("now", None if job.terminal else _outcome(job)),
        ("eta", None if job.eta_seconds is None or job.terminal else f"{job.eta_seconds:.0f} s"),
        ("result", _outcome(job) if job.result else None),
        ("error", f"{job.error.detail} ({job.error.code})" if job.error else None),
    ]
    return [(name, value) for name, value in facts if value]


def _attempt_line(attempt: Attempt) -> str:
    end = f"to {attempt.ended_at:%H:%M:%S}" if attempt.ended_at else "and still on it"
    error = f": {attempt.error.detail} ({attempt.error.code})" if attempt.error else ""
    return f"attempt {attempt.number} by {attempt.worker} from {attempt.started_at:%H:%M:%S} {end}{error}"
