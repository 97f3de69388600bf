"""The replaced steps of the pyannote engine, compared with those of pyannote.audio where that is installed.

The weights of community-1 may not be distributed. So a pipeline of its kind (a ResNet for embeddings, VBx for
clustering) is built here with random weights from a seed: the values mean nothing, but they must be the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.data.audio import SHIPPED
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
    folder = tmp_path_factory.mktemp("community")
    config = (Path(PIPELINE or "") / "config.yaml").read_text()
    config = re.sub(r"embedding: .*", f"embedding: {folder}/embedding.bin", config)
    config = re.sub(r"plda: .*", f"plda: {folder}/plda", config)
    config = config.replace("AgglomerativeClustering", "VBxClustering")
    config = re.sub(r"(?m)^params:[\s\S]*", "", config)
    params = "params:\n  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}\n  segmentation: {min_duration_off: 0.0}\n"
    (folder / "config.yaml").write_text(config + params)
    _write_embedding_model(folder / "embedding.bin")
    _write_plda(folder / "plda")
    return folder


def _write_embedding_model(path: Path) -> None:
    from lightning.pytorch import Trainer
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    torch.manual_seed(0)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(Problem.REPRESENTATION, Resolution.CHUNK, duration=10.0)
    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)


def _write_plda(folder: Path) -> None:
    folder.mkdir()
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=np.eye(256, 128))
    np.savez(folder / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2, 1, 128))


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
