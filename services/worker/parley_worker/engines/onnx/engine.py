"""The default engine: pyannote.audio's approach, with each model run once and each frame decided twice."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parley_core import __version__
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import PURITY_REVIEW_BELOW, REVIEW_BELOW, AudioQuality, Diarization, EngineInfo
from parley_worker.engines.checkpoint import NO_CHECKPOINT, Checkpoint
from parley_worker.engines.onnx import assignment, models, trunk
from parley_worker.engines.onnx.audio_quality import audio_quality, echoes, without_speech
from parley_worker.engines.onnx.calibration import FITTED as CALIBRATION
from parley_worker.engines.onnx.clustering import DEFAULT as CLUSTERING
from parley_worker.engines.onnx.clustering import ClusteringParameters, FoundSpeakers, find_speakers
from parley_worker.engines.onnx.cohort import cohort, nearness
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.dereverberation import Dereverberated
from parley_worker.engines.onnx.doubt import PURITY_BOUND, doubts
from parley_worker.engines.onnx.embedding import Embeddings, embed
from parley_worker.engines.onnx.frames import FrameSegment, segments
from parley_worker.engines.onnx.grid import SAMPLE_RATE, WINDOW
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from parley_worker.engines.onnx.integer_trunk import IntegerTrunk
from parley_worker.engines.onnx.levels import speaker_levels
from parley_worker.engines.onnx.segmentation import Model, Segmentation, segment
from parley_worker.engines.onnx.setting import CAREFUL, DEFAULT, FAST, Setting
from parley_worker.engines.onnx.voices import turn_voices
from parley_worker.engines.port import Report
from parley_worker.engines.result import NO_TURNS, SpeakerEmbeddings, diarization


class Heard(NamedTuple):
    """What the models say about a recording, and how it sounds."""

    segmentation: Segmentation
    embeddings: Embeddings
    quality: AudioQuality


class OnnxEngine:
    """Segmentation-3.0 and CAM++. Deterministic. Threads that share an engine wait for each other.

    Args:
        threads: of onnxruntime, per model, where the released weights run.
        setting: trade-off between cost and errors.
        parameters: of the clustering.

    Raises:
        EngineMismatch: a model file is missing, or its SHA-256 is not the pinned one.
    """

    def __init__(
        self, threads: int = 1, setting: Setting = DEFAULT, parameters: ClusteringParameters = CLUSTERING
    ) -> None:
        self._setting = setting
        self._parameters = parameters
        self._one_recording = Lock()  # the models keep their activations in memory of their own
        self._segmentation: Model
        self._trunk: trunk.Trunk
        own = models.arithmetic() if setting.int8 else None
        if own:
            segmentation, embedding = (models.read_arrays(name) for name in setting.files)
            self._segmentation = IntegerSegmentation(own, segmentation)
            self._trunk = IntegerTrunk(own, embedding)
        else:
            self._segmentation = models.open_session(models.read_model(models.SEGMENTATION), threads)
            self._trunk = trunk.ReleasedTrunk(threads)
        self._head = trunk.Head(self._trunk.last_layer)
        self._cohort = cohort()

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights, parameters and kernels."""
        parameters = {
            "window_seconds": WINDOW / SAMPLE_RATE,
            "setting": self._setting.name,
            "step_seconds": self._setting.step_seconds,
            "clustering": asdict(self._parameters),
            "similarity_weight": assignment.SIMILARITY_WEIGHT,
            REVIEW_BELOW: CALIBRATION.review_below,
            PURITY_REVIEW_BELOW: PURITY_BOUND,
        }
        files = (*self._setting.files, models.CHANNEL_SUBSPACE, models.COHORT)
        return EngineInfo("onnx", __version__, models.pins(*files), parameters, models.kernels())

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_worker.engines.port.Engine. Reports at least once per second of work."""
        return self.resume(waveform, speakers, report, NO_CHECKPOINT)

    def resume(
        self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report, checkpoint: Checkpoint
    ) -> Diarization:
        """Return who spoke when; see ResumableEngine."""
        heard = self.run_models(waveform, report, checkpoint)
        if heard is None:
            return replace(NO_TURNS, audio_quality=without_speech(waveform))
        report(Phase.CLUSTERING, 0.0)
        decision = self.decide(heard, speakers)

        def confidence(segment: FrameSegment) -> float:
            return CALIBRATION.confidence(decision.evidence.of(segment))

        found = diarization(
            segments(decision.active, confidence),
            segments(decision.exclusive(), confidence),
            len(waveform) / SAMPLE_RATE,
            SpeakerEmbeddings(trunk.EMBEDDING_MODEL, dict(enumerate(decision.speakers))),
            doubts(decision, speakers),
            speaker_levels(decision),
        )
        voices = turn_voices(found.turns, decision.embedding_frames)
        return replace(found, voices=voices, audio_quality=heard.quality)

    def run_models(
        self, waveform: NDArray[np.float32], report: Report, checkpoint: Checkpoint = NO_CHECKPOINT
    ) -> Heard | None:
        """Return the output of both models, from which everything else follows; None if nobody speaks.

        Raises what `report` raises.
        """
        with self._one_recording:
            return self._run_models(waveform, report, checkpoint)

    def _run_models(self, waveform: NDArray[np.float32], report: Report, checkpoint: Checkpoint) -> Heard | None:
        if not len(waveform):
            return None
        step = round(self._setting.step_seconds * SAMPLE_RATE)
        progress = partial(report, Phase.SEGMENTATION)
        segmentation = segment(self._segmentation, waveform, step, progress, checkpoint)
        if not segmentation.count.any():
            return None
        quality = audio_quality(waveform, segmentation.count > 0)
        if echoes(quality):
            dry = Dereverberated(waveform)
            clearer = segment(self._segmentation, dry, step, progress, checkpoint, "dereverberated")
            segmentation = clearer.completed(segmentation)
            quality = audio_quality(waveform, segmentation.count > 0)  # speech that was missed is no noise
        trunk_from = partial(trunk.trunk_frames, self._trunk, waveform, partial(report, Phase.EMBEDDING))
        return Heard(segmentation, embed(self._head, trunk_from, segmentation, checkpoint), quality)

    def decide(self, heard: Heard, speakers: SpeakerBounds) -> Decision:
        """Return the decision in frames, with the evidence for it."""
        found = self._speakers(heard.embeddings, speakers)
        return Decision(heard.segmentation, heard.embeddings, found, speakers)

    def _speakers(self, embeddings: Embeddings, bounds: SpeakerBounds) -> FoundSpeakers:
        """Return the speakers; one speaker if nobody speaks alone for long enough to cluster."""
        if not len(embeddings.subsegments):
            return FoundSpeakers.of(trunk.unit(embeddings.local.sum(axis=(0, 1))[None]))
        near = nearness(embeddings.subsegments, self._cohort)
        return find_speakers(embeddings.subsegments, near, embeddings.seconds, bounds, self._parameters)


def fast(threads: int = 1) -> OnnxEngine:
    """Return the engine with the cheapest setting."""
    return OnnxEngine(threads, FAST)


def careful(threads: int = 1) -> OnnxEngine:
    """Return the engine with the released weights and twice as many windows."""
    return OnnxEngine(threads, CAREFUL)
