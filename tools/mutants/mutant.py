"""A mutant: one source file with one change, and how a process comes to run it."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

ROOT = Path(__file__).parents[2]
LUA = ROOT / "services/core/parley_core/redis/lua"
LIBRARIES = ("lib", "estimates")  # stand in front of every script, in this order


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed source file.

    Attributes:
        file: path below the repository.
        function: name of the changed function, with those that it lies in. Empty in a script; a script's library has
            functions.
        change: the change and the original code. It stays the same when other lines move.
        make: makes the whole changed file. It is called for the mutants that are tested only.
        place: the changed statement, as Recorder names it. Empty in a Lua script.
    """

    file: str
    function: str
    change: str
    make: Callable[[], str] = field(compare=False)
    place: str = ""

    @property
    def name(self) -> str:
        """The name in reports and in equivalent.toml: unique and stable."""
        inside = f"{self.function}: " if self.function and not self.file.endswith(".lua") else ""
        return f"{Path(self.file).name}: {inside}{self.change}"

    @property
    def digest(self) -> str:
        """Identifies the original file in the journal."""
        return _digest(self.file)

    def install(self) -> None:
        """Make this process run the changed code. Its modules must be imported already."""
        if self.file.endswith(".lua"):
            _install_script(Path(self.file).stem, self.make())
        else:
            install_function(self.file, self.function, self.make())


@cache
def _digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:16]


def _install_script(script: str, text: str) -> None:
    from parley_core.redis import scripts

    texts = {file.stem: file.read_text() for file in LUA.glob("*.lua")} | {script: text}

    def source(name: str) -> str:
        return scripts.header(name) + "".join(texts[part] for part in (*scripts.LIBRARIES, name))

    scripts.source = source  # type: ignore[assignment]


def install_function(file: str, function: str, text: str) -> None:
    """Give a function its code of a changed file: whoever has imported the function runs it."""
    outermost = function.partition(".<locals>")[0]
    changed = compile(text, str(ROOT / file), "exec")
    found = function_of(file, outermost)
    found.__code__ = next(code for code in _codes(changed) if code.co_qualname == outermost)


def function_of(file: str, outermost: str) -> FunctionType:
    """Return the function of a file that this process runs."""
    found: Any = sys.modules[".".join(Path(file).with_suffix("").parts[2:])]
    for name in outermost.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    elif isinstance(found, property):
        found = found.fget
    unwrapped: FunctionType = inspect.unwrap(found)
    return unwrapped


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
