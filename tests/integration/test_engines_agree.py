"""The engines compared with stock pyannote.audio, on the models of the project, where pyannote.audio is installed.

The pipeline's torch checkpoint is not in the repository: PARLEY_TEST_PIPELINE names a pipeline folder whose config uses
the same two models (segmentation-3.0 and CAM++). PARLEY_BENCH_AUDIO adds labelled recordings to the shipped one.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import SHIPPED, conversations
from benchmarks.scoring.der import Errors, errors, read_rttm
from parley_core.errors import EngineMismatch, JobCancelled
from parley_core.job import Phase, SpeakerBounds
from parley_worker.engines.base import load_engine
from parley_worker.engines.port import Engine

pytest.importorskip("pyannote.audio", reason="the pyannote extra is not installed")
from parley_worker.engines.pyannote import PyannoteEngine

PIPELINE = os.environ.get("PARLEY_TEST_PIPELINE")
SHORTEST = 2  # of the labelled recordings are enough: pyannote takes a tenth of their length

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch and lightning warn of each other
    pytest.mark.timeout(300),
    pytest.mark.skipif(PIPELINE is None, reason="PARLEY_TEST_PIPELINE names no pipeline folder"),
]


def silent(_phase: Phase, _share: float) -> None:
    """Ignore the progress."""


def short_recordings() -> list[Path]:
    found = sorted(conversations().glob("*.flac"), key=lambda path: path.stat().st_size)
    return sorted({*SHIPPED.glob("*.flac"), *found[:SHORTEST]})


def waveform_of(path: Path) -> NDArray[np.float32]:
    return np.asarray(soundfile.read(path, dtype="float32")[0])


@pytest.fixture(scope="module")
def stock() -> Engine:
    """pyannote.audio as it is."""
    return PyannoteEngine(1, Path(PIPELINE or ""), stock=True)


@pytest.fixture(scope="module")
def pyannote() -> Engine:
    return PyannoteEngine(1, Path(PIPELINE or ""))


@pytest.mark.parametrize("path", short_recordings(), ids=lambda path: path.stem)
def test_the_pyannote_engine_gives_the_turns_of_stock_pyannote(stock: Engine, pyannote: Engine, path: Path) -> None:
    waveform = waveform_of(path)
    theirs, ours = (engine.diarize(waveform, SpeakerBounds(), silent) for engine in (stock, pyannote))
    assert errors(theirs.turns, ours.turns).rate < 0.1
    assert errors(theirs.exclusive_turns, ours.exclusive_turns).rate < 0.1


@pytest.mark.parametrize("path", short_recordings(), ids=lambda path: path.stem)
def test_the_exact_engine_gives_the_turns_of_stock_pyannote(stock: Engine, path: Path) -> None:
    waveform = waveform_of(path)
    theirs = stock.diarize(waveform, SpeakerBounds(), silent)
    ours = load_engine("onnx-exact").diarize(waveform, SpeakerBounds(), silent)
    assert errors(theirs.turns, ours.turns).rate < 0.1
    assert errors(theirs.exclusive_turns, ours.exclusive_turns).rate < 0.1


def test_the_default_engine_makes_fewer_errors_in_all(stock: Engine) -> None:
    """On all recordings together, since on half a minute a second more or less is chance."""
    default = load_engine("onnx")
    theirs, ours = Errors(), Errors()
    for path in short_recordings():
        waveform, truth = waveform_of(path), read_rttm(path.with_suffix(".rttm"))
        theirs += errors(truth, stock.diarize(waveform, SpeakerBounds(), silent).turns)
        ours += errors(truth, default.diarize(waveform, SpeakerBounds(), silent).turns)
    assert ours.rate < theirs.rate


def test_pyannote_finds_no_turns_in_silence_and_in_an_empty_recording(pyannote: Engine) -> None:
    for seconds in (0, 0.05, 3):
        silence = np.zeros(int(seconds * 16_000), np.float32)
        assert pyannote.diarize(silence, SpeakerBounds(), silent).turns == ()


def test_pyannote_honours_the_number_of_speakers(pyannote: Engine) -> None:
    waveform = waveform_of(next(SHIPPED.glob("*.flac")))
    assert len(pyannote.diarize(waveform, SpeakerBounds(2, 2), silent).speakers) == 2


def test_a_cancel_passes_through_pyannote_and_progress_only_grows(pyannote: Engine) -> None:
    reported: list[tuple[Phase, float]] = []

    def cancel_late(phase: Phase, share: float) -> None:
        reported.append((phase, share))
        if phase is Phase.EMBEDDING and share > 0:
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        pyannote.diarize(waveform_of(next(SHIPPED.glob("*.flac"))), SpeakerBounds(), cancel_late)
    order = [Phase.SEGMENTATION, Phase.EMBEDDING]
    assert reported == sorted(reported, key=lambda step: (order.index(step[0]), step[1]))


def test_its_telemetry_is_off_and_its_info_states_version_and_weights(pyannote: Engine) -> None:
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert not is_metrics_enabled()
    assert pyannote.info.version == "4.0.7"
    assert all(len(digest) == 64 for digest in pyannote.info.weights.values())
    assert "config.yaml" in pyannote.info.weights
    assert {"torch", "onnxruntime", "processor"} <= pyannote.info.kernels.keys()


def test_a_folder_without_a_pipeline_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineMismatch, match="is missing"):
        PyannoteEngine(1, tmp_path)
