"""Notes which tests run which code, so that a mutant meets only the tests that can notice it."""

from __future__ import annotations

import ast
import builtins
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from tools.mutants.mutant import LUA, ROOT, install_function
from tools.mutants.python import functions_of, places_of

HIT = "__note_that_a_statement_runs__"


class Recorder:
    """A pytest plugin.

    Attributes:
        entered: for each statement (`FILE:PLACE`), function (`FILE:FUNCTION`) and Lua script (`FILE:`) the tests that
            run it.
        seconds: duration of each test.
    """

    def __init__(self, files: Collection[str]) -> None:
        self.entered: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)
        self._test, self._failed = "", set[str]()
        self._files = files

    def start(self) -> None:
        """Note from now on what runs. Only the code that is mutated gets slower."""
        self._follow_scripts()
        setattr(builtins, HIT, lambda target: self.entered[target].add(self._test))
        for file in self._files:
            self._follow_statements(file)

    def _follow_scripts(self) -> None:
        from parley_core.redis.scripts import Scripts

        original = Scripts.run

        def run(scripts: Scripts, name: str, *arguments: str | int | float) -> Any:
            self.entered[f"{(LUA / f'{name}.lua').relative_to(ROOT)}:"].add(self._test)
            return original(scripts, name, *arguments)

        Scripts.run = run  # type: ignore[method-assign]

    def _follow_statements(self, file: str) -> None:
        tree = ast.parse((ROOT / file).read_text())
        functions, places = functions_of(tree), places_of(tree)
        for node in [node for node in ast.walk(tree) if functions[node]]:
            for field in ("body", "orelse", "finalbody"):
                body = getattr(node, field, None)
                if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                    followed = [self._noting(file, functions[one], places[one], one) for one in body]
                    setattr(node, field, [statement for pair in followed for statement in pair])
        text = ast.unparse(ast.fix_missing_locations(tree))
        for function in {name.partition(".<locals>")[0] for name in functions.values() if name}:
            install_function(file, function, text)

    def _noting(self, file: str, function: str, place: str, statement: ast.stmt) -> list[ast.stmt]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return [statement]
        notes = [f"{HIT}({f'{file}:{target}'!r})" for target in (place, function)]
        return [*ast.parse("\n".join(notes)).body, statement]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            print(f"fails without any mutant: {report.nodeid}", file=sys.stderr, flush=True)
            self._failed.add(report.nodeid)

    def found(self) -> dict[str, dict[str, float]]:
        """Return the tests of each target with their seconds."""
        return {
            target: {test: round(self.seconds[test], 3) for test in sorted(tests - self._failed) if test}
            for target, tests in self.entered.items()
        }
