"""`parley enrol` and `parley voiceprints`."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parley import Consent, Parley, ParleyClientError, SubmitOptions, Voiceprint
from parley.cli.batch import Outcome
from parley.cli.changes import Yes, apply
from parley.cli.durations import age, format_duration
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, duration_option, terminal_of
from parley.cli.submit import submit_files
from parley.cli.terminal import PATIENT, Terminal

COLUMNS = ("ID", "NAME", "ROLE", "AGE", "ENDS", "MODEL")
MAX_NAME = 200  # characters; as the server has it
MODEL_WIDTH = 24  # characters: the engine's name and the beginning of a hash

voiceprints_app = typer.Typer(
    help="List or delete voiceprints.", invoke_without_command=True, add_completion=False, rich_markup_mode=None
)


class Role(StrEnum):
    """Roles of an enrolled person."""

    CLINICIAN = "clinician"
    PATIENT = "patient"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person; unique.", show_default=False)]
Recording = Annotated[
    Path | None,
    typer.Argument(
        metavar="RECORDING",
        help="A recording in which only this person speaks.",
        exists=True,
        dir_okay=False,
        readable=True,
        show_default=False,
    ),
]
JobOption = Annotated[
    str | None,
    typer.Option("--job", metavar="ID", help="Instead of a recording: a job with speaker embeddings."),
]
Speaker = Annotated[str | None, typer.Option("--speaker", metavar="LABEL", help="With --job: label of the speaker.")]
RoleOption = Annotated[Role | None, typer.Option("--role", help="Role of the person.")]
Purpose = Annotated[
    str | None,
    typer.Option(
        "--purpose", metavar="TEXT", help="What the person consents to, such as names in notes.", show_default=False
    ),
]
ConsentEnds = Annotated[
    timedelta | None,
    typer.Option(
        "--consent-for",
        parser=duration_option,
        metavar="DURATION",
        help="How long the consent holds, such as 365d. The voiceprint ends with it.",
        show_default=False,
    ),
]
ConsentBy = Annotated[
    str | None,
    typer.Option("--consent-by", metavar="TEXT", help="Who gave it; by default the person.", show_default=False),
]
ConsentAt = Annotated[
    datetime | None,
    typer.Option(
        "--consent-at",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
        help="When it was given, in UTC; by default now.",
        show_default=False,
    ),
]
WithoutConsent = Annotated[
    bool, typer.Option("--without-consent", help="Where the server does not require the consent of the person.")
]
Voiceprints = Annotated[list[str], typer.Argument(metavar="VOICEPRINT", help="Names or ids.", show_default=False)]


def enrol(
    ctx: typer.Context,
    name: Name,
    recording: Recording = None,
    job: JobOption = None,
    speaker: Speaker = None,
    role: RoleOption = None,
    purpose: Purpose = None,
    consent_for: ConsentEnds = None,
    consent_by: ConsentBy = None,
    consent_at: ConsentAt = None,
    without_consent: WithoutConsent = False,
    as_json: AsJson = False,
) -> None:
    """Enrol the voiceprint of a person who consents.

    Jobs that keep speaker embeddings then show the name of this person. The recording of an enrolment is deleted
    afterwards.
    """
    if (recording is None) == (job is None) or (job is None) != (speaker is None):
        raise typer.BadParameter("Give either a recording of this person, or --job and --speaker.")
    consent = None if without_consent else _consent(consent_by or name.strip(), consent_at, purpose, consent_for)
    terminal = terminal_of(ctx)
    with terminal.parley(PATIENT) as parley:
        if recording is not None:
            voiceprint = _enrol_recording(terminal, parley, name, recording, role, consent)
        else:
            assert job is not None and speaker is not None, "checked above"
            voiceprint = parley.enrol(name, resolve(parley, job), speaker, role=role, consent=consent)
    terminal.say(f"{voiceprint.name} is enrolled.")
    if as_json:
        terminal.print_json(voiceprint.document)
    else:
        terminal.print_text(f"{voiceprint.id}\n")


def _consent(given_by: str, given_at: datetime | None, purpose: str | None, lasts: timedelta | None) -> Consent:
    """Return the consent of the person. Raises BadParameter where it lacks its purpose or its end."""
    if not purpose or lasts is None:
        raise typer.BadParameter(
            "Give the consent of the person: --purpose and --consent-for. Or --without-consent where the server does "
            "not require it."
        )
    now = datetime.now(UTC)
    return Consent(given_by, purpose, now + lasts, now if given_at is None else given_at.replace(tzinfo=UTC))


def _enrol_recording(
    terminal: Terminal, parley: Parley, name: str, recording: Path, role: Role | None, consent: Consent | None
) -> Voiceprint:
    """Submit a recording, enrol its only speaker, and delete the job, however it ended.

    Raises:
        CommandFailed: the name is not free, the job failed, or not exactly one person speaks.
    """
    _require_free(parley, name)
    (outcome,) = submit_files(terminal, [recording], SubmitOptions(speaker_embeddings=True), wait=True)
    try:
        job_id, speaker = _only_speaker(outcome)
        return parley.enrol(name, job_id, speaker, role=role, consent=consent)
    finally:
        if outcome.job is not None:
            _delete_job(terminal, parley, outcome.job.id)


def _require_free(parley: Parley, name: str) -> None:
    """Refuse a name that the server would refuse after the job: a recording need not be uploaded for that."""
    key = _name_key(name)
    if not key or len(name) > MAX_NAME or not name.isprintable():
        raise typer.BadParameter(f"A name has 1 to {MAX_NAME} characters, and no control characters.")
    for voiceprint in parley.voiceprints():
        if _name_key(voiceprint.name) == key:
            detail = f"{voiceprint.name} is enrolled already. Choose another name, or delete that voiceprint first."
            raise CommandFailed(Exit.REFUSED, "voiceprint_name_taken", detail)


def _name_key(name: str) -> str:
    """Return what two names must differ in. The server decides in the same way."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _only_speaker(outcome: Outcome) -> tuple[str, str]:
    """Return the job id and the label of the only speaker of a recording."""
    if outcome.error is not None:
        raise outcome.error
    if outcome.turns is None:
        raise CommandFailed(outcome.exit_code, "job_failed", outcome.summary)
    speakers = outcome.turns.speakers
    if not speakers:
        raise CommandFailed(Exit.REFUSED, "no_speech", "Nobody speaks in this recording.")
    if len(speakers) > 1:
        detail = (
            f"{len(speakers)} people seem to speak in this recording, and nobody was enrolled. Record this person "
            "alone. Or submit the recording with --speaker-embeddings, and enrol one of its speakers with --job and "
            "--speaker."
        )
        raise CommandFailed(Exit.REFUSED, "several_speakers", detail, speakers=list(speakers))
    return outcome.turns.job_id, speakers[0]


