"""openapi-python-client makes a client from the document without a warning, and the client works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import DOCUMENT, KEY, LONG
from tests.support.api_process import ApiProcess
from tests.support.containers import flac

USE = """
import io, sys
from generated import AuthenticatedClient
from generated.api.jobs import cancel_job, get_job, get_turns, list_jobs, submit_job
from generated.models import Problem, SubmitJobFilesBody
from generated.types import File

address, key, recording = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=key)
body = SubmitJobFilesBody(audio=File(io.BytesIO(open(recording, "rb").read()), "visit.flac"), reference="visit-1")
job = submit_job.sync(client=client, body=body)
assert not isinstance(job, Problem), job
assert get_job.sync(job.id, client=client).recording.file_name == "visit.flac"
assert [one.id for one in list_jobs.sync(client=client, reference="visit-1").jobs] == [job.id]
problem = get_turns.sync(job.id, client=client)
assert isinstance(problem, Problem), problem
assert problem.code == "job_not_finished", problem
assert cancel_job.sync(job.id, client=client).state == "cancelled"
stranger = AuthenticatedClient(base_url=address, token="another key")
assert list_jobs.sync(client=stranger).code == "unknown_key"
"""


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    """The folder with the generator's commands, in an environment of its own."""
    environment = tmp_path / "environment"
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", "--require-hashes"]
    subprocess.run([*install, "-r", Path(__file__).with_name("requirements.txt")], check=True)
    return environment / "bin"


@pytest.mark.timeout(LONG)
def test_a_generated_python_client_works(generator: Path, api: ApiProcess, tmp_path: Path) -> None:
    path = os.environ | {"PATH": f"{generator}:{os.environ['PATH']}"}
    generate = [generator / "openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none"]
    generate += ["--output-path", tmp_path / "generated", "--fail-on-warning"]
    made = subprocess.run(generate, env=path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    (tmp_path / "visit.flac").write_bytes(flac(0.5))
    use = [generator / "python", "-c", USE, api.url, KEY, tmp_path / "visit.flac"]
    used = subprocess.run(use, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
