"""The measures of `make structure` count what their definitions say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.structure import code

SOURCE = '''
"""A module."""
from functools import cache


@cache
def public(a: int) -> int:
    """Return it."""  # said

    def inner() -> int:
        return _once(a)

    return inner() + _twice(1) + _twice(2)


def _once(a):
    return a


def _twice(a):
    return a


class Thing:
    def run(self):
        return self._step()

    def _step(self):
        a = 1
        b = 2
        c = 3
        return a, b, c
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    return path


def test_every_function_has_its_lines_and_tokens(file: Path) -> None:
    sizes = {found.name: (found.lines, found.tokens) for found in code.functions([file])}
    assert sizes["_once"] == (2, 8)  # def _once ( a ) : return a
    assert sizes["inner"] == (2, 12)
    assert sizes["public"] == (7, 10 + 1 + 12 + 14)  # its head, a docstring, `inner`, the last line
    assert sizes["_step"][0] == 5
    assert set(sizes) == {"public", "inner", "_once", "_twice", "run", "_step"}


def test_a_helper_counts_when_it_is_short_and_read_once(file: Path) -> None:
    assert [found.name for found in code.short_helpers([file])] == ["_once"]


def test_a_second_file_that_reads_the_name_is_a_second_caller(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("from module import _once\n\n_once(1)\n")
    assert code.short_helpers([file, other]) == []


def test_lines_are_counted_over_all_files(file: Path) -> None:
    assert code.count_lines([file, file]) == 2 * len(SOURCE.splitlines())


def test_the_services_keep_what_they_have_reached() -> None:
    files = code.python_files(Path(__file__).parents[3] / "services")
    assert [str(file) for file in files if code.count_lines([file]) > code.LONG_FILE] == []
    assert [str(one) for one in code.functions(files) if one.lines > code.LONG_FUNCTION] == []
    assert len(code.short_helpers(files)) <= 25, "see `python -m tools.structure --list`"
