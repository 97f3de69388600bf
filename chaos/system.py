"""A whole system of real processes: Valkey, APIs, keepers, workers, and a proxy if a fault needs one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from redis.exceptions import RedisError

from chaos.control import VARIABLE, Control
from chaos.engines import ORDINARY
from chaos.parts import Part, Supervisor, until
from chaos.proxy import Network
from chaos.sentinels import ProxiedSentinels
from parley_core.durable_job_store import DurableJobStore
from parley_core.job import DEFAULT_TENANT, Job, JobQuery, JobState
from parley_core.redis.connection import connect
from parley_core.settings import Settings
from parley_core.storage.folder import FolderStore
from tests.support.collector import Collector
from tests.support.otelcol import OtelCollector, missing_collector
from tests.support.receivers import SECRET, Receiver
from tests.support.s3 import Disk, S3Server
from tests.support.valkey import Valkey

READY_SECONDS = 60
DISK_MEGABYTES = 256  # of the disk of an S3 server
ROOT = Path(__file__).parents[1]
MODULES = {"api": "parley_api", "keeper": "parley_keeper", "worker": "parley_worker"}
UNFINISHED = tuple(state for state in JobState if not state.terminal)

Environment = dict[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """Composition of a system.

    Attributes:
        lease_seconds: shorter than the default of 30 s, which some faults use.
        run_seconds: duration of an ordinary recording in the engine.
        link: how the parts reach Redis: `unix`, `tcp`, `proxy`, or `sentinel`: three servers and three Sentinels.
        engine: engine of the workers. `onnx` is the real one.
        injected: environment for launch.py, by kind of part or by part, for example `worker-1`.
        everywhere: environment of every part.
        objects: the object store: a `folder`, an `s3` server, or an `s3 on a disk` of its own.
        objects_megabytes: size of a separate file system for the object store. 0: none.
        redis_megabytes: the same for Redis, which then flushes once a second. 0: none.
        recording_seconds: length of the submitted recordings, which selects the behaviour of the engine.
    """

    apis: int = 2
    keepers: int = 1
    workers: int = 2
    concurrency: int = 2
    lease_seconds: float = 3.0
    run_seconds: float = 0.3
    link: str = "unix"
    engine: str = "chaos.engines:FaultyEngine"
    injected: dict[str, Environment] = field(default_factory=dict)
    everywhere: Environment = field(default_factory=dict)
    objects: str = "folder"
    objects_megabytes: int = 0
    redis_megabytes: int = 0
    recording_seconds: int = ORDINARY


class System:
    """A running system. The end of the context ends every process and removes the folder."""

    def __init__(self, layout: Layout, seed: str, beside_celery: bool = False) -> None:
        self.layout = layout
        self.folder = Path(tempfile.mkdtemp(prefix="parley-faults-"))
        self.collector = self._collector("traces") if beside_celery else Collector()
        self.receiver = Receiver(answers=[503])  # the first attempt fails
        self.celery_collector = self._collector("celery-traces") if beside_celery else None
        self.objects_folder, self.logs = self.folder / "objects", self.folder / "logs"
        self.logs.mkdir()
        self.secrets = self.folder / "webhook-secrets"
        self.secrets.write_text(f"{DEFAULT_TENANT}:{SECRET}\n")
        self.control = Control(self.folder / "control.json")
        self.control.clear()
        redis_port, proxy_port, s3_port, flush_port, *api_ports = free_ports(4 + layout.apis)
        self.s3 = S3Server(self.folder / "s3", s3_port, flush_port) if layout.objects != "folder" else None
        self.disk = Disk(self.folder / "disk") if layout.objects == "s3 on a disk" else None
        self._mounts = ExitStack()
        if self.s3 is not None:
            self.objects_folder = self.s3.bucket
        self.redis_folder = self.folder / "valkey"
        # A server that flushes before each answer ends itself when its disk is full.
        flush = ("--appendfsync", "everysec") if layout.redis_megabytes else ()
        self.valkey = Valkey(self.redis_folder, "--port", str(redis_port), *flush)
        self._tcp, self._proxied = f"redis://127.0.0.1:{redis_port}/0", f"redis://127.0.0.1:{proxy_port}/0"
        self._proxy_ports = (proxy_port, redis_port)
        self.sentinels = ProxiedSentinels(self.folder)
        self.network: Network | None = None
        self.urls = [f"http://127.0.0.1:{port}" for port in api_ports]
        self.objects_folder.mkdir(parents=True)
        self._seed, self._api_ports = seed, api_ports
        for receiver in (self.receiver, *self._collectors):
            self._mounts.enter_context(receiver)
        self._first_cluster: list[Part] = []
        self._first_valkey = self.valkey
        self._assemble()
        self.first_store = self.store

    def _collector(self, name: str) -> Collector:
        """Return the OpenTelemetry collector, and one of the tests where it is not on PATH."""
        return Collector() if missing_collector() else OtelCollector(self.folder / name)

    def _assemble(self) -> None:
        """Make the parts, and the harness's own connection to their stores."""
        self.parts = self._make_parts(self._api_ports)
        self._supervisor = Supervisor(self.parts)
        self.settings = Settings(
            redis_url=self.sentinels.url if self.layout.link == "sentinel" else self.valkey.url,
            objects_url=f"file://{self.objects_folder}",
            lease_seconds=self.layout.lease_seconds,
        )
        self.store = DurableJobStore.from_settings(self.settings)

    def _make_parts(self, api_ports: list[int]) -> list[Part]:
        layout = self.layout
        names = [("api", number) for number in range(1, layout.apis + 1)]
        names += [("keeper", number) for number in range(1, layout.keepers + 1)]
        names += [("worker", number) for number in range(1, layout.workers + 1)]
        ports = {f"api-{number}": port for number, port in enumerate(api_ports, 1)}
        return [self._make_part(kind, f"{kind}-{number}", ports.get(f"{kind}-{number}")) for kind, number in names]

    def _make_part(self, kind: str, name: str, port: int | None) -> Part:
        active = {**self.layout.injected.get(kind, {}), **self.layout.injected.get(name, {})}
        if kind == "worker" and self.celery_collector:
            active |= {"FAULTS_CELERY_TRACES": self.celery_collector.endpoint}
        environment = {**self._environment(), **active}
        if kind == "keeper":
            environment |= self.collector.environment
        if port is not None:
            environment["PARLEY_PORT"] = str(port)
        launcher = ["-m", "chaos.launch"] if active else ["-m"]
        return Part(name, [sys.executable, *launcher, MODULES[kind]], environment, self.logs / f"{name}.log")

    def _environment(self) -> Environment:
        layout = self.layout
        paths = [str(ROOT), *(str(ROOT / "services" / name) for name in ("core", "api", "worker"))]
        paths += os.environ.get("PYTHONPATH", "").split(os.pathsep)
        return {
            "PYTHONPATH": os.pathsep.join(paths),
            "PARLEY_REDIS_URL": self._redis_url(),
            **self._objects_environment(),
            "PARLEY_HOST": "127.0.0.1",
            "PARLEY_WEBHOOK_SECRETS_FILE": str(self.secrets),
            "PARLEY_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "PARLEY_ENGINE": layout.engine,
            "PARLEY_CONCURRENCY": str(layout.concurrency),
            "PARLEY_LEASE_SECONDS": str(layout.lease_seconds),
            "PARLEY_LEASE_RENEWAL_SECONDS": str(min(1.0, layout.lease_seconds / 6)),
            "FAULTS_RUN_SECONDS": str(layout.run_seconds),
            "FAULTS_SEED": self._seed,
            VARIABLE: str(self.folder / "control.json"),
            **layout.everywhere,
        }

    def _objects_environment(self) -> Environment:
        if self.s3 is None:
            return {"PARLEY_OBJECTS_URL": f"file://{self.objects_folder}"}
        return self.s3.environment

    def _redis_url(self) -> str:
        """Return the address that the parts use."""
        links = {"unix": self.valkey.url, "tcp": self._tcp, "proxy": self._proxied, "sentinel": self.sentinels.url}
        return links[self.layout.link]

    @property
    def _collectors(self) -> tuple[Collector, ...]:
        return tuple(one for one in (self.collector, self.celery_collector) if one)

    def kind(self, kind: str) -> list[Part]:
        """Return the parts of a kind: `api`, `keeper` or `worker`."""
        return [part for part in self.parts if part.name.startswith(kind)]

    @property
    def objects(self) -> FolderStore:
        return FolderStore(self.objects_folder)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        sizes = ((self.objects_folder, self.layout.objects_megabytes), (self.redis_folder, self.layout.redis_megabytes))
        for folder, megabytes in sizes:
            if megabytes:
                self._mounts.enter_context(_small_disk(folder, megabytes))
        if self.disk is not None:
            self.disk.make(DISK_MEGABYTES)
            self._mounts.enter_context(self.disk.mounted(self.folder / "s3"))
        if self.s3 is not None:
            self.s3.start()
        if self.layout.link == "sentinel":
            self.sentinels.start()
        else:
            self.valkey.start()
        if self.layout.link == "proxy":
            self.network = Network(*self._proxy_ports)
        self._start_parts()

    def _start_parts(self) -> None:
        self._supervisor.start()
        if not until(self.ready, READY_SECONDS):
            raise TimeoutError(f"the system was not ready in {READY_SECONDS} s: {self.log_tails()}")

    def start_second_cluster(self, frozen: Sequence[str] = ()) -> None:
        """Give up all parts, and start others with an empty Redis of their own on the same object store and addresses.

        Args:
            frozen: kinds of parts of the first cluster that are frozen instead of killed; `thaw_first_cluster` lets
                them go on, on the Redis of the first cluster.
        """
        self._supervisor.leave()
        for part in self.parts:
            part.freeze() if part.name.partition("-")[0] in frozen else part.end()
        self._first_cluster, self._first_valkey, self.first_store = self.parts, self.valkey, self.store
        if not frozen:
            self.valkey.kill()
        self.valkey = Valkey(self.folder / "second-valkey")
        self.valkey.start()
        self._assemble()
        self._start_parts()

    def thaw_first_cluster(self) -> None:
        for part in self._first_cluster:
            part.thaw()

    def unfinished(self) -> list[Job]:
        """Return every job that has not ended. Raises JobStoreUnavailable."""
        return [job for state in UNFINISHED for job in self._pages(JobQuery(DEFAULT_TENANT, state=state))]

    def _pages(self, query: JobQuery) -> Iterator[Job]:
        while True:
            page = self.store.page(query)
            yield from page.jobs
            if page.next_cursor is None:
                return
            query = replace(query, cursor=page.next_cursor)

    def ready(self) -> bool:
        """Return whether every part runs and every API is ready."""
        return all(part.alive for part in self.parts) and all(self._answers(url) for url in self.urls)

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def traces_waiting(self) -> int:
        """Return the number of traces that the keeper has not sent yet. Raises RedisError."""
        return self._members("parley:traces")

    def deliveries_waiting(self) -> int:
        """Return the number of deliveries that are due now or later. Raises RedisError."""
        return self._members("parley:outbox")

    def _members(self, key: str) -> int:
        url = self.settings.redis_url.get_secret_value()
        return int(connect(url, self.settings.redis_timeout_seconds).zcard(key))

    def redis_answers(self) -> bool:
        try:
            return bool(self.valkey.client().ping())
        except RedisError:
            return False

    def log_tails(self) -> str:
        """Return the last part of every log."""
        ends = [f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.logs.iterdir())]
        return "\n".join(ends)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for part in (*self.parts, *self._first_cluster):
            part.thaw() if part.starts else None
        self._supervisor.stop()
        for part in self._first_cluster:
            part.end()
        if self.network is not None:
            self.network.stop()
        self.valkey.kill()
        self._first_valkey.kill()
        self.sentinels.stop()
        if self.s3 is not None:
            self.s3.kill()
        self._mounts.close()
        if kept := os.environ.get("FAULTS_KEEP_LOGS"):
            shutil.copytree(self.logs, Path(kept) / self._seed.replace(":", "-"), dirs_exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a file system of this size. Needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def free_ports(number: int) -> list[int]:
    """Return free ports."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
