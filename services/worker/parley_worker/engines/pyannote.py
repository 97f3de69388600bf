"""pyannote.audio itself as an engine: for community-1, other pipelines of its kind, and graphics cards.

An extra: torch and its friends are a gigabyte and more. It loads a pipeline folder (`config.yaml` and the weights it
names) from PARLEY_PYANNOTE_PIPELINE and touches no network: pyannote's telemetry is off, the model hub offline.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley_core.errors import EngineMismatch, UnsafeSettings
from parley_core.job import Phase, SpeakerBounds
from parley_core.ports import Report
from parley_core.settings import Settings
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.result import NO_TURNS, Stretch, diarization

SAMPLE_RATE = 16_000
BATCH = 8  # windows per call; pyannote's own default is one at a time
PHASES = {"segmentation": Phase.SEGMENTATION, "embeddings": Phase.EMBEDDING}  # by the pipeline's step names


class PyannoteEngine:
    """A pyannote.audio 4 diarization pipeline, on a graphics card where torch finds one.

    Args:
        threads: of torch, which otherwise takes every core of the host.
        folder: of the pipeline; PARLEY_PYANNOTE_PIPELINE without it.

    Raises:
        UnsafeSettings: pyannote.audio is not installed, or no folder is set.
        EngineMismatch: the folder holds no pipeline that this pyannote.audio can load.
    """

    def __init__(self, threads: int = 1, folder: Path | None = None) -> None:
        folder = folder or _folder_of_settings()
        self._pipeline = _load(folder, threads)
        self._weights = _digests(folder)

    @property
    def info(self) -> EngineInfo:
        """Name, version, weights and parameters."""
        parameters = {"step_share": self._pipeline.segmentation_step, **self._pipeline.parameters(instantiated=True)}
        return EngineInfo("pyannote", version("pyannote.audio"), self._weights, parameters)

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        """Return who spoke when; see parley_core.ports.Engine. A cancel is noticed between batches."""
        if not len(waveform):
            return NO_TURNS
        import torch

        audio = {"waveform": torch.from_numpy(waveform[None]), "sample_rate": SAMPLE_RATE, "uri": "recording"}
        found = self._pipeline(audio, hook=_hook(report), min_speakers=speakers.min, max_speakers=speakers.max)
        return diarization(
            _stretches(found.speaker_diarization),
            _stretches(found.exclusive_speaker_diarization),
            len(waveform) / SAMPLE_RATE,
        )


def _folder_of_settings() -> Path:
    folder = Settings().pyannote_pipeline
    if folder is None:
        raise UnsafeSettings(
            "PARLEY_ENGINE=pyannote needs a pipeline: set PARLEY_PYANNOTE_PIPELINE to a folder with its config.yaml."
        )
    return folder


def _load(folder: Path, threads: int) -> Any:
    """Return the pipeline in memory. It was tested offline; both switches are read when pyannote is imported."""
    os.environ.update(PYANNOTE_METRICS_ENABLED="0", HF_HUB_OFFLINE="1")
    torch, pipeline_class = _import()
    torch.set_num_threads(threads)
    if not (folder / "config.yaml").is_file():  # else pyannote takes the folder's name for one on the model hub
        raise EngineMismatch(f"There is no pipeline in {folder}: config.yaml is missing.")
    try:
        pipeline = pipeline_class.from_pretrained(folder)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise EngineMismatch(f"The pipeline in {folder} cannot be loaded: {error}") from error
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = BATCH
    return pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _import() -> tuple[Any, Any]:
    try:
        import torch
        from pyannote.audio import Pipeline
    except ImportError as error:
        raise UnsafeSettings(
            f"The pyannote engine is not installed ({error}): install requirements/worker-pyannote.txt, or set "
            "PARLEY_ENGINE=onnx, which needs no torch."
        ) from error
    return torch, Pipeline


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of the pipeline, its settings too."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _hook(report: Report) -> Callable[..., None]:
    """Return pyannote's callback; a step calls it with `completed` of `total`, and once without when it is done."""

    def hook(step: str, _artefact: object, *, total: int = 1, completed: int = 1, **_rest: object) -> None:
        if step in PHASES:
            report(PHASES[step], min(1.0, completed / total))
        if step == "embeddings" and completed >= total:
            report(Phase.CLUSTERING, 0.0)

    return hook


def _stretches(annotation: Any) -> Iterator[Stretch]:
    for segment, _track, speaker in annotation.itertracks(yield_label=True):
        yield Stretch(segment.start, segment.end, speaker)
