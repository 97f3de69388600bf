"""The default engine alone: its errors, its cost and its memory."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks.data.audio import conversations
from benchmarks.engines.process import measure_engine
from benchmarks.measure import Measure

LONG = (30, 240)  # minutes
MEGABYTE = 1_000_000


def engine_rows(console: Console) -> list[Measure]:
    """Measure the default engine on the conversations, and on two long recordings."""
    console.print("bench: the engine on labelled conversations")
    folder = conversations()
    short = measure_engine("onnx", [folder])
    rows = [
        Measure(f"errors (DER, no collar, overlap counted), {_named(folder)}", short.errors(folder).rate, "%", 10.3),
        Measure("engine, processor seconds per audio second", short.cost, "s/s", 0.075, note="one thread"),
        Measure("engine, start to ready", short.ready_seconds, "s"),
    ]
    return rows + [_long_row(minutes, console) for minutes in LONG]


def _long_row(minutes: int, console: Console) -> Measure:
    console.print(f"bench: the engine on a recording of {minutes} minutes")
    found = measure_engine("onnx", [minutes])
    note = f"besides the waveform; {found.cost:.4f} processor seconds per audio second"
    return Measure(f"engine, peak memory, {minutes} minutes", found.runs[0].peak_bytes / MEGABYTE, "MB", 700, note=note)


def _named(folder: Path) -> str:
    count = len(list(folder.glob("*.flac")))
    return f"{count} conversations" if count > 1 else "the shipped conversation"
