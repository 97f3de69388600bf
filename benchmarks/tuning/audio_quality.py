"""Warnings about the sound of recordings, and errors with and without them.

`python -m benchmarks.tuning.audio_quality FOLDER`: FOLDER has one folder of labelled recordings per condition, as
`python -m benchmarks.data.sets` writes it. Its recordings without a condition, in the folder `control`, are also spoilt
in ways that no condition has. Prints a table; the limits in engines/onnx/audio_quality.py were chosen by that of the
tuning split.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import fftconvolve, resample_poly

from benchmarks.data.audio import labelled, read_audio
from benchmarks.data.rooms import Room
from benchmarks.data.sounds import hold_music
from benchmarks.scoring.der import Errors, errors, read_rttm
from parley_core.job import SpeakerBounds
from parley_core.turns import AudioQuality
from parley_worker.engines.onnx import OnnxEngine

Waveform = NDArray[np.float32]
Spoil = Callable[[Waveform, np.random.Generator], Waveform]

RATE = 16_000
CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The errors of a recording, and what the engine says about its sound."""

    errors: Errors
    quality: AudioQuality


def main(folder: Path) -> None:
    """Run the engine on every condition and on spoilt recordings; print the table."""
    engine = OnnxEngine()
    table = Table("recordings", "to review", "DER of these, %", "DER of the others, %", "warnings")
    for place in sorted(place for place in folder.iterdir() if place.is_dir()):
        table.add_row(*_row(place.name, list(_outcomes(engine, place, lambda waveform, _: waveform))))
    for name, spoil in SPOILT.items():
        table.add_row(*_row(name, list(_outcomes(engine, folder / CONTROL, spoil))))
    Console(width=140).print(table)


def _outcomes(engine: OnnxEngine, folder: Path, spoil: Spoil) -> Iterator[Outcome]:
    for number, path in enumerate(labelled(folder)):
        waveform = spoil(read_audio(path), np.random.default_rng(number)).astype(np.float32)
        found = engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)
        assert found.audio_quality is not None
        yield Outcome(errors(read_rttm(path.with_suffix(".rttm")), found.turns), found.audio_quality)


def _row(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    flagged = [one.errors for one in outcomes if one.quality.needs_review]
    others = [one.errors for one in outcomes if not one.quality.needs_review]
    rates = [f"{sum(some, Errors()).rate:.1f}" if some else "" for some in (flagged, others)]
    codes = Counter(warning.code for one in outcomes for warning in one.quality.warnings)
    named = ", ".join(f"{code} {number}" for code, number in sorted(codes.items()))
    return [name, f"{len(flagged)} of {len(outcomes)}", *rates, named]


def _with(sound: Waveform, speech: Waveform, decibels: float) -> Waveform:
    """Add a sound some decibels below the speech."""
    return np.asarray(np.clip(speech + sound * (speech.std() / sound.std() * 10 ** (-decibels / 20)), -1, 1))


def _white(speech: Waveform, generator: np.random.Generator) -> Waveform:
    return _with(generator.normal(0, 1, len(speech)).astype(np.float32), speech, 0)


def _music(speech: Waveform, generator: np.random.Generator) -> Waveform:
    return _with(np.resize(hold_music(30, generator), len(speech)), speech, 0)


def _room(speech: Waveform, generator: np.random.Generator) -> Waveform:
    """A reverberation time of 0.6 s, everybody at one place 1 to 2 m from the microphone."""
    room = Room.random(generator, (0.6, 0.6))
    microphone = room.place(generator)
    response = room.response(room.place_near(microphone, (1, 2), generator), microphone, generator)
    return np.asarray(fftconvolve(speech, response)[: len(speech)])


def _band(divisor: int) -> Spoil:
    """Return what keeps half of a lower sample rate, in hertz: 8 kHz for 1."""
    return lambda speech, _: resample_poly(resample_poly(speech, 1, divisor), divisor, 1)[: len(speech)]


def _clipped(decibels: float) -> Spoil:
    """Return what raises speech until its root mean square is some decibels from full scale, and cuts the peaks off."""
    return lambda speech, _: np.clip(speech / speech.std() * 10 ** (decibels / 20), -1, 1)


def _quiet(gain: float) -> Spoil:
    return lambda speech, _: np.rint(speech * gain * 2**15) / 2**15


SPOILT: dict[str, Spoil] = {
    "white noise at the level of speech": _white,
    "music at the level of speech": _music,
    "room, 0.6 s": _room,
    "8 kHz sample rate": _band(2),
    "4 kHz sample rate": _band(4),
    "clipped, -12 dBFS": _clipped(-12),
    "clipped, 0 dBFS": _clipped(0),
    "40 dB quieter": _quiet(0.01),
    "60 dB quieter": _quiet(0.001),
    "hold music only": lambda speech, generator: hold_music(len(speech) / RATE, generator),
    "digital silence": lambda speech, _: np.zeros_like(speech),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
