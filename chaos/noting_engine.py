"""The default engine, which notes each piece of work that it begins."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from structlog.contextvars import get_contextvars

from chaos.control import VARIABLE
from chaos.engine_work import FOLDER, STEPS, Piece
from parley_core.job import Phase, SpeakerBounds
from parley_core.turns import Diarization, EngineInfo
from parley_worker.engines.checkpoint import NO_CHECKPOINT, Checkpoint
from parley_worker.engines.onnx import OnnxEngine
from parley_worker.engines.port import Report


class NotingEngine:
    """The default engine. It writes a line for each piece before the piece is computed."""

    def __init__(self, threads: int) -> None:
        self._engine = OnnxEngine(threads)
        self._folder = Path(os.environ[VARIABLE]).parent / FOLDER
        self._attempts = 0

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def diarize(self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report) -> Diarization:
        return self.resume(waveform, speakers, report, NO_CHECKPOINT)

    def resume(
        self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report, checkpoint: Checkpoint
    ) -> Diarization:
        """Do what the engine does. A report that ends the attempt begins no piece."""
        self._attempts += 1
        job_id, attempt = get_contextvars()["job_id"], f"{os.getpid()}-{self._attempts}"
        self._folder.mkdir(exist_ok=True)
        with (self._folder / f"{os.getpid()}.jsonl").open("ab", buffering=0) as file:

            def noted(phase: Phase, share: float) -> None:
                report(phase, share)
                if phase in STEPS:
                    piece = Piece(job_id, attempt, time.time(), STEPS.index(phase), share)
                    file.write(f"{json.dumps(asdict(piece))}\n".encode())

            return self._engine.resume(waveform, speakers, noted, checkpoint)
