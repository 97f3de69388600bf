"""Sending calls: a request per try, retries where they are safe, httpx's errors as this package's."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any, TypeVar, cast

from parley._calls import Call
from parley._httpx import httpx
from parley._responses import api_error
from parley._retry import CallError, Retries, RetryPolicy
from parley.errors import ParleyApiError, ParleyClientError, ParleyConnectionError

DEFAULT_URL = "http://127.0.0.1:7001"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CONNECT_SECONDS = 5.0
REASONS = {
    socket.gaierror: "there is no host of this name",
    ssl.SSLCertVerificationError: "its certificate is not trusted",
    ssl.SSLError: "it does not speak TLS as expected",
    ConnectionRefusedError: "the connection was refused",
}
START = "Start a server on this machine with `make run`, or set PARLEY_URL to the address of another one."
TRUST = "Set SSL_CERT_FILE to the certificate of the authority that signed it, and PARLEY_URL to a name in it."
NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
ACCEPT = "application/json, application/problem+json;q=0.9, */*;q=0.1"

OnRetry = Callable[[Exception, float], None]
"""Called before each retry with the error and the seconds until the retry."""

T = TypeVar("T")


class BaseTransport:
    """What both transports share: the address, the request of a call, its errors, and the decision to retry."""

    def __init__(
        self, url: str | None, api_key: str | None, retry: RetryPolicy | None, on_retry: OnRetry | None
    ) -> None:
        self.url = (url or os.environ.get("PARLEY_URL") or DEFAULT_URL).rstrip("/")
        self._base = _server_address(self.url)
        self._api_key = api_key or os.environ.get("PARLEY_API_KEY")
        self._policy = retry or RetryPolicy()
        self._on_retry = on_retry
        self._server_seen = False

    def _http_options(self) -> dict[str, Any]:
        headers, local = {"Accept": ACCEPT}, self._base.host in LOOPBACK
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key.strip()}"
        return {
            "base_url": self._base,
            "headers": headers,
            "limits": httpx.Limits(max_connections=None),
            "trust_env": not local,  # a proxy cannot reach this machine's own loopback
            "verify": ssl.create_default_context() if local and self._base.scheme == "https" else True,
        }

    def _request_options(self, call: Call[T]) -> dict[str, Any]:
        return {
            "method": call.method,
            "url": call.path,
            "params": {name: value for name, value in call.params.items() if value is not None},
            "headers": dict(call.headers),
            "json": call.json,
            "timeout": httpx.Timeout(call.read_seconds, connect=CONNECT_SECONDS, pool=None),
        }

    def _result(self, call: Call[T], response: httpx.Response) -> T:
        self._server_seen = True
        if response.is_error and response.status_code not in call.accept:
            raise api_error(response)
        return call.read(response)

    def _connection_error(self, error: httpx.RequestError) -> ParleyConnectionError:
        connected = not isinstance(error, NEVER_CONNECTED)
        self._server_seen = self._server_seen or connected
        timed_out = isinstance(error, httpx.TimeoutException)
        return ParleyConnectionError(
            f"No response from {self.url}: {_reason(error)}.",
            TRUST if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)) else START,
            connected=connected,
            timed_out=timed_out,
        )

    def _seconds_before_retry(self, retries: Retries, error: CallError) -> float:
        """Return the seconds to wait. Raises the error if the call must not be repeated."""
        seconds = retries.seconds_before_next(error, server_seen=self._server_seen)
        if seconds is None:
            raise error
        if self._on_retry is not None:
            self._on_retry(error, seconds)
        return seconds


def _reason(error: httpx.RequestError) -> str:
    """Return why there is no response, in words of our own: those of the network's library say little to a reader."""
    if isinstance(error, httpx.TimeoutException):
        return "the time limit ended"
    causes = list(_causes(error))
    for kind, reason in REASONS.items():
        if any(isinstance(cause, kind) for cause in causes):
            return reason
    return "the connection failed" if isinstance(error, NEVER_CONNECTED) else "the connection ended early"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those that led to it. Of several addresses that were tried, each has its own."""
    yield error
    for cause in (*getattr(error, "exceptions", ()), error.__cause__ or error.__context__):
        if cause is not None:
            yield from _causes(cause)


class Transport(BaseTransport):
    """Sends calls and blocks. Threads may share it."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        retry: RetryPolicy | None,
        on_retry: OnRetry | None,
        sleep: Callable[[float], None] = time.sleep,
        http_transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key, retry, on_retry)
        self._sleep = sleep
        self._http = httpx.Client(transport=http_transport, **self._http_options())

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Return the result of a call.

        Raises:
            ParleyConnectionError: no response arrived.
            ParleyApiError: the server refused the request.
            UnexpectedResponse: the response does not come from Parley.
        """
        retries = Retries(self._policy, repeatable=call.repeatable)
        while True:
            try:
                return self._try(call)
            except (ParleyConnectionError, ParleyApiError) as error:
                self._sleep(self._seconds_before_retry(retries, error))

    def run(self, steps: Generator[Call[Any], Any, T]) -> T:
        """Send the calls of a generator, which gets their results and errors; return what it returns."""
        try:
            call = next(steps)
            while True:
                try:
                    result = self.send(call)
                except ParleyClientError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as end:
            return cast(T, end.value)

    def _try(self, call: Call[T]) -> T:
        content = call.upload.chunks() if call.upload else call.content
        try:
            with self._http.stream(**self._request_options(call), content=content) as response:
                if call.download is not None and response.is_success:
                    call.download.write(response.iter_bytes())
                else:
                    response.read()
        except httpx.RequestError as error:
            raise self._connection_error(error) from error
        return self._result(call, response)


class AsyncTransport(BaseTransport):
    """Sends calls without blocking the event loop."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        retry: RetryPolicy | None,
        on_retry: OnRetry | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key, retry, on_retry)
        self._sleep = sleep
        self._http = httpx.AsyncClient(transport=http_transport, **self._http_options())

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Return the result of a call; raises what Transport.send raises."""
        retries = Retries(self._policy, repeatable=call.repeatable)
        while True:
            try:
                return await self._try(call)
            except (ParleyConnectionError, ParleyApiError) as error:
                await self._sleep(self._seconds_before_retry(retries, error))

    async def run(self, steps: Generator[Call[Any], Any, T]) -> T:
        """Send the calls of a generator; see Transport.run."""
        try:
            call = next(steps)
            while True:
                try:
                    result = await self.send(call)
                except ParleyClientError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as end:
            return cast(T, end.value)

    async def _try(self, call: Call[T]) -> T:
        content = call.upload.async_chunks() if call.upload else call.content
        try:
            async with self._http.stream(**self._request_options(call), content=content) as response:
                if call.download is not None and response.is_success:
                    await call.download.async_write(response.aiter_bytes())
                else:
                    await response.aread()
        except httpx.RequestError as error:
            raise self._connection_error(error) from error
        return self._result(call, response)


def _server_address(url: str) -> httpx.URL:
    """Return the address of a server. Raises ValueError with a sentence for people."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"{url!r} is not the address of a server. Write it like {DEFAULT_URL}")
    return address