def _delete_job(terminal: Terminal, parley: Parley, job_id: str) -> None:
    """Delete the job of an enrolment, or say that it stays."""
    try:
        parley.delete(job_id)
    except ParleyClientError as error:
        terminal.say(f"Job {job_id} stays with its recording: {error} To delete it: parley delete {job_id}", "yellow")


@voiceprints_app.callback()
def voiceprints(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List or delete voiceprints."""
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.voiceprints()
    terminal.print_list(found, COLUMNS, map(_row, found), ("NAME", "MODEL"), as_json, "No voiceprints.")


def _row(voiceprint: Voiceprint) -> tuple[str, ...]:
    age_text = format_duration(age(voiceprint.enrolled_at))
    ends = "" if voiceprint.consent is None else voiceprint.consent.until.date().isoformat()
    return voiceprint.id, voiceprint.name, voiceprint.role or "", age_text, ends, voiceprint.model[:MODEL_WIDTH]


@voiceprints_app.command()
def delete(ctx: typer.Context, voiceprints: Voiceprints, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete voiceprints.

    No job shows the names of these people any more. Deleted voiceprints cannot be restored.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        ids_by_name = {voiceprint.name: voiceprint.id for voiceprint in parley.voiceprints()}
        ids = [ids_by_name.get(name_or_id, name_or_id) for name_or_id in voiceprints]
        what = "this voiceprint" if len(ids) == 1 else f"{len(ids)} voiceprints"
        if not yes and not terminal.confirm_deletion(f"Delete {what}?"):
            ids = []
        apply(terminal, ids, parley.delete_voiceprint, "deleted", as_json)
