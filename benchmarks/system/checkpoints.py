"""What the checkpoint of a recording takes in the object store, with the default engine."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.data.audio import tiled
from benchmarks.measure import Measure
from parley_core.job import DEFAULT_TENANT, Job, JobOptions, JobState, Phase, SpeakerBounds, TimeLimits
from parley_core.recording import Recording
from parley_core.storage.folder import FolderStore
from parley_worker.attempt.checkpoint import HASH_BYTES, StoredCheckpoint
from parley_worker.attempt.packing import pack, unpack
from parley_worker.attempt.stopping import WorkerStopping
from parley_worker.engines.onnx import OnnxEngine

JOB = "01a21c5e-07d4-7464-8661-4f77c9e75c3a"  # any id
MINUTES = 10
MEGABYTE = 1_000_000


def checkpoint_rows(console: Console) -> list[Measure]:
    """Measure the whole checkpoint of ten minutes, and what it costs to pack it.

    Raises:
        AssertionError: the turns differ from those of an undisturbed run, or a part is left.
    """
    console.print(f"bench: the checkpoint of {MINUTES} minutes")
    engine, waveform = OnnxEngine(), tiled(60 * MINUTES)
    began = time.process_time()
    expected = engine.diarize(waveform, SpeakerBounds(), _silent)
    cost = time.process_time() - began
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        store = FolderStore(Path(folder))
        with suppress(WorkerStopping), StoredCheckpoint(store, _job(1), engine.info, _nothing) as checkpoint:
            engine.resume(waveform, SpeakerBounds(), _silent, checkpoint)
            raise WorkerStopping("all is computed")
        parts = [store.read(key) for key in store.keys("checkpoints/")]
        arrays = [unpack(part[HASH_BYTES:]) for part in parts]
        with StoredCheckpoint(store, _job(2), engine.info, _nothing) as checkpoint:
            assert engine.resume(waveform, SpeakerBounds(), _silent, checkpoint) == expected
            checkpoint.remove()
        assert not list(store.keys("checkpoints/"))
    began = time.process_time()
    for part in arrays:
        pack(part)
    packing = time.process_time() - began
    hours, note = MINUTES / 60, f"{len(parts)} parts, turns bit-equal, nothing left"
    return [
        Measure("checkpoint, per hour of sound", sum(map(len, parts)) / MEGABYTE / hours, "MB", 2, note=note),
        Measure("checkpoint, packing, share of the engine's processor time", 100 * packing / cost, "%", 1),
    ]


def _job(token: int) -> Job:
    recording = Recording("recordings/bench", "0" * 64, 1, 60.0 * MINUTES, "audio/flac")
    limits, now = TimeLimits(3600, 3600), datetime.now(UTC)
    return Job(JOB, DEFAULT_TENANT, JobState.RUNNING, JobOptions(), recording, limits, now, token=token)


def _silent(_phase: Phase, _share: float) -> None:
    """Ignore the progress."""


def _nothing() -> None:
    """Count nothing."""
