"""Flushes the volume of the embedded object store: `POST /` answers 204 when everything written before is on the disk.

The S3 server beside it never flushes. Parley calls this after each put, before it promises anything. One flush serves
every call that came before the flush began.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# After an error, the kernel may have dropped what it could not write, and reports it once. Nothing is confirmed for
# longer than a put waits for its flush; then the container starts again.
REFUSE_SECONDS = 60.0
DUAL_STACK = socket.has_dualstack_ipv6()  # calls come over IPv4 or IPv6, as the cluster has it
HANDSHAKE_SECONDS = 10.0  # a caller that says nothing holds a thread
WAITING = 256  # connections that may wait to be accepted


class Flusher:
    """Runs one flush at a time.

    Args:
        flush: writes the whole file system to its disk. Raises OSError.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._changed = threading.Condition()
        self._begun = self._ended = 0
        self.failed = False

    def run(self) -> bool:
        """Return whether a flush that began after this call has ended well."""
        with self._changed:
            wanted = self._begun + 1
            while self._ended < wanted and not self.failed:
                if self._begun > self._ended:
                    self._changed.wait()
                else:
                    self._flush_once()
            return not self.failed

    def _flush_once(self) -> None:
        self._begun += 1
        self._changed.release()
        try:
            self._flush()
            failed = False
        except OSError as error:
            print(f"the volume cannot be flushed: {error}", file=sys.stderr, flush=True)
            failed = True
        finally:
            self._changed.acquire()
        self._ended = self._begun
        self.failed = self.failed or failed
        self._changed.notify_all()


def flush_of(folder: str) -> Callable[[], None]:
    """Return a call of syncfs(2) on the file system of a folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY)

    def flush() -> None:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return flush


def secured(connection: socket.socket, folder: str) -> ssl.SSLSocket:
    """Return a connection with TLS by the certificate that a folder holds now. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
    connection.settimeout(HANDSHAKE_SECONDS)
    return context.wrap_socket(connection, server_side=True)


def server_of(
    flusher: Flusher, port: int, leave: Callable[[int], object] = os._exit, certificates: str = ""
) -> ThreadingHTTPServer:
    """Return a server.

    Args:
        flusher: writes what came before a call.
        port: where to listen; 0 picks one.
        leave: ends the process with a status, some time after a failed flush.
        certificates: folder with `tls.crt` and `tls.key`. Empty: plain HTTP.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(503 if flusher.failed else 204)

        def do_POST(self) -> None:
            self._answer(204 if flusher.run() else 503)
            if flusher.failed:
                stop = threading.Timer(REFUSE_SECONDS, leave, (1,))
                stop.daemon = True
                stop.start()

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = WAITING
        daemon_threads = True
        address_family = socket.AF_INET6 if DUAL_STACK else socket.AF_INET

        def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
            if certificates:
                try:
                    request = secured(request, certificates)
                except OSError:
                    return  # plain text, or a caller who does not trust the certificate
            with request:
                super().finish_request(request, client_address)

        def server_bind(self) -> None:
            if DUAL_STACK:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    return Server(("", port), Handler)


if __name__ == "__main__":
    # Process 1 ignores SIGTERM without a handler, and the pod would stop by its grace period. Callers ask again.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    folder = sys.argv[3] if len(sys.argv) > 3 else ""
    server_of(Flusher(flush_of(sys.argv[1])), int(sys.argv[2]), certificates=folder).serve_forever()
