"""Speech labels of single-speaker utterances, from which the labels of the mixes follow.

`librispeech.json` holds the output of silero-vad 6.2.3 (https://github.com/snakers4/silero-vad, `get_speech_timestamps`
with 300 ms of minimum silence and 20 ms of padding) for known utterances. Other utterances are labelled by their level:
on the known ones, this adds 7.1 % of speech and misses 2.3 %.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Spans = list[tuple[int, int]]  # starts and ends, in samples

RATE = 16_000
FRAME = 320  # samples, 20 ms: resolution of the labels by level
SILENCE = 35.0  # decibels below an utterance's loud frames (95th percentile)
MAX_PAUSE = int(0.3 * RATE)  # samples: a shorter pause belongs to the speech around it
MIN_SPEECH = int(0.1 * RATE)
LABELS = Path(__file__).with_name("librispeech.json")


def speech_of(name: str, sound: NDArray[np.float32]) -> Spans:
    """Return the spans of speech of an utterance."""
    known = _labels().get(name)
    return [(start, end) for start, end in known] if known else speech_by_level(sound)


def speech_by_level(sound: NDArray[np.float32]) -> Spans:
    """Return the spans in which an utterance is loud, short pauses included."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.concatenate([[0], level > np.percentile(level, 95) - SILENCE, [0]]).astype(np.int8)
    spans: Spans = []
    for start, end in (np.flatnonzero(np.diff(loud)).reshape(-1, 2) * FRAME).tolist():
        if spans and start - spans[-1][1] < MAX_PAUSE:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [span for span in spans if span[1] - span[0] >= MIN_SPEECH]


@cache
def _labels() -> dict[str, list[list[int]]]:
    labels: dict[str, list[list[int]]] = json.loads(LABELS.read_text())
    return labels
