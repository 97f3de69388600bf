"""Measures of source text: sizes of functions and files, and helpers with one caller.

Tokens are those of Python's tokenizer without comments, line ends and indentation, from the line of `def` to the last
line of the function. A docstring is one token, and decorators do not count. A function inside another counts twice:
with the outer one and by itself.

A private helper is a function or method whose name starts with one underscore. It has one caller when its name is read
exactly once in all of the files. Its lines are counted from `def` to its end.
"""

from __future__ import annotations

import ast
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LONG_FILE, LONG_FUNCTION, SHORT_HELPER = 400, 50, 4  # lines
NO_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method, with its size."""

    path: Path
    name: str
    line: int
    lines: int
    tokens: int

    @property
    def is_private(self) -> bool:
        return self.name.startswith("_") and not self.name.startswith("__")

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name}"


def python_files(folder: Path) -> list[Path]:
    """Return every Python file below a folder, in order."""
    return sorted(folder.rglob("*.py"))


def functions(files: Iterable[Path]) -> list[Function]:
    """Return every function of these files, nested ones and methods included."""
    return [function for file in files for function in functions_of(file)]


def functions_of(file: Path) -> Iterator[Function]:
    """Yield the functions of one file."""
    with file.open("rb") as source:
        token_lines = [token.start[0] for token in tokenize.tokenize(source.readline) if token.type not in NO_TOKENS]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            tokens = sum(node.lineno <= line <= last for line in token_lines)
            yield Function(file, node.name, node.lineno, last - node.lineno + 1, tokens)


def short_helpers(files: list[Path]) -> list[Function]:
    """Return the private helpers that one place alone reads and that are short enough to stand there instead."""
    reads = Counter(name for file in files for name in names_read(file))
    return [
        found
        for found in functions(files)
        if found.is_private and found.lines <= SHORT_HELPER and reads[found.name] == 1
    ]


def names_read(file: Path) -> Iterator[str]:
    """Yield every name and attribute that a file reads, once for each time."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def count_lines(files: Iterable[Path]) -> int:
    """Return the number of lines of these files together."""
    return sum(len(file.read_text().splitlines()) for file in files)
