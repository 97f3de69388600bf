"""Kills and planned stops of workers with the real engine: work goes on from its checkpoint."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from chaos.checker import every_job
from chaos.client import Caller, conversation
from chaos.engine_work import pieces_in, repeated_shares
from chaos.faults_process import STOP_SECONDS
from chaos.figures import percentile, stated
from chaos.parts import Part, until
from chaos.schedule import Fault
from chaos.system import Layout
from chaos.testbed import Testbed
from parley_core.job import MAX_ATTEMPTS, Job, Phase

LONG, SHORT = 240, 30  # minutes of a recording
WAITING = 3  # jobs that may be interrupted, so that both workers always have one
END_SHARE = 8 / 60  # of a recording's length: an attempt that nothing disturbs has ended by then, on a busy machine too
BETWEEN_STOPS = (0.5, 2.5)  # seconds, in recordings of 30 minutes
BETWEEN_KILLS = (4.0, 9.0)  # the same: a job must not use up its attempts before most of its work is done
REPEATED_BOUND = 0.05  # of a recording's engine work, 95th percentile
IN_ENGINE = (Phase.SEGMENTATION, Phase.EMBEDDING)
LAYOUT = Layout(apis=1, workers=2, concurrency=1, engine="chaos.noting_engine:NotingEngine")


def interrupt_workers(
    interrupt: Callable[[Testbed, Part], None],
    times: int,
    pause: tuple[float, float],
    spared: Callable[[Job], bool],
    minutes: int,
) -> Callable[[Testbed], None]:
    """Interrupt computing workers one after the other.

    Args:
        interrupt: ends a worker.
        times: number of interruptions.
        pause: shortest and longest time before each, in seconds, in recordings of 30 minutes.
        spared: jobs that may not be interrupted.
        minutes: length of each recording.
    """
    patience, longer = END_SHARE * 60 * minutes, minutes / SHORT

    def inject(testbed: Testbed) -> None:
        testbed.load.finish(at_least=WAITING)
        caller = Caller(testbed.system.urls, testbed.load.ledger, random.Random(0), testbed.system.receiver.url)
        recording = conversation(minutes * 60)
        wait_for_the_first_end(testbed, patience)

        def computing() -> list[Part]:
            while sum(not spared(job) for job in testbed.system.unfinished()) < WAITING:
                caller.submit(recording, "audio/flac")
            return computing_workers(testbed, spared)

        for _ in range(times):
            testbed.pause(*(longer * seconds for seconds in pause))
            interrupt(testbed, testbed.rng.choice(wait_for(computing, patience)))
            testbed.note()
        until(lambda: not testbed.system.unfinished(), WAITING * patience)
        caller.close()

    return inject


def wait_for_the_first_end(testbed: Testbed, seconds: float) -> None:
    """Let the first recordings end undisturbed: their turns are those that all others must have."""
    if not until(lambda: any(job.state.terminal for job in every_job(testbed.system)), seconds):
        raise TimeoutError("no recording ended without a disturbance")


def wait_for(computing: Callable[[], list[Part]], seconds: float) -> list[Part]:
    """Return computing workers once there are any: a job whose last attempt runs is spared until its end.

    Raises:
        TimeoutError: none computes in this time.
    """
    found: list[Part] = []

    def look() -> bool:
        found[:] = computing()
        return bool(found)

    if not until(look, seconds):
        raise TimeoutError("no worker computes")
    return found


def computing_workers(testbed: Testbed, spared: Callable[[Job], bool]) -> list[Part]:
    """Return the workers whose engine computes."""

    def computes(worker: Part) -> bool:
        jobs = testbed.running_on(worker) if worker.alive else []
        return any(job.phase in IN_ENGINE and not spared(job) for job in jobs)

    return [worker for worker in testbed.system.kind("worker") if computes(worker)]


def kill(testbed: Testbed, worker: Part) -> None:
    worker.kill()


def stop(testbed: Testbed, worker: Part) -> None:
    """Stop a worker on purpose, and note how long it takes to be gone."""
    began, (main, *_) = time.monotonic(), worker.tree()
    worker.terminate()
    main.wait(2 * STOP_SECONDS)
    testbed.seconds_to_stop.append(time.monotonic() - began)


def check(testbed: Testbed) -> Iterator[str]:
    """Compare the turns, and measure what was computed twice."""
    jobs = every_job(testbed.system)
    turns = {job.id: _turns(testbed.system.urls[0], job) for job in jobs}
    undisturbed = min(jobs, key=lambda job: job.finished_at.timestamp() if job.finished_at else float("inf"))
    if different := [job_id for job_id, found in turns.items() if found != turns[undisturbed.id]]:
        yield f"other turns than an undisturbed run: {', '.join(different)}"
    if not turns[undisturbed.id]:
        yield "no turns were found"
    repeated = repeated_shares(pieces_in(testbed.system.folder))
    testbed.figures["computed again, share of a recording's engine work"] = stated((100 * r for r in repeated), "%")
    if percentile(repeated, 0.95) > REPEATED_BOUND:
        yield f"{percentile(repeated, 0.95):.1%} of the engine's work computed again at p95, bound {REPEATED_BOUND:.0%}"


def check_stops(testbed: Testbed) -> Iterator[str]:
    """Check also that no stop is counted as an attempt, and that stopped workers were soon gone."""
    yield from check(testbed)
    if counted := [job.id for job in every_job(testbed.system) if len(job.attempts) != 1]:
        yield f"planned stops counted as attempts: {', '.join(counted)}"
    took = testbed.seconds_to_stop
    testbed.figures["from SIGTERM to the end of the worker"] = stated(took, "s")
    if max(took) > STOP_SECONDS:
        yield f"a worker took {max(took):.1f} s to stop, {STOP_SECONDS} s allowed"


def _turns(url: str, job: Job) -> Any:
    return httpx.get(f"{url}/v1/jobs/{job.id}/turns", timeout=30).raise_for_status().json()["turns"]


def killed(name: str, minutes: int, times: int) -> Fault:
    """Return the fault of workers that are killed. A job has four attempts, so three kills need a recording."""
    return Fault(
        name,
        f"SIGKILL of a worker that computes recordings of {minutes} minutes, {times} times: equal turns",
        interrupt_workers(kill, times, BETWEEN_KILLS, lambda job: len(job.attempts) >= MAX_ATTEMPTS, minutes),
        LAYOUT,
        jobs=WAITING,
        rate=0.5,
        recording=lambda: conversation(minutes * 60),
        check=check,
    )


def stopped(name: str, minutes: int, times: int) -> Fault:
    """Return the fault of workers that are stopped on purpose."""
    return Fault(
        name,
        f"SIGTERM of a worker that computes recordings of {minutes} minutes, {times} times: equal turns, one attempt",
        interrupt_workers(stop, times, BETWEEN_STOPS, lambda _: False, minutes),
        LAYOUT,
        most_executions=times,  # every start is one, and no stop counts as an attempt
        jobs=WAITING,
        rate=0.5,
        recording=lambda: conversation(minutes * 60),
        check=check_stops,
    )


FAULTS = (
    killed("real engine, workers killed", SHORT, 40),
    stopped("real engine, workers stopped", SHORT, 40),
    killed("real engine, workers killed, 4 hours", LONG, 10),
    stopped("real engine, workers stopped, 4 hours", LONG, 20),
)
