"""Our own arithmetic as compiled on this machine. Where it is missing, a test fails in CI and is skipped elsewhere."""

from __future__ import annotations

import os
import platform

import pytest

from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.arithmetic.library import Library
from parley_worker.engines.onnx.arithmetic.variants import VARIANTS, Variant


def runnable() -> list[Variant]:
    """Return the variants that this processor can run."""
    flags = models._processor_flags()
    own = models.arithmetic()  # macOS tells no flags
    mine = [one for one in VARIANTS if platform.machine().lower() in one.machines]
    return [one for one in mine if one.instructions <= flags or (own and one.name == own.name)]


def compiled(variant: Variant) -> Library:
    """Return the library of a variant."""
    try:
        return Library(variant)
    except OSError:
        return stop(f"{variant.file} is not compiled: `make clean setup` does it, where there is a C compiler")


def fastest() -> Library:
    """Return the library that the engine uses here."""
    return models.arithmetic() or stop("no arithmetic is compiled for this processor")


def stop(reason: str) -> Library:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
