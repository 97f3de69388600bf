"""`python -m benchmarks.engines.graphics_card PIPELINE`: the pyannote engine on a graphics card.

Compared in one process, on one recording: the default engine on one thread of the processor, stock pyannote.audio on
the card, and the pyannote engine on the card. The recording is the sample conversation, repeated. PIPELINE is a folder
with a config.yaml; with `--random`, its embedding model gives way to a ResNet of community-1's size with random
weights, whose turns mean nothing and whose cost is the real one.

This needs torch, pyannote.audio, and a card that torch finds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from parley_core.job import Phase, SpeakerBounds
from parley_core.process import compute_on_one_thread
from parley_worker.engines.base import load_engine
from parley_worker.engines.port import Engine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000


def main(arguments: list[str]) -> int:
    """Print one line per engine; return the exit status: 2 without a graphics card."""
    compute_on_one_thread()
    import torch

    asked = _parser().parse_args(arguments)
    if not torch.cuda.is_available():
        print("torch finds no graphics card: nothing to measure.", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores, torch {torch.__version__}")
    waveform = _recording(asked.minutes * 60)
    with tempfile.TemporaryDirectory() as made:
        for name, engine in _engines(asked.pipeline, asked.random, Path(made)):
            _measure(name, engine, waveform)
    return 0


def _engines(pipeline: Path, random: bool, folder: Path) -> Iterator[tuple[str, Engine]]:
    from benchmarks.engines.community import community_pipeline
    from parley_worker.engines.pyannote import PyannoteEngine

    chosen = community_pipeline(folder, pipeline) if random else pipeline
    yield "onnx, one thread", load_engine("onnx", 1)
    yield "stock pyannote.audio, on the card", PyannoteEngine(1, chosen, stock=True)
    yield "pyannote, on the card", PyannoteEngine(1, chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.graphics_card", description=__doc__)
    parser.add_argument("pipeline", type=Path, help="folder with a config.yaml")
    parser.add_argument("--minutes", type=int, default=30, help="of the recording; default 30")
    parser.add_argument("--random", action="store_true", help="with a ResNet of random weights")
    return parser


def _recording(seconds: int) -> NDArray[np.float32]:
    import numpy as np
    import soundfile

    from benchmarks.data.audio import SHIPPED

    sample = soundfile.read(next(SHIPPED.glob("*.flac")), dtype="float32")[0]
    return np.resize(sample, seconds * SAMPLE_RATE)


def _measure(name: str, engine: Engine, waveform: NDArray[np.float32]) -> None:
    import torch

    engine.diarize(waveform[: 60 * SAMPLE_RATE], SpeakerBounds(), _ignored)  # the first run compiles and allocates
    torch.cuda.reset_peak_memory_stats()
    began, used = time.perf_counter(), time.process_time()
    turns = engine.diarize(waveform, SpeakerBounds(), _ignored).turns
    wall, processor = time.perf_counter() - began, time.process_time() - used
    memory = torch.cuda.max_memory_allocated() / 2**20
    cost = f"{wall:.2f} s, {processor:.2f} s of processor time, {memory:.0f} MiB on the card"
    print(f"{name}: {cost}, {len(turns)} turns")


def _ignored(_phase: Phase, _share: float) -> None:
    """Take a report of progress."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
