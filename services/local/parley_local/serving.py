"""`run`: the system serves until it is stopped."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from parley_local.machine import machine
from parley_local.settings import MachineSettings
from parley_local.supervisor import Stop


def serve(settings: MachineSettings, console: Console, stop: Stop) -> None:
    """Start the system, print its addresses, and supervise it until it is asked to stop."""
    began = time.monotonic()
    console.print(Text(f"Parley is starting in {settings.home} ..."), soft_wrap=True)
    with machine(settings, console, stop) as supervisor:
        if not stop():
            console.print(addresses(settings, time.monotonic() - began), soft_wrap=True)
        supervisor.watch(until=stop)
        console.print(Text("Parley is stopping and waits for running jobs. Ctrl-C again stops at once."))
    console.print(Text("Parley has stopped. The next run continues with the same jobs."))


def addresses(settings: MachineSettings, seconds: float) -> Text:
    """Return the addresses of the system as text."""
    rows = {
        "API": settings.api_url,
        "API docs": f"{settings.api_url}/docs",
        "Flower": settings.flower_url,
        "Data": str(settings.home.expanduser().absolute()),
    }
    lines = [f"\n  {name:<10}{value}" for name, value in rows.items()]
    return Text(f"Parley is ready after {seconds:.1f} s. Ctrl-C stops it.\n" + "".join(lines) + "\n")
