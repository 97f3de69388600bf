"""Faults of the object store: failing, slow, full; alone and together with Redis."""

from __future__ import annotations

import time
from pathlib import Path

from chaos.control import Wounds
from chaos.schedule import Fault, needs_root
from chaos.system import Layout
from chaos.testbed import Testbed

QUICK_RETRIES = {"FAULTS_RETRY_SECONDS": "1,2,4"}  # instead of 60, 120 and 240 s
WOUNDED = Layout(
    wounded={kind: {"FAULTS_OBJECTS": "on", **QUICK_RETRIES} for kind in ("api", "keeper", "worker")},
)
DISK_MEGABYTES = 8


def fail(testbed: Testbed) -> None:
    """Every third call raises."""
    testbed.system.control.set(Wounds(objects_fail=0.33))
    testbed.struck()
    time.sleep(12)
    testbed.system.control.heal()


def drag(testbed: Testbed) -> None:
    testbed.system.control.set(Wounds(objects_delay=1.0))
    testbed.struck()
    time.sleep(15)
    testbed.system.control.heal()


def vanish_with_redis(testbed: Testbed) -> None:
    """Neither the record nor a manifest can be written: every submit is refused, and nothing stays behind."""
    with testbed.outage():
        testbed.system.control.set(Wounds(objects_fail=1.0))
        testbed.system.valkey.kill()
        time.sleep(8)
        testbed.system.valkey.start()
        testbed.system.control.heal()
    testbed.pause(3, 4)


def fill_disk(testbed: Testbed) -> None:
    """Not one byte left for 12 s, then the space is back."""
    junk = testbed.system.objects_folder / "junk"
    with testbed.outage():
        _fill(junk)
        time.sleep(12)
        junk.unlink()
    testbed.pause(2, 3)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for block in (1024**2, 4096):
            try:
                while True:
                    file.write(b"\0" * block)
            except OSError:
                continue  # no space left for a block of this size


FAULTS = (
    Fault("object store failing", "every third call fails for 12 s", fail, WOUNDED, rate=3, ends=""),
    Fault("object store slow", "one second more for each call, for 15 s", drag, WOUNDED, jobs=20, rate=2),
    Fault(
        "disk full",
        "not one byte left for 12 s",
        fill_disk,
        Layout(objects_megabytes=DISK_MEGABYTES, wounded={"worker": QUICK_RETRIES}),
        rate=2,
        needs=needs_root,
        bound=10.0,
    ),
    Fault(
        "Redis and object store gone",
        "both away for 8 s: submits get 503, nothing is half written",
        vanish_with_redis,
        WOUNDED,
        rate=3,
        ends="",
        bound=10.0,
    ),
)
