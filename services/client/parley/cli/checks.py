"""What `parley doctor` looks at, one function per question; each finding says what to do when the answer is no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import parley
from parley.cli.exits import Exit, exit_for
from parley.client import Parley
from parley.errors import ParleyApiError, ParleyClientError
from parley.models import QueueStatus

STARTING_SECONDS = 60.0  # a queue that scales from zero has no worker until a pod has started
STUCK_SECONDS = 600.0  # a queue whose oldest job is older, with nobody at work, does not move


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    Attributes:
        subject: what was looked at.
        exit: what it means for scripts; OK when it is well.
        detail: what was seen.
        advice: what to do when it is not well.
    """

    subject: str
    exit: Exit
    detail: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        return self.exit is Exit.OK


def examine(client: Parley) -> Iterator[Finding]:
    """Yield findings, the ones that others depend on first; no server, no questions about it."""
    reached = _server(client)
    yield reached
    if reached.ok:
        yield _parts(client)
        yield from _access_and_queues(client)


def _server(client: Parley) -> Finding:
    try:
        version = client.version()
    except ParleyClientError as error:
        return Finding("server", exit_for(error), str(error))
    if version.split(".")[0] == parley.__version__.split(".")[0]:
        return Finding(
            "server", Exit.OK, f"{client.url} answers, version {version}; this client is {parley.__version__}"
        )
    return Finding(
        "server",
        Exit.REFUSED,
        f"{client.url} has version {version}, this client {parley.__version__}",
        f"Install the client of the server's major version: pip install 'parley-client=={version.split('.')[0]}.*'",
    )


def _parts(client: Parley) -> Finding:
    try:
        answer = client.ready()
    except ParleyClientError as error:
        return Finding("ready", exit_for(error), str(error))
    if answer.get("status") == "ok":
        return Finding("ready", Exit.OK, "job store and object store answer")
    return Finding("ready", Exit.UNAVAILABLE, str(answer.get("detail")), "See the runbook, under ParleyNotReady.")


def _access_and_queues(client: Parley) -> Iterator[Finding]:
    try:
        queues = client.queues()
    except ParleyApiError as error:
        advice = "Set PARLEY_API_KEY to a key of your tenant." if error.status in (401, 403) else ""
        yield Finding("access", exit_for(error), str(error), advice)
    except ParleyClientError as error:
        yield Finding("access", exit_for(error), str(error))
    else:
        yield Finding("access", Exit.OK, "the server takes our requests")
        yield from (_queue(queue) for queue in queues)


def _queue(queue: QueueStatus) -> Finding:
    seen = f"{queue.running} running, {queue.waiting} waiting"
    if queue.workers is not None:
        seen += f", {queue.workers} workers"
    if _moves(queue):
        return Finding(f"queue {queue.queue}", Exit.OK, seen)
    return Finding(
        f"queue {queue.queue}",
        Exit.UNAVAILABLE,
        f"{seen}, the oldest for {queue.oldest_seconds or 0:.0f} s, and nobody works on it",
        "Start a worker that serves this queue, or look at its log. `parley jobs --stuck` shows the jobs.",
    )


def _moves(queue: QueueStatus) -> bool:
    if queue.running or not queue.waiting:
        return True
    return (queue.oldest_seconds or 0.0) < (STARTING_SECONDS if queue.workers == 0 else STUCK_SECONDS)
