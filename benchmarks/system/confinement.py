"""What the confinement of decoders costs: the same recordings, decoded with it and without it in turn."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from parley_audio import DecodeLimits
from parley_audio.container import sniff_file
from parley_audio.probe import opened
from parley_audio.sandbox.sandbox import PRELOADED, Sandbox, anonymous_file
from tests.support.formats import by_ffmpeg

ROUNDS = 15
DECODING = "benchmarks.system.timed_decoding"
MODULES = (*PRELOADED, DECODING)
SECONDS = 300.0
FORMATS = {"FLAC": flac, "Opus": by_ffmpeg("ogg", "libopus", 48_000), "MP3": by_ffmpeg("mp3", "mp3", 44_100, 2)}


def confinement_rows(console: Console) -> list[Measure]:
    """Decode each recording several times with and without confinement; compare the least processor times."""
    console.print(f"bench: decoding with and without confinement, {len(FORMATS)} formats, {ROUNDS} times each")
    confined, unconfined = Sandbox(MODULES), Sandbox((*MODULES, "tests.support.layers.none"))
    try:
        with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
            return [_row(name, Path(home), confined, unconfined) for name in FORMATS]
    finally:
        confined.close()
        unconfined.close()


def _row(name: str, home: Path, confined: Sandbox, unconfined: Sandbox) -> Measure:
    file = home / name
    file.write_bytes(FORMATS[name](SECONDS))
    times: dict[Sandbox, list[float]] = {confined: [], unconfined: []}
    for _ in range(ROUNDS):
        for sandbox, taken in times.items():
            taken.append(_decode(file, sandbox))
    least = min(times[confined])
    share = min(times[unconfined]) / least
    note = f"{SECONDS:g} s of audio in {least * 1000:.0f} ms, least of {ROUNDS}"
    return Measure(f"throughput of decoding {name}, confined over not", 100 * share, "%", 98, at_least=True, note=note)


def _decode(file: Path, sandbox: Sandbox) -> float:
    limits = DecodeLimits()
    with opened(file) as source, anonymous_file() as sink:
        arguments = {"container": sniff_file(source).name, "max_seconds": limits.max_seconds}
        return float(sandbox.run(f"{DECODING}:timed_render", arguments, limits, source, sink, 2**30)["seconds"])
