"""Unchanged pyannote.audio as an engine."""

from __future__ import annotations

from parley_worker.engines.port import Engine
from parley_worker.engines.pyannote import PyannoteEngine


def stock_pyannote(threads: int = 1) -> Engine:
    """Return the pipeline of PARLEY_PYANNOTE_PIPELINE, unchanged."""
    return PyannoteEngine(threads, stock=True)
