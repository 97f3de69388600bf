"""One engine in a process of its own: `python -m tests.bench.engine_run ENGINE FOLDER|MINUTES` prints what it measured.

A line of JSON for the engine (seconds to ready) and one per recording: its turns, processor seconds and peak memory.
Other engines than the default run in environments of their own, so this needs numpy, soundfile and the worker only.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_core.ports import Engine
from parley_worker.engines.base import load_engine
from tests.bench.audio import RATE, tiled

Waveform = NDArray[np.float32]

BLOCK = 60.0  # seconds written at a time when a long recording is made


def main(engine_name: str, what: str) -> None:
    """Diarize each FLAC of a folder, or one recording of so many minutes."""
    began = time.perf_counter()
    engine = load_engine(engine_name)
    print(json.dumps({"ready_seconds": time.perf_counter() - began}), flush=True)
    sounds = _long(float(what)) if what.replace(".", "").isdigit() else _folder(Path(what))
    for name, waveform in sounds:
        print(json.dumps({"recording": name, **_measured(engine, waveform)}), flush=True)


def _folder(folder: Path) -> Iterator[tuple[str, Waveform]]:
    for path in sorted(folder.glob("*.flac")):
        yield path.stem, np.asarray(soundfile.read(path, dtype="float32")[0])


def _long(minutes: float) -> Iterator[tuple[str, Waveform]]:
    """Yield one recording that lies in a file, as the decoder's lies outside the worker's own memory."""
    part, samples = tiled(BLOCK), int(minutes * 60 * RATE)
    with tempfile.NamedTemporaryFile(suffix=".f32") as file:
        for _ in range(-(-samples // len(part))):
            file.write(part.tobytes())
        file.flush()
        yield f"{minutes:g} minutes", np.memmap(file.name, np.float32, mode="r", shape=(samples,))


def _measured(engine: Engine, waveform: Waveform) -> dict[str, object]:
    with _Peak.watching() as peak:
        processor, wall = time.process_time(), time.perf_counter()
        found = engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return {
        "seconds": len(waveform) / RATE,
        "processor_seconds": processor,
        "wall_seconds": wall,
        "peak_bytes": peak.bytes,
        "turns": [asdict(turn) for turn in found.turns],
    }


class _Peak:
    """Largest private memory of this process while it is watched: without mapped files, which hold the waveform."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()

    @classmethod
    @contextmanager
    def watching(cls) -> Iterator[_Peak]:
        peak = cls()
        thread = threading.Thread(target=peak._watch, daemon=True)
        thread.start()
        yield peak
        peak._over.set()
        thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            status = Path("/proc/self/status").read_text()
            kilobytes = status.partition("RssAnon:")[2].split()[0]
            self.bytes = max(self.bytes, int(kilobytes) * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
