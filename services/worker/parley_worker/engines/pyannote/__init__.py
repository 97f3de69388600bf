"""The `pyannote` engine: pyannote.audio's own pipeline, with what it does more than once done once."""

from parley_worker.engines.pyannote.engine import PyannoteEngine

__all__ = ["PyannoteEngine"]
