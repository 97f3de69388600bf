"""`parley submit`: recordings in, turns out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from parley.cli.exits import Exit
from parley.cli.options import AsJson, Format, Reference, WhichQueue, terminal_of
from parley.cli.progress import progress_view
from parley.cli.sending import Outcome, Sender, Stop
from parley.cli.showing import show_turns, turns_json
from parley.cli.terminal import Terminal, printable
from parley.client import Parley
from parley.models import Job, Turns

MOST_IDS_TOLD = 5  # after Ctrl-C; more would push the reason off the screen

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Recordings.", exists=True, dir_okay=False, readable=True),
]
Speakers = Annotated[int | None, typer.Option("--speakers", help="How many speakers there are.")]
MinSpeakers = Annotated[int | None, typer.Option(help="At least so many speakers.")]
MaxSpeakers = Annotated[int | None, typer.Option(help="At most so many speakers.")]
SpeakerEmbeddings = Annotated[
    bool, typer.Option("--speaker-embeddings", help="Keep the speakers' voices, to enrol and to be named.")
]
Channels = Annotated[
    str | None,
    typer.Option(help="Whose microphone each channel is: clinician,patient for left and right."),
]
Wait = Annotated[bool, typer.Option(help="Wait for the turns; --no-wait prints the job ids instead.")]
TurnsFormat = Annotated[
    Format | None, typer.Option("--format", help="Of the turns; table on the terminal and rttm with -o unless said.")
]
Folder = Annotated[
    Path | None, typer.Option("-o", "--output", file_okay=False, help="Write each file's turns into this folder.")
]


def submit(
    ctx: typer.Context,
    files: Files,
    wait: Wait = True,
    queue: WhichQueue = None,
    speakers: Speakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    reference: Reference = None,
    speaker_embeddings: SpeakerEmbeddings = False,
    channels: Channels = None,
    turns_format: TurnsFormat = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Send recordings, wait for their jobs and print who spoke when."""
    if not wait and (turns_format or folder):
        raise typer.BadParameter("--format and -o need the turns, and --no-wait does not wait for them")
    terminal, stop = terminal_of(ctx), Stop()
    options = {
        "queue": queue,
        "num_speakers": speakers,
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
        "reference": reference,
        "speaker_embeddings": speaker_embeddings,
        "channels": channels.split(",") if channels else None,
    }
    with terminal.patient_parley(pause=stop.pause) as parley:
        keep = _keeper_of_turns(parley, folder, turns_format, files) if folder else _keep_nothing
        outcomes = send(terminal, parley, stop, files, options, wait, keep)
        if as_json:
            terminal.print_json([_document(outcome) for outcome in outcomes])
        elif not wait:
            _print_ids(terminal, outcomes)
        elif not folder:
            _print_turns(terminal, parley, outcomes, turns_format or Format.TABLE)
    raise typer.Exit(max(outcome.exit for outcome in outcomes))


def _keep_nothing(path: Path, turns: Turns) -> None:
    """The turns are printed at the end instead."""


def send(
    terminal: Terminal,
    parley: Parley,
    stop: Stop,
    files: Sequence[Path],
    options: dict[str, Any],
    wait: bool,
    keep: Callable[[Path, Turns], None] = _keep_nothing,
) -> list[Outcome]:
    """Return what became of each file, with progress on stderr. Ctrl-C ends the command and names accepted jobs."""
    with progress_view(terminal.err, len(files)) as view:
        sender = Sender(parley, view, stop, options=options, wait=wait, keep=keep)
        try:
            return sender.send(files)
        except KeyboardInterrupt:
            accepted = sender.accepted
    _say_interrupted(terminal, accepted)
    raise typer.Exit(Exit.INTERRUPTED)


def _say_interrupted(terminal: Terminal, accepted: Sequence[Job]) -> None:
    if not accepted:
        terminal.say("Interrupted. Nothing was accepted.", "red")
        return
    commands = [f"  parley job {job.id} --wait" for job in accepted[:MOST_IDS_TOLD]]
    if len(accepted) > MOST_IDS_TOLD:
        commands = ["  parley jobs"]
    told = "The accepted job goes on" if len(accepted) == 1 else f"The {len(accepted)} accepted jobs go on"
    terminal.say("\n".join([f"Interrupted. {told}; to see what becomes of it:", *commands]), "red")


def _keeper_of_turns(
    parley: Parley, folder: Path, form: Format | None, files: Sequence[Path]
) -> Callable[[Path, Turns], None]:
    """Return what writes a file's turns into the folder; two files that would write the same one are refused."""
    if form is Format.TABLE:
        raise typer.BadParameter("-o writes json or rttm; a table is for the eye")
    suffix = (form or Format.RTTM).value
    for name, count in Counter(path.stem for path in files).items():
        if count > 1:
            raise typer.BadParameter(f"{count} files would all write {name}.{suffix}: rename or submit them apart")
    folder.mkdir(parents=True, exist_ok=True)

    def keep(path: Path, turns: Turns) -> None:
        text = turns_json(turns) if form is Format.JSON else parley.rttm(turns.job_id)
        (folder / f"{path.stem}.{suffix}").write_text(text, encoding="utf-8")

    return keep


def _print_ids(terminal: Terminal, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.job is not None:
            terminal.out.print(outcome.job.id, soft_wrap=True)


def _print_turns(terminal: Terminal, parley: Parley, outcomes: Sequence[Outcome], form: Format) -> None:
    if form is Format.JSON:
        terminal.print_json([outcome.turns.document for outcome in outcomes if outcome.turns])
        return
    for outcome in outcomes:
        if outcome.turns is None:
            continue
        if form is Format.RTTM:
            terminal.print_text(parley.rttm(outcome.turns.job_id))
        else:
            terminal.out.print(Text(f"\n{printable(outcome.path.name)}  job {outcome.turns.job_id}", style="bold"))
            show_turns(terminal, outcome.turns)


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": str(outcome.path),
        "job": outcome.job.document if outcome.job else None,
        "turns": outcome.turns.document if outcome.turns else None,
        "error": str(outcome.error) if outcome.error else None,
    }
