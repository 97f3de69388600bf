"""The engines that are held against each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.environments import pipeline, with_pyannote, with_sherpa

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine by its name in the table and in Parley.

    Attributes:
        python: gives the Python that it runs on; raises Unavailable where there is none.
        variables: gives what its process needs to be told; raises Unavailable as well.
        longest: minutes of recording for which its memory is measured; more take too long.
    """

    name: str
    setting: str
    engine: str
    python: Callable[[], str] = lambda: sys.executable
    variables: Callable[[], Mapping[str, str]] = lambda: NOTHING
    longest: int = 30


STOCK = Contender("stock-pyannote", "as released", "benchmarks.stock:stock_pyannote", with_pyannote, pipeline)
CONTENDERS = (
    STOCK,
    Contender("pyannote", "default", "pyannote", with_pyannote, pipeline),
    Contender("onnx", "fast", "onnx-fast"),
    Contender("onnx", "default", "onnx", longest=240),
    Contender("onnx", "careful", "onnx-careful"),
    Contender("sherpa-onnx", "default", "benchmarks.sherpa:SherpaEngine", with_sherpa),
)
"""In the order of the table: the stock one first."""
