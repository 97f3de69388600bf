"""Whether the engine of this machine works. Imported by name: the client installs without worker and core."""

from __future__ import annotations

import os
from importlib import import_module

from parley.cli.checks import Finding
from parley.cli.exits import Exit

SUBJECT = "engine"


def check_engine() -> Finding:
    """Load the engine that a worker here would use, which holds its model files against their pins."""
    name = os.environ.get("PARLEY_ENGINE") or "onnx"
    try:
        load_engine = import_module("parley_worker.engines.base").load_engine
        permanent_error: type[Exception] = import_module("parley_core.errors").PermanentError
    except ImportError as error:
        return Finding(SUBJECT, Exit.USAGE, f"no worker is installed here ({error})", "Leave --engine out.")
    try:
        info = load_engine(name).info
    except permanent_error as error:  # its message says what to do
        return Finding(SUBJECT, Exit.UNAVAILABLE, str(error))
    return Finding(SUBJECT, Exit.OK, f"{info.name} {info.version}, {len(info.weights)} model files as pinned")
