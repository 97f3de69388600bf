"""Jobs and turns as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from parley.cli.durations import age, format_duration
from parley.cli.job_ids import ID_LENGTH, distinct_length
from parley.cli.progress import describe, format_eta
from parley.cli.terminal import Terminal, counted, printable
from parley.cli.timeline import clock, render_turns
from parley.models import Job, Transcription
from parley.results import Turns

STATE_COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
WIDE = 120  # columns of a terminal that shows full ids, queues and references
COLUMNS = ("ID", "STATE", "AGE", "LENGTH", "FILE", "OUTCOME")
FLEXIBLE_COLUMNS = ("FILE", "OUTCOME", "REFERENCE")


def show_jobs(terminal: Terminal, jobs: Sequence[Job]) -> None:
    """Print a row per job; in a narrow terminal with the beginnings of the ids, which are enough for every command."""
    wide = terminal.out.width >= WIDE
    length = ID_LENGTH if wide else distinct_length([job.id for job in jobs])
    columns = (*COLUMNS, "QUEUE", "REFERENCE") if wide else COLUMNS
    rows = []
    for job in jobs:
        row = (
            job.id[:length],
            Text(job.state, style=STATE_COLOURS.get(job.state, "")),
            format_duration(age(job.created_at)),
            clock(job.recording.seconds),
            job.recording.file_name or "",
            _outcome(job),
        )
        rows.append((*row, job.queue, job.reference or "") if wide else row)
    terminal.print_table(columns, rows, FLEXIBLE_COLUMNS)


def show_job(terminal: Terminal, job: Job) -> None:
    """Print one job, a line per fact and per attempt."""
    for name, value in _job_facts(job).items():
        if value is not None:
            terminal.out.print(Text.assemble((f"{name:<10}", "bold"), printable(value)), soft_wrap=True)
    for attempt in job.attempts:
        end = f"to {attempt.ended_at:%H:%M:%S}" if attempt.ended_at else "until now"
        error = f": {attempt.error.detail} ({attempt.error.code})" if attempt.error else ""
        line = f"attempt {attempt.number} by {attempt.worker} from {attempt.started_at:%H:%M:%S} {end}{error}"
        terminal.out.print(Text(printable(line)), soft_wrap=True)


def show_turns(terminal: Terminal, turns: Turns) -> None:
    """Print the turns and the timeline, with names and roles beside the speaker labels."""
    labels = {identity.speaker: printable(identity.label) for identity in turns.identities}
    named = [
        replace(turn, speaker=labels.get(turn.speaker, turn.speaker), text=turn.text and printable(turn.text))
        for turn in turns.turns
    ]
    render_turns(named, turns.seconds, terminal.out)
    for warning in _doubts(turns, labels):
        terminal.out.print(Text(warning), soft_wrap=True)


def _doubts(turns: Turns, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence per doubt: what is unusual about the sound, how many speakers there are, who may be several."""
    for warning in turns.audio_quality.warnings if turns.audio_quality else ():
        yield printable(warning.detail)
    count = turns.speaker_count
    if count is not None and count.needs_review:
        low, high = count.plausible
        yield f"The number of speakers is uncertain: {low} to {high} are plausible. Check who speaks."
    for speaker in turns.purity:
        if speaker.needs_review:
            label = labels.get(speaker.speaker, speaker.speaker)
            yield f"{label} may be several people. Check the turns of this speaker."


def turns_json(turns: Turns) -> str:
    """Return the server's JSON of the turns."""
    return json.dumps(turns.document, indent=2) + "\n"


def _outcome(job: Job) -> str:
    """Return the error, the result or the progress of a job, in a few words."""
    if job.error is not None:
        return job.error.code
    if job.result is not None:
        result = job.result
        low, high = result.plausible_speakers or (result.speakers, result.speakers)
        doubt = f" ({low} to {high} plausible)" if low < high else ""
        review = f", {result.turns_to_review} to review" if result.turns_to_review else ""
        speakers, turns = counted(result.speakers, "speaker"), counted(result.turns, "turn")
        return f"{speakers}{doubt}, {turns}{review}{_words(result.transcription)}"
    left = f", {format_eta(job, interval=False)} left" if job.eta else ""
    if job.state == "running":
        return f"{describe(job)} {job.progress:.0%}{left}"
    return f"{job.position} ahead{left}" if job.position is not None else ""


def _words(found: Transcription | None) -> str:
    if found is None:
        return ""
    if not found.ended:
        return f", words {found.progress:.0%}" if found.state == "running" else ", words asked for"
    return f", no words ({found.error.code})" if found.error else f", {counted(found.words, 'word')}"


def _job_facts(job: Job) -> dict[str, str | None]:
    recording = job.recording
    words = job.result.transcription if job.result else None
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
        "eta": format_eta(job) if job.eta else None,
        "result": _outcome(job) if job.result else None,
        "no words": words.error.detail if words and words.error else None,
        "error": f"{job.error.detail} ({job.error.code})" if job.error else None,
    }
