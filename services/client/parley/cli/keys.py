"""`parley keys`: API keys of the tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from parley.cli.changes import apply
from parley.cli.durations import age, format_duration
from parley.cli.options import AsJson, duration_option, terminal_of
from parley.tenant import ApiKey

COLUMNS = ("ID", "NAME", "SCOPES", "AGE", "LAST USED", "EXPIRES")

keys_app = typer.Typer(
    help="List, make or revoke API keys.", invoke_without_command=True, add_completion=False, rich_markup_mode=None
)


class Scope(StrEnum):
    """What a key may do."""

    SUBMIT = "submit"
    READ = "read"
    CORRECT = "correct"
    DELETE = "delete"
    VOICEPRINTS = "voiceprints"
    EXPORT = "export"
    SHARE = "share"
    ADMIN = "admin"


Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.", show_default=False)]
Scopes = Annotated[
    list[Scope],
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="What the key may do: submit, read, correct, delete, voiceprints, export, share or admin. Once per scope.",
        show_default=False,
    ),
]
Expires = Annotated[
    timedelta | None,
    typer.Option(
        "--expires-in", parser=duration_option, metavar="DURATION", help="By default never.", show_default=False
    ),
]
Keys = Annotated[list[str], typer.Argument(metavar="KEY", help="Ids of keys.", show_default=False)]


@keys_app.callback()
def keys(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the API keys that your tenant has made."""
    if ctx.invoked_subcommand is not None:
        return
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        found = parley.keys()
    terminal.print_list(found, COLUMNS, map(_row, found), ("NAME",), as_json, "No keys.")


def _row(key: ApiKey) -> tuple[str, ...]:
    used = "never" if key.last_used_at is None else f"{format_duration(age(key.last_used_at))} ago"
    expires = "never" if key.expires_at is None else key.expires_at.date().isoformat()
    return key.id, key.name, ",".join(key.scopes), format_duration(age(key.created_at)), used, expires


@keys_app.command()
def create(ctx: typer.Context, name: Name, scopes: Scopes, expires_in: Expires = None, as_json: AsJson = False) -> None:
    """Make an API key and print it.

    The server keeps only its hash, so that it cannot be printed again.
    """
    terminal = terminal_of(ctx)
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
    with terminal.parley() as parley:
        made = parley.create_key(name, scopes, expires_at=expires_at)
    if as_json:
        terminal.print_json(made.document)
    else:
        terminal.print_text(f"{made.key}\n")


@keys_app.command()
def revoke(ctx: typer.Context, keys: Keys, as_json: AsJson = False) -> None:
    """Revoke API keys. The server refuses them within seconds."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        apply(terminal, keys, parley.revoke_key, "revoked", as_json)
