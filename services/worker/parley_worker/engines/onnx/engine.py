"""The default engine: pyannote's idea with each thing done once, and every moment decided twice."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.engine import Report
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import REVIEW_BELOW, Diarization, EngineInfo
from parley_worker.engines.onnx import assignment, embedding, models, segmentation, trunk
from parley_worker.engines.onnx.calibration import FITTED as CALIBRATION
from parley_worker.engines.onnx.clustering import DEFAULT as CLUSTERING
from parley_worker.engines.onnx.clustering import ClusteringParameters, centroids
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.frames import Run, stretches
from parley_worker.engines.onnx.grid import SAMPLE_RATE, WINDOW
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.setting import CAREFUL, DEFAULT, FAST, Setting
from parley_worker.engines.result import NO_TURNS, Voices, diarization


class OnnxEngine:
    """Segmentation-3.0 and CAM++ on onnxruntime. Deterministic.

    Args:
        threads: of each model.
        setting: how much care to take.
        parameters: of the clustering.

    Raises:
        EngineMismatch: a model file is missing or not the one this version was built for.
    """

    def __init__(
        self, threads: int = 1, setting: Setting = DEFAULT, parameters: ClusteringParameters = CLUSTERING
    ) -> None:
        self._setting, self._parameters = setting, parameters
        listener, embedder = (models.read_model(name) for name in setting.files)
        self._segmentation = models.open_session(listener, threads)
        if models.EMBEDDING in setting.files:
            embedder = models.exposing(embedder, trunk.INSIDE)
        self._trunk = models.open_session(embedder, threads)
        self._head = trunk.Head(self._trunk)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        parameters = {
            "window_seconds": WINDOW / SAMPLE_RATE,
            "setting": self._setting.name,
            "step_seconds": self._setting.step_seconds,
            "clustering": asdict(self._parameters),
            "nearness": assignment.NEARNESS,
            REVIEW_BELOW: CALIBRATION.review_below,
        }
        return EngineInfo("onnx", __version__, models.pins(*self._setting.files, models.CHANNELS), parameters)

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_core.ports.Engine. Reports at least once per second of work."""
        found = self.decide(waveform, speakers, report)
        if found is None:
            return NO_TURNS

        def confidence(run: Run) -> float:
            return CALIBRATION.confidence(found.evidence.of(run))

        return diarization(
            stretches(found.active, confidence),
            stretches(found.exclusive(), confidence),
            len(waveform) / SAMPLE_RATE,
            Voices(trunk.VOICE_MODEL, dict(enumerate(found.people))),
        )

    def decide(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Decision | None:
        """Return what diarize says, on the frames of the engine and with the grounds for it; None where nobody speaks.

        Arguments and errors are those of diarize.
        """
        found = self.hear(waveform, report)
        if found is None:
            return None
        heard, voices = found
        report(Phase.CLUSTERING, 0.0)
        return Decision(heard, voices, self._speakers(voices, speakers), speakers)

    def hear(self, waveform: NDArray[np.float32], report: Report) -> tuple[Segmentation, embedding.Voices] | None:
        """Return what the two models say, from which all else follows; None where nobody speaks.

        Raises what `report` raises.
        """
        if not len(waveform):
            return None
        step = round(self._setting.step_seconds * SAMPLE_RATE)
        heard = segmentation.segment(self._segmentation, waveform, step, partial(report, Phase.SEGMENTATION))
        if not heard.count.any():
            return None
        blocks = trunk.trunk_frames(self._trunk, waveform, partial(report, Phase.EMBEDDING))
        return heard, embedding.embed(self._head, blocks, heard)

    def _speakers(self, voices: embedding.Voices, bounds: SpeakerBounds) -> trunk.Frames:
        """Return how the speakers sound; one person where nobody talks alone for long enough to tell."""
        if len(voices.pieces):
            return centroids(voices.pieces, voices.weights, bounds, self._parameters)
        return trunk.unit(voices.local.sum(axis=(0, 1))[None])


def fast(threads: int = 1) -> OnnxEngine:
    """Return the engine at its cheapest."""
    return OnnxEngine(threads, FAST)


def careful(threads: int = 1) -> OnnxEngine:
    """Return the engine with released weights and twice as many windows."""
    return OnnxEngine(threads, CAREFUL)
