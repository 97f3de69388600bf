"""The replaced steps of the pyannote engine, compared with those of pyannote.audio where that is installed.

The pipeline is of community-1's kind, with random weights (benchmarks/engines/community.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.data.audio import SHIPPED
from benchmarks.engines.community import community_pipeline
from parley_core.job import SpeakerBounds
from parley_worker.engines.pyannote import PyannoteEngine

torch = pytest.importorskip("torch", reason="the pyannote extra is not installed")
pytest.importorskip("pyannote.audio", reason="the pyannote extra is not installed")

PIPELINE = os.environ.get("PARLEY_TEST_PIPELINE")
SECONDS = 15

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch and lightning warn of each other
    pytest.mark.timeout(300),
    pytest.mark.skipif(PIPELINE is None, reason="PARLEY_TEST_PIPELINE names no pipeline folder"),
]


def recording() -> dict[str, Any]:
    """Return fifteen seconds of a conversation between silences, as a pipeline takes it."""
    sound = soundfile.read(next(SHIPPED.glob("*.flac")), dtype="float32")[0][: SECONDS * 16_000]
    silence = np.zeros(12 * 16_000, np.float32)
    whole = np.concatenate([silence, sound, silence])
    return {"waveform": torch.from_numpy(whole[None]), "sample_rate": 16_000, "uri": "recording"}


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pipeline folder of community-1's kind."""
    return community_pipeline(tmp_path_factory.mktemp("community"), Path(PIPELINE or ""))


@pytest.fixture(scope="module")
def both(community: Path) -> tuple[Any, Any]:
    """Return the pipelines of stock pyannote.audio and of the engine."""
    return PyannoteEngine(1, community, stock=True)._pipeline, PyannoteEngine(1, community)._pipeline


def counting(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many windows a method is given; returns the list that grows with every call."""
    original: Callable[..., Any] = getattr(module, name)
    given: list[int] = []

    def count(windows: Any, *rest: Any, **options: Any) -> Any:
        given.append(len(windows))
        return original(windows, *rest, **options)

    monkeypatch.setattr(module, name, count)
    return given


def test_windows_share_their_first_layer_with_equal_results(both: tuple[Any, Any]) -> None:
    stock, ours = (pipeline._segmentation.model for pipeline in both)
    waveform = recording()["waveform"]
    for windows in (waveform.unfold(1, 160_000, 16_000).permute(1, 0, 2), waveform[None, :, :160_000]):
        with torch.inference_mode():
            assert torch.allclose(stock(windows).exp(), ours(windows).exp(), atol=1e-3)


def test_a_trunk_that_runs_once_per_window_gives_the_same_embeddings(both: tuple[Any, Any]) -> None:
    stock, ours = both
    segmentations = stock.get_segmentations(recording())
    for exclude_overlap in (True, False):
        found = ours.get_embeddings(recording(), segmentations, exclude_overlap=exclude_overlap)
        assert found == pytest.approx(stock.get_embeddings(recording(), segmentations, exclude_overlap), abs=1e-4)


def test_the_trunk_runs_once_per_window_with_speech(both: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stock, ours = both
    segmentations = stock.get_segmentations(recording())
    given = counting(ours._embedding.model_.resnet, "forward_frames", monkeypatch)
    ours.get_embeddings(recording(), segmentations)
    spoken = int(np.any(segmentations.data, axis=(1, 2)).sum())
    assert sum(given) == spoken + 1 < len(segmentations.data)  # one for the embedding of silence


def test_a_pipeline_with_vbx_gives_the_turns_of_stock_pyannote(community: Path) -> None:
    waveform = recording()["waveform"][0].numpy()
    engines = (PyannoteEngine(1, community, stock=True), PyannoteEngine(1, community))
    theirs, ours = (engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None) for engine in engines)
    assert theirs.turns == ours.turns
    assert theirs.turns
