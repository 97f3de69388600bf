"""The role of a speaker, by the channel of the speaker's microphone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parley_audio import LEVEL_SAMPLES, SAMPLE_RATE
from parley_core.turns import Diarization
from parley_core.voiceprints import Role

LEVELS_PER_SECOND = SAMPLE_RATE / LEVEL_SAMPLES
LEAST_RATIO = 10 ** (3 / 10)  # 3 dB, twice the power; between microphones of one room it is 10 dB and more
NOISE_FLOOR = 1e-10  # mean square, -100 dB: below the noise of any microphone


def roles_by_channel(
    diarization: Diarization, levels: NDArray[np.float32], channels: Sequence[Role]
) -> dict[str, Role]:
    """Return the role of every speaker who is clearly loudest in one channel, by label.

    Args:
        levels: mean square of each 20 ms in each channel, shape (levels, channels).
        channels: role of each channel's microphone, two or more.
    """
    speakers = list(dict.fromkeys(turn.speaker for turn in diarization.exclusive_turns))
    rows = np.array([_mean_levels(diarization, speaker, levels) for speaker in speakers])
    if len(speakers) > 1:  # make every channel equally loud on the whole: a microphone may be turned down
        rows = rows / rows.mean(axis=0)
    roles = {}
    for speaker, row in zip(speakers, rows, strict=True):
        loudest = int(row.argmax())
        if row[loudest] > LEAST_RATIO * np.delete(row, loudest).max():
            roles[speaker] = channels[loudest]
    return roles


def _mean_levels(diarization: Diarization, speaker: str, levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean level of a speaker's exclusive turns in each channel, shape (channels,)."""
    parts = []
    for turn in diarization.exclusive_turns:
        if turn.speaker == speaker:
            # At least one level, also for a turn shorter than a level and for one at the very end.
            first = min(round(turn.start * LEVELS_PER_SECOND), len(levels) - 1)
            parts.append(levels[first : max(first + 1, round(turn.end * LEVELS_PER_SECOND))])
    return np.asarray(np.concatenate(parts).mean(axis=0, dtype=np.float64) + NOISE_FLOOR)
