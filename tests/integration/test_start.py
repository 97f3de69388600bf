"""A process that is still importing ends at SIGTERM, also as process 1 of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from tests.support.waiting import until

PROCESS_1 = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
REFUSED = {"PARLEY_LEASE_SECONDS": "0.1"}  # unsafe: a start that reads its settings ends with status 2


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    try:
        subprocess.run([*PROCESS_1, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system has no PID namespaces")


@pytest.mark.parametrize("module", ["parley_keeper", "parley_api", "parley_worker"])
def test_process_1_ends_at_a_sigterm_during_its_imports(module: str) -> None:
    with subprocess.Popen([*PROCESS_1, sys.executable, "-m", module], env={**os.environ, **REFUSED}) as outer:
        [process] = until(psutil.Process(outer.pid).children)

        def ended() -> bool:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
            return outer.poll() is not None

        until(ended)
    assert outer.returncode == 128 + signal.SIGTERM


def test_the_api_loads_only_what_every_start_needs() -> None:
    """NumPy and the library for signed tokens are a fifth of the processor time of a start."""
    code = "import sys, parley_api.server; print(sorted({'numpy', 'joserfc', 'av'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
