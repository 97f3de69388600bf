"""Runs tests in forks of this process: each has imported all modules already, and changes one function or script."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from tools.mutants.mutant import ROOT, Mutant

HANG_SECONDS, HANG_TIMES = 120.0, 10  # a mutant hangs, which is noticed, after both: seconds, and its tests' own time
POLL_SECONDS = 0.01
OPTIONS = (
    *("-q", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:unraisableexception"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the plugins are imported already
)
MEMORY = Path("/dev/shm")  # data of servers in memory: a disk that syncs each write is most of the time


@dataclass(slots=True)
class _Running:
    mutant: Mutant
    folder: str
    until: float


def load(tests: Sequence[str]) -> None:
    """Import the tests and all that they import, so that no fork has to. Raises RuntimeError if they cannot be."""
    with redirect_stdout(StringIO()) as said:
        status = pytest.main([*OPTIONS, "--collect-only", *tests])
    if status:
        raise RuntimeError(f"The tests cannot be collected:\n{said.getvalue()[-2000:]}")


def record(files: Collection[str], test: str, selected: str) -> dict[str, dict[str, float]]:
    """Run one file of tests without a mutant; return the tests of each target with their seconds.

    A test that fails is left out: it cannot notice anything.
    """
    folder = _folder()
    reply = Path(folder) / "tests.json"
    child = _fork(lambda: _record(files, [test, "-k", selected], folder, reply))
    os.waitpid(child, 0)
    try:
        found: dict[str, dict[str, float]] = json.loads(reply.read_text())
        return found
    finally:
        rmtree(folder, ignore_errors=True)


def _record(files: Collection[str], arguments: Sequence[str], folder: str, reply: Path) -> int:
    from tools.mutants.recorder import Recorder

    recorder = Recorder(files)
    recorder.start()
    with redirect_stdout(StringIO()):
        status = pytest.main([*OPTIONS, f"--basetemp={folder}/pytest", *arguments], plugins=[recorder])
    reply.write_text(json.dumps(recorder.found()))
    return int(status)


def run_all(
    mutants: Sequence[Mutant], tests_of: Callable[[Mutant], dict[str, float]], at_once: int, ends: float
) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant with whether it survived its tests, as they end. Starts none after `ends` (monotonic)."""
    waiting, running = list(reversed(mutants)), dict[int, _Running]()
    while waiting or running:
        while waiting and len(running) < at_once and time.monotonic() < ends:
            mutant = waiting.pop()
            chosen = tests_of(mutant)
            if not chosen:
                yield mutant, True
                continue
            folder = _folder()
            child = _fork(lambda mutant=mutant, folder=folder, chosen=chosen: _test(mutant, list(chosen), folder))  # type: ignore[misc]
            patience = max(HANG_SECONDS, HANG_TIMES * sum(chosen.values()))
            running[child] = _Running(mutant, folder, time.monotonic() + patience)
        if not running:
            return
        yield from _ended(running)
        time.sleep(POLL_SECONDS)


def _ended(running: dict[int, _Running]) -> Iterator[tuple[Mutant, bool]]:
    for child, run in list(running.items()):
        pid, status = os.waitpid(child, os.WNOHANG)
        if not pid and time.monotonic() < run.until:
            continue
        with suppress(ProcessLookupError):  # the servers of a fork that was killed or crashed
            os.killpg(child, signal.SIGKILL)
        if not pid:
            os.waitpid(child, 0)
        del running[child]
        rmtree(run.folder, ignore_errors=True)
        yield run.mutant, bool(pid) and os.waitstatus_to_exitcode(status) == 0


def _test(mutant: Mutant, tests: Sequence[str], folder: str) -> int:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    mutant.install()
    return int(pytest.main([*OPTIONS, "-x", f"--basetemp={folder}/pytest", *tests]))


def _fork(run: Callable[[], int]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        os.chdir(ROOT)
        status = run()
    except BaseException:  # noqa: BLE001 - nothing may pass the fork
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


def _folder() -> str:
    return mkdtemp(prefix="mutant-", dir=MEMORY if MEMORY.is_dir() else None)
