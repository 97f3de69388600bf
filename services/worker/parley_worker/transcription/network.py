"""A connection whose operations end when the transcription is stopped, or at its deadline."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from threading import Event
from typing import Any

import httpcore

from parley_core.errors import TranscriptionTimedOut

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 0.25  # how often a silent connection is given up for a stop
SEND_SECONDS = 30.0  # in which the recogniser takes 64 kB

SocketOptions = Iterable[Any]


class Stopped(Exception):  # noqa: N818  # the name says what happened, as in parley_core.errors
    """Nobody waits for the transcription any more."""


class StoppableNetwork(httpcore.NetworkBackend):
    """Connects until a deadline, a monotonic time, or until `stopped` is set."""

    def __init__(self, deadline: float, stopped: Event) -> None:
        self._deadline, self._stopped = deadline, stopped
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._sockets.connect_tcp(host, port, CONNECT_SECONDS, local_address, socket_options)
        return _StoppableStream(stream, self._deadline, self._stopped)


class _StoppableStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: float, stopped: Event) -> None:
        self._stream, self._deadline, self._stopped = stream, deadline, stopped

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            self._require_time()
            try:
                return self._stream.read(max_bytes, LOOK_SECONDS)
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._require_time()
        self._stream.write(buffer, SEND_SECONDS)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, CONNECT_SECONDS)
        return _StoppableStream(secured, self._deadline, self._stopped)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _require_time(self) -> None:
        if self._stopped.is_set():
            raise Stopped
        if time.monotonic() > self._deadline:
            raise TranscriptionTimedOut("The recogniser takes longer than PARLEY_ASR_SECONDS_PER_AUDIO_SECOND allows.")
