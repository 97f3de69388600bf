"""Whose microphone each speaker talks into: the role of that channel is the speaker's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from parley_audio import LEVEL_SAMPLES, SAMPLE_RATE
from parley_core.turns import Diarization, Turn
from parley_core.voiceprints import Role

MOMENTS_PER_SECOND = SAMPLE_RATE / LEVEL_SAMPLES
CLEARLY = 10 ** (3 / 10)  # 3 dB: twice the power; between microphones of one room it is 10 dB and more
SILENCE = 1e-10  # mean square, -100 dB: below the noise of any microphone


def roles_by_channel(
    diarization: Diarization, levels: NDArray[np.float32], channels: Sequence[Role]
) -> dict[str, Role]:
    """Return the role of every speaker who is clearly loudest in one channel, by label.

    Args:
        levels: mean square of each 20 ms in each channel, shape (moments, channels).
        channels: whose microphone each channel is; two or more, or none where nobody has said.
    """
    speakers = list(dict.fromkeys(turn.speaker for turn in diarization.exclusive_turns)) if channels else []
    loudness = [_loudness((t for t in diarization.exclusive_turns if t.speaker == s), levels) for s in speakers]
    found = ((speaker, _loudest(row)) for speaker, row in zip(speakers, _balanced(loudness), strict=True))
    return {speaker: channels[channel] for speaker, channel in found if channel is not None}


def _loudness(turns: Iterable[Turn], levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean level of some turns in each channel, shape (channels,)."""
    moments = np.concatenate([levels[_moments(turn, len(levels))] for turn in turns])
    return np.asarray(moments.mean(axis=0, dtype=np.float64) + SILENCE)


def _moments(turn: Turn, available: int) -> slice:
    """At least one, also for a turn shorter than a moment or at the very end."""
    first = min(round(turn.start * MOMENTS_PER_SECOND), available - 1)
    return slice(first, max(first + 1, round(turn.end * MOMENTS_PER_SECOND)))


def _balanced(loudness: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the rows with every channel as loud on the whole: a microphone turned down is still somebody's own.

    One speaker alone leaves nothing to balance by.
    """
    rows = np.array(loudness)
    return rows / rows.mean(axis=0) if len(rows) > 1 else rows


def _loudest(row: NDArray[np.float64]) -> int | None:
    """Return the channel that is clearly louder than every other; None where none is."""
    loudest = int(row.argmax())
    return loudest if row[loudest] > CLEARLY * np.delete(row, loudest).max() else None
