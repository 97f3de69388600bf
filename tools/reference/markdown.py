"""Markdown for reference pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
ITEM = re.compile(r"^    (\w[\w, ]*): (.*)$")
HEADINGS = {"Args": "Arguments"}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def docstring(text: str) -> str:
    """Return a docstring as Markdown: its sections (`Args:` and so on) as lists, indented text as code."""
    blocks = []
    for block in text.split("\n\n"):
        first, *rest = block.splitlines()
        section = SECTION.match(first)
        if section:
            heading = HEADINGS.get(section[1], section[1])
            blocks.append(f"{heading}:\n\n{_items(rest)}")
        elif first.startswith("    "):
            code = "\n".join(line.removeprefix("    ") for line in block.splitlines())
            blocks.append(f"```\n{code}\n```")
        else:
            blocks.append(block.replace("\n", " "))
    return "\n\n".join(blocks)


def _items(lines: Iterable[str]) -> str:
    items: list[str] = []
    for line in lines:
        item = ITEM.match(line)
        if item:
            items.append(f"- `{item[1]}`: {item[2]}")
        else:
            items[-1] += f" {line.strip()}"
    return "\n".join(items)
