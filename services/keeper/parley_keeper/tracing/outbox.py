"""The outbox of traces, on Redis: filled by the transitions, emptied by the keeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis import Redis

from parley_core.redis.connection import connect
from parley_core.redis.scripts import Scripts
from parley_core.settings import Settings

TRACING_SECONDS = 3600  # for so long transitions note traces while no keeper runs


class Sample(NamedTuple):
    """A sample of a histogram that the transitions fill, with the id of its trace."""

    histogram: str
    queue: str
    value: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """An entry of the outbox: `end <job id> <run>`, or `delivery <job id> <run> <traceparent> <outcome> <start> <end>`.

    Attributes:
        lines: what the transitions of the run noted, its end last. Empty for a delivery.
    """

    text: str
    lines: tuple[str, ...]


class RedisTraces:
    """Traces of all jobs. Every method raises JobStoreUnavailable when Redis does not answer in time."""

    def __init__(self, client: Redis) -> None:
        self._run = Scripts(client).run

    @classmethod
    def from_settings(cls, settings: Settings) -> RedisTraces:
        """Return an outbox that connects at its first call."""
        return cls(connect(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds))

    def announce(self) -> None:
        """Make transitions note traces from now on. A Redis that has lost its writes has to be told again."""
        self.claim(0, 0)

    def claim(self, limit: int, seconds: float) -> Sequence[TraceEntry]:
        """Return traces to send now, each claimed for some seconds. It announces, too."""
        found = self._run("claim_traces", limit, int(seconds * 1000), TRACING_SECONDS * 1000)
        return [TraceEntry(text, tuple(lines)) for text, *lines in (entry.split("\n") for entry in found)]

    def forget(self, entries: Sequence[TraceEntry]) -> int:
        """Remove entries that were sent; return how many are left."""
        return int(self._run("forget_traces", *[entry.text for entry in entries]))

    def note(self, samples: Sequence[Sample]) -> None:
        """Note the traces of samples of histograms. Each bucket keeps the last one."""
        self._run("note_exemplars", *[text for sample in samples for text in sample])

    def count_dropped(self, number: int) -> None:
        """Count entries that were given up."""
        self._run("count", "traces_dropped", number)
