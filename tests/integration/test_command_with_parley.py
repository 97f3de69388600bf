"""`parley` and the Python client against the real thing: API, keeper, Celery worker and Valkey as processes."""

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
from tests.support.sounds import wav
from tests.support.valkey import Valkey
from tests.support.worker import SCRIPTED_ENGINE, ParleyProcess

SECONDS = 2.0  # of each recording


class Api(ApiProcess):
    """An API that can be killed and started again at the same address."""

    def restart(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.running.kill()
        self.running.wait(10)
        meanwhile()
        self.__enter__()


class ApiFixture:
    """All parts, and the command. Their data live as long as the tests of this file."""

    def __init__(self, settings: Settings, valkey: Valkey, api: Api, folder: Path) -> None:
        self.settings, self.valkey, self.api, self.folder = settings, valkey, api, folder

    def let_holds_lapse(self) -> None:
        """Do what a minute does: idempotency keys that a dead API held are free again."""
        redis = self.valkey.client()
        for key in redis.scan_iter("parley:idempotency:*"):
            if not redis.hexists(key, "job"):
                redis.delete(key)

    def parley(self, *arguments: object, url: str | None = None, key: str = "") -> Result:
        """Run the command to its end, in this process."""
        variables = {"PARLEY_URL": url or self.api.url, "PARLEY_API_KEY": key}
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)

    def command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "parley", *(str(argument) for argument in arguments)]

    def variables(self) -> dict[str, str]:
        return os.environ | {"PARLEY_URL": self.api.url}

    def worker(self, seconds: float = 0.2) -> AbstractContextManager[ParleyProcess]:
        """A worker whose engine takes so many seconds."""
        engine = {"PARLEY_ENGINE": SCRIPTED_ENGINE, "PARLEY_SCRIPTED_SECONDS": seconds}
        return running("parley_worker", self.settings, self.folder, **engine)


@contextmanager
def running(module: str, settings: Settings, folder: Path, **variables: object) -> Iterator[ParleyProcess]:
    process = ParleyProcess(module, settings, folder, **variables)
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiFixture]:
    folder = tmp_path_factory.mktemp("fixture")
    objects = f"file://{folder}/objects"
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with ExitStack() as parts:
        parts.callback(valkey.stop)
        settings = Settings(redis_url=valkey.url, objects_url=objects, lease_seconds=3, lease_renewal_seconds=0.5)
        api = parts.enter_context(Api(settings, folder / "api.log"))
        parts.enter_context(running("parley_keeper", settings, folder))
        yield ApiFixture(settings, valkey, api, folder)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consult.wav"
    path.write_bytes(wav(SECONDS))
    return path


def test_from_files_to_turns_to_a_receipt(fixture: ApiFixture, recording: Path, tmp_path: Path) -> None:
    with fixture.worker():
        shown = fixture.parley("submit", recording, "--reference", "consult 7")
        assert (shown.exit_code, "     0.00      2.00  SPEAKER_00" in shown.stdout) == (0, True), shown.stderr
        written = fixture.parley("submit", recording, "-o", tmp_path / "turns")
        assert written.exit_code == 0
        assert (tmp_path / "turns" / "consult.rttm").read_text().startswith("SPEAKER ")
        (listed,) = json.loads(fixture.parley("jobs", "--reference", "consult 7", "--json").stdout)
        job_id = listed["id"]
        assert job_id in fixture.parley("jobs").stdout
        assert "succeeded" in fixture.parley("job", job_id).stdout
        assert fixture.parley("turns", job_id, "--format", "rttm").stdout.split()[1] == job_id
        assert json.loads(fixture.parley("turns", job_id, "--json").stdout)["speakers"] == ["SPEAKER_00"]
        assert fixture.parley("cancel", job_id).exit_code == 3
        assert fixture.parley("doctor").exit_code == 0
        receipt, *rest = json.loads(fixture.parley("purge", job_id, "--yes", "--json").stdout)
        assert (receipt["job_id"], rest) == (job_id, [])
        gone = fixture.parley("job", job_id)
        assert (gone.exit_code, "410 job_purged" in gone.stderr) == (3, True)


