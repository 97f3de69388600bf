"""Notes which tests run which code, so that a mutant meets only the tests that can notice it."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any

import pytest

from tools.mutants.mutant import LIBRARY, LUA, ROOT


class Recorder:
    """A pytest plugin.

    Attributes:
        entered: for each target (`FILE:FUNCTION`, for a Lua script `FILE:`) the tests that run it.
        seconds: duration of each test.
        failed: whether a test failed.
    """

    def __init__(self, files: Collection[str]) -> None:
        self.entered: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed = False
        self._test = ""
        self._files = {str(ROOT / file): file for file in files}

    def start(self) -> None:
        """Follow every call from now on, in this thread and in those that start later."""
        self._follow_scripts()
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _follow_scripts(self) -> None:
        from parley_core.redis.scripts import Scripts

        original = Scripts.run

        def run(scripts: Scripts, name: str, *arguments: str | int | float) -> Any:
            for file in (name, LIBRARY):
                self.entered[f"{(LUA / f'{file}.lua').relative_to(ROOT)}:"].add(self._test)
            return original(scripts, name, *arguments)

        Scripts.run = run  # type: ignore[method-assign]

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and (file := self._files.get(frame.f_code.co_filename)):
            name = frame.f_code.co_qualname.replace(".<listcomp>", "").replace(".<genexpr>", "")
            self.entered[f"{file}:{name.removesuffix('.<locals>')}"].add(self._test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        self.failed |= report.failed

    def tests(self) -> dict[str, list[str]]:
        """Return the tests of each target, the fastest first."""
        return {
            target: sorted((test for test in tests if test), key=lambda test: (self.seconds[test], test))
            for target, tests in self.entered.items()
        }
