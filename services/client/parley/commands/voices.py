"""`parley enrol` and `parley voices`: whose voices the server knows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parley.client import Parley
from parley.commands.changes import Yes, each
from parley.commands.options import AsJson, terminal_of
from parley.commands.submit import send
from parley.durations import age, short
from parley.exits import Exit
from parley.sending import Stop
from parley.terminal import Terminal
from parley.voices import Voice

COLUMNS = ("ID", "NAME", "ROLE", "AGE", "MODEL")
MODEL_WIDTH = 24  # characters: the engine's name and the beginning of a hash

voices_app = typer.Typer(help="List enrolled voices, or delete them.", invoke_without_command=True)


class Role(StrEnum):
    """What somebody can be enrolled as."""

    CLINICIAN = "clinician"
    PATIENT = "patient"


Name = Annotated[str, typer.Argument(help="Whose voice it is; a name can be enrolled once.", show_default=False)]
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
OfJob = Annotated[str | None, typer.Option("--job", help="Instead: a job that was submitted with --voices.")]
Speaker = Annotated[str | None, typer.Option("--speaker", help="With --job: which of its speakers.")]
AsRole = Annotated[Role | None, typer.Option("--role", help="What this person is.")]
Which = Annotated[list[str], typer.Argument(metavar="VOICE...", help="Ids or names.", show_default=False)]


def enrol(
    ctx: typer.Context,
    name: Name,
    recording: Alone = None,
    job: OfJob = None,
    speaker: Speaker = None,
    role: AsRole = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a voice: its person is named in every job that keeps voices."""
    if (recording is None) == (job is None) or (job is None) != (speaker is None):
        raise typer.BadParameter("say either a recording of this person alone, or --job and --speaker")
    terminal, stop = terminal_of(ctx), Stop()
    with terminal.patient_parley(pause=stop.pause) as parley:
        if job is None or speaker is None:
            assert recording is not None, "one of the two was given"
            job, speaker = _only_speaker(terminal, parley, stop, recording)
        voice = parley.enrol(name, job, speaker, role=role)
    terminal.say(f"{voice.name} is enrolled.")
    if as_json:
        terminal.print_json(voice.document)
    else:
        terminal.print_text(f"{voice.id}\n")


def _only_speaker(terminal: Terminal, parley: Parley, stop: Stop, recording: Path) -> tuple[str, str]:
    """Return the job and the label of the one person in a recording, or end the command."""
    (outcome,) = send(terminal, parley, stop, [recording], {"voices": True, "num_speakers": 1}, wait=True)
    if outcome.turns is None:
        raise typer.Exit(outcome.exit)
    if not outcome.turns.speakers:
        terminal.fail("Nobody speaks in this recording.", Exit.REFUSED)
    return outcome.turns.job_id, outcome.turns.speakers[0]


@voices_app.callback()
def voices(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List enrolled voices."""
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.voices()
    if as_json:
        terminal.print_json([voice.document for voice in found])
    elif found:
        terminal.print_table(COLUMNS, [_row(voice) for voice in found])
    else:
        terminal.say("No voices.")


def _row(voice: Voice) -> tuple[str, ...]:
    return voice.id, voice.name, voice.role or "", short(age(voice.enrolled_at)), voice.model[:MODEL_WIDTH]


@voices_app.command()
def delete(ctx: typer.Context, which: Which, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget voices, for good: no job names these people any more."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        ids = [_id_of(parley.voices(), one) for one in which]
        if not yes and not terminal.sure(f"Delete {_counted(ids)}, for good? [y/N]", "Nothing was deleted."):
            raise typer.Exit(Exit.OK)
        each(terminal, ids, lambda voice_id: dict(parley.delete_voice(voice_id)), "deleted", as_json)


def _id_of(known: Sequence[Voice], which: str) -> str:
    return next((voice.id for voice in known if voice.name == which), which)


def _counted(ids: Sequence[str]) -> str:
    return "this voice" if len(ids) == 1 else f"{len(ids)} voices"
