"""`parley doctor`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer
from rich.text import Text

from parley.cli.checks import Finding, check_server
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import ONCE, Terminal, printable
from parley.cli.worker_checks import check_engine, check_recogniser

Engine = Annotated[bool, typer.Option("--engine", help="Also load the engine and its models on this machine.")]

Recogniser = Annotated[
    bool, typer.Option("--recogniser", help="Also have this machine's worker's recogniser transcribe a second.")
]


def doctor(ctx: typer.Context, engine: Engine = False, recogniser: Recogniser = False, as_json: AsJson = False) -> None:
    """Check server, components, access and workers.

    Prints what is wrong and what to do about it.
    """
    terminal = terminal_of(ctx)
    findings = []
    local_checks = [*([check_engine] if engine else []), *([check_recogniser] if recogniser else [])]
    with terminal.parley(ONCE) as parley:
        for finding in chain(check_server(parley), (check() for check in local_checks)):
            findings.append(finding)
            if not as_json:
                _show(terminal, finding)
    if as_json:
        terminal.print_json([asdict(finding) | {"ok": finding.ok} for finding in findings])
    raise typer.Exit(max(finding.exit for finding in findings))


def _show(terminal: Terminal, finding: Finding) -> None:
    result = ("ok    ", "green") if finding.ok else ("failed", "bold red")
    terminal.out.print(Text.assemble(result, f"  {finding.subject}: {printable(finding.detail)}"), soft_wrap=True)
    if finding.advice:
        terminal.out.print(Text(f"        {printable(finding.advice)}", style="yellow"), soft_wrap=True)
