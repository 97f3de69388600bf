"""The default engine: pyannote.audio's diarization algorithm without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.job import Phase, SpeakerBounds
from parley_core.ports import Report
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.onnx import grid, models, trunk
from parley_worker.engines.onnx.clustering import ClusteringParameters, assign
from parley_worker.engines.onnx.embedding import embed_windows
from parley_worker.engines.onnx.reconstruction import speaker_count, speaker_votes, stretches, strongest
from parley_worker.engines.onnx.segmentation import segment
from parley_worker.engines.result import diarization

Embed = Callable[[NDArray[np.float32], NDArray[np.uint8], Callable[[float], None]], NDArray[np.float32]]

_NO_TURNS = Diarization(turns=(), exclusive_turns=(), overlaps=())


class OnnxEngine:
    """Segmentation-3.0 and CAM++ on onnxruntime, joined by centroid linkage. Deterministic.

    Args:
        threads: of each model.
        exact: embed every window on its own, as pyannote.audio does, for the same turns at three times the cost.

    Raises:
        EngineMismatch: a model file is missing or not the one this version was built for.
    """

    def __init__(self, threads: int = 1, *, exact: bool = False) -> None:
        self._parameters = ClusteringParameters()
        self._exact = exact
        self._segmentation = models.open_session(models.read_model(models.SEGMENTATION), threads)
        self._embed = _exact_embedder(threads) if exact else _shared_embedder(threads)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        parameters = {
            "window_seconds": grid.WINDOW / grid.SAMPLE_RATE,
            "step_seconds": grid.STEP / grid.SAMPLE_RATE,
            "embedding": "each window" if self._exact else "shared trunk",
            "clustering": {"linkage": "centroid"} | asdict(self._parameters),
        }
        return EngineInfo("onnx-exact" if self._exact else "onnx", __version__, dict(models.PINS), parameters)

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_core.ports.Engine. Reports at least once per second of work."""
        if not len(waveform):
            return _NO_TURNS
        activity = segment(self._segmentation, waveform, partial(report, Phase.SEGMENTATION))
        count = speaker_count(activity)
        if not count.any():
            return _NO_TURNS
        embeddings = self._embed(waveform, activity, partial(report, Phase.EMBEDDING))
        report(Phase.CLUSTERING, 0.0)
        votes = speaker_votes(activity, assign(embeddings, activity, speakers, self._parameters))
        count = np.minimum(count, speakers.max or count.max())
        return diarization(
            stretches(strongest(votes, count)),
            stretches(strongest(votes, np.minimum(count, 1))),
            len(waveform) / grid.SAMPLE_RATE,
        )


def exact_engine(threads: int = 1) -> OnnxEngine:
    """Return the engine that gives pyannote.audio's turns to the millisecond, but for ties."""
    return OnnxEngine(threads, exact=True)


def _exact_embedder(threads: int) -> Embed:
    return partial(embed_windows, models.open_session(models.read_model(models.EMBEDDING), threads))


def _shared_embedder(threads: int) -> Embed:
    inside = (trunk.TRUNK, trunk.WEIGHT, trunk.MEAN, trunk.VARIANCE)
    model = models.exposing(models.read_model(models.EMBEDDING), inside)
    return trunk.SharedTrunk(models.open_session(model, threads)).embed
