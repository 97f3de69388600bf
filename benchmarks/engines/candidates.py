"""The engines that are compared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.engines.environments import pipeline, with_pyannote, with_sherpa

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that takes part in the comparison.

    Attributes:
        name: in the table.
        setting: in the table.
        engine: name or `module:factory`, as in PARLEY_ENGINE.
        python: returns the Python interpreter of its environment; raises Unavailable if there is none.
        variables: returns the environment variables that its process needs; raises Unavailable as well.
        longest: minutes of the longest recording for its memory; longer ones would take too long.
    """

    name: str
    setting: str
    engine: str
    python: Callable[[], str] = lambda: sys.executable
    variables: Callable[[], Mapping[str, str]] = lambda: NO_VARIABLES
    longest: int = 30


STOCK = Candidate("stock-pyannote", "as released", "benchmarks.engines.stock:stock_pyannote", with_pyannote, pipeline)
CANDIDATES = (
    STOCK,
    Candidate("pyannote", "default", "pyannote", with_pyannote, pipeline),
    Candidate("onnx", "fast", "onnx-fast"),
    Candidate("onnx", "default", "onnx", longest=240),
    Candidate("onnx", "without VNNI", "benchmarks.engines.instructions:without_vnni"),
    Candidate("onnx", "AVX2 alone", "benchmarks.engines.instructions:with_avx2"),
    Candidate("onnx", "careful", "onnx-careful"),
    Candidate("sherpa-onnx", "default", "benchmarks.engines.sherpa:SherpaEngine", with_sherpa),
)
"""In the order of the table."""
