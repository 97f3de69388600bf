"""`make run` and `make demo` as processes: all parts start and stop, and the data is kept."""

from __future__ import annotations

import io
import json
import os
import re
import shelve
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import soundfile

from parley_local.demo import SAMPLE
from tests.support.waiting import HANG_SECONDS, until

MARK = "doe-jane-1970"  # a patient's name, as file names have it
FLAC = {"Content-Type": "audio/flac"}


class OneMachine:
    """A running `python -m parley_local run`."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.flower_port = home, free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = home.with_suffix(".out")
        self.starts = 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self.output.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "parley_local", "run"], env=self.environment(), stdout=out, stderr=out
            )

    def environment(self) -> dict[str, str]:
        ports = {"PARLEY_PORT": str(self.port), "PARLEY_FLOWER_PORT": str(self.flower_port)}
        return {**os.environ, **ports, "PARLEY_HOME": str(self.home), "PARLEY_LEASE_SECONDS": "4"}

    def start_again(self) -> None:
        self.process = self._start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.wait_until(lambda: self.said().count("Parley is ready") == self.starts)

    def said(self) -> str:
        return self.output.read_text()

    def members(self) -> list[psutil.Process]:
        """Return the processes of this system, which have its home in their environment."""
        return [process for process in psutil.process_iter() if self._is_member(process)]

    def _is_member(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get("PARLEY_HOME") == str(self.home)
        except psutil.Error:
            return False

    def part(self, words: str) -> psutil.Process:
        """Return the main process of a part, by its command line."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def submit(self, recording: bytes) -> str:
        """Submit a recording whose file name and reference are marked; return the id of its job."""
        marked = {"file_name": f"{MARK}.flac", "reference": MARK}
        answer = httpx.post(f"{self.url}/v1/jobs", content=recording, params=marked, headers=FLAC)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    def lines(self, part: str) -> list[dict[str, Any]]:
        """Return the log of a part, each line of which is JSON."""
        return [json.loads(line) for line in (self.home / "logs" / f"{part}.log").read_text().splitlines()]

    def state(self, job_id: str) -> str:
        return str(httpx.get(f"{self.url}/v1/jobs/{job_id}").raise_for_status().json()["state"])

    def wait_until(self, true: Callable[[], bool]) -> None:
        try:
            until(true)
        except TimeoutError:
            pytest.fail(self.said())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(HANG_SECONDS)

    def kill(self) -> None:
        """Kill the parent, and wait until all processes have ended, the embedded Valkey included."""
        self.process.kill()
        self.process.wait()
        self.wait_until(lambda: not self.members())


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachine]:
    running = OneMachine(tmp_path_factory.mktemp("one-machine") / "home")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


@pytest.fixture
def system(one_machine: OneMachine) -> OneMachine:
    """A system that runs, whatever the tests before this one have done to it: a start costs more than most of them."""
    if one_machine.process.poll() is not None:
        one_machine.start_again()
    return one_machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def noise(seconds: float = 2.0) -> bytes:
    samples = np.random.default_rng(7).normal(0, 0.01, int(16_000 * seconds)).astype(np.float32)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 16_000, 1, format="FLAC") as recording:
        recording.title = MARK
        recording.write(samples)
    return file.getvalue()


def test_a_second_run_continues_with_the_jobs_of_the_first(system: OneMachine) -> None:
    assert httpx.get(f"{system.url}/docs").status_code == httpx.codes.OK
    assert all(address in system.said() for address in (system.url, f"{system.url}/docs", str(system.flower_port)))
    system.wait_until(lambda: answers(f"http://127.0.0.1:{system.flower_port}/"))
    job_id = system.submit(noise())
    system.wait_until(lambda: system.state(job_id) == "succeeded")

    refused = httpx.post(f"{system.url}/v1/jobs", content=f"{MARK}", params={"file_name": MARK}, headers=FLAC)
    assert refused.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
    assert httpx.get(f"{system.url}/v1/jobs/{MARK}").is_client_error

    assert system.stop(signal.SIGINT) == 0
    with shelve.open(str(system.home / "flower"), "r") as kept:
        assert "events" in kept, "Flower keeps its tasks"
    assert not system.members()
    assert "did not stop in time" not in system.said()
    assert_logs_name_the_job_and_no_patient(system, job_id)

    system.start_again()
    assert system.state(job_id) == "succeeded"
    again = system.submit(noise())
    system.wait_until(lambda: system.state(again) == "succeeded")


