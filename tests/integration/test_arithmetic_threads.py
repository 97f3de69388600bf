"""Processes that use numpy compute on one thread, however many cores the host has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from parley_core.process import ARITHMETIC_THREADS

# Runs a service until it asks for a library, and prints what numpy would find from then on.
PROGRAM = """
import os, runpy, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == {library!r}:
            print(*(os.environ.get(variable) for variable in {variables}), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Watch())
runpy.run_module({module!r}, run_name="__main__")
"""


# The API loads numpy with the first request that needs it, so its server is what comes next.
@pytest.mark.parametrize(("module", "library"), [("parley_api", "uvicorn"), ("parley_worker", "numpy")])
def test_a_service_limits_the_threads_of_numpy_before_it_loads_it(module: str, library: str) -> None:
    assert threads_found_by_numpy(module, library, {}) == ["1"] * len(ARITHMETIC_THREADS)


def test_the_environment_has_the_last_word() -> None:
    assert threads_found_by_numpy("parley_worker", "numpy", {"OPENBLAS_NUM_THREADS": "4"})[0] == "4"


def threads_found_by_numpy(module: str, library: str, chosen: dict[str, str]) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ARITHMETIC_THREADS}
    program = PROGRAM.format(variables=ARITHMETIC_THREADS, module=module, library=library)
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment | chosen, capture_output=True, text=True, timeout=120
    )
    return ran.stdout.split()
