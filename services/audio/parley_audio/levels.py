"""The level of each channel of a recording over time, which shows into whose microphone a person speaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parley_audio.container import sniff_file
from parley_audio.decode import OUTPUT_SLACK_BYTES, mapped_floats
from parley_audio.limits import BYTES_PER_SAMPLE, LEVEL_SAMPLES, DecodeLimits
from parley_audio.probe import opened
from parley_audio.sandbox.sandbox import SANDBOX, anonymous_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def levels(path: Path, channels: int, limits: DecodeLimits | None = None) -> NDArray[np.float32]:
    """Decode a recording once more, in a confined process, and keep its levels only.

    Args:
        path: a local file; its name does not count.
        channels: how many it has.
        limits: bounds on the decoding; None is those of a four-hour limit.

    Returns:
        shape (moments, channels): mean square of each 20 ms (`LEVEL_SAMPLES` at 16 kHz), 0 to 1, in time with the
        waveform of `decode`. Four hours of stereo take 5.8 MB.

    Raises:
        UnreadableRecording: it has another number of channels, in all or in some of its frames.
        The errors of `decode`.
    """
    limits = limits or DecodeLimits()
    with opened(path) as source, anonymous_file() as sink:
        container = sniff_file(source).name
        arguments = {"container": container, "max_seconds": limits.max_seconds, "channels": channels}
        moments = limits.max_samples // LEVEL_SAMPLES + 1
        output_bytes = moments * channels * BYTES_PER_SAMPLE + OUTPUT_SLACK_BYTES
        made = SANDBOX.run(
            "parley_audio.reading.loudness:measure_levels", arguments, limits, source, sink, output_bytes
        )
        return mapped_floats(sink, int(made["moments"]) * channels).reshape(-1, channels)
