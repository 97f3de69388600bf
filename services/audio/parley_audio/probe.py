"""How long a recording is, and what it is, before it is accepted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley_audio.container import sniff_file
from parley_audio.limits import DecodeLimits
from parley_audio.sandbox.sandbox import SANDBOX, anonymous_file


@dataclass(frozen=True, slots=True)
class Probe:
    """What a recording is, by its content: seconds are measured from its packets, not read in its header."""

    media_type: str
    seconds: float
    sample_rate: int
    channels: int


def probe(path: Path, limits: DecodeLimits | None = None) -> Probe:
    """Measure a recording in a confined process, without decoding it.

    Args:
        path: a local file; its name does not count.
        limits: bounds on the reading; None is those of a four-hour limit.

    Raises:
        EmptyRecording: no bytes, or zero seconds of audio.
        NotAudio: Parley does not read a container that begins with these bytes.
        RecordingTooLong: more than `limits.max_seconds`.
        UnreadableRecording: truncated, damaged, an impossible header, an unknown codec, or a limit hit.
        DecodingInterrupted: the confined process was killed from outside; try again.
    """
    limits = (limits or DecodeLimits()).for_probe()
    with opened(path) as source, anonymous_file() as sink:
        container = sniff_file(source)
        arguments = {"container": container.name, "max_seconds": limits.max_seconds}
        found = SANDBOX.run("parley_audio.reading.measure:measure", arguments, limits, source, sink, output_bytes=0)
    return Probe(container.media_type, float(found["seconds"]), int(found["sample_rate"]), int(found["channels"]))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give a descriptor of a file for as long as the context lasts."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
