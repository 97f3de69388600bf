"""Starts the parts in order, starts a dead one again, and stops them all in the opposite order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from parley_local.errors import PartFailed
from parley_local.output import Output
from parley_local.parts import Part, Stages
from parley_local.process import OrphanReaper, PartProcess

LOOK_SECONDS = 0.1  # between two looks at the parts
CHECK_READY_SECONDS = 0.02  # between two looks at a part that starts
START_SECONDS = 30.0  # a needed part that is not ready by then will not be
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds before a dead part is started again; doubled each time
HEALTHY_SECONDS = 60.0  # one that lived so long begins with the first delay again


class Stop:
    """How often somebody asked to stop: once is with care, twice is at once.

    Plain numbers, since a signal handler sets them: it may interrupt this very thread inside any lock.
    """

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> bool:
        return self.times > 0

    def hurry(self) -> bool:
        return self.times > 1


def restart_delay(deaths: int) -> float:
    """Return the seconds before a part that died so many times in a row is started again."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (deaths - 1))


class Supervised:
    """A part and its process, through all its lives."""

    def __init__(self, part: Part, environment: Mapping[str, str], output: Output, reaper: OrphanReaper) -> None:
        self.part = part
        self._environment, self._output, self._reaper = environment, output, reaper
        self._process: PartProcess | None = None
        self._deaths, self._started, self._start_again = 0, 0.0, 0.0

    @property
    def ended(self) -> str | None:
        """How its process ended, in words; None while it lives."""
        return self._process.ended if self._process else "not started"

    def start(self) -> None:
        part, output = self.part, self._output
        output.begin(part.name)
        self._process = PartProcess(
            part.command, self._environment, lambda line: output.line(part.name, part.colour, line), self._reaper
        )
        self._started = time.monotonic()

    def look(self) -> None:
        """Clear up when it died, and start it again when its time has come."""
        if self._process is None:
            if time.monotonic() >= self._start_again:
                self.start()
                self._say(f"started again (process {self._process_id()})", "green")
        elif ended := self._process.ended:
            self._process.clear()  # children of a dead process would go on with its work, or hold its port
            self._process = None
            self._plan_restart(ended)

    def ask_to_stop(self) -> None:
        if self._process and not self._process.ended:
            self._process.ask_to_stop()

    def finish(self, stop: Stop) -> None:
        """Wait for its end within its time, then kill it and its children."""
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
        self._start_again = time.monotonic() + delay
        log = self._output.log(self.part.name)
        self._say(f"died ({ended}); started again in {delay:g} s. Its log: {log}", "red")

    def _say(self, message: str, style: str) -> None:
        self._output.about(self.part.name, self.part.colour, message, style)

    def _process_id(self) -> int:
        assert self._process is not None
        return self._process.pid


class Supervisor:
    """All parts of one system.

    Args:
        stages: see parts.Stages.
        environment: of every part.
        stop: asked all the time; set by signals.
    """

    def __init__(
        self, stages: Stages, environment: Mapping[str, str], output: Output, reaper: OrphanReaper, stop: Stop
    ) -> None:
        self._stages = [[Supervised(part, environment, output, reaper) for part in stage] for stage in stages]
        self._output, self._reaper, self._stop = output, reaper, stop

    def start(self) -> None:
        """Start every part and return when the needed ones are ready, or when asked to stop.

        Raises:
            PartFailed: a needed part died or was not ready in time.
        """
        for stage in self._stages:
            for supervised in stage:
                supervised.start()
            for supervised in stage:
                if supervised.part.needed:
                    self._wait_until_ready(supervised)

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep the parts alive until told otherwise, or asked to stop."""
        while not until() and not self._stop():
            self._reaper.check()
            for supervised in self._all():
                supervised.look()
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Stop every part: those that take work first, the store last."""
        for stage in reversed(self._stages):
            for supervised in stage:
                supervised.ask_to_stop()
            for supervised in stage:
                supervised.finish(self._stop)

    def _wait_until_ready(self, supervised: Supervised) -> None:
        part, began = supervised.part, time.monotonic()
        while not self._stop() and not part.ready():
            if supervised.ended:
                raise self._failed(part, f"did not start ({supervised.ended})")
            if time.monotonic() - began > START_SECONDS:
                raise self._failed(part, f"was not ready within {START_SECONDS:.0f} s")
            time.sleep(CHECK_READY_SECONDS)

    def _failed(self, part: Part, what: str) -> PartFailed:
        return PartFailed(f"{part.name} {what}. The end of {self._output.log(part.name)}:\n" + self._last_lines(part))

    def _last_lines(self, part: Part) -> str:
        time.sleep(LOOK_SECONDS)  # its last words may still be on their way
        return self._output.last_lines(part.name)

    def _all(self) -> Iterator[Supervised]:
        return (supervised for stage in self._stages for supervised in stage)
