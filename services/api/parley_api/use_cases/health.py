"""The checks of a server: stores, keeper, queues with their workers, disk. Limits are those of the alerts.

They name no host, no worker and no tenant. Why a store is down may hold its address: see `CheckAnswer.detail`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.readiness import COMPONENTS
from parley_api.schemas.health import CheckAnswer, Health, HealthAnswer
from parley_audio import missing_confinement
from parley_core import __version__
from parley_core.errors import JobStoreUnavailable, JobStoreUnusable
from parley_core.settings import Settings
from parley_core.status import QueueStatus, StoreHealth

TITLES = {"redis": "Redis", "objects": "The object store"}
FILLING, NEARLY_FULL = 0.6, 0.75  # of Redis's memory
KEEPER_LATE_SECONDS = 120.0
RETENTION_LATE_SECONDS = 3600.0
NO_WORKER_SECONDS = 120.0
STUCK_SECONDS = 600.0
QUEUE_FULL = 0.9  # of PARLEY_QUEUE_LIMIT
DISK_LOW, DISK_FULL = 0.2, 0.05  # that is free
ORDER = (Health.GOOD, Health.WARN, Health.BAD)


async def health_of(deps: Dependencies, *, reasons: bool) -> HealthAnswer:
    """Return the checks.

    Args:
        reasons: say why a store is down. The reason may hold its address.
    """
    down = await deps.readiness.down()
    checks = []
    for name in COMPONENTS:
        if name in down:
            detail = down[name].detail if reasons else None
            checks.append(_bad(name, f"{TITLES[name]} is down.", "Start it, or see its log.", "ParleyNotReady", detail))
        else:
            checks.append(_good(name, f"{TITLES[name]} answers."))
    try:
        health = await deps.blocking.store(deps.store.health)
        checks += _of_store(health)
        checks += [_of_queue(one, deps.settings.queue_limit) for one in await deps.blocking.store(deps.store.queues)]
    except (JobStoreUnavailable, JobStoreUnusable):
        pass  # it is down, and said so above
    checks += [*_of_disk(deps.settings), *_of_machine(deps.settings)]
    worst = max((check.state for check in checks), key=ORDER.index)
    return HealthAnswer(state=worst, version=__version__, checks=checks, flower_url=deps.settings.flower_url or None)


def _of_store(health: StoreHealth) -> Iterator[CheckAnswer]:
    if health.max_memory:
        share = health.used_memory / health.max_memory
        text = f"Redis uses {share:.0%} of its memory."
        advice = "Give it more memory, or keep jobs for a shorter time."
        if share > NEARLY_FULL:
            yield _bad("memory", text, advice, "ParleyJobStoreNearlyFull")
        elif share > FILLING:
            yield _warn("memory", text, advice, "ParleyJobStoreFilling")
        else:
            yield _good("memory", text)
    if not health.append_only:
        yield _warn("persistence", "Redis keeps no append-only file.", "Set `appendonly yes`.")
    if health.lag_seconds > KEEPER_LATE_SECONDS:
        late = f"A job is due for {health.lag_seconds:.0f} s, and no keeper publishes it."
        yield _bad("keeper", late, "Start the keeper, or see its log.", "ParleyKeeperLate")
    else:
        yield _good("keeper", "No job waits for the keeper.")
    if health.retention_lag_seconds > RETENTION_LATE_SECONDS:
        late = f"A recording should have been removed {health.retention_lag_seconds / 3600:.1f} h ago."
        yield _bad("retention", late, "See the log of the keeper.", "ParleyAudioPastRetention")


def _of_queue(status: QueueStatus, limit: int) -> CheckAnswer:
    name = f"queue_{status.queue}"
    waiting, oldest = status.unfinished - status.running, status.oldest_seconds or 0.0
    workers = "1 worker" if status.workers == 1 else f"{status.workers} workers"
    text = f"Queue {status.queue}: {workers}, {status.running} running, {waiting} waiting."
    if status.unfinished > QUEUE_FULL * limit:
        return _bad(name, text, "Add workers. Submits are refused when the queue is full.", "ParleyQueueFull")
    if not status.workers and oldest > NO_WORKER_SECONDS:
        return _bad(name, text, "Start a worker for this queue.", "ParleyNoWorker")
    if not status.workers:
        return _warn(name, text, "Its recordings wait until a worker starts.")
    if waiting and not status.running and oldest > STUCK_SECONDS:
        return _bad(name, text, "See the log of the worker.", "ParleyQueueNotMoving")
    return _good(name, text)


def _of_disk(settings: Settings) -> Iterator[CheckAnswer]:
    """Yield how full the disk is where the object store is a folder of this machine."""
    if not settings.objects_url.startswith("file://"):
        return
    folder = Path(settings.objects_url.removeprefix("file://"))
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return  # the check of the object store has said so
    free = usage.free / usage.total
    text, advice = (
        f"The disk of the object store is {free:.0%} free.",
        "Keep recordings for a shorter time.",
    )
    if free < DISK_FULL:
        yield _bad("disk", text, advice)
    else:
        yield _warn("disk", text, advice) if free < DISK_LOW else _good("disk", text)


def _of_machine(settings: Settings) -> Iterator[CheckAnswer]:
    if lacking := missing_confinement():
        text = f"Decoders are not confined: this system has no {' and no '.join(lacking)}."
        yield _warn("decoders", text, "Use a Linux kernel with both, and PARLEY_SANDBOX_REQUIRED=true.")
    else:
        yield _good("decoders", "Decoders are confined.")
    if settings.asr_url:
        yield _good("recogniser", "A recogniser is set, for jobs that ask for words.")


def _good(name: str, text: str) -> CheckAnswer:
    return CheckAnswer(name=name, state=Health.GOOD, text=text)


def _warn(name: str, text: str, advice: str, alert: str | None = None) -> CheckAnswer:
    return CheckAnswer(name=name, state=Health.WARN, text=text, advice=advice, alert=alert)


def _bad(name: str, text: str, advice: str, alert: str | None = None, detail: str | None = None) -> CheckAnswer:
    return CheckAnswer(name=name, state=Health.BAD, text=text, advice=advice, alert=alert, detail=detail)
