"""`parley transcript` and `parley transcribe`."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, terminal_of
from parley.cli.terminal import counted, printable
from parley.models import Job, Transcription

POLL_SECONDS = 2.0


class TranscriptFormat(StrEnum):
    """The formats of transcripts that the server reads."""

    OPENAI = "openai"
    WHISPER_CPP = "whisper_cpp"
    VOSK = "vosk"
    DEEPGRAM = "deepgram"
    ASSEMBLYAI = "assemblyai"
    GOOGLE = "google"
    AWS = "aws"
    AZURE = "azure"
    WORDS = "words"
    SRT = "srt"
    VTT = "vtt"


File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="What a recogniser has written. Without it, the transcript is printed.",
        exists=True,
        dir_okay=False,
        readable=True,
        show_default=False,
    ),
]
Format = Annotated[
    TranscriptFormat | None, typer.Option("--format", help="Format of FILE; by default it is recognised.")
]


def transcript(
    ctx: typer.Context,
    job_id: JobId,
    file: File = None,
    file_format: Format = None,
    as_json: AsJson = False,
) -> None:
    """Send a transcript of a job, or print who said each word.

    `parley turns` prints the words in every format, after they were sent.
    """
    if file_format and file is None:
        raise typer.BadParameter("--format goes with FILE.")
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job_id = resolve(parley, job_id)
        if file is not None:
            receipt = parley.send_transcript(job_id, file, file_format=file_format)
            if as_json:
                terminal.print_json(receipt)
            else:
                terminal.say(f"{job_id}: {counted(receipt['words'], 'word')}, read as {receipt['format']}")
        elif as_json:
            terminal.print_json(parley.transcript(job_id).document)
        else:
            for utterance in parley.transcript(job_id).utterances:
                terminal.print_text(printable(f"{utterance.speaker or 'UNKNOWN'}: {utterance.text}") + "\n")


Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the words are there.")]


def transcribe(ctx: typer.Context, job_id: JobId, wait: Wait = True, as_json: AsJson = False) -> None:
    """Let the server's recogniser write down the words of a job.

    For a job that was submitted without `--transcribe`, or whose recogniser was away. The recording must be kept still.
    Asking again does no harm.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job = parley.transcribe(resolve(parley, job_id))
        while wait and not _transcription_of(job).ended:
            time.sleep(POLL_SECONDS)
            job = parley.job(job.id)
    found = _transcription_of(job)
    if as_json:
        terminal.print_json(job.document)
    elif not found.ended:
        terminal.say(f"{job.id}: the words are asked for. `parley transcript {job.id}` prints them.")
    elif found.error is None:
        terminal.say(f"{job.id}: {counted(found.words, 'word')}. `parley transcript {job.id}` prints them.")
    if found.error is not None:
        raise CommandFailed(Exit.JOB_FAILED, found.error.code, found.error.detail)


def _transcription_of(job: Job) -> Transcription:
    if job.result is None or job.result.transcription is None:
        raise CommandFailed(Exit.JOB_FAILED, "words_not_asked_for", "Nobody asks for the words any more. Ask again.")
    return job.result.transcription
