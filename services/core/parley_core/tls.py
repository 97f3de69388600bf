"""TLS of servers: a certificate that is read again when its files change."""

from __future__ import annotations

import ssl
from pathlib import Path

from parley_core.errors import UnsafeSettings
from parley_core.logs import get_logger

log = get_logger(__name__)


class ServerCertificate:
    """The certificate of a server. `context` serves it, and looks at its files at the start of each connection.

    A pair of files that do not belong together is left alone: the certificate before is served until both are new.

    Raises:
        UnsafeSettings: the files cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._look()
        try:
            self._newest = self._load()
        except (OSError, ValueError) as error:
            raise UnsafeSettings(
                f"PARLEY_TLS_CERTIFICATE_FILE and PARLEY_TLS_KEY_FILE cannot be used ({type(error).__name__}): the key "
                "must be that of the certificate, as PEM without a password."
            ) from error
        self.context = self._newest
        self.context.sni_callback = self._serve_newest

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # TLS 1.2 and newer
        context.load_cert_chain(*self._files, password="")
        return context

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        """Return what tells two versions of the files apart; None for one that is missing."""
        found: list[tuple[int, int] | None] = []
        for file in self._files:
            try:
                state = file.stat()
            except OSError:
                found.append(None)
            else:
                found.append((state.st_ino, state.st_mtime_ns))
        return tuple(found)

    def _serve_newest(self, connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._newest = self._load()
            except (OSError, ValueError) as error:
                log.error("a new certificate cannot be used", error=type(error).__name__)
            else:
                log.info("a new certificate is served")
        connection.context = self._newest
