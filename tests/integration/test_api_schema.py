"""Schemathesis calls the running API as its OpenAPI document describes it, and in the order that the calls suggest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api_process import ApiProcess

ROOT = Path(__file__).parents[2]
HANG_SECONDS = (
    900  # no promise: thousands of calls take a minute on an idle machine, and a quarter of an hour on a busy one
)
SEED = 20261127
EXAMPLES = 3  # per call and phase; the phase "coverage" makes hundreds of its own
# The document cannot say all: two options that contradict each other, a cursor of another list, a name that is not
# printable. The answer to those is 422; the other checks see to it that it is documented.
LEFT_OUT = "positive_data_acceptance"
ENDLESS = "/events$"  # streams until its job has ended; test_api_process.py reads it


@pytest.mark.timeout(HANG_SECONDS + 30)
def test_no_call_answers_what_its_document_does_not_say(api: ApiProcess, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json",
        "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--generation-database", "none",
        "--exclude-path-regex", ENDLESS, "--exclude-checks", LEFT_OUT, "--no-color", "--warnings", "off",
        "--continue-on-failure", "--request-timeout", "60",
    ]  # fmt: skip
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stdout[-6000:]
    stateful = re.search(r"Stateful.*?Scenarios:\s+(\d+)", done.stdout, re.DOTALL)
    assert stateful, done.stdout[-2000:]
    assert int(stateful[1]) > 0
    described = sum(len(calls) for calls in api.http.get("/openapi.json").json()["paths"].values())
    assert f"Tested: {described - 1}" in done.stdout
    assert api.http.get("/v1/jobs").json()["jobs"], "no generated submit was accepted"