def test_cancelled_jobs_are_exit_1_and_run_again_by_hand(fixture: ApiFixture, recording: Path) -> None:
    job_id = fixture.parley("submit", recording, "--no-wait").stdout.strip()
    assert fixture.parley("turns", job_id).exit_code == 3
    assert fixture.parley("queues").stdout.splitlines()[0].split()[0] == "QUEUE"
    assert job_id in fixture.parley("jobs", "--stuck", "--older-than", "0s").stdout
    assert fixture.parley("cancel", job_id).exit_code == 0
    assert fixture.parley("job", job_id, "--wait").exit_code == 1
    assert fixture.parley("retry", job_id).exit_code == 0
    with fixture.worker():
        assert fixture.parley("job", job_id, "--wait").exit_code == 0


def test_ctrl_c_leaves_the_job_to_its_worker(fixture: ApiFixture, recording: Path) -> None:
    command = fixture.command(("submit", recording))
    with (
        fixture.worker(seconds=3),
        subprocess.Popen(
            command, env=fixture.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        next(line for line in said if "segmentation" in line)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(5) == 130
        job_id = rest.split("parley job ")[1].split()[0]
        assert fixture.parley("job", job_id, "--wait").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("notes.wav", b"this is a text and no sound at all" * 100, (), "not_audio"),
        ("empty.wav", b"", (), "empty_recording"),
        ("ok.wav", wav(SECONDS), ("--min-speakers", "5", "--max-speakers", "2"), "`min_speakers` (5) is greater"),
        ("ok.wav", wav(SECONDS), ("--speakers", "-1"), "`num_speakers` must be a whole number"),
        ("ok.wav", wav(SECONDS), ("--speakers", "2", "--max-speakers", "3"), "not both"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_3(
    fixture: ApiFixture, tmp_path: Path, name: str, content: bytes, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = fixture.parley("submit", tmp_path / name, *options)
    assert result.exit_code == 3
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_api_that_is_killed_again_and_again_under_submits_makes_no_job_twice(
    fixture: ApiFixture, recording: Path
) -> None:
    with Parley(fixture.api.url, retry=RetryPolicy(tries=30, longest_wait=5.0)) as client:
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(client.submit, recording, queue="batch", reference="killed") for _ in range(24)]
            for _ in range(2):
                time.sleep(0.3)
                fixture.api.restart(meanwhile=fixture.let_holds_lapse)
            answered = {future.result().id for future in sent}
        assert len(answered) == 24
        assert {job.id for job in client.jobs(reference="killed")} == answered
        for job_id in answered:
            client.cancel(job_id)


def test_waiting_goes_on_through_a_restart_of_the_api(fixture: ApiFixture, recording: Path) -> None:
    with (
        Parley(fixture.api.url) as client,
        ThreadPoolExecutor(1) as pool,
        fixture.worker(seconds=2),
    ):
        waiting = pool.submit(client.wait, client.submit(recording).id)
        time.sleep(0.5)
        fixture.api.restart()
        assert waiting.result(30).succeeded


def test_keys_are_asked_for_and_the_doctor_says_so(fixture: ApiFixture) -> None:
    digest = hashlib.sha256(b"open sesame").hexdigest()
    keys = fixture.folder / "keys"
    keys.write_text(f"clinic:{digest}\n")
    with ApiProcess(fixture.settings, fixture.folder / "api-keys.log", PARLEY_API_KEYS_FILE=str(keys)) as api:
        refused = fixture.parley("doctor", url=api.url)
        assert (refused.exit_code, "PARLEY_API_KEY" in refused.stdout) == (3, True), refused
        assert fixture.parley("jobs", url=api.url).exit_code == 3
        assert fixture.parley("jobs", url=api.url, key="open sesame").exit_code == 0


def test_a_gigabyte_costs_the_command_no_memory(fixture: ApiFixture, tmp_path: Path) -> None:
    small, large = tmp_path / "small.wav", tmp_path / "large.wav"
    for path, size in ((small, 1000), (large, 1024**3)):
        with path.open("wb") as file:
            file.truncate(size)
    peaks = [peak_of(fixture.command(("submit", path, "--no-wait")), fixture.variables()) for path in (small, large)]
    assert peaks[1] - peaks[0] < 16_000_000


def peak_of(command: list[str], variables: dict[str, str]) -> int:
    """Run a command to its end and return its peak memory in bytes."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 3, "zeros are no audio, which is found out when all of it is there"
    return usage.ru_maxrss * 1024
