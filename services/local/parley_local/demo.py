"""`demo`: start the system, diarize the sample conversation over HTTP, print who spoke when, and stop."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from threading import Thread

from rich.console import Console
from rich.text import Text

from parley.cli.progress import ProgressView, progress_view
from parley.cli.timeline import clock, render_turns
from parley.client import Parley
from parley.errors import ParleyClientError
from parley.models import Job
from parley.results import Turns
from parley_core.job import Phase
from parley_local.errors import DemoFailed
from parley_local.machine import machine
from parley_local.settings import MachineSettings
from parley_local.supervisor import Stop

POLL_SECONDS = 0.1  # between two reads of the job
SAMPLE = Path(str(resources.files("parley"))) / "sample" / "conversation.flac"


@dataclass(slots=True)
class Steps:
    """Seconds of each step, measured by this client."""

    seconds: dict[str, float] = field(default_factory=dict)
    _now: str = ""
    _since: float = field(default_factory=time.monotonic)

    def enter(self, step: str) -> None:
        """End the present step and begin another."""
        now = time.monotonic()
        if self._now:
            self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._since
        self._now, self._since = step, now

    def split(self, step: str, parts: Mapping[str, float]) -> None:
        """Replace a step by its parts."""
        self.seconds.pop(step, None)
        self.seconds |= parts


def demo(settings: MachineSettings, console: Console, stop: Stop) -> bool:
    """Run the demo and return whether it succeeded. Leaves no process and, unless PARLEY_HOME is set, no data."""
    steps = Steps()
    steps.enter("start of all parts")
    console.print(Text("Parley is starting: Valkey, API, keeper, worker and Flower ..."))
    with machine(settings, console, stop, quiet=True) as supervisor:
        steps.enter("upload")
        conversation = Conversation(settings.api_url, console, steps)
        conversation.start()
        supervisor.watch(until=lambda: not conversation.is_alive())
        steps.enter("stop")
    steps.enter("")
    if stop() or conversation.turns is None:
        reason = conversation.reason or "interrupted"
        console.print(Text(f"The demo did not finish: {reason}", style="red"), soft_wrap=True)
        return False
    console.print(_times(steps, conversation.turns.seconds), soft_wrap=True)
    return True


class Conversation(Thread):
    """Submits the sample and follows its job, while the main thread supervises the parts."""

    def __init__(self, url: str, console: Console, steps: Steps) -> None:
        super().__init__(daemon=True)
        self._url, self._console, self._steps = url, console, steps
        self.turns: Turns | None = None
        self.reason = ""

    def run(self) -> None:
        try:
            with Parley(self._url) as parley, progress_view(self._console, files=1) as view:
                job = self._follow(parley, view)
                turns = parley.turns(job.id)
        except (ParleyClientError, DemoFailed, OSError) as error:
            self.reason = str(error)
            return
        self._console.print()
        render_turns(turns.turns, turns.seconds, self._console)
        self.turns = turns

    def _follow(self, parley: Parley, view: ProgressView) -> Job:
        job = parley.submit(SAMPLE, on_bytes=lambda sent, total: view.uploading(SAMPLE, sent, total))
        while not job.terminal:
            view.watching(SAMPLE, job)
            self._steps.enter("wait for the worker" if job.phase is None else "job")
            time.sleep(POLL_SECONDS)
            job = parley.job(job.id)
        self._steps.enter("printing")
        view.ended(SAMPLE, job.state)
        # As measured by the worker: several phases may pass between two reads of the job.
        timings: Mapping[str, float] = (job.document.get("result") or {}).get("timings", {})
        self._steps.split("job", {phase.value: timings[phase] for phase in Phase if phase in timings})
        if not job.succeeded:
            raise DemoFailed(f"the job {job.state}: {job.error.detail if job.error else 'no reason given'}")
        return job


@contextmanager
def demo_settings() -> Iterator[MachineSettings]:
    """Yield settings with a temporary home and free ports, unless the environment sets them. Removes that home."""
    own_home = None if os.environ.get("PARLEY_HOME") else Path(tempfile.mkdtemp(prefix="parley-demo-"))
    ports = {name: free_port() for name in ("port", "flower_port") if not os.environ.get(f"PARLEY_{name.upper()}")}
    try:
        yield MachineSettings(**({"home": own_home} if own_home else {}), **ports)  # type: ignore[arg-type]
    finally:
        if own_home:
            shutil.rmtree(own_home, ignore_errors=True)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _times(steps: Steps, recording_seconds: float) -> Text:
    text = Text(f"\n{clock(recording_seconds)} of conversation, on this machine:\n", style="bold")
    for step, seconds in steps.seconds.items():
        text.append(f"  {step:<20}{seconds:6.2f} s\n", style="default")
    return text.append("`make run` starts the system and keeps it running.", style="default")
