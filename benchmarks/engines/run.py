"""One engine in a process of its own: `python -m benchmarks.engines.run ENGINE FOLDER|MINUTES...`.

Prints a line of JSON for the engine (seconds until it is ready) and one per recording: its turns, processor seconds and
peak memory. PARLEY_BENCH_STARTED is the time at which the process was started, which it cannot know itself.
Other engines run in environments of their own, so this module needs numpy, soundfile and the worker only.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.audio import RATE, labelled, read_audio, tiled
from parley_core.job import Phase, SpeakerBounds
from parley_worker.engines.base import load_engine
from parley_worker.engines.port import Engine

Waveform = NDArray[np.float32]

BLOCK = 60.0  # seconds that are written at a time when a long recording is made


def main(engine_name: str, sources: list[str]) -> None:
    """Diarize each FLAC of a folder, or one recording of a number of minutes."""
    started = float(os.environ["PARLEY_BENCH_STARTED"])
    engine = load_engine(engine_name)
    _write({"ready_seconds": time.time() - started})
    for source in sources:
        recordings = _long(float(source)) if source.replace(".", "").isdigit() else _folder(Path(source))
        for name, waveform in recordings:
            _write({"source": source, "recording": name, **_measured(engine, waveform)})


def _write(row: dict[str, object]) -> None:
    print(json.dumps(row), flush=True)


def _folder(folder: Path) -> Iterator[tuple[str, Waveform]]:
    for path in labelled(folder):
        yield path.stem, read_audio(path)


def _long(minutes: float) -> Iterator[tuple[str, Waveform]]:
    """Yield one recording in a mapped file, as the decoder's output lies outside the worker's own memory."""
    part = tiled(BLOCK)
    samples = int(minutes * 60 * RATE)
    with tempfile.NamedTemporaryFile(suffix=".f32") as file:
        for _ in range(-(-samples // len(part))):
            file.write(part.tobytes())
        file.flush()
        yield f"{minutes:g} minutes", np.memmap(file.name, np.float32, mode="r", shape=(samples,))


def _measured(engine: Engine, waveform: Waveform) -> dict[str, object]:
    windows: list[float] = []

    def report(phase: Phase, share: float) -> None:
        if phase is Phase.SEGMENTATION and share > 0 and not windows:
            windows.append(time.perf_counter())

    with _PeakMemory.watched() as peak:
        processor, wall = time.process_time(), time.perf_counter()
        found = engine.diarize(waveform, SpeakerBounds(), report)
        processor, seconds = time.process_time() - processor, time.perf_counter() - wall
    return {
        "seconds": len(waveform) / RATE,
        "processor_seconds": processor,
        "wall_seconds": seconds,
        "first_window_seconds": windows[0] - wall if windows else None,
        "peak_bytes": peak.bytes,
        "turns": [{"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in found.turns],
    }


class _PeakMemory:
    """Largest private memory of this process while it is watched, without mapped files, which hold the waveform."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[_PeakMemory]:
        peak = cls()
        thread = threading.Thread(target=peak._watch, daemon=True)
        thread.start()
        yield peak
        peak._stop.set()
        thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            status = Path("/proc/self/status").read_text()
            kilobytes = status.partition("RssAnon:")[2].split()[0]
            self.bytes = max(self.bytes, int(kilobytes) * 1024)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
