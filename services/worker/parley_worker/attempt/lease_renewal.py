"""The heartbeat: renews an attempt's lease while the engine computes, and tells the engine when to stop."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from parley_core.errors import AttemptEnded, JobStoreFull, JobStoreUnavailable
from parley_core.job import Lease, Phase
from parley_core.logs import get_logger
from parley_core.ports import AttemptStore
from parley_core.settings import Settings
from parley_worker.attempt.progress import Progress

log = get_logger(__name__)


class LeaseRenewal:
    """Renews one lease from a thread of its own for as long as the context lasts.

    A store that does not answer changes nothing: the work goes on, and only a newer attempt ends the right to it.
    """

    def __init__(self, store: AttemptStore, lease: Lease, settings: Settings) -> None:
        self.progress = Progress()
        self._store, self._lease, self._settings = store, lease, settings
        self._ended: AttemptEnded | None = None
        self._heard = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(self._settings.redis_timeout_seconds + 1)  # a renewal on its way has that deadline

    def report(self, phase: Phase, fraction: float) -> None:
        """Note the progress. Raises LeaseLost or JobCancelled once the job is no longer this attempt's."""
        self.progress.move_to(phase, fraction)
        if self._ended is not None:
            raise self._ended

    def _beat(self) -> None:
        while self._ended is None and not self._stop.wait(self._settings.lease_renewal_seconds):
            self._renew()

    def _renew(self) -> None:
        phase, fraction = self.progress.now
        try:
            self._store.renew(self._lease, self._settings.lease_seconds, phase, fraction)
            self._heard = True
        except AttemptEnded as error:
            self._ended = error
        except (JobStoreUnavailable, JobStoreFull) as error:
            if self._heard:  # said once per silence
                log.warning("heartbeat not heard", job_id=self._lease.job_id, code=error.code)
            self._heard = False
