"""`parley share` and `parley shares`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urljoin

import typer

from parley import Share
from parley.cli.changes import apply
from parley.cli.durations import age, format_duration
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, duration_option, terminal_of

COLUMNS = ("LINK", "AGE", "EXPIRES", "PLAYS")

USUAL = timedelta(days=7)

For = Annotated[
    timedelta | None,
    typer.Option(
        "--for",
        parser=duration_option,
        metavar="DURATION",
        help="How long the link works; by default 7d.",
        show_default=False,
    ),
]
Audio = Annotated[bool, typer.Option("--audio", help="The link plays the recording too.")]
Revoke = Annotated[
    list[str] | None,
    typer.Option("--revoke", metavar="LINK", help="Revoke this link. Repeatable.", show_default=False),
]


def share(ctx: typer.Context, job_id: JobId, lasts: For = None, audio: Audio = False, as_json: AsJson = False) -> None:
    """Make a link that opens the timeline of a job without a key, and print it.

    Whoever has the link reads turns, names and text of this one job. The server keeps only its hash, so that it cannot
    be printed again.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        made = parley.share(resolve(parley, job_id), int((lasts or USUAL).total_seconds()), audio=audio)
        url = urljoin(parley.url, made.link)
    if as_json:
        terminal.print_json({**made.document, "url": url})
    else:
        terminal.print_text(f"{url}\n")


def shares(ctx: typer.Context, job_id: JobId, revoke: Revoke = None, as_json: AsJson = False) -> None:
    """List or revoke the links of a job."""
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job_id = resolve(parley, job_id)
        if revoke:
            apply(terminal, revoke, lambda share_id: parley.revoke_share(job_id, share_id), "revoked", as_json)
        found = parley.shares(job_id)
    terminal.print_list(found, COLUMNS, map(_row, found), ("LINK",), as_json, "No links.")


def _row(share: Share) -> tuple[str, ...]:
    left = -age(share.expires_at)
    expires = f"in {format_duration(left)}" if left > timedelta() else "over"
    return share.id, format_duration(age(share.created_at)), expires, "yes" if share.audio else "no"
