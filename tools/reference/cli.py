"""The reference of the `parley` command, from the declarations of its subcommands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from parley.cli.app import SUBCOMMANDS, app, load
from parley.cli.exit_codes import MEANINGS
from parley.cli.failures import ERROR_CODES
from tools.reference import markdown

INTRODUCTION = """# `parley` command

`pip install './services/client[cli]'` installs the command."""

JSON = """## JSON

With `--json` a command prints one JSON document to stdout, and nothing else there. If it fails, the document is
`{"error": {"code", "detail", ...}}`; the exit code is the same as without `--json`, and stderr has a sentence for
people. An error of the server has its `code`, `detail`, `status` and `retry_after` (seconds or null). The command
itself adds these codes:"""

ARRAYS = """Commands for several files or ids print an array with a member per file or id. The failure of one of them
does not stop the others; its member has an `error` with the same fields."""


def render() -> str:
    """Return the page."""
    group = get_command(app)
    sections = [
        INTRODUCTION,
        *_command(group, "parley", level=2),
        "## Exit codes",
        markdown.table(("Code", "Meaning"), ((str(int(code)), meaning) for code, meaning in MEANINGS.items())),
        JSON,
        markdown.table(("Code", "Meaning"), ((f"`{code}`", meaning) for code, meaning in ERROR_CODES.items())),
        ARRAYS,
    ]
    for name in SUBCOMMANDS:
        sections.extend(_command(load(name), f"parley {name}", level=2))
    return "\n\n".join(sections)


def _command(command: Any, path: str, level: int) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    yield f"{'#' * level} {path}"
    pieces = command.collect_usage_pieces(context)
    yield f"```\n{' '.join([path, *pieces])}\n```"
    yield markdown.docstring(command.help or "")
    records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.params:
        if parameter.name not in ("install_completion", "show_completion"):
            records[parameter.param_type_name].append(_record(parameter, context))
    for kind, rows in records.items():
        if rows:
            yield markdown.table((kind.capitalize(), "Meaning"), rows)
    for name, subcommand in getattr(command, "commands", {}).items():
        if path != "parley":
            yield from _command(subcommand, f"{path} {name}", level + 1)


def _record(parameter: Any, context: Any) -> tuple[str, str]:
    name, meaning = parameter.get_help_record(context)
    return f"`{name}`", meaning
