"""sherpa-onnx's offline diarization as an engine, with the project's two models and its own defaults."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import sherpa_onnx
from numpy.typing import NDArray

from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.port import Report
from parley_worker.engines.result import Segment, diarization

MODELS = Path(__file__).parents[2] / "services" / "worker" / "parley_worker" / "models"
RATE = 16_000
UNKNOWN_NUMBER = -1  # of speakers: the default of its examples
THRESHOLD = 0.5  # of the clustering: the default of its examples


class SherpaEngine:
    """See parley_worker.engines.port.Engine. Its callback counts embeddings, so it does not report its first window."""

    def __init__(self, threads: int = 1) -> None:
        segmentation = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(str(MODELS / "segmentation.onnx"))
        self._diarization = sherpa_onnx.OfflineSpeakerDiarization(
            sherpa_onnx.OfflineSpeakerDiarizationConfig(
                sherpa_onnx.OfflineSpeakerSegmentationModelConfig(pyannote=segmentation, num_threads=threads),
                sherpa_onnx.SpeakerEmbeddingExtractorConfig(str(MODELS / "wespeaker-campplus.onnx"), threads),
                sherpa_onnx.FastClusteringConfig(UNKNOWN_NUMBER, THRESHOLD),
            )
        )

    @property
    def info(self) -> EngineInfo:
        """Name and version; its models are the project's."""
        return EngineInfo("sherpa-onnx", version("sherpa-onnx"), {}, {"threshold": THRESHOLD})

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when. Ignores the bounds: it is measured with an unknown number of speakers."""

        def progress(done: int, total: int) -> int:
            report(Phase.EMBEDDING, done / total)
            return 0

        found = self._diarization.process(waveform, callback=progress).sort_by_start_time()
        turns = [Segment(turn.start, turn.end, turn.speaker) for turn in found]
        return diarization(turns, turns, len(waveform) / RATE)
