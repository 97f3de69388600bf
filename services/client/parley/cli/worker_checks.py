"""The checks of engine and recogniser on this machine. They import worker and core by name: the client installs
without them.
"""

from __future__ import annotations

import os
from importlib import import_module

from parley.cli.checks import Finding
from parley.cli.exit_codes import Exit

SUBJECT = "engine"
RECOGNISER = "recogniser"


def check_engine() -> Finding:
    """Load the engine that a worker on this machine uses; this compares its model files with their pinned hashes."""
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


def check_recogniser() -> Finding:
    """Have the recogniser of a worker on this machine transcribe a second of silence."""
    try:
        recogniser_of = import_module("parley_worker.dependencies").recogniser_of
        settings = import_module("parley_core.settings").Settings
        parley_error: type[Exception] = import_module("parley_core.errors").ParleyError
    except ImportError as error:
        return Finding(RECOGNISER, Exit.USAGE, f"no worker is installed here ({error})", "Leave --recogniser out.")
    try:
        recogniser = recogniser_of(settings.from_environment())
        if recogniser is None:
            advice = "Set PARLEY_ASR_URL as for the worker."
            return Finding(RECOGNISER, Exit.USAGE, "this machine has no recogniser", advice)
        recogniser.check()
    except parley_error as error:  # its message says what to do
        return Finding(RECOGNISER, Exit.UNAVAILABLE, str(error), "Jobs with `transcribe` end without words.")
    return Finding(RECOGNISER, Exit.OK, f"{recogniser.url} transcribes with the model {recogniser.model}")
