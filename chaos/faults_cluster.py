"""The loss of a whole cluster: another one with a Redis of its own takes over the object store."""

from __future__ import annotations

import time
from collections.abc import Iterator

from chaos.checker import every_job
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed
from parley_core.job import JobState

LONGER_RUN = 2.0  # seconds in the engine, so that the first cluster has running jobs
BESIDE_SECONDS = 8.0  # for which both clusters work


def take_over(testbed: Testbed) -> None:
    """Kill the first cluster for good, with its Redis."""
    testbed.pause(4, 6)
    lost, at = testbed.running(), time.time()
    testbed.system.start_second_cluster()
    testbed.note(lost, at)
    testbed.pause(3, 4)


def take_over_from_a_living_cluster(testbed: Testbed) -> None:
    """Freeze the keeper and the workers of the first cluster, and let them go on beside the second one."""
    testbed.pause(4, 6)
    frozen, at = testbed.running(), time.time()
    testbed.system.start_second_cluster(frozen=("keeper", "worker"))
    testbed.note(frozen, at)
    testbed.pause(1, 2)
    testbed.system.thaw_first_cluster()
    time.sleep(BESIDE_SECONDS)


def check_ends(testbed: Testbed) -> Iterator[str]:
    """Compare the record of the second cluster with the ends that the object store holds."""
    if not any(injection.affected for injection in testbed.injections):
        yield "no job was running when the first cluster was lost"
    manifests = testbed.system.store.manifests
    for job in every_job(testbed.system):
        end = manifests.find_end(job.id, job.run)
        if end is None or end.state is not job.state:
            yield f"{job.id} is {job.state}, its end is {end.state if end else 'missing'}"
        elif job.state is JobState.SUCCEEDED and job.result != end.result:
            yield f"{job.id} shows another result than its end names"


def check_both(testbed: Testbed) -> Iterator[str]:
    """Check also that the first cluster worked beside the second one: its late commits are refused."""
    yield from check_ends(testbed)
    refused = testbed.system.first_store.stats().counters
    number = sum(value for name, value in refused.items() if name.startswith("commits_refused"))
    testbed.figures["commits of the first cluster that were refused"] = str(number)
    if not number:
        yield "the first cluster committed nothing after it woke up"


FAULTS = (
    Fault(
        "second cluster takes over",
        "all processes and Redis killed for good; a second cluster has the object store and a Redis of its own",
        take_over,
        Layout(run_seconds=LONGER_RUN),
        rate=2,
        check=check_ends,
    ),
    Fault(
        "second cluster beside the first",
        f"the same, but keeper and workers of the first one are only frozen, and work on for {BESIDE_SECONDS:.0f} s; "
        "attempts of both have spans",
        take_over_from_a_living_cluster,
        Layout(run_seconds=LONGER_RUN),
        rate=2,
        check=check_both,
        other_record=True,
    ),
)
