"""The `pyannote` engine: pyannote.audio's own pipeline, without its repeated work."""

from parley_worker.engines.pyannote.engine import PyannoteEngine

__all__ = ["PyannoteEngine"]
