"""`parley` and the Python client with a real server: API, keeper, Celery worker and Valkey as processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parley import Parley, RetryPolicy
from parley.cli.app import app
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.engines import GATE
from tests.support.sounds import wav
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, until
from tests.support.worker import SCRIPTED_ENGINE, ParleyProcess

SECONDS = 2.0  # of each recording
PATIENT = RetryPolicy(tries=30, max_backoff=5.0, connect_seconds=60.0)  # an API may take long to start here


class RestartableApi(ApiProcess):
    """An API that can be killed and started again at the same address."""

    def restart(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.running.kill()
        self.running.wait(HANG_SECONDS)
        meanwhile()
        self.__enter__()


class SystemFixture:
    """All components, and the command. Their data live as long as the tests of this file."""

    def __init__(self, settings: Settings, valkey: Valkey, api: RestartableApi, folder: Path) -> None:
        self.settings, self.valkey, self.api, self.folder = settings, valkey, api, folder

    def expire_idempotency_keys(self) -> None:
        """Free the idempotency keys that a dead API holds, as their time limit does."""
        redis = self.valkey.client()
        for key in redis.scan_iter("parley:idempotency:*"):
            if not redis.hexists(key, "job"):
                redis.delete(key)

    def parley(self, *arguments: object, url: str | None = None, key: str = "") -> Result:
        """Run a command to its end, in this process."""
        variables = {"PARLEY_URL": url or self.api.url, "PARLEY_API_KEY": key}
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)

    def command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "parley", *(str(argument) for argument in arguments)]

    def variables(self) -> dict[str, str]:
        return os.environ | {"PARLEY_URL": self.api.url}

    def worker(self) -> AbstractContextManager[ParleyProcess]:
        """A worker with a quick engine."""
        return running("parley_worker", self.settings, self.folder, PARLEY_ENGINE=SCRIPTED_ENGINE)

    @contextmanager
    def gated_worker(self) -> Iterator[Callable[[], None]]:
        """A worker whose engine works until the call that is given."""
        gate = self.folder / GATE
        with running("parley_worker", self.settings, self.folder, PARLEY_ENGINE="tests.support.engines:Gated"):
            yield gate.touch
        gate.unlink()


@contextmanager
def running(module: str, settings: Settings, folder: Path, **variables: object) -> Iterator[ParleyProcess]:
    process = ParleyProcess(module, settings, folder, **variables)
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemFixture]:
    folder = tmp_path_factory.mktemp("system")
    objects = f"file://{folder}/objects"
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with ExitStack() as components:
        components.callback(valkey.stop)
        settings = Settings(redis_url=valkey.url, objects_url=objects, lease_seconds=3, lease_renewal_seconds=0.5)
        api = components.enter_context(RestartableApi(settings, folder / "api.log"))
        components.enter_context(running("parley_keeper", settings, folder))
        yield SystemFixture(settings, valkey, api, folder)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consult.wav"
    path.write_bytes(wav(SECONDS))
    return path


def test_from_files_to_turns_to_a_receipt(system: SystemFixture, recording: Path, tmp_path: Path) -> None:
    with system.worker():
        shown = system.parley("submit", recording, "--reference", "consult 7")
        assert (shown.exit_code, "     0.00      2.00  SPEAKER_00" in shown.stdout) == (0, True), shown.stderr
        written = system.parley("submit", recording, "-o", tmp_path / "turns")
        assert written.exit_code == 0
        assert (tmp_path / "turns" / "consult.rttm").read_text().startswith("SPEAKER ")
        (listed,) = json.loads(system.parley("jobs", "--reference", "consult 7", "--json").stdout)
        job_id = listed["id"]
        assert job_id in system.parley("jobs").stdout
        assert "consult.wav" in system.parley("jobs").stdout
        assert "succeeded" in system.parley("job", job_id[:18]).stdout
        assert system.parley("turns", job_id, "--format", "rttm").stdout.split()[1] == job_id
        assert json.loads(system.parley("turns", job_id, "--json").stdout)["speakers"] == ["SPEAKER_00"]
        assert system.parley("cancel", job_id).exit_code == 3
        assert system.parley("doctor").exit_code == 0
        assert job_id in system.parley("watch", job_id).stdout
        assert system.parley("audio", job_id, "-o", tmp_path / "back.wav").exit_code == 0
        assert (tmp_path / "back.wav").read_bytes() == recording.read_bytes()
        receipt, *rest = json.loads(system.parley("delete", job_id, "--yes", "--json").stdout)
        assert (receipt["job_id"], rest) == (job_id, [])
        gone = system.parley("job", job_id)
        assert (gone.exit_code, "410 job_purged" in gone.stderr) == (3, True)


def test_a_cancelled_job_is_exit_1_and_runs_again_after_a_retry(system: SystemFixture, recording: Path) -> None:
    job_id = system.parley("submit", recording, "--no-wait").stdout.strip()
    assert system.parley("turns", job_id).exit_code == 3
    assert system.parley("queues").stdout.splitlines()[0].split()[0] == "QUEUE"
    assert job_id in system.parley("jobs", "--stuck", "--older-than", "0s").stdout
    assert system.parley("cancel", job_id).exit_code == 0
    assert system.parley("job", job_id, "--wait").exit_code == 1
    assert system.parley("retry", job_id).exit_code == 0
    with system.worker():
        assert system.parley("job", job_id, "--wait").exit_code == 0


def test_ctrl_c_leaves_the_job_running(system: SystemFixture, recording: Path) -> None:
    command = system.command(("submit", recording))
    with (
        system.gated_worker() as let_engine_end,
        subprocess.Popen(
            command, env=system.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        next(line for line in lines if "embedding" in line)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(HANG_SECONDS) == 130
        job_id = rest.split("parley job ")[1].split()[0]
        let_engine_end()
        assert system.parley("job", job_id, "--wait").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("notes.wav", b"this is text, not audio" * 100, (), "not_audio"),
        ("empty.wav", b"", (), "empty_recording"),
        ("ok.wav", wav(SECONDS), ("--min-speakers", "5", "--max-speakers", "2"), "`min_speakers` (5) is greater"),
        ("ok.wav", wav(SECONDS), ("--speakers", "-1"), "`num_speakers` must be at least 1"),
        ("ok.wav", wav(SECONDS), ("--speakers", "2", "--max-speakers", "3"), "not both"),
    ],
)
def test_a_refusal_is_a_sentence_and_exit_3(
    system: SystemFixture, tmp_path: Path, name: str, content: bytes, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = system.parley("submit", tmp_path / name, *options)
    assert result.exit_code == 3
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_api_that_is_killed_during_submits_makes_no_job_twice(system: SystemFixture, recording: Path) -> None:
    with Parley(system.api.url, retry=PATIENT) as client:
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(client.submit, recording, queue="batch", reference="killed") for _ in range(24)]
            for _ in range(2):
                time.sleep(0.3)
                system.api.restart(meanwhile=system.expire_idempotency_keys)
            answered = {future.result().id for future in sent}
        assert len(answered) == 24
        assert {job.id for job in client.jobs(reference="killed")} == answered
        for job_id in answered:
            client.cancel(job_id)


def test_a_wait_survives_a_restart_of_the_api(system: SystemFixture, recording: Path) -> None:
    with (
        Parley(system.api.url, retry=PATIENT) as client,
        ThreadPoolExecutor(1) as pool,
        system.gated_worker() as let_engine_end,
    ):
        waiting = pool.submit(client.wait, client.submit(recording).id)
        time.sleep(0.5)
        system.api.restart()
        let_engine_end()
        assert waiting.result(HANG_SECONDS).succeeded


def test_a_missing_api_key_is_refused_and_the_doctor_names_it(system: SystemFixture) -> None:
    digest = hashlib.sha256(b"open sesame").hexdigest()
    keys = system.folder / "keys"
    keys.write_text(f"clinic:{digest}\n")
    with ApiProcess(system.settings, system.folder / "api-keys.log", PARLEY_API_KEYS_FILE=str(keys)) as api:

        def ready_and_refused() -> bool:
            """On a busy machine the doctor may find a store that does not answer in time, which counts first."""
            found = system.parley("doctor", url=api.url)
            assert "PARLEY_API_KEY" in found.stdout, found.stdout
            assert found.exit_code in (3, 4), found.stdout
            return found.exit_code == 3

        until(ready_and_refused)
        assert system.parley("jobs", url=api.url).exit_code == 3
        assert system.parley("jobs", url=api.url, key="open sesame").exit_code == 0


def test_the_memory_of_a_submit_does_not_grow_with_the_recording(system: SystemFixture, tmp_path: Path) -> None:
    small, large = tmp_path / "small.wav", tmp_path / "large.wav"
    for path, size in ((small, 1000), (large, 1024**3)):
        with path.open("wb") as file:
            file.truncate(size)
    peaks = [peak_of(system.command(("submit", path, "--no-wait")), system.variables()) for path in (small, large)]
    assert peaks[1] - peaks[0] < 16_000_000


def peak_of(command: list[str], variables: dict[str, str]) -> int:
    """Run a command to its end and return its peak memory in bytes."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 3, "zeros are not audio"
    return usage.ru_maxrss * 1024
