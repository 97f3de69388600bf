"""Mutants of a Lua script: one condition, one write or one call is missing from each.

The scripts are written one statement a line, so no parser is needed: a statement ends where its parentheses are closed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tools.mutants.mutant import Mutant

CALL = re.compile(r"[a-z_.]+\(")  # a statement that is a call and nothing else
CONDITION = re.compile(r"(?:else)?if (.*) then")
ONE_LINE_BODY = re.compile(r" then (.+) end$")
FIELD_WRITES = {"HSET": 2, "HDEL": 1}  # commands that change several fields, and arguments per field


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a script."""
    lines = text.splitlines()
    number = 0
    seen: Counter[str] = Counter()
    while number < len(lines):
        end = number + 1
        while _code(" ".join(lines[number:end])).count("(") > _code(" ".join(lines[number:end])).count(")"):
            end += 1
        statement = "\n".join(lines[number:end])
        for change, replacement in _changes(statement):
            changed = "\n".join([*lines[:number], replacement, *lines[end:]]) + "\n"
            name = f"{change}: {' '.join(_code(statement).split())}"
            seen[name] += 1
            yield Mutant(file, "", name if seen[name] == 1 else f"{name} ({seen[name]})", changed)
        number = end


def _code(line: str) -> str:
    """Return the line without its comment; no string of the scripts holds two dashes."""
    return line.partition("--")[0].rstrip()


def _changes(statement: str) -> Iterator[tuple[str, str]]:
    code = _code(statement) if "\n" not in statement else statement
    stripped = code.strip()
    if condition := CONDITION.match(stripped):
        yield from _without_condition(code, condition.group(1))
        if body := ONE_LINE_BODY.search(code):
            yield from _without_part(code, body.group(1))
    elif CALL.match(stripped):
        yield "removed", ""
        yield from _without_fields(code)
    elif stripped.startswith("for ") and " do " in stripped:
        yield "removed", ""


def _without_condition(code: str, condition: str) -> Iterator[tuple[str, str]]:
    yield "never", code.replace(condition, "false", 1)
    yield "always", code.replace(condition, "true", 1)
    for operator in (" and ", " or "):
        operands = _split(condition, operator)
        for index in range(len(operands) if len(operands) > 1 else 0):
            rest = operator.join(operands[:index] + operands[index + 1 :])
            yield f"without `{operands[index]}`", code.replace(condition, rest, 1)


def _split(condition: str, operator: str) -> list[str]:
    """Split at the operators outside of parentheses."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(condition):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and condition.startswith(operator, index):
            parts.append(condition[start:index])
            start = index + len(operator)
    return [*parts, condition[start:]]


def _without_part(code: str, body: str) -> Iterator[tuple[str, str]]:
    if CALL.match(body):
        yield "body removed", code.replace(body, "", 1)
        yield from _without_fields(code)


def _without_fields(code: str) -> Iterator[tuple[str, str]]:
    """Drop one field of a write of several."""
    match = re.search(r"redis\.call\('(\w+)', ", code)
    if not match or match.group(1) not in FIELD_WRITES:
        return
    width = FIELD_WRITES[match.group(1)]
    inner = code[match.end() : _closing(code, match.end())]
    key, *arguments = [" ".join(part.split()) for part in _split(inner + "", ",")]
    for index in range(0, len(arguments) - width + 1, width):
        if arguments[index].startswith("unpack"):
            return
        kept = arguments[:index] + arguments[index + width :]
        if kept:
            yield f"without {arguments[index]}", code.replace(inner, ", ".join([key, *kept]), 1)


def _closing(code: str, start: int) -> int:
    depth = 1
    for index in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[index], 0)
        if depth == 0:
            return index
    raise ValueError("a statement without its end")
