"""One HTTP call, tried again for as long as that is safe and useful, and its errors as ours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from parley.errors import ParleyApiError, ParleyConnectionError, ParleyUnavailable

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0  # an upload is answered after the server has stored it durably

NOT_DONE = frozenset({429, 503})  # the server says that it did nothing: any call may be repeated
PERHAPS_DONE = frozenset({502, 504})  # something between us and the server gave up on the answer
KEY_IN_USE = "idempotency_key_in_use"  # our own first try, which the server is still busy with
KEY_LOOK_SECONDS = 2.0
CallError = ParleyApiError | ParleyConnectionError
NEVER_REACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is tried again.

    Attributes:
        tries: in all; seven with the waits below sit through half a minute of a server that restarts.
        first_wait: seconds before the second try; doubles every time.
        longest_wait: seconds; a server that wants to be left alone for longer is not asked again.
        key_wait: seconds in all for a first try that the server still has in hand, beside the tries. A server that
            died in the middle of an upload leaves the key held for 15 seconds.
    """

    tries: int = 7
    first_wait: float = 0.5
    longest_wait: float = 30.0
    key_wait: float = 90.0

    def backoff(self, failures: int) -> float:
        """Return the seconds to wait after so many failures when the server does not say."""
        backoff = min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait)
        # Jitter, so that many clients do not come back in step. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
        return backoff * random.uniform(0.5, 1.0)


class _Patience:
    """What is left of a policy for one call."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy, self._failures, self._key_waited = policy, 0, 0.0

    def wait_after(self, error: CallError) -> float | None:
        """Return the seconds before the next try, or None when there is none."""
        asked = error.retry_after if isinstance(error, ParleyApiError) else None
        if isinstance(error, ParleyApiError) and error.code == KEY_IN_USE:
            return self._wait_for_key(asked or KEY_LOOK_SECONDS)
        self._failures += 1
        if self._failures >= self._policy.tries or (asked or 0.0) > self._policy.longest_wait:
            return None
        return self._policy.backoff(self._failures) if asked is None else asked

    def _wait_for_key(self, seconds: float) -> float | None:
        self._key_waited += seconds
        return seconds if self._key_waited <= self._policy.key_wait else None


@dataclass(frozen=True, slots=True)
class Call:
    """One request that can be sent more than once.

    Attributes:
        body: gives the bytes anew for every try; None sends none.
        repeatable: doing it twice is the same as doing it once.
        once: never try again; the first answer is what the caller wants to know.
    """

    method: str
    path: str
    params: Mapping[str, str | int | float | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Iterable[bytes]] | None = None
    repeatable: bool = True
    once: bool = False
    answer_seconds: float = ANSWER_SECONDS


OnRetry = Callable[[Exception, float], None]
"""Told of an error and the seconds until the next try."""


class Transport:
    """Sends calls to one server. Threads may share it."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        retry: RetryPolicy,
        *,
        pause: Callable[[float], None] = time.sleep,
        on_retry: OnRetry = lambda error, seconds: None,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        base = httpx.URL(url)
        if base.scheme not in ("http", "https") or not base.host:
            raise ValueError(f"{url!r} is not the address of a server: write it like http://127.0.0.1:7001")
        self.url = url.rstrip("/")
        self._retry, self._pause, self._on_retry = retry, pause, on_retry
        self._http = httpx.Client(
            base_url=base,
            headers=_headers(api_key),
            transport=http_transport,
            limits=httpx.Limits(max_connections=None),
            # A proxy from the environment cannot reach this machine's own loopback.
            trust_env=base.host not in LOOPBACK,
        )

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def send(self, call: Call) -> httpx.Response:
        """Return the server's answer to a call, of a status below 400.

        Raises:
            ParleyConnectionError: no answer came, as often as it was safe to ask.
            ParleyApiError: the server refused; ParleyUnavailable when it may do it later.
        """
        patience = _Patience(self._retry)
        while True:
            try:
                return self._try(call)
            except (ParleyConnectionError, ParleyApiError) as error:
                wait = patience.wait_after(error) if _may_repeat(call, error) else None
                if wait is None:
                    raise
                self._on_retry(error, wait)
                self._pause(wait)

    def _try(self, call: Call) -> httpx.Response:
        try:
            response = self._http.request(
                call.method,
                call.path,
                params={name: value for name, value in call.params.items() if value is not None},
                headers=dict(call.headers),
                content=call.body() if call.body else None,
                timeout=httpx.Timeout(call.answer_seconds, connect=CONNECT_SECONDS, pool=None),
            )
        except httpx.TransportError as error:
            raise self._no_answer(error) from error
        if response.status_code >= 400:
            raise _problem(response)
        return response

    def _no_answer(self, error: httpx.TransportError) -> ParleyConnectionError:
        reason = "it took too long" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
        return ParleyConnectionError(
            f"No answer from {self.url}: {reason}.",
            "Is Parley running there? `make run` starts it on this machine; PARLEY_URL says where else to look.",
            reached=not isinstance(error, NEVER_REACHED),
        )


def _may_repeat(call: Call, error: CallError) -> bool:
    if call.once:
        return False
    if isinstance(error, ParleyConnectionError):
        return call.repeatable or not error.reached
    return error.status in NOT_DONE or error.code == KEY_IN_USE or (call.repeatable and error.status in PERHAPS_DONE)


def _headers(api_key: str | None) -> dict[str, str]:
    accept = {"Accept": "application/json, application/problem+json;q=0.9, */*;q=0.1"}
    return accept | ({"Authorization": f"Bearer {api_key.strip()}"} if api_key else {})


def _problem(response: httpx.Response) -> ParleyApiError:
    document = _json_object(response)
    kind = ParleyUnavailable if response.status_code == 429 or response.status_code >= 500 else ParleyApiError
    return kind(
        response.status_code,
        str(document.get("code") or f"http_{response.status_code}"),
        str(document.get("detail") or document.get("title") or response.reason_phrase or "The server gave no reason."),
        _retry_after(response.headers.get("Retry-After")),
    )


def _json_object(response: httpx.Response) -> Mapping[str, object]:
    """The body as an object; empty when something else answered, such as a proxy with a page of its own."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form that RFC 9110 section 10.2.3 allows; None for anything else."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
