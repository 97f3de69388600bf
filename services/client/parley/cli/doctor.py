"""`parley doctor`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer
from rich.text import Text

from parley.cli.checks import Finding, check_server
from parley.cli.engine_check import check_engine
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import ONCE, Terminal, printable

Engine = Annotated[bool, typer.Option("--engine", help="Also load the engine and its models on this machine.")]


def doctor(ctx: typer.Context, engine: Engine = False, as_json: AsJson = False) -> None:
    """Check server, components, access and workers.

    Prints what is wrong and what to do about it.
    """
    terminal = terminal_of(ctx)
    findings = []
    with terminal.parley(ONCE) as parley:
        for finding in chain(check_server(parley), [check_engine()] if engine else []):
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
