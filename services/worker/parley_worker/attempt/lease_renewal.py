"""Renews the lease of an attempt while the engine computes, and writes the progress of its job."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import accumulate
from types import TracebackType
from typing import Protocol, Self

from parley_core.errors import AttemptEnded, JobStoreFull, JobStoreUnavailable, JobStoreUnusable
from parley_core.job import Lease, Phase
from parley_core.logs import get_logger
from parley_core.settings import Settings
from parley_worker.attempt.stopping import WorkerStopping

# Share of each phase in the time of an attempt, in order. Measured with the default engine on the sample conversation
# (46 s of audio, one thread): decoding 0.08 s, segmentation 0.26 s, embedding 0.67 s, clustering 0.02 s, storing
# 0.03 s.
PHASE_SHARES = {
    Phase.DECODING: 0.08,
    Phase.SEGMENTATION: 0.24,
    Phase.EMBEDDING: 0.63,
    Phase.CLUSTERING: 0.02,
    Phase.TRANSCRIPTION: 0.0,
    Phase.STORING: 0.03,
}
# The recogniser works beside the engine. How long an attempt waits for it afterwards depends on the recogniser.
WAITING_SHARE = 0.3
SHARES_WITH_WORDS = {phase: share * (1 - WAITING_SHARE) for phase, share in PHASE_SHARES.items()} | {
    Phase.TRANSCRIPTION: WAITING_SHARE
}

SHARES_OF_WORDS = {Phase.DECODING: 0.05, Phase.TRANSCRIPTION: 0.95}  # where no engine works

log = get_logger(__name__)


class Progress:
    """How far an attempt is. The working thread writes it, the renewing thread reads it.

    Attributes:
        now: the phase, and the progress of the whole attempt, 0 to 1, which never shrinks.
    """

    def __init__(self, shares: Mapping[Phase, float] = PHASE_SHARES) -> None:
        self._shares = shares
        self._starts = dict(zip(shares, accumulate(shares.values(), initial=0.0), strict=False))
        self.now: tuple[Phase, float] = (Phase.DECODING, 0.0)
        self._seconds: defaultdict[Phase, float] = defaultdict(float)
        self._since = time.monotonic()

    def move_to(self, phase: Phase, fraction: float) -> None:
        """Note the fraction (0 to 1) of a phase that is done. The time since the last call is of the phase before."""
        moment = time.monotonic()
        last_phase, last_progress = self.now
        self._seconds[last_phase] += moment - self._since
        self._since = moment
        progress = self._starts[phase] + self._shares[phase] * fraction
        self.now = phase, min(1.0, max(last_progress, progress))

    def timings(self) -> dict[str, float]:
        """Return the seconds that each phase has taken so far, in whole milliseconds."""
        self.move_to(self.now[0], 0.0)
        return {phase.value: round(seconds, 3) for phase, seconds in self._seconds.items()}


class Renewer(Protocol):
    """What a renewal asks of the record."""

    def renew(self, lease: Lease, lease_seconds: float, phase: Phase | None, progress: float) -> None:
        """See AttemptStore.renew."""
        ...


class LeaseRenewal:
    """Renews one lease from a thread of its own for as long as the context lasts.

    The work goes on while the store does not answer. Only a newer attempt, a cancellation or a stop ends it.
    """

    def __init__(
        self,
        store: Renewer,
        lease: Lease,
        settings: Settings,
        stopping: Callable[[], bool] = lambda: False,
        shares: Mapping[Phase, float] = PHASE_SHARES,
    ) -> None:
        self.progress = Progress(shares)
        self._store, self._lease, self._settings, self._stopping = store, lease, settings, stopping
        self._ended: AttemptEnded | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-renewal-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(self._settings.redis_timeout_seconds + 1)  # a call that is under way has that deadline

    def report(self, phase: Phase, fraction: float) -> None:
        """Note the progress of a phase, 0 to 1. Engines call this between batches.

        Raises:
            LeaseLost: another attempt owns the job.
            JobCancelled: the job was cancelled.
            WorkerStopping: the worker was told to stop.
        """
        self.progress.move_to(phase, fraction)
        if self._ended is not None:
            raise self._ended
        if self._stopping():
            raise WorkerStopping("The worker was told to stop.")

    def _renew(self) -> None:
        store_answers = True
        while not self._stop.wait(self._settings.lease_renewal_seconds):
            phase, progress = self.progress.now
            try:
                self._store.renew(self._lease, self._settings.lease_seconds, phase, progress)
                store_answers = True
            except AttemptEnded as error:
                self._ended = error
                return
            except (JobStoreUnavailable, JobStoreUnusable, JobStoreFull) as error:
                if store_answers:  # one line per outage
                    log.warning("lease not renewed", job_id=self._lease.job_id, code=error.code)
                store_answers = False
