"""How a recording sounds, beside the recordings on which the engine was measured.

A recording may be unlike all conditions under which errors are known, or like one in which they are higher. A few
measures say so. They come from blocks of eight features, one block per second, and from the segmentation's pauses. All
limits were chosen on people of the tuning split; docs/adr/0037-a-recording-says-how-it-sounds.md has the figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from parley_core.turns import AudioQuality, AudioWarning
from parley_worker.engines.onnx.features import BANDS, CHUNK, FRAME, HOP, UPPER_HZ, feature_count, mel_power
from parley_worker.engines.onnx.grid import FRAME_HOP, RECEPTIVE_FIELD, SAMPLE_RATE

Floats = NDArray[np.float32]

BLOCK = 8  # consecutive features that are measured
LEAST_FEATURES = 50  # 0.5 s; of a shorter recording nothing is said
EVERY = 100  # features, 1 s, from block to block
LEAST_BLOCKS, MOST_BLOCKS = 20, 1000  # of a short and of a long recording; the second bounds time and memory
PAUSE_SECONDS = 1.5  # from speech; further away may be something else, such as music before a call
APART_SECONDS = 0.5  # from speech, where other sounds are counted
LEAST_FRAMES = 10  # in pauses, to measure noise there; with fewer, the quietest part of the recording is taken
LOUDEST = 0.1  # of the pauses is left out: words that the segmentation missed
QUIETEST = 0.1  # of the recording: its noise where there are no pauses
DECAY = 4  # features, 40 ms, over which the level falls
DECAY_GROUPS = 10  # of bands
DECAY_RANGE = 20.0  # decibels above the quietest tenth, from which a decay is measured
LEAST_DECAYS = 100
FASTEST = 0.02  # the quantile of decays
LOUD = 0.95  # the quantile of a band that is compared with other bands
BAND_RANGE = 40.0  # decibels below the strongest band, within which a band belongs to the speech
AUDIBLE = 20.0  # decibels below the median level of speech
NEARLY_FULL = 0.99  # of the greatest sample

SILENT_DBFS = -80.0
QUIET_DBFS = -65.0
NOISE_DB = 5.0
STEADY_DB = 2.0
BACKGROUND_DB = 14.0
REVERBERANT_DB = -11.0
ECHOING_DB = -16.0  # of a mild echo: the segmentation then hears the recording without late reverberation
NARROW_HZ = 4000.0
CLIPPED_SHARE = 0.003
OTHER_SHARE = 1 / 3
HARMLESS = frozenset({"other_sound"})  # codes of warnings under which errors are not higher
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class _Sample:
    """Some frames of 25 ms.

    Attributes:
        power: per mel band, shape (frames, 80).
        level: mean square, shape (frames,).
        clipped: share of samples that are nearly as great as the greatest one, shape (frames,).
        speech: whether somebody speaks, shape (frames,).
        pause: whether nobody does, near speech, shape (frames,).
        apart: whether nobody does, not next to speech, shape (frames,).
    """

    power: Floats
    level: Floats
    clipped: Floats
    speech: NDArray[np.bool_]
    pause: NDArray[np.bool_]
    apart: NDArray[np.bool_]


def audio_quality(waveform: Floats, spoken: NDArray[np.bool_]) -> AudioQuality:
    """Return how a recording with speech sounds.

    Args:
        waveform: shape (samples,), 16 kHz, -1 to 1.
        spoken: whether somebody speaks in each frame of the segmentation, shape (frames,).
    """
    if feature_count(len(waveform)) < LEAST_FEATURES:
        return AudioQuality({}, ())
    measures = _measures(_sample(waveform, spoken))
    return _with_warnings(measures, _warnings(measures))


def echoes(quality: AudioQuality) -> bool:
    """Return whether late reverberation is to be suppressed."""
    return quality.measures.get("decay_db", -inf) > ECHOING_DB


def without_speech(waveform: Floats) -> AudioQuality:
    """Return how a recording sounds in which nobody speaks."""
    level = float(_decibels(np.vdot(waveform, waveform) / max(1, len(waveform))))
    silent = "silent", "The recording is silent. Check the microphone."
    wordless = "no_speech", "There is sound, but nobody was heard to speak. Check that it is the right recording."
    return _with_warnings({"level_dbfs": round(level, 1)}, [silent if level < SILENT_DBFS else wordless])


def _with_warnings(measures: Mapping[str, float], warnings: Iterable[tuple[str, str]]) -> AudioQuality:
    found = [AudioWarning(code, detail, code not in HARMLESS) for code, detail in warnings]
    return AudioQuality(measures, tuple(found))


def _warnings(measures: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the code and the detail of each warning."""
    known = defaultdict(lambda: nan, measures)  # no limit is passed by a measure that is missing
    below = f"{known['signal_to_noise_db']:.0f} dB below the speech"
    if known["signal_to_noise_db"] < NOISE_DB:
        yield "noise", f"The noise in the pauses is only {below}. Expect more errors."
    if known["signal_to_noise_db"] < BACKGROUND_DB and known["noise_deviation_db"] > STEADY_DB:
        yield "background_sound", f"Voices or music in the pauses are only {below}. Expect more errors."
    if known["decay_db"] > REVERBERANT_DB:
        yield "reverberation", "The room echoes, or people sit far from the microphone. Expect more errors."
    if known["level_dbfs"] < QUIET_DBFS:
        yield "quiet", f"The speech is {-known['level_dbfs']:.0f} dB below full scale, far too quiet."
    if known["clipped_share"] > CLIPPED_SHARE:
        yield "clipped", "The recording was too loud: its peaks are cut off."
    if known["bandwidth_hz"] < NARROW_HZ:
        yield "narrow_band", f"The speech has nothing above {known['bandwidth_hz']:.0f} Hz, less than on a telephone."
    if known["other_sound_share"] > OTHER_SHARE:
        yield "other_sound", f"{known['other_sound_share']:.0%} of what is heard is no speech, such as music."


