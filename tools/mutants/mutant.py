"""A mutant: one source file with one change, and how a process comes to run it."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[2]
LUA = ROOT / "services/core/parley_core/redis/lua"
LIBRARY = "lib"  # stands in front of every script


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed source file.

    Attributes:
        file: path below the repository.
        function: name of the changed function, with those that it lies in. Empty for a Lua script.
        change: the change and the original code. It stays the same when other lines move.
        text: the whole changed file.
    """

    file: str
    function: str
    change: str
    text: str

    @property
    def name(self) -> str:
        """The name in reports and in equivalent.toml: unique and stable."""
        return f"{Path(self.file).name}: {self.function + ': ' if self.function else ''}{self.change}"

    @property
    def target(self) -> str:
        """The part of the code whose tests can notice the change. See Recorder."""
        return f"{self.file}:{self.function}"

    @property
    def digest(self) -> str:
        """Identifies the changed file in the journal."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def install(self) -> None:
        """Make this process run the changed code. Its modules must be imported already."""
        if self.file.endswith(".lua"):
            _install_script(Path(self.file).stem, self.text)
        else:
            _install_function(self)


def _install_script(script: str, text: str) -> None:
    from parley_core.redis import scripts

    texts = {file.stem: file.read_text() for file in LUA.glob("*.lua")} | {script: text}

    def source(name: str) -> str:
        return scripts.header(name) + texts[LIBRARY] + texts[name]

    scripts.source = source  # type: ignore[assignment]


def _install_function(mutant: Mutant) -> None:
    """Give the function its changed code: whoever has imported the function runs it."""
    outermost = mutant.function.partition(".<locals>")[0]
    found: Any = sys.modules[".".join(Path(mutant.file).with_suffix("").parts[2:])]
    for name in outermost.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    elif isinstance(found, property):
        found = found.fget
    changed = compile(mutant.text, str(ROOT / mutant.file), "exec")
    inspect.unwrap(found).__code__ = next(code for code in _codes(changed) if code.co_qualname == outermost)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
