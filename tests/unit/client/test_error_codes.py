"""The error codes of the command are documented."""

from __future__ import annotations

import ast
from pathlib import Path

import parley.cli
from parley.cli.failures import ERROR_CODES
from parley.errors import ParleyConnectionError, UnexpectedResponse


def codes_of_command_failures() -> set[str]:
    """Return the second argument of every `CommandFailed(...)` of the command that is a constant."""
    codes = set()
    for path in Path(next(iter(parley.cli.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "CommandFailed":
                code = node.args[1]
                if isinstance(code, ast.Constant):
                    codes.add(str(code.value))
    return codes


def test_every_code_of_the_command_is_in_the_table() -> None:
    found = codes_of_command_failures()
    assert len(found) >= 6
    assert found | {ParleyConnectionError.code, UnexpectedResponse.code, "file_error"} <= set(ERROR_CODES)