def _sample(waveform: Floats, spoken: NDArray[np.bool_]) -> _Sample:
    total = feature_count(len(waveform))
    blocks = min(max(total // EVERY, LEAST_BLOCKS), MOST_BLOCKS, total // BLOCK)
    starts = np.linspace(0, total - BLOCK, blocks).astype(np.int64)
    numbers = (starts[:, None] + np.arange(BLOCK)).ravel()
    nearest = np.rint((numbers * HOP + (FRAME - RECEPTIVE_FIELD) / 2) / FRAME_HOP).astype(np.int64)
    nearest = nearest.clip(0, len(spoken) - 1)
    frames = sliding_window_view(waveform, FRAME)[::HOP]
    greatest = max(waveform.max(), -waveform.min())
    power = np.empty((len(numbers), BANDS), np.float32)
    level, clipped = np.empty((2, len(numbers)), np.float32)
    for first in range(0, len(numbers), CHUNK):
        part = slice(first, first + CHUNK)
        samples = frames[numbers[part]]
        power[part] = mel_power(samples)
        level[part] = np.einsum("ij,ij->i", samples, samples) / FRAME
        clipped[part] = (np.abs(samples) >= NEARLY_FULL * greatest).mean(axis=1)
    pause, apart = ~spoken & _around(spoken, PAUSE_SECONDS), ~_around(spoken, APART_SECONDS)
    return _Sample(power, level, clipped, spoken[nearest], pause[nearest], apart[nearest])


def _measures(sample: _Sample) -> dict[str, float]:
    """Return the measures of a recording with speech; those that it does not allow are missing."""
    total = sample.power.sum(axis=1)
    if not sample.speech.any():  # a word between two blocks
        return {}
    quietest = total <= np.quantile(total, QUIETEST)
    audible = total > np.median(total[sample.speech]) * 10 ** (-AUDIBLE / 10)
    measures = {
        "level_dbfs": float(_decibels(sample.level[sample.speech].mean())),
        "bandwidth_hz": _bandwidth(sample.power[sample.speech]),
        "clipped_share": float(sample.clipped[sample.speech].mean()),
        "other_sound_share": float((sample.apart & audible).sum() / max(1, audible.sum())),
    }
    pauses = np.sort(total[sample.pause] if sample.pause.sum() >= LEAST_FRAMES else total[quietest])
    if len(pauses) >= LEAST_FRAMES:
        noise = pauses[: round(len(pauses) * (1 - LOUDEST))].mean()
        measures["signal_to_noise_db"] = float(_decibels(total[sample.speech].mean()) - _decibels(noise))
        measures["noise_deviation_db"] = float(_decibels(pauses).std())
    decay = _fastest_decay(sample, quietest)
    if decay is not None:
        measures["decay_db"] = decay
    return {name: round(value, 4) for name, value in measures.items()}


def _fastest_decay(sample: _Sample, quietest: NDArray[np.bool_]) -> float | None:
    """Return by how many decibels the bands of speech fall in 40 ms where they fall fastest; None if noise hides it.

    Reverberation fills the gaps of speech, so that nothing fades faster than the room. With too little speech, all
    sound counts.
    """
    groups = _decibels(sample.power.reshape(len(sample.power), DECAY_GROUPS, -1).mean(axis=2))
    floor = _decibels(sample.power[quietest].reshape(quietest.sum(), DECAY_GROUPS, -1).mean(axis=(0, 2)))
    levels, speech = groups.reshape(-1, BLOCK, DECAY_GROUPS), sample.speech.reshape(-1, BLOCK)
    loud = levels[:, :-DECAY] > floor + DECAY_RANGE
    known = speech[:, :-DECAY, None] & loud
    if known.sum() < LEAST_DECAYS:  # speech that is blurred so much that most of it is missed
        known = loud
    decays = (levels[:, DECAY:] - levels[:, :-DECAY])[known]
    return float(np.quantile(decays, FASTEST)) if len(decays) >= LEAST_DECAYS else None


def _bandwidth(power: Floats) -> float:
    """Return the upper edge, in hertz, of the highest band that belongs to the speech."""
    loud = int(LOUD * (len(power) - 1))
    bands = _decibels(np.partition(np.ascontiguousarray(power.T), loud, axis=1)[:, loud])  # faster than a quantile
    return float(UPPER_HZ[np.flatnonzero(bands > bands.max() - BAND_RANGE)[-1]])


def _around(spoken: NDArray[np.bool_], seconds: float) -> NDArray[np.bool_]:
    """Return where speech is nearer than some seconds, shape (frames,)."""
    reach = round(seconds * SAMPLE_RATE / FRAME_HOP)
    total = np.concatenate([np.zeros(reach + 1, np.int64), spoken.cumsum(), np.full(reach, spoken.sum())])
    return np.asarray(total[2 * reach + 1 :] > total[: -2 * reach - 1])


def _decibels(power: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.maximum(power, _SMALLEST)))
