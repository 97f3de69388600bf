"""Mutants of a Lua script: one condition, one write or one call is missing from each.

The scripts are written one statement a line, so no parser is needed: a statement ends where its parentheses are closed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial

from tools.mutants.mutant import Mutant

CALL = re.compile(r"[a-z_.]+\(")  # a statement that is a call and nothing else
CONDITION = re.compile(r"(?:else)?if (.*) then")
ONE_LINE_BODY = re.compile(r" then (.+) end$")
STRING = re.compile(r"'[^']*'")
FUNCTION = re.compile(r"(?:local function )?(\w+)(?: = function)?\(")
FIELD_WRITES = {"HSET": 2, "HDEL": 1}  # commands that change several fields, and arguments per field


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a script."""
    lines = text.splitlines()
    function, number = "", 0
    seen: Counter[str] = Counter()
    while number < len(lines):
        end = number + 1
        while end < len(lines) and _is_open("\n".join(lines[number:end])):
            end += 1
        statement = "\n".join(lines[number:end])
        if opened := FUNCTION.match(statement):
            function = opened.group(1)
        elif statement == "end":
            function = ""
        for change, replacement in _changes(statement):
            changed = "\n".join([*lines[:number], replacement, *lines[end:]]) + "\n"
            make = partial(str, changed)
            name = f"{change}: {' '.join(_code(statement).split())}"
            seen[name] += 1
            yield Mutant(file, function, name if seen[name] == 1 else f"{name} ({seen[name]})", make)
        number = end


def users_of(function: str, library: str, scripts: dict[str, str]) -> set[str]:
    """Return the scripts that run a function of the library, by themselves or by another function of it."""
    reached = {function}
    for part in library.split("\nlocal function ")[1:]:  # a function of the library uses those before it
        name, _, body = part.partition("(")
        if any(f"{one}(" in body for one in reached):
            reached.add(name)
    return {name for name, text in scripts.items() if any(f"{one}(" in text for one in reached)}


def _is_open(statement: str) -> bool:
    """Return whether a statement goes on in the next line: more parentheses are open than closed."""
    code = STRING.sub("", "\n".join(_code(line) for line in statement.splitlines()))
    return code.count("(") > code.count(")")


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
