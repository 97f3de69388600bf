"""What a process of Parley holds is closed to other processes of the same user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import parley_api.server
import parley_keeper.main
import parley_worker.celery.worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux closes the memory of a process")

ROOT = Path(__file__).parents[2]
AS_USER = "import tests.support.ordinary_user;" if os.getuid() == 0 else ""
OWNER = "from parley_core.process import keep_memory_private;" + AS_USER + "{};print('ready', flush=True);input()"
READER = "import os, sys;" + AS_USER + "os.close(os.open(f'/proc/{sys.argv[1]}/' + sys.argv[2], os.O_RDONLY))"


@contextmanager
def owner(*, private: bool) -> Iterator[int]:
    program = OWNER.format("keep_memory_private()" if private else "pass")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process.pid


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        "PARLEY_REDIS_URL": "redis://:secret@somewhere",
    }


def read(owner: int, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", READER, str(owner), name]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


@pytest.mark.parametrize("name", ["environ", "mem", "maps"])
def test_a_process_of_the_same_user_reads_nothing_of_it(name: str) -> None:
    with owner(private=True) as process:
        assert "PermissionError" in read(process, name).stderr
    with owner(private=False) as process:
        assert read(process, name).returncode == 0


class ReachedError(Exception):
    """The process closes its memory."""


@pytest.mark.parametrize("module", [parley_api.server, parley_keeper.main, parley_worker.celery.worker])
def test_api_keeper_and_worker_close_their_memory_before_they_read_a_secret(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached() -> None:
        raise ReachedError

    def read_secrets(*_: object) -> None:
        raise AssertionError("Settings are read before the memory is closed.")

    monkeypatch.setattr(module, "keep_memory_private", reached)
    monkeypatch.setattr(module, "configure_logs", read_secrets)
    with pytest.raises(ReachedError):
        module.main()  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", [parley_api.server, parley_worker.celery.worker])
def test_api_and_worker_refuse_to_start_where_the_deployment_requires_a_sandbox_that_is_missing(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_SANDBOX_REQUIRED", "true")
    monkeypatch.setattr("parley_audio.sandbox.confinement.missing", lambda: ("Landlock",))
    monkeypatch.setattr(module, "keep_memory_private", lambda: None)
    monkeypatch.setattr(module, "configure_logs", lambda *_: None)
    assert module.main() == 2  # type: ignore[attr-defined]
