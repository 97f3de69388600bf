"""`parley doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from parley.cli.checks import Finding, examine
from parley.cli.engine_check import check_engine
from parley.cli.options import AsJson, terminal_of
from parley.cli.terminal import Terminal, printable
from parley.client import Parley

Engine = Annotated[bool, typer.Option("--engine", help="Also load the engine and its models on this machine.")]


def doctor(ctx: typer.Context, engine: Engine = False, as_json: AsJson = False) -> None:
    """Check server, stores, access and workers, and if asked the engine on this machine."""
    terminal = terminal_of(ctx)
    findings = []
    with terminal.parley(tries=1) as parley:
        for finding in _findings(parley, engine):
            findings.append(finding)
            if not as_json:
                _show(terminal, finding)
    if as_json:
        terminal.print_json([asdict(finding) | {"ok": finding.ok} for finding in findings])
    raise typer.Exit(max(finding.exit for finding in findings))


def _findings(parley: Parley, engine: bool) -> Iterator[Finding]:
    yield from examine(parley)
    if engine:
        yield check_engine()


def _show(terminal: Terminal, finding: Finding) -> None:
    verdict = ("ok    ", "green") if finding.ok else ("failed", "bold red")
    terminal.out.print(Text.assemble(verdict, f"  {finding.subject}: {printable(finding.detail)}"), soft_wrap=True)
    if finding.advice:
        terminal.out.print(Text(f"        {printable(finding.advice)}", style="yellow"), soft_wrap=True)
