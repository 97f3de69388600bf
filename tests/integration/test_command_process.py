"""`parley` as a process: on a terminal, in a pipe, and interrupted by Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.waiting import HANG_SECONDS, until
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, turns_document

Start = Callable[..., "subprocess.Popen[str]"]
PARLEY = (sys.executable, "-m", "parley")
JOB = f"/v1/jobs/{JOB_ID}"
SUCCEEDED = job_document(state="succeeded", result={"speakers": 2, "turns": 2, "seconds_of_speech": 30.0})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consult.flac"
    path.write_bytes(b"fLaC")
    return path


@pytest.fixture
def start(server: ScriptedServer) -> Iterator[Start]:
    """Starts `parley` processes; those that still run after the test are killed."""
    with ExitStack() as processes:

        def start_one(*arguments: object, **streams: int) -> subprocess.Popen[str]:
            environment = os.environ | {"PARLEY_URL": server.url}
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            command = [*PARLEY, *(str(argument) for argument in arguments)]
            process = subprocess.Popen(command, env=environment, text=True, **(pipes | streams))
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield start_one


def wait_for_request(server: ScriptedServer, method: str, path: str) -> None:
    until(
        lambda: any((request.method, request.path) == (method, path) for request in server.requests),
        what=f"no {method} {path}",
    )


def test_ctrl_c_while_waiting_names_the_job(server: ScriptedServer, start: Start, recording: Path) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    running = Reply(document=job_document(state="running"), before=lambda: time.sleep(0.2))
    server.on("GET", JOB, running)
    process = start("submit", recording)
    wait_for_request(server, "GET", JOB)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "The accepted job continues" in stderr
    assert f"parley job {JOB_ID} --wait" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""


def test_ctrl_c_during_an_upload_says_that_no_job_was_accepted(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(30 * 1024**2)  # a larger one is sent as a resumable upload
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.slow.set()
    process = start("submit", path)
    assert server.slowed.wait(HANG_SECONDS)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "No job was accepted." in stderr


def test_ctrl_c_while_watching_one_job(server: ScriptedServer, start: Start) -> None:
    server.on("GET", JOB, Reply(document=job_document(state="queued"), before=lambda: time.sleep(0.2)))
    process = start("job", JOB_ID, "--wait", "--json")
    wait_for_request(server, "GET", JOB)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "The job continues" in stderr
    assert json.loads(stdout)["error"]["jobs"] == [JOB_ID]


def test_a_closed_pipe_is_not_an_error(server: ScriptedServer, start: Start) -> None:
    jobs = [job_document(f"job-{number:05}") for number in range(2000)]
    server.on("GET", "/v1/jobs", Reply(document={"jobs": jobs, "next_cursor": None}))
    process = start("jobs", "--limit", "2000")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ID")
    process.stdout.close()
    _, stderr = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, stderr) == (0, "")


def test_a_terminal_gets_bars_and_colours(server: ScriptedServer, start: Start, recording: Path) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", JOB, Reply(document=SUCCEEDED))
    server.on("GET", f"{JOB}/turns", Reply(document=turns_document()))
    screen, inside = pty.openpty()
    process = start("submit", recording, stdout=inside, stderr=inside, stdin=inside)
    os.close(inside)
    shown = read_all(screen)
    assert process.wait(timeout=HANG_SECONDS) == 0
    assert "\x1b[" in shown
    assert "━" in shown
    assert "succeeded" in shown
    assert "SPEAKER_01" in shown


def test_many_files_are_submitted_at_once_and_printed_in_order(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number:02}.wav" for number in range(30)]
    for path in paths:
        path.write_bytes(path.name.encode())
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", JOB, Reply(document=SUCCEEDED))
    server.on("GET", f"{JOB}/turns", Reply(document=turns_document()))
    process = start("submit", *paths, "--json")
    stdout, _ = process.communicate(timeout=HANG_SECONDS)
    assert [entry["file"] for entry in json.loads(stdout)] == [str(path) for path in paths]
    uploads = [request for request in server.requests if request.method == "POST"]
    assert {request.body.decode() for request in uploads} == {path.name for path in paths}
    assert len({request.headers["Idempotency-Key"] for request in uploads}) == 30


def read_all(screen: int) -> str:
    """Return everything written to a pseudo-terminal until its other side is closed."""
    shown = b""
    while True:
        try:
            piece = os.read(screen, 4096)
        except OSError:  # Linux says EIO when the last writer is gone
            piece = b""
        if not piece:
            os.close(screen)
            return shown.decode()
        shown += piece
