"""Engines by their names.

`onnx-exact` is the reference implementation that tests and benchmarks compare the others with.
"""

from __future__ import annotations

from importlib import import_module

from parley_core.errors import UnsafeSettings
from parley_worker.engines.port import Engine

FACTORIES = {
    "onnx": "parley_worker.engines.onnx:OnnxEngine",
    "onnx-fast": "parley_worker.engines.onnx:fast",
    "onnx-careful": "parley_worker.engines.onnx:careful",
    "onnx-exact": "parley_worker.engines.exact:ExactEngine",
    "pyannote": "parley_worker.engines.pyannote:PyannoteEngine",
}


def load_engine(name: str, threads: int = 1) -> Engine:
    """Return an engine that is ready to diarize.

    Args:
        name: one of FACTORIES, or `module:factory`, where `factory(threads)` returns an Engine.
        threads: per model.

    Raises:
        UnsafeSettings: there is no such engine, or it is not installed.
        EngineMismatch: a model file is missing, or its SHA-256 is not the pinned one.
    """
    module, separator, factory = FACTORIES.get(name, name).partition(":")
    if not separator:
        raise UnsafeSettings(
            f"No engine is called {name!r}: set PARLEY_ENGINE to {', '.join(FACTORIES)} or module:factory."
        )
    try:
        make = getattr(import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise UnsafeSettings(f"Engine {name!r} cannot be imported ({error}): check PARLEY_ENGINE.") from error
    engine: Engine = make(threads)
    return engine
