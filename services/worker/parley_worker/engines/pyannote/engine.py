"""pyannote.audio as an engine: for community-1, other pipelines of its kind, and graphics cards.

The pipeline is pyannote's own except for two steps that repeat work (`sincnet.py`, `replacement.py`). It is an optional
extra, since torch and its dependencies take more than a gigabyte. The engine loads a pipeline folder (`config.yaml` and
the weights that it names) from PARLEY_PYANNOTE_PIPELINE. It never uses the network: pyannote's telemetry is off, and
the model hub is offline.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_core.errors import EngineMismatch, UnsafeSettings
from parley_core.job import Phase, SpeakerBounds
from parley_core.settings import Settings
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.onnx import models
from parley_worker.engines.port import Report
from parley_worker.engines.result import NO_TURNS, Segment, SpeakerEmbeddings, diarization

SAMPLE_RATE = 16_000
# Windows per segmentation call. On one thread of a processor, 8 cost 2 % more and 32 a sixth more. A graphics card
# (H100) takes 1.2 s for half an hour in batches of 32, 4.9 s in batches of 4, and 1.1 s in batches of 256.
BATCHES = {"cpu": 4, "cuda": 32}
PHASES = {"segmentation": Phase.SEGMENTATION, "embeddings": Phase.EMBEDDING}  # by the pipeline's names of its steps


class PyannoteEngine:
    """A pyannote.audio 4 diarization pipeline, on a graphics card if torch finds one.

    Args:
        threads: of torch, which otherwise takes every core of the host.
        folder: of the pipeline; default: PARLEY_PYANNOTE_PIPELINE.
        stock: leave the pipeline unchanged, to compare the engine with it.

    Raises:
        UnsafeSettings: pyannote.audio is not installed, or no folder is set.
        EngineMismatch: the folder contains no pipeline that this pyannote.audio can load.
    """

    def __init__(self, threads: int = 1, folder: Path | None = None, stock: bool = False) -> None:
        folder = folder or _folder_of_settings()
        self._pipeline = _load(folder, threads)
        if not stock:
            _avoid_repeated_work(self._pipeline)
        files = sorted(path for path in folder.rglob("*") if path.is_file())  # the settings of the pipeline too
        self._weights = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights, parameters and kernels."""
        parameters = {"step_share": self._pipeline.segmentation_step, **self._pipeline.parameters(instantiated=True)}
        return EngineInfo("pyannote", version("pyannote.audio"), self._weights, parameters, kernels())

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_worker.engines.port.Engine. A cancel is noticed between batches."""
        if not len(waveform):
            return NO_TURNS
        import torch

        audio = {"waveform": torch.from_numpy(waveform[None]), "sample_rate": SAMPLE_RATE, "uri": "recording"}
        found = self._pipeline(audio, hook=_hook(report), min_speakers=speakers.min, max_speakers=speakers.max)
        return diarization(
            _segments(found.speaker_diarization),
            _segments(found.exclusive_speaker_diarization),
            len(waveform) / SAMPLE_RATE,
            speaker_embeddings(found, self._weights),
        )


def kernels() -> dict[str, str]:
    """Return what computes the pipeline: torch, and onnxruntime for ONNX models, on this processor or graphics card."""
    torch = import_module("torch")
    found = {"torch": str(torch.__version__), **models.kernels()}
    return found | ({"graphics_card": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def _folder_of_settings() -> Path:
    folder = Settings().pyannote_pipeline
    if folder is None:
        raise UnsafeSettings(
            "PARLEY_ENGINE=pyannote needs a pipeline: set PARLEY_PYANNOTE_PIPELINE to a folder with its config.yaml."
        )
    return folder


def _load(folder: Path, threads: int) -> Any:
    """Return the pipeline in memory. pyannote.audio reads both variables when it is imported."""
    os.environ.update(PYANNOTE_METRICS_ENABLED="0", HF_HUB_OFFLINE="1")
    torch, pipeline_class = _import()
    torch.set_num_threads(threads)
    if not (folder / "config.yaml").is_file():  # else pyannote would take the folder for a name on the hub
        raise EngineMismatch(f"There is no pipeline in {folder}: config.yaml is missing.")
    try:
        pipeline = pipeline_class.from_pretrained(folder)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise EngineMismatch(f"The pipeline in {folder} cannot be loaded: {error}") from error
    return pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _avoid_repeated_work(pipeline: Any) -> None:
    """Replace the steps of a pipeline that repeat work. A pipeline of another kind stays unchanged."""
    from pyannote.audio.pipelines import SpeakerDiarization

    from parley_worker.engines.pyannote.replacement import replace_embedding_step
    from parley_worker.engines.pyannote.sincnet import share_first_layer

    if isinstance(pipeline, SpeakerDiarization):
        pipeline.segmentation_batch_size = BATCHES[pipeline.device.type]
        share_first_layer(pipeline._segmentation.model)
        replace_embedding_step(pipeline)


def _import() -> tuple[Any, Any]:
    try:
        import torch
        from pyannote.audio import Pipeline
    except ImportError as error:
        raise UnsafeSettings(
            f"The pyannote engine is not installed ({error}): install requirements/worker-pyannote.txt, or set "
            "PARLEY_ENGINE=onnx, which does not need torch."
        ) from error
    return torch, Pipeline


def _hook(report: Report) -> Callable[..., None]:
    """Return pyannote's callback. A step calls it with `completed` of `total`, and without both when it is done."""

    def hook(step: str, _artefact: object, *, total: int = 1, completed: int = 1, **_rest: object) -> None:
        if step in PHASES:
            report(PHASES[step], min(1.0, completed / total))
        if step == "embeddings" and completed >= total:
            report(Phase.CLUSTERING, 0.0)

    return hook


def speaker_embeddings(output: Any, weights: Mapping[str, str]) -> SpeakerEmbeddings:
    """Return the centroids of the pipeline's clusters; none if the pipeline has none.

    Args:
        output: of the pipeline.
        weights: SHA-256 of the pipeline's files, which identify its embedding space.
    """
    names = output.speaker_diarization.labels()
    vectors = output.speaker_embeddings
    pipeline = hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()
    return SpeakerEmbeddings(f"pyannote {pipeline}", {} if vectors is None else dict(zip(names, vectors, strict=True)))


def _segments(annotation: Any) -> Iterator[Segment]:
    for segment, _track, speaker in annotation.itertracks(yield_label=True):
        yield Segment(segment.start, segment.end, speaker)
