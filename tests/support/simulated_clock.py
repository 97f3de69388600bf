"""Transitions on a clock that a test sets, in place of the server's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from parley_core.redis import scripts
from tests.support.valkey import Valkey

BEGIN = 1_800_000_000.0  # seconds since 1970
KEY = "simulated:now"
CLOCK = f"""(function()
  local now = tonumber(redis.call('GET', '{KEY}'))
  return {{math.floor(now / 1000), now % 1000 * 1000}}
end)()"""


class SimulatedClock:
    """The clock of one server, for scripts that are made within `simulated_clock`."""

    def __init__(self, valkey: Valkey) -> None:
        self._client = valkey.client()
        self.set(0.0)

    def set(self, seconds: float) -> None:
        """Set the clock to a time since the beginning."""
        self.seconds = seconds
        self._client.set(KEY, int((BEGIN + seconds) * 1000))

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        self.set(self.seconds + seconds)


@contextmanager
def simulated_clock() -> Iterator[None]:
    """Let every script that is loaded now read the time of its server's SimulatedClock."""
    real = scripts.source
    scripts.source = lambda name: real(name).replace("redis.call('TIME')", CLOCK)  # type: ignore[assignment]
    try:
        yield
    finally:
        scripts.source = real
