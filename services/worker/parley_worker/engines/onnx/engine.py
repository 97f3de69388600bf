"""The default engine: pyannote.audio's diarization algorithm without torch."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.job import Phase, SpeakerBounds
from parley_core.ports import Report
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.onnx import grid
from parley_worker.engines.onnx.clustering import ClusteringParameters, assign
from parley_worker.engines.onnx.embedding import embed
from parley_worker.engines.onnx.models import EMBEDDING, PINS, SEGMENTATION, open_session, read_model
from parley_worker.engines.onnx.reconstruction import speaker_count, speaker_votes, stretches, strongest
from parley_worker.engines.onnx.segmentation import segment
from parley_worker.engines.result import diarization

_NO_TURNS = Diarization(turns=(), exclusive_turns=(), overlaps=())


class OnnxEngine:
    """Segmentation-3.0 and CAM++ on onnxruntime, joined by centroid linkage. Deterministic.

    Raises:
        EngineMismatch: a model file is missing or not the one this version was built for.
    """

    def __init__(self, threads: int = 1, parameters: ClusteringParameters | None = None) -> None:
        self._parameters = parameters or ClusteringParameters()
        self._segmentation = open_session(read_model(SEGMENTATION), threads)
        self._embedding = open_session(read_model(EMBEDDING), threads)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        seconds = {"window_seconds": grid.WINDOW / grid.SAMPLE_RATE, "step_seconds": grid.STEP / grid.SAMPLE_RATE}
        clustering = {"linkage": "centroid"} | asdict(self._parameters)
        return EngineInfo("onnx", __version__, dict(PINS), {**seconds, "clustering": clustering})

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_core.ports.Engine. Reports several times per second of work."""
        if not len(waveform):
            return _NO_TURNS
        activity = segment(self._segmentation, waveform, partial(report, Phase.SEGMENTATION))
        count = speaker_count(activity)
        if not count.any():
            return _NO_TURNS
        embeddings = embed(self._embedding, waveform, activity, partial(report, Phase.EMBEDDING))
        report(Phase.CLUSTERING, 0.0)
        names = assign(embeddings, activity, speakers, self._parameters)
        votes = speaker_votes(activity, names)
        count = np.minimum(count, speakers.max or count.max())
        return diarization(
            stretches(strongest(votes, count)),
            stretches(strongest(votes, np.minimum(count, 1))),
            len(waveform) / grid.SAMPLE_RATE,
        )
