"""What lies in the object store and waits for the keeper: measured there, so that it is right while Redis is down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from prometheus_client.core import GaugeMetricFamily, Metric

from parley_core.job_id import accepted_at
from parley_core.ports import RecordingStore
from parley_core.recording import job_id_of
from parley_core.storage.manifests import Manifests
from parley_keeper.loop import NoteProgress

COUNTED = 10_000  # a longer backlog is shown as this: to list more takes longer than a scrape is apart


class Inventory:
    """Measures the backlog of accepted jobs and the age of the oldest recording."""

    def __init__(self, objects: RecordingStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._objects, self._manifests, self._now = objects, Manifests(objects), now
        self._backlog: int | None = None
        self._oldest_seconds: float | None = None

    def count_backlog(self, note_progress: NoteProgress) -> int:
        """Count the jobs that were accepted without a record and wait for it. Raises ObjectStoreUnavailable."""
        self._backlog = None  # unknown is not zero
        self._backlog = sum(1 for _ in islice(self._manifests.unrecorded(), COUNTED))
        return 0

    def find_oldest(self, note_progress: NoteProgress) -> int:
        """Find the oldest recording: by the day of its folder, then by its id. Raises ObjectStoreUnavailable."""
        self._oldest_seconds = None
        for folder in sorted(self._objects.folders("recordings")):
            note_progress()
            ids = (job_id_of(entry.key) for entry in self._objects.entries(f"{folder}/"))
            oldest = min(ids, default=None)  # ids begin with the time
            if oldest is not None:
                self._oldest_seconds = max(0.0, (self._now() - accepted_at(oldest)).total_seconds())
                break
        return 0

    def metrics(self) -> Iterable[Metric]:
        """What the last round has found. A value that could not be read is left out."""
        backlog = GaugeMetricFamily(
            "parley_keeper_unrecorded_jobs",
            f"Jobs accepted while Redis was down that have no record yet; {COUNTED} stands for more.",
        )
        if self._backlog is not None:
            backlog.add_metric([], self._backlog)
        yield backlog
        oldest = GaugeMetricFamily(
            "parley_keeper_oldest_recording_seconds", "Age of the oldest recording in the object store."
        )
        if self._oldest_seconds is not None:
            oldest.add_metric([], self._oldest_seconds)
        yield oldest
