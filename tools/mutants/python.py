"""Mutants of a Python file: one condition, one operand, one call, one write or one handler is missing from each.

mutmut 3.8 names a module by its path (`services.core.parley_core...`), so its mutants are never imported here.
cosmic-ray 8.7 writes each mutant into the working tree and starts a process for it, which imports for seconds.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from tools.mutants.mutant import Mutant

Change = tuple[str, Callable[[], None], ast.AST]  # a description, what changes the tree, and the node that has to run

BODIES = ("body", "orelse", "finalbody")
NEWLINE = "\n"
SHOWN = 100  # characters of the original code in a name


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of the functions of a file."""
    seen: Counter[str] = Counter()
    tree = ast.parse(text)
    functions, places = functions_of(tree), places_of(tree)
    for index, node in enumerate(ast.walk(tree)):
        if not functions[node]:
            continue
        for number, (description, _, changed) in enumerate(_changes(node)):
            name = f"{functions[node]} {description}"
            seen[name] += 1
            again = f" ({seen[name]})" if seen[name] > 1 else ""
            make = partial(_changed, text, index, number)
            yield Mutant(file, functions[node], description + again, make, places.get(changed, ""))


def _changed(text: str, index: int, number: int) -> str:
    """Return the file with one change: of the changes of a node, by its place in the order of `ast.walk`."""
    tree = ast.parse(text)
    node = next(node for found, node in enumerate(ast.walk(tree)) if found == index)
    _, apply, _ = list(_changes(node))[number]
    apply()
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def places_of(tree: ast.Module) -> dict[ast.AST, str]:
    """Return a name of the statement that each node of a function lies in. It stays the same when other lines move."""
    functions, seen = functions_of(tree), Counter[str]()
    places: dict[ast.AST, str] = {}

    def name(node: ast.AST, place: str) -> None:
        if isinstance(node, ast.stmt) and functions[node]:
            place = f"{functions[node]}:{ast.unparse(node).partition(NEWLINE)[0]}"
            seen[place] += 1
            place += f" ({seen[place]})" if seen[place] > 1 else ""
        places[node] = place
        for child in ast.iter_child_nodes(node):
            name(child, place)

    name(tree, "")
    return places


def functions_of(tree: ast.Module) -> dict[ast.AST, str]:
    """Return the qualified name of the function that each node lies in."""
    names: dict[ast.AST, str] = {}

    def name(node: ast.AST, function: str, prefix: str) -> None:
        names[node] = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function, prefix = f"{prefix}{node.name}", f"{prefix}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        for child in ast.iter_child_nodes(node):
            name(child, function if not isinstance(node, ast.ClassDef) else "", prefix)

    name(tree, "", "")
    for node in list(names):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names[node] = names[node.body[0]]  # a change of its body is a change of the function
    return names


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.IfExp):
        yield from (_constant(node, "test", value, word) for value, word in ((False, "never"), (True, "always")))
    elif isinstance(node, ast.While):
        yield _constant(node, "test", False, "never")
    elif isinstance(node, ast.BoolOp):
        yield from _without_operands(node)
    elif isinstance(node, ast.comprehension):
        yield from (_replaced(node.ifs, index, ast.Constant(True), "always") for index in range(len(node.ifs)))
    elif isinstance(node, ast.ExceptHandler):
        yield from _without_exceptions(node)
    elif isinstance(node, ast.Call) and _is_suppress(node):
        yield from (_removed(node.args, index, node) for index in range(len(node.args)))
    for field in BODIES:
        body = getattr(node, field, [])
        if isinstance(body, list):
            yield from _without_statements(body)


def _without_operands(node: ast.BoolOp) -> Iterator[Change]:
    neutral = isinstance(node.op, ast.And)
    for index in range(len(node.values)):
        yield _replaced(node.values, index, ast.Constant(neutral), "without")


def _without_exceptions(node: ast.ExceptHandler) -> Iterator[Change]:
    """An empty tuple catches nothing."""

    def catch_nothing() -> None:
        node.type = ast.Tuple([], ast.Load())

    if node.type is not None:
        yield f"not caught: {_shown(node.type)}", catch_nothing, node.body[0]
    if isinstance(node.type, ast.Tuple):
        for index in range(len(node.type.elts)):
            yield _removed(node.type.elts, index, node.body[0])


def _is_suppress(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "suppress"


def _without_statements(body: list[ast.stmt]) -> Iterator[Change]:
    for index, statement in enumerate(body):
        if _does_something(statement):
            yield _replaced(body, index, ast.Pass(), "removed")


def _does_something(statement: ast.stmt) -> bool:
    """Return whether a statement is a call, a write or a jump. Log lines are none of these."""
    if isinstance(statement, ast.Expr):
        value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        return isinstance(value, ast.Call) and not ast.unparse(value.func).startswith("log.")
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in statement.targets)
    return isinstance(statement, ast.AugAssign | ast.Raise | ast.Break | ast.Continue | ast.Delete)


def _constant(node: ast.AST, field: str, value: bool, word: str) -> Change:
    return f"{word}: {_shown(getattr(node, field))}", lambda: setattr(node, field, ast.Constant(value)), node


def _replaced(items: list, index: int, new: ast.AST, word: str) -> Change:  # type: ignore[type-arg]
    return f"{word}: {_shown(items[index])}", lambda: items.__setitem__(index, new), items[index]


def _removed(items: list[ast.expr], index: int, runs: ast.AST) -> Change:
    return f"not caught: {_shown(items[index])}", lambda: items.__delitem__(index), runs


def _shown(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:SHOWN]
