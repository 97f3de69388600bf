"""Faults of a Redis of three servers and three Sentinels: the primary changes under load."""

from __future__ import annotations

from collections.abc import Callable

from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed
from tests.support.valkey import Valkey

RECOVERY_BOUND = 10.0  # seconds after the fault, of which Sentinel needs two to agree on a new primary
TIMES = 3
LAYOUT = Layout(link="sentinel", lease_seconds=6.0)


def kill_primary(testbed: Testbed) -> None:
    """Kill the primary. It returns as a replica."""
    _take_away(testbed, Valkey.kill, Valkey.start)


def freeze_primary(testbed: Testbed) -> None:
    """Freeze the primary until there is another one. It wakes up as a second primary, and is made a replica."""
    _take_away(testbed, Valkey.pause, Valkey.resume)


def _take_away(testbed: Testbed, take: Callable[[Valkey], None], bring_back: Callable[[Valkey], None]) -> None:
    sentinels = testbed.system.sentinels
    for _ in range(TIMES):
        before = sentinels.primary()
        with testbed.outage():
            take(sentinels.servers[before])
        sentinels.wait_for_another(before)
        bring_back(sentinels.servers[before])
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
        "kill -9 of the primary under load, three times; each returns as a replica",
        kill_primary,
        LAYOUT,
        bound=RECOVERY_BOUND,
    ),
    Fault(
        "primary frozen (Sentinel)",
        "SIGSTOP of the primary under load until there is another one, three times",
        freeze_primary,
        LAYOUT,
        bound=RECOVERY_BOUND,
    ),
    Fault(
        "failover on purpose (Sentinel)",
        "SENTINEL FAILOVER under load, three times: the last second of writes is lost",
        fail_over,
        LAYOUT,
        bound=RECOVERY_BOUND,
    ),
)
