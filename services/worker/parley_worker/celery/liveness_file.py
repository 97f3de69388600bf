"""Touches a file while the worker is well. `parley_worker.liveness` is the probe that reads the file."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from celery import bootsteps

TOUCH_SECONDS = 2.0
LOOP_STALL_SECONDS = 60.0  # an event loop that does not run for so long is stuck: every socket has a shorter timeout


class LivenessFile:
    """Touches the file while the event loop runs, and while it rightly does not: waiting for Redis, or draining."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.loop_expected = False
        self.loop_ran_at = time.monotonic()

    def start(self) -> None:
        """Touch the file from a thread, since the event loop does not run while it waits for Redis."""
        threading.Thread(target=self._keep_touching, name="liveness-file", daemon=True).start()

    def _keep_touching(self) -> None:
        while True:
            self.touch()
            time.sleep(TOUCH_SECONDS)

    def touch(self) -> None:
        """Touch the file, unless the event loop should run and does not."""
        if not self.loop_expected or time.monotonic() - self.loop_ran_at < LOOP_STALL_SECONDS:
            self._file.touch()

    def note_loop(self) -> None:
        """Note that the event loop runs. The event loop calls this."""
        self.loop_ran_at = time.monotonic()


class EventLoopLiveness(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """Lets the event loop of a connected consumer report to the liveness file, `app.parley_liveness`."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        self._liveness: LivenessFile = consumer.app.parley_liveness
        self._liveness.note_loop()
        self._liveness.loop_expected = True
        self._timer = consumer.timer.call_repeatedly(TOUCH_SECONDS, self._liveness.note_loop)

    def stop(self, consumer: Any) -> None:
        self._liveness.loop_expected = False
        self._timer.cancel()
