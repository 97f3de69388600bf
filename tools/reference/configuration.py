"""The reference of the settings, from their declarations."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from parley_core.settings import Settings
from tools.reference import markdown

INTRODUCTION = """# Configuration

Every setting is an environment variable. The chart sets them from its values
([charts/parley/README.md](../../charts/parley/README.md)); on one machine `make run` passes the environment on to all
processes. A process refuses to start with a wrong value, with a sentence per variable."""

SECTION = re.compile(r"^    # (.+)$")
FIELD = re.compile(r"^    (\w+): .+")


def render() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for section, names in _sections():
        rows = [(f"`PARLEY_{name.upper()}`", _default(name), Settings.model_fields[name].description) for name in names]
        parts += [f"## {section}", markdown.table(("Variable", "Default", "Meaning"), rows)]
    return "\n\n".join(parts)


def _sections() -> Iterator[tuple[str, list[str]]]:
    """Yield the headings of the declaration, each with the settings below it."""
    found: list[tuple[str, list[str]]] = []
    for line in inspect.getsource(Settings).splitlines():
        if heading := SECTION.match(line):
            found.append((heading[1], []))
        elif (field := FIELD.match(line)) and field[1] in Settings.model_fields:
            found[-1][1].append(field[1])
    yield from found


def _default(name: str) -> str:
    default: Any = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "" if default is None else f"`{default}`"
