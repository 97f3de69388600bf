"""The reference of the Python client: the public names of `parley`, from their sources."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import parley
import parley.errors
from tools.reference import markdown

GROUPS = {
    "Clients": ("Parley", "AsyncParley", "SubmitOptions", "RetryPolicy"),
    "Jobs": ("Job", "Recording", "Attempt", "Eta", "Failure", "ResultSummary", "QueueStatus"),
    "Batches": ("Batch", "BatchItem", "BatchSummary"),
    "Turns": (
        "Turns",
        "Turn",
        "Correction",
        "Redecided",
        "Questions",
        "Question",
        "Candidate",
        "Transcript",
        "SpokenWord",
        "SpeakerCount",
        "SpeakerIdentity",
        "SpeakerPurity",
        "AudioQuality",
        "AudioWarning",
        "Voiceprint",
        "Consent",
    ),
    "Deliveries, keys and links": ("Delivery", "ApiKey", "Share", "Usage", "UsageOfDay"),
    "Errors": (
        "ParleyClientError",
        "ParleyConnectionError",
        "ParleyApiError",
        "ParleyUnavailable",
        "UnexpectedResponse",
        "WaitTimedOut",
        "BatchUnfinished",
    ),
}
INTRODUCTION = """# Python client

`pip install ./services/client` installs the library; it needs httpx only. All names below are
imported from `parley`."""
MAX_LINE = 100
METHODS = "Methods"  # end of the names of classes that hold a part of the methods of the clients

Function = ast.FunctionDef | ast.AsyncFunctionDef


def render() -> str:
    """Return the page. Raises ValueError if a public name is in no group."""
    if missing := set(parley.__all__) - {name for names in GROUPS.values() for name in names}:
        raise ValueError(f"{', '.join(sorted(missing))}: in no group of tools/reference/python.py")
    sections = [INTRODUCTION]
    for group, names in GROUPS.items():
        sections.append(f"## {group}")
        if group == "Errors":
            sections.append(markdown.docstring((parley.errors.__doc__ or "").strip()))
        sections.extend(section for name in names for section in _class(name))
    return "\n\n".join(sections)


def _class(name: str) -> Iterator[str]:
    public = getattr(parley, name)
    node = _source(public)
    parts = [node, *(_source(base) for base in public.__mro__[1:] if base.__name__.endswith(METHODS))]
    functions = [one for part in parts for one in part.body if isinstance(one, Function) and _documented(one)]
    yield f"### {name}"
    yield markdown.docstring(ast.get_docstring(node) or "")
    if name == "AsyncParley":  # its methods are documented with those of Parley
        methods = [_signature(function) for function in functions if not _is_property(function)]
        yield "\n".join(["```python", *methods, "```"])
        return
    for function in functions:
        yield f"#### {name}.{function.name}"
        if not _is_property(function):
            yield f"```python\n{_signature(function)}\n```"
        yield markdown.docstring(ast.get_docstring(function) or "")


def _source(public: type) -> ast.ClassDef:
    """Return the source of a class, with the constants in it replaced by their values."""
    module = ast.parse(Path(inspect.getsourcefile(public) or "").read_text(encoding="utf-8"))
    node = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == public.__name__)
    return _Constants(vars(sys.modules[public.__module__])).visit(node)


class _Constants(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._values.get(node.id)
        return ast.Constant(value) if isinstance(value, str | int | float) else node


def _documented(function: Function) -> bool:
    return not function.name.startswith("_") and ast.get_docstring(function) is not None


def _is_property(function: Function) -> bool:
    return "property" in map(ast.unparse, function.decorator_list)


def _signature(function: Function) -> str:
    prefix = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    arguments = [argument for argument in _arguments(function.args) if argument != "self"]
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{prefix} {function.name}({', '.join(arguments)}){result}"
    if len(line) <= MAX_LINE:
        return line
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"{prefix} {function.name}(\n{lines}){result}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(positional, defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")
