"""`parley enrol` and `parley voiceprints`: whose voices the server knows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parley.cli.changes import Yes, each
from parley.cli.durations import age, short
from parley.cli.exits import Exit
from parley.cli.options import AsJson, terminal_of
from parley.cli.sending import Stop
from parley.cli.submit import send
from parley.cli.terminal import Terminal
from parley.client import Parley
from parley.voiceprints import Voiceprint

COLUMNS = ("ID", "NAME", "ROLE", "AGE", "MODEL")
MODEL_WIDTH = 24  # characters: the engine's name and the beginning of a hash

voiceprints_app = typer.Typer(help="List enrolled voiceprints, or delete them.", invoke_without_command=True)


class Role(StrEnum):
    """What somebody can be enrolled as."""

    CLINICIAN = "clinician"
    PATIENT = "patient"


Name = Annotated[str, typer.Argument(help="Whose voiceprint it is; a name can be enrolled once.", show_default=False)]
Alone = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECORDING]",
        help="A recording of this person alone.",
        exists=True,
        dir_okay=False,
        readable=True,
        show_default=False,
    ),
]
OfJob = Annotated[
    str | None, typer.Option("--job", help="Instead: a job that was submitted with --speaker-embeddings.")
]
Speaker = Annotated[str | None, typer.Option("--speaker", help="With --job: which of its speakers.")]
AsRole = Annotated[Role | None, typer.Option("--role", help="What this person is.")]
Which = Annotated[list[str], typer.Argument(metavar="VOICEPRINT...", help="Ids or names.", show_default=False)]


def enrol(
    ctx: typer.Context,
    name: Name,
    recording: Alone = None,
    job: OfJob = None,
    speaker: Speaker = None,
    role: AsRole = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a voiceprint: its person is named in every job that keeps voices."""
    if (recording is None) == (job is None) or (job is None) != (speaker is None):
        raise typer.BadParameter("say either a recording of this person alone, or --job and --speaker")
    terminal, stop = terminal_of(ctx), Stop()
    with terminal.patient_parley(pause=stop.pause) as parley:
        if job is None or speaker is None:
            assert recording is not None, "one of the two was given"
            job, speaker = _only_speaker(terminal, parley, stop, recording)
        voiceprint = parley.enrol(name, job, speaker, role=role)
    terminal.say(f"{voiceprint.name} is enrolled.")
    if as_json:
        terminal.print_json(voiceprint.document)
    else:
        terminal.print_text(f"{voiceprint.id}\n")


def _only_speaker(terminal: Terminal, parley: Parley, stop: Stop, recording: Path) -> tuple[str, str]:
    """Return the job and the label of the one person in a recording, or end the command."""
    (outcome,) = send(terminal, parley, stop, [recording], {"speaker_embeddings": True, "num_speakers": 1}, wait=True)
    if outcome.turns is None:
        raise typer.Exit(outcome.exit)
    if not outcome.turns.speakers:
        terminal.fail("Nobody speaks in this recording.", Exit.REFUSED)
    return outcome.turns.job_id, outcome.turns.speakers[0]


@voiceprints_app.callback()
def voiceprints(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List enrolled voiceprints."""
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.voiceprints()
    if as_json:
        terminal.print_json([voiceprint.document for voiceprint in found])
    elif found:
        terminal.print_table(COLUMNS, [_row(voiceprint) for voiceprint in found])
    else:
        terminal.say("No voiceprints.")


def _row(voiceprint: Voiceprint) -> tuple[str, ...]:
    return (
        voiceprint.id,
        voiceprint.name,
        voiceprint.role or "",
        short(age(voiceprint.enrolled_at)),
        voiceprint.model[:MODEL_WIDTH],
    )


@voiceprints_app.command()
def delete(ctx: typer.Context, which: Which, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget voices, for good: no job names these people any more."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        ids = [_id_of(parley.voiceprints(), one) for one in which]
        if not yes and not terminal.sure(f"Delete {_counted(ids)}, for good? [y/N]", "Nothing was deleted."):
            raise typer.Exit(Exit.OK)
        each(terminal, ids, lambda voiceprint_id: dict(parley.delete_voiceprint(voiceprint_id)), "deleted", as_json)


def _id_of(known: Sequence[Voiceprint], which: str) -> str:
    return next((voiceprint.id for voiceprint in known if voiceprint.name == which), which)


def _counted(ids: Sequence[str]) -> str:
    return "this voice" if len(ids) == 1 else f"{len(ids)} voices"
