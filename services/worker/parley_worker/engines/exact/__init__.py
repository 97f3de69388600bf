"""The `onnx-exact` engine: the reference implementation of pyannote.audio's algorithm, without torch.

It is an oracle for tests and benchmarks: it reproduces the turns of pyannote.audio 4.0.7 step by step, at about its
cost, so that the default engine can be compared with that algorithm on any machine. A test holds it against
pyannote.audio itself (tests/integration/test_engines_agree.py). Use `onnx` for everything else.
"""

from parley_worker.engines.exact.engine import ExactEngine

__all__ = ["ExactEngine"]
