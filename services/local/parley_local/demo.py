"""`demo`: the system starts, diarizes the sample conversation over HTTP, shows who spoke when, and stops."""

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
from parley.models import Job, Turns
from parley_core.job import Phase
from parley_local.errors import DemoFailed
from parley_local.machine import machine
from parley_local.settings import MachineSettings
from parley_local.supervisor import Stop

LOOK_SECONDS = 0.1  # between two looks at the job
SAMPLE = Path(str(resources.files("parley"))) / "sample" / "conversation.flac"


@dataclass(slots=True)
class Steps:
    """Seconds that each step took, as this client saw it."""

    seconds: dict[str, float] = field(default_factory=dict)
    _now: str = ""
    _since: float = field(default_factory=time.monotonic)

    def enter(self, step: str) -> None:
        """The step before ends here."""
        now = time.monotonic()
        if self._now:
            self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._since
        self._now, self._since = step, now

    def split(self, step: str, parts: Mapping[str, float]) -> None:
        """Put what a step consisted of in its place."""
        self.seconds.pop(step, None)
        self.seconds |= parts


def demo(settings: MachineSettings, console: Console, stop: Stop) -> bool:
    """Show the whole way of one recording; say whether it worked. Leaves no process and, unless set, no data."""
    steps = Steps()
    steps.enter("start of all parts")
    console.print(Text("Parley starts: Valkey, API, keeper, worker and Flower ..."))
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
    """Submits the sample and follows its job, while the main thread keeps the parts alive."""

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
            time.sleep(LOOK_SECONDS)
            job = parley.job(job.id)
        self._steps.enter("printing")
        view.ended(SAMPLE, job.state)
        self._steps.split("job", _phases(job))
        if not job.succeeded:
            raise DemoFailed(f"the job {job.state}: {job.error.detail if job.error else 'no reason given'}")
        return job


@contextmanager
def demo_settings() -> Iterator[MachineSettings]:
    """Give settings with a home and ports of their own, unless the environment sets them; the home is removed."""
    own_home = None if "PARLEY_HOME" in os.environ else Path(tempfile.mkdtemp(prefix="parley-demo-"))
    ports = {name: free_port() for name in ("port", "flower_port") if f"PARLEY_{name.upper()}" not in os.environ}
    try:
        yield MachineSettings(**({"home": own_home} if own_home else {}), **ports)  # type: ignore[arg-type]
    finally:
        if own_home:
            shutil.rmtree(own_home, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _phases(job: Job) -> dict[str, float]:
    """The seconds per phase as the worker measured them: many are over between two looks at the job."""
    timings: Mapping[str, float] = (job.document.get("result") or {}).get("timings", {})
    return {phase.value: timings[phase] for phase in Phase if phase in timings}


def _times(steps: Steps, recording_seconds: float) -> Text:
    text = Text(f"\n{clock(recording_seconds)} of conversation, on this machine:\n", style="bold")
    for step, seconds in steps.seconds.items():
        text.append(f"  {step:<20}{seconds:6.2f} s\n", style="default")
    return text.append("Keep it running with `make run`.", style="default")