def assert_logs_name_the_job_and_no_patient(system: OneMachine, job_id: str) -> None:
    assert MARK not in system.said()
    lines = {part: system.lines(part) for part in ("api", "keeper", "worker", "flower")}
    for part, found in lines.items():
        assert MARK not in str(found)
        assert {line["service"] for line in found} <= {part}
        assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in found)
    about = {"job_id": job_id, "tenant": "default", "trace_id": job_id.replace("-", "")}
    attempt, submit = about | {"event": "attempt started", "attempt": 1}, about | {"event": "request", "method": "POST"}
    assert any(attempt.items() <= line.items() for line in lines["worker"])
    assert any(submit.items() <= line.items() for line in lines["api"])


def test_killed_parts_are_restarted_and_the_next_job_succeeds(system: OneMachine) -> None:
    for words in ("parley_worker", "valkey-server", "-m parley_keeper"):
        before = system.said()
        died, restarted = before.count("died (killed by SIGKILL)"), before.count("restarted (process")
        system.part(words).kill()
        system.wait_until(lambda: system.said().count("died (killed by SIGKILL)") > died)  # noqa: B023 - called now
        system.wait_until(lambda: system.said().count("restarted (process") > restarted)  # noqa: B023 - called now
    system.wait_until(lambda: answers(f"{system.url}/readyz"))
    job_id = system.submit(noise())
    system.wait_until(lambda: system.state(job_id) == "succeeded")


def test_a_killed_parent_leaves_no_process_while_a_job_runs(system: OneMachine) -> None:
    job_id = system.submit(SAMPLE.read_bytes())
    system.wait_until(lambda: system.state(job_id) == "running")
    assert any("valkey-server" in " ".join(member.cmdline()) for member in system.members())
    system.kill()

    system.start_again()
    system.wait_until(lambda: system.state(job_id) == "succeeded")


def test_a_second_system_on_the_same_home_or_port_is_refused(system: OneMachine, tmp_path: Path) -> None:
    same_home = run("run", system.environment() | {"PARLEY_PORT": str(free_port())})
    assert same_home.returncode == 1
    assert f"process {system.process.pid}" in same_home.stderr
    same_port = run("run", system.environment() | {"PARLEY_HOME": str(tmp_path / "other")})
    assert same_port.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{system.port}" in same_port.stderr
    assert "PARLEY_PORT" in same_port.stderr
    assert httpx.get(f"{system.url}/readyz").status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"PARLEY_PORT": "ninety"}, "PARLEY_PORT"),
        ({"PARLEY_HOST": "0.0.0.0"}, "without authentication"),
        ({"PARLEY_LEASE_SECONDS": "1"}, "three times"),
    ],
)
def test_wrong_or_unsafe_settings_are_reported(setting: dict[str, str], message: str, tmp_path: Path) -> None:
    refused = run("run", {**os.environ, "PARLEY_HOME": str(tmp_path / "home"), **setting})
    assert refused.returncode == 1
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_demo_prints_the_turns_and_leaves_no_files(tmp_path: Path) -> None:
    shown = run("demo", {**os.environ, "TMPDIR": str(tmp_path)})
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "SPEAKER_00" in shown.stdout
    assert "SPEAKER_01" in shown.stdout
    for step in ("start of all parts", "decoding", "segmentation", "embedding", "clustering", "storing", "stop"):
        assert re.search(rf"^  {step} +\d+\.\d\d s$", shown.stdout, re.MULTILINE), step
    assert not list(tmp_path.glob("parley-demo-*"))


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parley_local", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * HANG_SECONDS,
    )
