"""Writes recordings of corpora as the benchmark reads them: mono FLAC at 16 kHz with RTTM, one folder per corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import RATE
from benchmarks.data.recordings import Recordings
from benchmarks.real.corpora import Labelled
from parley_audio import decode
from parley_core.errors import ParleyError
from parley_core.turns import Span, to_rttm


def prepare(found: Sequence[Labelled], folder: Path, seconds: float | None) -> list[Recordings]:
    """Decode recordings by Parley's own decoder, and write them below a folder.

    Args:
        found: complete recordings.
        folder: empty.
        seconds: keep and score the beginning of each recording only; None for all of it.

    Raises:
        ValueError: a recording cannot be read; the message names it.
    """
    sets: dict[str, Recordings] = {}
    for one in found:
        place = folder / str(len(sets)) if one.corpus not in sets else sets[one.corpus].folder
        place.mkdir(exist_ok=True)
        sets.setdefault(one.corpus, Recordings(one.corpus, place, Span(0, seconds) if seconds else None))
        samples = _mixed([_decoded(path) for path in one.audio])[: round(seconds * RATE) if seconds else None]
        soundfile.write(place / f"{one.name}.flac", samples, RATE, subtype="PCM_16")
        # RTTM separates its fields by blanks.
        turns = [replace(turn, speaker="_".join(turn.speaker.split())) for turn in one.turns]
        (place / f"{one.name}.rttm").write_text(to_rttm(turns, "recording"))
    return list(sets.values())


def _decoded(path: Path) -> NDArray[np.float32]:
    try:
        return decode(path)
    except ParleyError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _mixed(channels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean of recordings that begin together; shorter ones end in silence."""
    mixed = np.zeros(max(map(len, channels)), np.float32)
    for channel in channels:
        mixed[: len(channel)] += channel / len(channels)
    return mixed
