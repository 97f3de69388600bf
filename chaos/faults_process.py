"""Faults of processes: killed, frozen, terminated."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from chaos.control import ActiveFaults
from chaos.engines import SILENT
from chaos.parts import Part, pick, until
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed

LEASE, RUN = Layout().lease_seconds, Layout().run_seconds
AFTER_LEASE = 5.0  # seconds for the keeper, the next start, and some load
DEFAULT_LEASE = 30.0
STOP_SECONDS = 30  # what is promised for a planned stop
BACK_SECONDS = 60  # no promise: a start takes 11 s at a load of 30 on two cores
LONGER_RUN = 1.0  # seconds in the engine, so that a fault finds a busy child
LIGHT_LOAD = 1.0  # jobs per second, which one worker can do alone: recovery must not include waits in a full queue
BETWEEN_KILLS = (7.0, 9.0)  # seconds in which a killed worker is back, so that the next fault meets two workers

STORE, QUEUE = "parley_core.redis:RedisJobStore", "parley_core.celery_queue:CeleryJobQueue"
OBJECTS, MANIFESTS = "parley_core.storage.folder:FolderStore", "parley_core.storage.manifests:Manifests"
SUBMIT_STEPS = {
    "reserving the key": f"{STORE}.reserve_key",
    "storing the recording": f"{OBJECTS}.save",
    "binding the key": f"{MANIFESTS}.bind_key",
    "leaving the manifest": f"{MANIFESTS}.accept",
    "creating the record": f"{STORE}.create",
    "publishing": f"{QUEUE}.publish",
    "marking it queued": f"{STORE}.mark_queued",
}
ATTEMPT_STEPS = ",".join((f"{STORE}.start_attempt", f"{OBJECTS}.put", f"{MANIFESTS}.end", f"{STORE}.succeed"))


def kill_children(testbed: Testbed) -> None:
    for _ in range(6):
        kill_child(testbed)
        testbed.pause(0.5, 1.5)


def kill_child(testbed: Testbed) -> None:
    running = testbed.running_on(testbed.busy_worker())
    if running:
        job = testbed.rng.choice(running)
        with suppress(ProcessLookupError):
            os.kill(int(job.attempts[-1].worker.rpartition("/")[2]), signal.SIGKILL)
        testbed.note([job])


def kill_worker(testbed: Testbed) -> None:
    worker = testbed.busy_worker()
    affected = testbed.running_on(worker)
    worker.kill()
    testbed.note(affected)


def kill_workers(times: int) -> Callable[[Testbed], None]:
    def inject(testbed: Testbed) -> None:
        for _ in range(times):
            kill_worker(testbed)
            testbed.pause(*BETWEEN_KILLS)

    return inject


def kill_worker_mains(testbed: Testbed) -> None:
    for _ in range(3):
        worker = testbed.busy_worker()
        affected = testbed.running_on(worker)
        worker.kill_main()
        testbed.note(affected)
        testbed.pause(*BETWEEN_KILLS)


def kill_after_steps(seconds: float, probability: float) -> Callable[[Testbed], None]:
    """Let processes kill themselves after their FAULTS_DIE_AFTER steps, with this probability."""

    def inject(testbed: Testbed) -> None:
        testbed.system.control.set(ActiveFaults(kill_probability=probability))
        time.sleep(seconds)
        testbed.system.control.clear()

    return inject


def kill_apis(testbed: Testbed) -> None:
    for _ in range(8):
        pick(testbed.system.kind("api"), testbed.rng).kill()
        testbed.note()
        testbed.pause(0.5, 1.5)


def freeze_workers(times: int, seconds: float) -> Callable[[Testbed], None]:
    """Stop a busy worker for longer than its lease, then continue it when another attempt has its job."""

    def inject(testbed: Testbed) -> None:
        for _ in range(times):
            worker = testbed.busy_worker()
            worker.freeze()
            affected, at = testbed.running_on(worker), time.time()
            time.sleep(seconds)
            worker.thaw()
            testbed.note(affected, at)
            testbed.pause(1, 2)

    return inject


def terminate_workers(testbed: Testbed) -> None:
    for _ in range(4):
        worker = testbed.busy_worker()
        starts, affected = worker.starts, testbed.running_on(worker)
        worker.terminate()
        testbed.note(affected)
        wait_until_back(testbed, worker, starts)
        testbed.pause(0.5, 1.5)


def wait_until_back(testbed: Testbed, worker: Part, starts: int) -> None:
    """Wait until the worker has a job again, as a rollout stops the next pod when the last one is ready."""
    if not until(lambda: worker.starts > starts, STOP_SECONDS):
        raise TimeoutError("a worker did not end after SIGTERM")
    if not until(lambda: bool(testbed.running_on(worker)), BACK_SECONDS):
        raise TimeoutError("a worker did no job after a planned stop")


def dying(kind: str, steps: str) -> Layout:
    return Layout(injected={kind: {"FAULTS_DIE_AFTER": steps}})


def kill_between_steps() -> list[Fault]:
    return [
        Fault(
            name=f"API killed after {step}",
            description=f"SIGKILL of the API right after the step of a submit: {step}",
            inject=kill_after_steps(8, 0.25),
            layout=dying("api", method),
            jobs=30,
            short=step == "creating the record",
        )
        for step, method in SUBMIT_STEPS.items()
    ]


FAULTS = (
    Fault(
        "pool child killed",
        "SIGKILL of a child that runs a job, six times",
        kill_children,
        Layout(run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
        short=True,
    ),
    Fault(
        "worker killed",
        "SIGKILL of a busy worker with all its children, four times",
        kill_workers(4),
        Layout(run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
        short=True,
    ),
    Fault(
        "worker killed, default lease",
        "the same with the default lease of 30 s, twice",
        kill_workers(2),
        Layout(lease_seconds=DEFAULT_LEASE, run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=DEFAULT_LEASE + AFTER_LEASE + LONGER_RUN,
    ),
    Fault(
        "worker's main process killed",
        "SIGKILL of the main process only, three times",
        kill_worker_mains,
        Layout(run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
    ),
    Fault(
        "worker killed between two steps",
        "children die right after taking a job, storing its result, or committing it",
        kill_after_steps(12, 0.1),
        dying("worker", ATTEMPT_STEPS),
        rate=4,
        ends="",
    ),
    Fault("API killed", "SIGKILL of one of two API processes, eight times", kill_apis, short=True),
    *kill_between_steps(),
    Fault(
        "worker frozen past its lease",
        "SIGSTOP of a busy worker for twice its lease, then SIGCONT, three times",
        freeze_workers(3, 2 * LEASE),
        Layout(run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=LEASE + AFTER_LEASE + LONGER_RUN,
        short=True,
    ),
    Fault(
        "worker frozen in the engine",
        "the same while the engine makes no report, so that the worker continues right before its commit",
        freeze_workers(3, 2 * LEASE),
        Layout(recording_seconds=SILENT),
        jobs=12,
        rate=0.7,
        bound=LEASE + AFTER_LEASE + 4 + RUN + 4,
    ),
    Fault(
        "worker frozen, default lease",
        "SIGSTOP for 40 s with the default lease of 30 s",
        freeze_workers(1, 40),
        Layout(lease_seconds=DEFAULT_LEASE, run_seconds=LONGER_RUN),
        rate=LIGHT_LOAD,
        bound=DEFAULT_LEASE + AFTER_LEASE + LONGER_RUN,
    ),
    Fault(
        "worker terminated",
        "SIGTERM of a busy worker, four times, each when the last is back: jobs are given back, uncounted",
        terminate_workers,
        Layout(run_seconds=LONGER_RUN),
        rate=3,
        bound=AFTER_LEASE + LONGER_RUN,
        short=True,
    ),
)
