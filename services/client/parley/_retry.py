"""When a failed call is sent again: a policy, and the decision per error."""

from __future__ import annotations

import random
from dataclasses import dataclass

from parley.errors import ParleyApiError, ParleyConnectionError

NOT_DONE = frozenset({429, 503})  # the server did nothing: any call may be repeated
PERHAPS_DONE = frozenset({502, 504})  # a proxy gave up; the server may have done it
KEY_IN_USE = "idempotency_key_in_use"  # the server still works on an earlier try of this call
KEY_POLL_SECONDS = 2.0

CallError = ParleyApiError | ParleyConnectionError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried, and the seconds between tries.

    Attributes:
        tries: number of tries. Seven tries with the backoff below cover a server restart of half a minute.
        first_backoff: seconds before the second try; the backoff doubles with every try.
        max_backoff: longest backoff in seconds. If the server asks for a longer pause, the call is not repeated.
        connect_seconds: total seconds of backoff while no server has responded to this client yet, so that a wrong
            address or a stopped server fails soon.
        key_seconds: total seconds to wait for an earlier try of the same submit. A server that dies during an upload
            holds the idempotency key for 15 seconds.
    """

    tries: int = 7
    first_backoff: float = 0.5
    max_backoff: float = 30.0
    connect_seconds: float = 2.0
    key_seconds: float = 90.0

    def backoff(self, failures: int) -> float:
        """Return the seconds to wait after this number of failures if the server does not name them."""
        backoff = min(self.first_backoff * 2.0 ** (failures - 1), self.max_backoff)
        # Jitter spreads the retries of many clients. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
        return backoff * random.uniform(0.5, 1.0)


class Retries:
    """The retries of one call under a policy.

    Args:
        repeatable: the call has the same effect when the server receives it twice.
    """

    def __init__(self, policy: RetryPolicy, *, repeatable: bool) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._failures = 0
        self._backoff_seconds = 0.0
        self._key_seconds = 0.0

    def seconds_before_next(self, error: CallError, *, server_seen: bool) -> float | None:
        """Return the seconds to wait before the next try, or None if the call must not be repeated.

        Args:
            server_seen: the server has responded to this client before.
        """
        if isinstance(error, ParleyConnectionError):
            return self._after_connection_error(error, server_seen)
        if error.code == KEY_IN_USE:
            seconds = error.retry_after or KEY_POLL_SECONDS
            self._key_seconds += seconds
            return seconds if self._key_seconds <= self._policy.key_seconds else None
        if error.status in NOT_DONE or (self._repeatable and error.status in PERHAPS_DONE):
            return self._backoff(error.retry_after)
        return None

    def _after_connection_error(self, error: ParleyConnectionError, server_seen: bool) -> float | None:
        if error.connected and not self._repeatable:
            return None
        seconds = self._backoff(None)
        if seconds is None or server_seen or error.connected:
            return seconds
        if error.timed_out or self._backoff_seconds > self._policy.connect_seconds:
            return None
        return seconds

    def _backoff(self, retry_after: float | None) -> float | None:
        self._failures += 1
        if self._failures >= self._policy.tries:
            return None
        seconds = self._policy.backoff(self._failures) if retry_after is None else retry_after
        self._backoff_seconds += seconds
        return seconds if seconds <= self._policy.max_backoff else None
