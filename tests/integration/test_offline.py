"""Nothing is sent anywhere: a worker starts and works where there is no network but its own loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.data.audio import SHIPPED
from parley_core.job import JobState
from parley_core.settings import Settings
from tests.support.fakes import new_job
from tests.support.waiting import HANG_SECONDS
from tests.support.worker import environment, running_system

ALONE = ["unshare", "--net", "--map-root-user"]  # a network namespace whose only interface is a loopback
LISTING = "import socket; print([name for _, name in socket.if_nameindex()])"


@pytest.fixture(scope="module", autouse=True)
def namespace() -> None:
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system makes no network namespace")
    found = subprocess.run([*ALONE, sys.executable, "-c", LISTING], check=True, capture_output=True, text=True)
    assert found.stdout == "['lo']\n"


def test_a_worker_starts_and_works_without_a_network(settings: Settings, tmp_path: Path) -> None:
    with running_system(settings, tmp_path) as system:
        new = new_job(seconds=46.0)
        system.objects.put(new.recording.key, (SHIPPED / "conversation.flac").read_bytes())
        job = system.store.create(new).job
        system.publish(job)
        command = [*ALONE, sys.executable, "-m", "parley_worker"]
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, env=environment(settings), stdout=log, stderr=log)
        try:
            ended = system.wait_for_end(job.id)
        finally:
            worker.terminate()
            worker.wait(HANG_SECONDS)
    assert ended.state is JobState.SUCCEEDED
    assert ended.result
    assert ended.result.speakers == 3
