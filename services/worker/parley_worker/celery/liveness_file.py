"""A heartbeat file that says the worker is well; liveness.py is the probe that reads it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from celery import bootsteps

BEAT_SECONDS = 2.0
LOOP_SILENCE_SECONDS = 60.0  # an event loop that stands still for so long is stuck: every socket has a shorter timeout


class LivenessFile:
    """Touches a file for as long as the event loop turns, or rightly does not: waiting for Redis, or draining."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.loop_expected = False
        self.last_turn = time.monotonic()

    def start(self) -> None:
        """Beat from a thread, since the event loop does not turn while it waits for Redis."""
        threading.Thread(target=self._beat_for_ever, name="pulse", daemon=True).start()

    def _beat_for_ever(self) -> None:
        while True:
            self.beat()
            time.sleep(BEAT_SECONDS)

    def beat(self) -> None:
        """Touch the file, unless the event loop ought to turn and does not."""
        if not self.loop_expected or time.monotonic() - self.last_turn < LOOP_SILENCE_SECONDS:
            self._file.touch()

    def turn(self) -> None:
        """Called by the event loop."""
        self.last_turn = time.monotonic()


class EventLoopLiveness(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Lets the event loop of a connected consumer prove itself to the pulse on `app.parley_liveness`."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        self._pulse: LivenessFile = consumer.app.parley_liveness
        self._pulse.turn()
        self._pulse.loop_expected = True
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, self._pulse.turn)

    def stop(self, consumer: Any) -> None:
        self._pulse.loop_expected = False
        self._timer.cancel()
