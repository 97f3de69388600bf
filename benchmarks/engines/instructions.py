"""The default engine as it runs on processors with fewer instructions than this one.

`models.arithmetic` is replaced in this process, so onnxruntime is not affected: the default engine does not run it.
"""

from __future__ import annotations

from parley_worker.engines.onnx import OnnxEngine, models
from parley_worker.engines.onnx.arithmetic.library import Library
from parley_worker.engines.onnx.arithmetic.variants import VARIANTS


def without_vnni(threads: int = 1) -> OnnxEngine:
    """Return the engine with the arithmetic for AVX-512 without VNNI, as on the first servers with AVX-512."""
    return _with("avx512bw", threads)


def with_avx2(threads: int = 1) -> OnnxEngine:
    """Return the engine with the arithmetic for AVX2 alone, as on AMD servers before 2022."""
    return _with("avx2", threads)


def _with(name: str, threads: int) -> OnnxEngine:
    library = Library(next(variant for variant in VARIANTS if variant.name == name))
    models.arithmetic = lambda: library
    return OnnxEngine(threads)
