"""A recording as the waveform that engines take."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from parley_audio.container import sniff_file
from parley_audio.limits import BYTES_PER_SAMPLE, DecodeLimits
from parley_audio.probe import opened
from parley_audio.sandbox.sandbox import SANDBOX, anonymous_file, seal
from parley_core.errors import UnreadableRecording

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OUTPUT_SLACK_BYTES = 1024 * 1024  # the decoder checks the length itself; this bound is for one that was taken over


class DecodedRecording(NamedTuple):
    """The sound of a recording.

    Attributes:
        waveform: shape (samples,), mono (mean of the channels), 16 kHz, finite, -1 to 1; writable, and private to the
            caller.
        tracks: number of audio tracks in the file, of which the first one was read.
    """

    waveform: NDArray[np.float32]
    tracks: int = 1


def decode(path: Path, limits: DecodeLimits | None = None) -> NDArray[np.float32]:
    """Return the waveform of a recording; see `decode_recording`."""
    return decode_recording(path, limits).waveform


def decode_recording(path: Path, limits: DecodeLimits | None = None) -> DecodedRecording:
    """Decode a recording in a confined process.

    The samples are written once, by that process, into memory that this one maps: peak memory is the waveform.

    Args:
        path: a local file; its name does not count.
        limits: bounds on the decoding; None is those of a four-hour limit.

    Raises:
        The errors of `probe`, also where only decoding brings them to light.
    """
    limits = limits or DecodeLimits()
    with opened(path) as source, anonymous_file() as sink:
        arguments = {"container": sniff_file(source).name, "max_seconds": limits.max_seconds}
        output_bytes = limits.max_samples * BYTES_PER_SAMPLE + OUTPUT_SLACK_BYTES
        made = SANDBOX.run("parley_audio.reading.render:render", arguments, limits, source, sink, output_bytes)
        return DecodedRecording(mapped_floats(sink, int(made["samples"])), int(made["tracks"]))


def mapped_floats(descriptor: int, number: int) -> NDArray[np.float32]:
    """Map float32 values copy-on-write; the mapping lasts as long as the array. Raises UnreadableRecording."""
    import numpy as np  # the API starts without it

    seal(descriptor)
    try:
        mapped = mmap.mmap(descriptor, number * BYTES_PER_SAMPLE, access=mmap.ACCESS_COPY)
    except ValueError as error:
        raise UnreadableRecording("The decoder wrote less than it said; the recording is damaged.") from error
    return np.frombuffer(mapped, np.float32)
