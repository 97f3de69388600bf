"""pyannote.audio's diarization without torch: the same turns except for ties, at slightly lower cost."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.exact.clustering import ClusteringParameters, assign, mean_embeddings
from parley_worker.engines.exact.counting import STEP, segment, speaker_count
from parley_worker.engines.exact.embedding import embed_windows
from parley_worker.engines.exact.normalization import normalized
from parley_worker.engines.onnx import models
from parley_worker.engines.onnx.frames import segments, select_speakers, speaker_votes
from parley_worker.engines.onnx.grid import SAMPLE_RATE, WINDOW
from parley_worker.engines.port import Report
from parley_worker.engines.result import NO_TURNS, diarization


class ExactEngine:
    """Segmentation-3.0 every second, CAM++ on every window, centroid linkage. Deterministic.

    Args:
        threads: per model.

    Raises:
        EngineMismatch: a model file is missing, or its SHA-256 is not the pinned one.
    """

    def __init__(self, threads: int = 1) -> None:
        self._parameters = ClusteringParameters()
        self._segmentation = models.open_session(models.read_model(models.SEGMENTATION), threads)
        self._embedding = models.open_session(models.read_model(models.EMBEDDING), threads)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights, parameters and kernels."""
        parameters = {
            "window_seconds": WINDOW / SAMPLE_RATE,
            "step_seconds": STEP / SAMPLE_RATE,
            "clustering": {"linkage": "centroid"} | asdict(self._parameters),
        }
        weights = models.pins(models.SEGMENTATION, models.EMBEDDING)
        return EngineInfo("onnx-exact", __version__, weights, parameters, models.kernels())

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_worker.engines.port.Engine. Reports at least once per second of work."""
        if not len(waveform):
            return NO_TURNS
        activity = segment(self._segmentation, waveform, partial(report, Phase.SEGMENTATION))
        count = speaker_count(activity)
        if not count.any():
            return NO_TURNS
        embeddings = embed_windows(self._embedding, waveform, activity, partial(report, Phase.EMBEDDING))
        report(Phase.CLUSTERING, 0.0)
        assigned = assign(embeddings, activity, speakers, self._parameters)
        votes = speaker_votes(activity, assigned, STEP)
        count = np.minimum(count, speakers.max or count.max())
        return diarization(
            segments(select_speakers(votes, count)),
            segments(select_speakers(votes, np.minimum(count, 1))),
            len(waveform) / SAMPLE_RATE,
            normalized(mean_embeddings(embeddings, assigned)),
        )
