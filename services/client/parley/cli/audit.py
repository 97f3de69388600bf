"""`parley audit`: who did what, from the lines of audit logs, and whether a line was changed or removed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import printable

COLUMNS = ("TIME", "ACTION", "OUTCOME", "TENANT", "BY", "JOB", "TARGET")
NAMED = ("job", "target", "share", "key")
HASH = ',"hash":"'
NO_HASH = "0" * 64  # before the first line of a chain

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Files of audit logs, or logs of pods that have such lines; `-` is stdin."),
]
About = Annotated[
    str | None,
    typer.Option("--about", metavar="ID", help="Only events of this job, voiceprint, link, delivery or key."),
]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an audit log: its event, and its text."""

    event: Mapping[str, Any]
    text: str


def audit(ctx: typer.Context, files: Files, about: About = None, as_json: AsJson = False) -> None:
    """Print who did what, from audit logs, and check them.

    Fails where a line was changed, or is missing between two others: give all files of a period. Asks no server.
    """
    terminal = terminal_of(ctx)
    lines = [line for file in files for line in audit_lines(file)]
    broken = [problem for chain in _chains(lines) for problem in problems(chain)]
    wanted = None if about is None else about.lower()
    found = [one.event for one in lines if not wanted or wanted in {one.event.get(name) for name in NAMED}]
    found.sort(key=lambda event: str(event["time"]))
    if as_json:
        terminal.print_json({"events": found, "problems": broken})
        raise typer.Exit(Exit.JOB_FAILED if broken else Exit.OK)
    terminal.print_table(COLUMNS, [_row(event) for event in found])
    if broken:
        raise CommandFailed(Exit.JOB_FAILED, "audit_broken", " ".join(broken))


def problems(chain: Sequence[Line]) -> Iterator[str]:
    """Yield a sentence per event of a chain that was changed, or is missing between two others.

    A chain may begin later than its first event: files are removed when their retention is over.
    """
    before, number = NO_HASH, 0
    for line in chain:
        event = line.event
        expected = number + 1 + int(event.get("lost", 0))
        known = number > 0 or event["sequence"] == expected
        digest = hashlib.sha256((before + line.text.rpartition(HASH)[0] + "}").encode()).hexdigest()
        name = f"chain {event['chain']}"
        if known and event["sequence"] > expected:
            yield f"Events {number + 1} to {event['sequence'] - 1} of {name} are missing."
        elif known and digest != event["hash"]:
            yield f"Event {event['sequence']} of {name} was changed, or is there twice."
        before, number = str(event["hash"]), int(event["sequence"])


def audit_lines(file: Path) -> Iterator[Line]:
    """Yield the lines of a file that are events; those of other logs, and what containers put before a line, go."""
    stream: Iterable[str] = sys.stdin if str(file) == "-" else file.read_text(encoding="utf-8").splitlines()
    for raw in stream:
        text = raw[raw.find('{"log":"audit"') :].rstrip("\n") if '{"log":"audit"' in raw else ""
        try:
            event = json.loads(text) if text else {}
        except ValueError:
            continue  # cut off: the next line of its chain tells
        if {"chain", "sequence", "hash", "time", "action"} <= event.keys():
            yield Line(event, text)


def _chains(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.event["chain"]].append(line)
    for chain in found.values():
        yield sorted(chain, key=lambda line: int(line.event["sequence"]))


def _row(event: Mapping[str, Any]) -> tuple[str, ...]:
    by = event.get("key") or (f"link {event['share']}" if "share" in event else "")
    outcome = event.get("code") or event.get("outcome", "")
    members = (event["time"], event["action"], outcome, event.get("tenant", ""), by)
    return tuple(printable(str(one)) for one in (*members, event.get("job", ""), event.get("target", "")))
