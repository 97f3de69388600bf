"""The checks of `parley doctor`. Each finding says what to do if the check fails."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import parley
from parley import Parley, ParleyApiError, ParleyClientError, QueueStatus
from parley.cli.exit_codes import Exit
from parley.cli.failures import exit_code_of

STARTING_SECONDS = 60.0  # a queue that scales from zero has no worker until a pod has started
CONNECT_SECONDS = 5.0
EXPIRES_SOON = timedelta(days=14)  # as the alerts have it
USED = timedelta(days=1)  # since its last use: a key in use
SHORT_LIVED = timedelta(days=30)  # programs renew keys made for less by themselves
STUCK_SECONDS = 600.0  # a queue without running jobs is stuck if its oldest job is older


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        subject: what was checked.
        exit: OK, or the exit code for the failure.
        detail: what was found.
        advice: what to do about a failure.
        alert: the alert that this failure raises where Prometheus watches; a heading of the runbook. Empty: none.
    """

    subject: str
    exit: Exit
    detail: str
    advice: str = ""
    alert: str = ""

    @property
    def ok(self) -> bool:
        return self.exit is Exit.OK


def check_server(client: Parley) -> Iterator[Finding]:
    """Yield the findings about a server. If it does not respond, the other checks are left out."""
    version = _version(client)
    yield version
    if version.ok:
        yield from _certificate(client.url)
        yield from _readiness(client)
        yield from _access_and_queues(client)
        yield from _keys(client)


def _version(client: Parley) -> Finding:
    try:
        version = client.version()
    except ParleyClientError as error:
        return Finding("server", exit_code_of(error), str(error))
    major = version.split(".")[0]
    if major == parley.__version__.split(".")[0]:
        detail = f"{client.url} responds with version {version}; this client is {parley.__version__}"
        return Finding("server", Exit.OK, detail)
    detail = f"{client.url} has version {version}, this client {parley.__version__}"
    advice = f"In a clone of Parley of version {major}: pip install './services/client[cli]'"
    return Finding("server", Exit.REFUSED, detail, advice)


def _readiness(client: Parley) -> Iterator[Finding]:
    try:
        readiness = client.ready()
    except ParleyClientError as error:
        yield Finding("ready", exit_code_of(error), str(error))
        return
    if readiness.get("status") == "ok":
        yield Finding("ready", Exit.OK, "job store and object store respond")
    else:
        advice = "See ParleyNotReady in the runbook."
        yield Finding("ready", Exit.UNAVAILABLE, str(readiness.get("detail")), advice, "ParleyNotReady")
    if isinstance(lacking := readiness.get("decoder_lacks"), list):
        yield _confinement([str(part) for part in lacking])


def _confinement(lacking: list[str]) -> Finding:
    """Not a failure: whether a server may run like this is its own setting, PARLEY_SANDBOX_REQUIRED."""
    if not lacking:
        return Finding("decoders", Exit.OK, "confined by Landlock and seccomp filters")
    advice = "Use a Linux kernel with both, and PARLEY_SANDBOX_REQUIRED=true."
    return Finding("decoders", Exit.OK, f"limits on time and memory only; no {' and no '.join(lacking)}", advice)


def _access_and_queues(client: Parley) -> Iterator[Finding]:
    try:
        queues = client.queues()
    except ParleyClientError as error:
        denied = isinstance(error, ParleyApiError) and error.status in (401, 403)
        advice = "Set PARLEY_API_KEY to an API key of your tenant." if denied else ""
        yield Finding("access", exit_code_of(error), str(error), advice)
        return
    yield Finding("access", Exit.OK, "the server accepts requests of this client")
    for queue in queues:
        yield _queue(queue)


def _queue(queue: QueueStatus) -> Finding:
    subject = f"queue {queue.queue}"
    detail = f"{queue.running} running, {queue.waiting} waiting"
    if queue.workers is not None:
        detail += f", {queue.workers} worker{'' if queue.workers == 1 else 's'}"
    oldest = queue.oldest_seconds or 0.0
    limit = STARTING_SECONDS if queue.workers == 0 else STUCK_SECONDS
    if queue.running or not queue.waiting or oldest < limit:
        return Finding(subject, Exit.OK, detail)
    detail += f", the oldest for {oldest:.0f} s; no worker takes them"
    alert = "ParleyNoWorker" if queue.workers == 0 else "ParleyQueueNotMoving"
    advice = "Start a worker for this queue, or read its log. `parley jobs --stuck` lists the jobs."
    return Finding(subject, Exit.UNAVAILABLE, detail, f"{advice} See {alert} in the runbook.", alert)


def _certificate(url: str) -> Iterator[Finding]:
    """Yield when the certificate of a server expires; nothing for plain HTTP, and where only a proxy reaches it."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), CONNECT_SECONDS) as connection,
            ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname) as secured,
        ):
            certificate = secured.getpeercert() or {}
    except OSError:
        return
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    detail = f"expires at {ends:%Y-%m-%d %H:%M} UTC"
    if ends - datetime.now(UTC) > EXPIRES_SOON:
        yield Finding("certificate", Exit.OK, detail)
    else:
        advice = "Renew it. See ParleyCertificateExpiring in the runbook."
        yield Finding("certificate", Exit.REFUSED, detail, advice, "ParleyCertificateExpiring")


def _keys(client: Parley) -> Iterator[Finding]:
    """Yield the keys in use that expire soon, if this client's key may list them."""
    try:
        keys = client.keys()
    except ParleyClientError:
        return
    now = datetime.now(UTC)
    for key in keys:
        if key.expires_at is None or key.last_used_at is None or now - key.last_used_at > USED:
            continue
        if key.expires_at - now < EXPIRES_SOON and key.expires_at - key.created_at >= SHORT_LIVED:
            detail = f"`{key.name}` is in use and expires at {key.expires_at:%Y-%m-%d %H:%M} UTC"
            advice = "Make a new key for its program: `parley keys create`. See ParleyApiKeyExpiring in the runbook."
            yield Finding(f"API key {key.id}", Exit.REFUSED, detail, advice, "ParleyApiKeyExpiring")
