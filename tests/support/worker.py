"""Real workers and keepers for tests, and what it takes to look inside: children, their processor time, the log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley_core.celery_queue import CeleryJobQueue
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobStoreUnavailable
from parley_core.job import Job, JobOptions, NewJob, Queue, dispatch_of
from parley_core.recording import result_folder
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.engines import GATE
from tests.support.fakes import new_job
from tests.support.roles import as_role
from tests.support.sounds import wav
from tests.support.waiting import HANG_SECONDS, until

REPOSITORY = Path(__file__).parents[2]
SCRIPTED_ENGINE = "parley_worker.engines.scripted:scripted_engine"


def environment(settings: Settings, **more: object) -> dict[str, str]:
    """Return what a process of Parley needs to see these settings."""
    shared = {
        "PARLEY_REDIS_URL": settings.redis_url.get_secret_value(),
        "PARLEY_OBJECTS_URL": settings.objects_url,
        "PARLEY_LEASE_SECONDS": settings.lease_seconds,
        "PARLEY_LEASE_RENEWAL_SECONDS": settings.lease_renewal_seconds,
        "PYTHONPATH": f"{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}",
    }
    return {**os.environ, **{name: str(value) for name, value in {**shared, **more}.items()}}


class ParleyProcess:
    """`python -m <module>` with its log in a file."""

    def __init__(self, module: str, settings: Settings, folder: Path, **variables: object) -> None:
        self.log = folder / f"{module}-{time.monotonic_ns()}.log"
        variables_of_process = environment(settings, **variables)
        url, role = variables_of_process["PARLEY_REDIS_URL"], module.removeprefix("parley_")
        variables_of_process["PARLEY_REDIS_URL"] = as_role(url, role)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module], env=variables_of_process, stdout=log, stderr=log, cwd=folder
            )

    def children(self) -> list[int]:
        """Pids of the pool's processes."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        texts = self.log.read_text(errors="replace").splitlines()
        return [json.loads(text) for text in texts if text.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("event") == name]

    def wait_until_ready(self) -> None:
        until(lambda: any("ready" in str(line.get("event")) for line in self.lines()), what=self.log.read_text())

    def signal(self, number: signal.Signals) -> None:
        """To the main process alone, as Kubernetes does."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """SIGKILL, and wait until no child is left."""
        children = self.children()
        self.process.kill()
        self.process.wait(HANG_SECONDS)
        until(lambda: not any(is_running(pid) for pid in children), what="children outlived their parent")


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class System:
    """Real store, queue and objects, and the processes that a test starts on them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder = settings, folder
        self.store = DurableJobStore.from_settings(settings)
        self.queue = CeleryJobQueue.from_settings(settings)
        self.objects = object_store(settings)
        self._processes: list[ParleyProcess] = []

    def worker(self, engine: str = SCRIPTED_ENGINE, **variables: object) -> ParleyProcess:
        """Start a worker that is stopped when the test ends."""
        return self._start("parley_worker", PARLEY_ENGINE=engine, **variables)

    def keeper(self, **variables: object) -> ParleyProcess:
        """Start a keeper that is stopped when the test ends."""
        return self._start("parley_keeper", **variables)

    def _start(self, module: str, **variables: object) -> ParleyProcess:
        process = ParleyProcess(module, self.settings, self._folder, **variables)
        self._processes.append(process)
        return process

    def submit(self, queue: Queue = Queue.INTERACTIVE) -> str:
        """Record and publish one job with a second of sound; return its id."""
        job = self.store.create(self.upload(queue)).job
        self.publish(job)
        return job.id

    def upload(self, queue: Queue = Queue.INTERACTIVE) -> NewJob:
        """Store a second of sound; return the job that nobody has recorded yet."""
        new = new_job(seconds=1.0, options=JobOptions(queue=queue))
        self.objects.put(new.recording.key, wav(seconds=1.0))
        return new

    def let_engines_end(self) -> None:
        """Open the gate that every `tests.support.engines:Gated` of this system waits at."""
        (self._folder / GATE).touch()

    def publish(self, job: Job) -> None:
        self.queue.publish(dispatch_of(job))
        self.store.mark_queued(dispatch_of(job))

    def wait(self, job_id: str, condition: Callable[[Job], bool]) -> Job:
        """Return the job once it is as the condition says; a Redis that is away for a while is asked again."""
        seen: list[object] = []

        def ask() -> Job | None:
            try:
                job = self.store.get(job_id)
            except JobStoreUnavailable as error:
                seen[:] = [error]
                return None
            seen[:] = [job]
            return job if condition(job) else None

        try:
            return until(ask)
        except TimeoutError as error:
            raise TimeoutError(f"last seen: {seen}") from error

    def wait_for_end(self, job_id: str) -> Job:
        return self.wait(job_id, lambda job: job.state.terminal)

    def results(self, job_id: str) -> list[str]:
        """Result keys of the attempts that left something: the result, its peaks or both."""
        return sorted({f"{key.rpartition('.')[0]}.json" for key in self.objects.keys(result_folder(job_id))})

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


@contextmanager
def running_system(settings: Settings, folder: Path) -> Iterator[System]:
    """A system whose processes do not outlive the test."""
    system = System(settings, folder)
    try:
        yield system
    finally:
        system.stop()
