"""`parley correct` and `parley corrections`."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from parley import Correction
from parley.cli.durations import age, format_duration
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, terminal_of
from parley.models import Document

COLUMNS = ("VERSION", "AGE", "AUTHOR", "WHAT", "COUNTS")

Author = Annotated[
    str | None,
    typer.Option(
        "--author",
        envvar="PARLEY_AUTHOR",
        metavar="NAME",
        help="Who makes the correction; by default the name of your account on this machine.",
        show_default=False,
    ),
]


def _pairs(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"{text} Repeatable.", show_default=False)


Rename = Annotated[list[str] | None, _pairs("--rename", "LABEL=NAME", "Name a speaker; without NAME, take it away.")]
Role = Annotated[list[str] | None, _pairs("--role", "LABEL=ROLE", "Give a speaker a role.")]
Merge = Annotated[list[str] | None, _pairs("--merge", "LABEL=LABEL", "Give the turns of the first to the second.")]
Reassign = Annotated[list[str] | None, _pairs("--reassign", "TURN=LABEL", "Give a turn to a speaker.")]
NewSpeaker = Annotated[
    list[str] | None,
    _pairs("--new-speaker", "TURN", "Give a turn to a new speaker; all that are given to the same one."),
]
Confirm = Annotated[list[str] | None, _pairs("--confirm", "TURN", "Say that the speaker of a turn is right.")]
File = Annotated[
    typer.FileText | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="A JSON list of operations, for all that the API knows; `-` reads from stdin.",
        encoding="utf-8",
        show_default=False,
    ),
]
BaseVersion = Annotated[
    int | None,
    typer.Option(
        "--base-version",
        metavar="NUMBER",
        min=0,
        help="Version of the turns that you saw: a newer one refuses the correction. By default the newest.",
        show_default=False,
    ),
]
Undo = Annotated[bool, typer.Option("--undo", help="Take back the newest correction that counts.")]
Redo = Annotated[bool, typer.Option("--redo", help="Bring back what the last undo took.")]
Redecide = Annotated[
    bool, typer.Option("--redecide", help="Decide turns that nobody has given or confirmed again by voice.")
]


def correct(
    ctx: typer.Context,
    job_id: JobId,
    rename: Rename = None,
    role: Role = None,
    merge: Merge = None,
    reassign: Reassign = None,
    new_speaker: NewSpeaker = None,
    confirm: Confirm = None,
    file: File = None,
    undo: Undo = False,
    redo: Redo = False,
    redecide: Redecide = False,
    base_version: BaseVersion = None,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Correct the turns and speakers of a job.

    The turns of the engine stay; each correction adds a version. Ids of turns are part of the JSON.
    """
    operations = [
        *_named(rename, lambda label, name: {"operation": "rename_speaker", "speaker": label, "name": name or None}),
        *_named(role, lambda label, name: {"operation": "set_role", "speaker": label, "role": name or None}),
        *_named(merge, lambda label, into: {"operation": "merge_speakers", "speaker": label, "into": into}),
        *_named(reassign, lambda turn, label: {"operation": "reassign_turns", "turns": [turn], "speaker": label}),
        *([{"operation": "split_speaker", "turns": new_speaker}] if new_speaker else []),
        *([{"operation": "confirm_turns", "turns": confirm}] if confirm else []),
        *(_operations(file) if file else []),
        *([{"operation": "undo"}] if undo else []),
        *([{"operation": "redo"}] if redo else []),
    ]
    if not operations:
        raise typer.BadParameter("Say what to correct, for example --rename 'SPEAKER_00=Dr. Weber'.")
    if redecide and (undo or redo):
        raise typer.BadParameter("--redecide does not go with --undo and --redo: they bring back what was there.")
    terminal = terminal_of(ctx)
    author = author or getpass.getuser()
    with terminal.parley() as parley:
        made = parley.correct(
            resolve(parley, job_id), operations, author=author, base_version=base_version, redecide=redecide
        )
    if as_json:
        terminal.print_json(made.document)
        return
    followed = f" Turns that followed by voice: {len(made.redecided)}." if redecide else ""
    terminal.say(f"This is version {made.version}.{followed}")


def corrections(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """List the corrections of a job."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.corrections(resolve(parley, job_id))
    terminal.print_list(found, COLUMNS, map(_row, found), ("AUTHOR", "WHAT"), as_json, "No corrections.")


def _named(given: list[str] | None, build: Callable[[str, str], Document]) -> Iterator[Document]:
    for pair in given or ():
        first, separator, second = pair.partition("=")
        if not (first and separator):
            raise typer.BadParameter(f"`{pair}` has no `=`.")
        yield build(first, second)


def _operations(file: typer.FileText) -> list[Document]:
    try:
        found = json.load(file)
    except ValueError as error:
        raise typer.BadParameter("The file of operations is not JSON.") from error
    if not isinstance(found, list):
        raise typer.BadParameter("The file of operations is not a JSON list.")
    return found


def _row(correction: Correction) -> tuple[str, ...]:
    what = ", ".join(dict.fromkeys(str(one["operation"]) for one in correction.operations))
    counts = "yes" if correction.counts else "no"
    return str(correction.version), format_duration(age(correction.created_at)), correction.author, what, counts
