"""Runs tests in forks of this process: each has imported all modules already, and changes one function or script."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from tools.mutants.mutant import ROOT, Mutant

SECONDS = 120.0  # a mutant that takes longer hangs: that is noticed, too
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
    """Import the tests and all that they import, so that no fork has to."""
    with redirect_stdout(StringIO()):
        pytest.main([*OPTIONS, "--collect-only", *tests])


def baseline(files: Collection[str], tests: Sequence[str], selected: str) -> dict[str, list[str]]:
    """Run the tests without a mutant; return those of each target, the fastest first.

    Raises RuntimeError if a test fails.
    """
    folder = _folder()
    reply = Path(folder) / "tests.json"
    child = _fork(lambda: _record(files, [*tests, "-k", selected], folder, reply))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        if status:
            raise RuntimeError("The tests fail without any mutant.")
        found: dict[str, list[str]] = json.loads(reply.read_text())
        return found
    finally:
        rmtree(folder, ignore_errors=True)


def _record(files: Collection[str], arguments: Sequence[str], folder: str, reply: Path) -> int:
    from tools.mutants.recorder import Recorder

    recorder = Recorder(files)
    recorder.start()
    status = pytest.main([*OPTIONS, f"--basetemp={folder}/pytest", *arguments], plugins=[recorder])
    reply.write_text(json.dumps(recorder.tests()))
    return int(status)


def run_all(
    mutants: Sequence[Mutant], tests: Mapping[str, list[str]], at_once: int, seconds: float
) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant with whether it survived its tests, as they end. Starts none after `seconds`."""
    ends = time.monotonic() + seconds
    waiting, running = list(reversed(mutants)), dict[int, _Running]()
    while waiting or running:
        while waiting and len(running) < at_once and time.monotonic() < ends:
            mutant = waiting.pop()
            if mutant.target not in tests:
                yield mutant, True
                continue
            folder = _folder()
            chosen = tests[mutant.target]
            child = _fork(lambda mutant=mutant, folder=folder, chosen=chosen: _test(mutant, chosen, folder))  # type: ignore[misc]
            running[child] = _Running(mutant, folder, time.monotonic() + SECONDS)
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
