"""Faults of the object store: failing, slow, full, alone and together with Redis."""

from __future__ import annotations

import time
from pathlib import Path

from chaos.client import recording_of
from chaos.control import ActiveFaults
from chaos.schedule import Fault, needs_root
from chaos.system import Layout
from chaos.testbed import Testbed
from tests.support.s3 import BUCKET, Disk, missing_for_s3_faults

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


def lose_objects(testbed: Testbed) -> None:
    """Let every call fail for a minute."""
    testbed.system.control.set(ActiveFaults(object_error_share=1.0))
    testbed.note()
    time.sleep(60)
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


def cut_power(testbed: Testbed) -> None:
    """Look 20 times at what a power cut would leave on the disk of the S3 server."""
    system = testbed.system
    assert system.disk is not None
    assert system.s3 is not None
    recording = recording_of(system.layout.recording_seconds)
    for _ in range(20):
        testbed.pause(0.3, 1.0)
        accepted = [entry.job_id for entry in testbed.load.ledger]
        with system.s3.frozen():
            after = system.disk.cut(system.folder / "after-the-cut")
        testbed.note()
        lost = _lost(after, system.folder / "after", accepted, recording)
        assert not lost, f"{len(lost)} of {len(accepted)} accepted jobs are not whole after a power cut"


def _lost(disk: Disk, folder: Path, job_ids: list[str], recording: bytes) -> list[str]:
    """Return the jobs without their manifest or their whole recording."""
    with disk.mounted(folder) as root:
        bucket = root / BUCKET
        manifests = {path.parent.name for path in bucket.glob("jobs/*/*/manifest.json") if path.stat().st_size}
        recordings = {path.name for path in bucket.glob("recordings/*/*") if _is(path, recording)}
    return [job_id for job_id in job_ids if job_id not in manifests or job_id not in recordings]


def _is(path: Path, recording: bytes) -> bool:
    return path.is_file() and path.read_bytes() == recording


def fill_disk(testbed: Testbed) -> None:
    _fill_for_a_while(testbed, testbed.system.objects_folder)


def fill_disk_of_redis(testbed: Testbed) -> None:
    _fill_for_a_while(testbed, testbed.system.redis_folder)
    refused = testbed.system.valkey.client().info("errorstats")
    assert "errorstat_MISCONF" in refused, f"Redis took all writes: {refused}"


def _fill_for_a_while(testbed: Testbed, folder: Path) -> None:
    """Fill the disk for 12 s."""
    filler = folder / "filler"
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
        needs=missing_for_s3_faults,
        refusals=0,
    ),
    Fault(
        "power cut",
        "20 looks at the disk of the embedded S3 server without what only memory has: every accepted job is whole",
        cut_power,
        Layout(objects="s3 on a disk"),
        rate=6,
        needs=missing_for_s3_faults,
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
        "disk of Redis full",
        "no free byte for 12 s: Redis takes no writes (MISCONF)",
        fill_disk_of_redis,
        Layout(redis_megabytes=DISK_MEGABYTES),
        rate=3,
        needs=needs_root,
        bound=10.0,
    ),
    Fault(
        "object store away for a minute",
        "every call fails for 60 s, with the default waits between attempts",
        lose_objects,
        Layout(injected={kind: {"FAULTS_OBJECTS": "on"} for kind in ("api", "keeper", "worker")}),
        rate=1,
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
