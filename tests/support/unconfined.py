"""Decoding in this process, without sandbox and without any choice of a mix: what `decode` is held against."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley_audio.container import sniff_file
from parley_audio.reading.mix import Mixer
from parley_audio.reading.render import Decoding, clean
from parley_audio.reading.source import open_source


def unconfined(file: Path) -> NDArray[np.float32]:
    """Return the mean of the channels of a recording of ours, as the confined process should give it."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        with open_source(descriptor, sniff_file(descriptor), max_seconds=3600) as source:
            return np.concatenate([clean(block) for block in Decoding(source, Mixer()).blocks()])
    finally:
        os.close(descriptor)
