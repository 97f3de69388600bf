"""Faults of a Redis of three servers and three Sentinels: the primary changes under load."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed, no_worker_was_reaped

RECOVERY_BOUND = 10.0  # seconds after the fault, of which Sentinel needs two to agree on a new primary
TIMES = 10
DEAD_SECONDS = 10.0  # until a dead primary is replaced, while the other two serve
LAYOUT = Layout(link="sentinel", lease_seconds=6.0)


def kill_primary(testbed: Testbed) -> None:
    """Kill the primary. It returns as a replica."""
    servers = testbed.system.sentinels.servers
    _take_away(testbed, lambda port: servers[port].kill(), lambda port: servers[port].start())


def lose_primary(testbed: Testbed) -> None:
    """Kill the primary, and leave it dead while the other two serve."""
    servers = testbed.system.sentinels.servers

    def replace(port: int) -> None:
        time.sleep(DEAD_SECONDS)
        servers[port].start()

    _take_away(testbed, lambda port: servers[port].kill(), replace)


def cut_primary_off(testbed: Testbed) -> None:
    """Cut the primary off from its replicas and from the Sentinels. Clients reach it for up to two seconds."""
    sentinels = testbed.system.sentinels
    _take_away(testbed, sentinels.cut_off, sentinels.reconnect)


def freeze_primary(testbed: Testbed) -> None:
    """Freeze the primary until there is another one. It wakes up as a second primary, and is made a replica."""
    servers = testbed.system.sentinels.servers
    _take_away(testbed, lambda port: servers[port].pause(), lambda port: servers[port].resume())


def _take_away(testbed: Testbed, take: Callable[[int], None], bring_back: Callable[[int], None]) -> None:
    """Take the primary away by its port, wait for its successor, and bring it back."""
    sentinels = testbed.system.sentinels
    for _ in range(TIMES):
        before = sentinels.primary()
        with testbed.outage():
            take(before)
        sentinels.wait_for_another(before)
        bring_back(before)
        sentinels.wait_until_whole()
        testbed.pause(3, 5)


def fail_over(testbed: Testbed) -> None:
    """Promote a replica. The old primary takes writes for a second or two, and loses them."""
    sentinels = testbed.system.sentinels
    for _ in range(TIMES):
        with testbed.outage():
            pass
        sentinels.fail_over()
        sentinels.wait_until_whole()
        testbed.pause(3, 5)


FAULTS = (
    Fault(
        "primary killed (Sentinel)",
        "kill -9 of the primary under load, ten times; each returns as a replica",
        kill_primary,
        LAYOUT,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
    Fault(
        "primary frozen (Sentinel)",
        "SIGSTOP of the primary under load until there is another one, ten times",
        freeze_primary,
        LAYOUT,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
    Fault(
        "primary dead (Sentinel)",
        "kill -9 of the primary under load, which stays away for 10 s, ten times",
        lose_primary,
        LAYOUT,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
    Fault(
        "primary cut off (Sentinel)",
        "no byte between the primary and the other servers, while clients reach it, ten times",
        cut_primary_off,
        LAYOUT,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
    Fault(
        "failover on purpose (Sentinel)",
        "SENTINEL FAILOVER under load, ten times: the last second of writes is lost",
        fail_over,
        LAYOUT,
        bound=RECOVERY_BOUND,
        check=no_worker_was_reaped,
    ),
)
