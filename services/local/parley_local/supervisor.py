"""Starts the parts in order, restarts a part that ends, and stops them in reverse order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from parley_local.errors import PartFailed
from parley_local.output import Output
from parley_local.parts import Part, Stages
from parley_local.process import OrphanReaper, PartProcess

POLL_SECONDS = 0.1  # between two checks of the parts
POLL_READY_SECONDS = 0.02  # between two checks of a part that is starting
START_SECONDS = 30.0  # a part that is not ready by then has failed
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds before a restart, doubled each time
HEALTHY_SECONDS = 60.0  # after this time a part gets the first delay again


class Stop:
    """Counts requests to stop: the first one stops gracefully, the second at once.

    A plain number and no Event, since a signal handler sets it and may interrupt its own thread inside a lock.
    """

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> bool:
        return self.times > 0

    def hurry(self) -> bool:
        return self.times > 1


def restart_delay(deaths: int) -> float:
    """Return the seconds before the restart of a part after this number of deaths in a row."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (deaths - 1))


class Supervised:
    """A part and its present process."""

    def __init__(self, part: Part, environment: Mapping[str, str], output: Output, reaper: OrphanReaper) -> None:
        self.part = part
        self._environment, self._output, self._reaper = environment, output, reaper
        self._process: PartProcess | None = None
        self._deaths, self._started, self._restart_at = 0, 0.0, 0.0

    @property
    def ended(self) -> str | None:
        """How the process ended, in words, or None while it runs."""
        return self._process.ended if self._process else "not started"

    def start(self) -> PartProcess:
        part, output = self.part, self._output
        output.begin(part.name)
        process = PartProcess(
            part.command, self._environment, lambda line: output.line(part.name, part.colour, line), self._reaper
        )
        self._process, self._started = process, time.monotonic()
        return process

    def check(self) -> None:
        """Clean up after a process that has ended, and restart the part when its delay is over."""
        if self._process is None:
            if time.monotonic() >= self._restart_at:
                process = self.start()
                self._say(f"restarted (process {process.pid})", "green")
        elif ended := self._process.ended:
            self._process.clear()  # its children would continue its work or hold its port
            self._process = None
            self._plan_restart(ended)

    def ask_to_stop(self) -> None:
        if self._process and not self._process.ended:
            self._process.ask_to_stop()

    def finish(self, stop: Stop) -> None:
        """Wait for the end of the process at most `stop_seconds`, then kill it and its children."""
        if self._process is None:
            return
        if not self._process.wait(self.part.stop_seconds, stop.hurry):
            self._say("did not stop in time and is killed", "yellow")
        self._process.clear()
        self._process = None

    def _plan_restart(self, ended: str) -> None:
        healthy = time.monotonic() - self._started > HEALTHY_SECONDS
        self._deaths = 1 if healthy else self._deaths + 1
        delay = restart_delay(self._deaths)
        self._restart_at = time.monotonic() + delay
        log = self._output.log(self.part.name)
        self._say(f"died ({ended}) and is restarted in {delay:g} s. Its log: {log}", "red")

    def _say(self, message: str, style: str) -> None:
        self._output.about(self.part.name, self.part.colour, message, style)


class Supervisor:
    """All parts of one system.

    Args:
        stages: see parts.Stages.
        environment: environment of every part.
        stop: set by signals.
    """

    def __init__(
        self, stages: Stages, environment: Mapping[str, str], output: Output, reaper: OrphanReaper, stop: Stop
    ) -> None:
        self._stages = [[Supervised(part, environment, output, reaper) for part in stage] for stage in stages]
        self._all = [supervised for stage in self._stages for supervised in stage]
        self._output, self._reaper, self._stop = output, reaper, stop

    def start(self) -> None:
        """Start every part. Return when all are ready that the start waits for, or when asked to stop.

        Raises:
            PartFailed: a part ended or was not ready in time.
        """
        for stage in self._stages:
            for supervised in stage:
                supervised.start()
            for supervised in stage:
                if supervised.part.ready:
                    self._wait_until_ready(supervised, supervised.part.ready)

    def watch(self, until: Callable[[], bool]) -> None:
        """Supervise the parts until `until` is true, or until asked to stop."""
        while not until() and not self._stop():
            self._reaper.check()
            for supervised in self._all:
                supervised.check()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop every part: first those that take work, last the store."""
        for stage in reversed(self._stages):
            for supervised in stage:
                supervised.ask_to_stop()
            for supervised in stage:
                supervised.finish(self._stop)

    def _wait_until_ready(self, supervised: Supervised, ready: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not self._stop() and not ready():
            if supervised.ended:
                raise self._failed(supervised.part.name, f"did not start ({supervised.ended})")
            if time.monotonic() - began > START_SECONDS:
                raise self._failed(supervised.part.name, f"was not ready within {START_SECONDS:.0f} s")
            time.sleep(POLL_READY_SECONDS)

    def _failed(self, part: str, what: str) -> PartFailed:
        time.sleep(POLL_SECONDS)  # the thread that reads its output may be a little late
        lines = self._output.last_lines(part)
        return PartFailed(f"{part} {what}. The end of {self._output.log(part)}:\n{lines}")
