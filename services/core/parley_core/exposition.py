"""A small server for probes and scrapes, with a thread per connection."""

from __future__ import annotations

import socket
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client.exposition import ThreadingWSGIServer

from parley_core.settings import Settings
from parley_core.tls import ServerCertificate

IDLE_SECONDS = 30.0  # a connection that says nothing holds a thread


class _Handler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds; a line for each would bury the rest."""


def serve_wsgi(app: Any, listening: socket.socket, settings: Settings) -> WSGIServer:
    """Answer requests from a thread, over TLS where the settings name a certificate.

    Raises:
        UnsafeSettings: the certificate cannot be used.
    """
    host, port, *_ = listening.getsockname()
    if settings.tls_certificate_file and settings.tls_key_file:
        context = ServerCertificate(settings.tls_certificate_file, settings.tls_key_file).context
        # The handshake comes with the first read, in the thread of the connection: a silent caller delays nobody.
        listening = context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)
    server = ThreadingWSGIServer((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_name, server.server_port = listening, host, port
    server.setup_environ()
    server.set_app(app)
    threading.Thread(target=server.serve_forever, name="probes and metrics", daemon=True).start()
    return server
