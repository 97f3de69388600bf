"""Faults of the object store: failing, slow, full, alone and together with Redis."""

from __future__ import annotations

import time
from pathlib import Path

from chaos.control import ActiveFaults
from chaos.schedule import Fault, needs_root
from chaos.system import Layout
from chaos.testbed import Testbed
from tests.support.s3 import missing_for_black_holes

QUICK_RETRIES = {"FAULTS_RETRY_SECONDS": "1,2,4"}  # instead of 60, 120 and 240 s
DISTURBED = Layout(
    injected={kind: {"FAULTS_OBJECTS": "on", **QUICK_RETRIES} for kind in ("api", "keeper", "worker")},
)
DISK_MEGABYTES = 8


def fail(testbed: Testbed) -> None:
    """Let every third call raise an error."""
    testbed.system.control.set(ActiveFaults(object_error_share=0.33))
    testbed.note()
    time.sleep(12)
    testbed.system.control.clear()


def slow_down_objects(testbed: Testbed) -> None:
    testbed.system.control.set(ActiveFaults(object_delay_seconds=1.0))
    testbed.note()
    time.sleep(15)
    testbed.system.control.clear()


def fail_with_redis(testbed: Testbed) -> None:
    """Stop both stores: every submit is refused, and nothing stays behind."""
    with testbed.outage():
        testbed.system.control.set(ActiveFaults(object_error_share=1.0))
        testbed.system.valkey.kill()
        time.sleep(8)
        testbed.system.valkey.start()
        testbed.system.control.clear()
    testbed.pause(3, 4)


def black_hole(testbed: Testbed) -> None:
    """Drop every packet to the S3 server for 12 s, also those that open a connection."""
    assert testbed.system.s3 is not None
    with testbed.outage(), testbed.system.s3.black_holed():
        time.sleep(12)
    testbed.pause(2, 3)


def fill_disk(testbed: Testbed) -> None:
    """Fill the disk for 12 s."""
    filler = testbed.system.objects_folder / "filler"
    with testbed.outage():
        _fill(filler)
        time.sleep(12)
        filler.unlink()
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
    Fault("object store failing", "every third call fails for 12 s", fail, DISTURBED, rate=3, ends=""),
    Fault(
        "object store slow",
        "one second of delay for each call, for 15 s",
        slow_down_objects,
        DISTURBED,
        jobs=20,
        rate=2,
    ),
    Fault(
        "object store black-holed for 12 s",
        "an S3 server to which every packet is dropped: no submit is refused",
        black_hole,
        Layout(objects="s3"),
        rate=4,
        needs=missing_for_black_holes,
        refusals=0,
    ),
    Fault(
        "disk full",
        "no free byte for 12 s",
        fill_disk,
        Layout(objects_megabytes=DISK_MEGABYTES, injected={"worker": QUICK_RETRIES}),
        rate=2,
        needs=needs_root,
        bound=10.0,
    ),
    Fault(
        "Redis and object store gone",
        "both stopped for 8 s: submits get 503, and nothing is half written",
        fail_with_redis,
        DISTURBED,
        rate=3,
        ends="",
        bound=10.0,
    ),
)
