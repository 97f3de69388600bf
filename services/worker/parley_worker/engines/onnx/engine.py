"""The default engine: pyannote's idea with each thing done once, and every moment decided twice."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.job import Phase, SpeakerBounds
from parley_core.ports import Report
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.onnx import assignment, embedding, models, segmentation, trunk
from parley_worker.engines.onnx.clustering import DEFAULT, ClusteringParameters, centroids
from parley_worker.engines.onnx.frames import stretches
from parley_worker.engines.onnx.grid import SAMPLE_RATE, WINDOW
from parley_worker.engines.result import NO_TURNS, diarization


class OnnxEngine:
    """Segmentation-3.0 and CAM++ on onnxruntime. Deterministic.

    Args:
        threads: of each model.
        parameters: of the clustering.

    Raises:
        EngineMismatch: a model file is missing or not the one this version was built for.
    """

    def __init__(self, threads: int = 1, parameters: ClusteringParameters = DEFAULT) -> None:
        self._parameters = parameters
        self._segmentation = models.open_session(models.read_model(models.SEGMENTATION), threads)
        embedder = models.exposing(models.read_model(models.EMBEDDING), trunk.INSIDE)
        self._trunk = models.open_session(embedder, threads)
        self._head = trunk.Head(self._trunk)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        parameters = {
            "window_seconds": WINDOW / SAMPLE_RATE,
            "step_seconds": segmentation.STEP / SAMPLE_RATE,
            "clustering": {"linkage": "average"} | asdict(self._parameters),
            "nearness": assignment.NEARNESS,
        }
        return EngineInfo("onnx", __version__, dict(models.PINS), parameters)

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_core.ports.Engine. Reports at least once per second of work."""
        if not len(waveform):
            return NO_TURNS
        heard = segmentation.segment(self._segmentation, waveform, partial(report, Phase.SEGMENTATION))
        if not heard.count.any():
            return NO_TURNS
        blocks = trunk.trunk_frames(self._trunk, waveform, partial(report, Phase.EMBEDDING))
        voices = embedding.embed(self._head, blocks, heard)
        report(Phase.CLUSTERING, 0.0)
        decision = assignment.Assignment(heard, voices, self._speakers(voices, speakers))
        count = np.minimum(heard.count, speakers.max or heard.count.max())
        return diarization(
            stretches(decision.active(count)),
            stretches(decision.active(np.minimum(count, 1))),
            len(waveform) / SAMPLE_RATE,
        )

    def _speakers(self, voices: embedding.Voices, bounds: SpeakerBounds) -> trunk.Frames:
        """Return how the speakers sound; one person where nobody talks alone for long enough to tell."""
        if len(voices.pieces):
            return centroids(voices.pieces, voices.weights, bounds, self._parameters)
        return trunk.unit(voices.local.sum(axis=(0, 1))[None])
