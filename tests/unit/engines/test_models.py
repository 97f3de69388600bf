"""Only the pinned model files run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from parley_core.errors import EngineMismatch, UnsafeSettings
from parley_core.job import SpeakerBounds
from parley_worker.engines import base
from parley_worker.engines.onnx import grid, models, trunk
from parley_worker.engines.onnx.features import log_mel
from parley_worker.engines.onnx.filter_bank import FilteredRecording
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from parley_worker.engines.onnx.integer_trunk import IntegerTrunk
from parley_worker.engines.onnx.segmentation import class_scores
from parley_worker.engines.onnx.setting import CAREFUL, DEFAULT
from parley_worker.engines.port import Engine
from tests.support import arithmetic


@pytest.mark.parametrize("name", models.PINS)
def test_the_shipped_files_are_the_pinned_ones(name: str) -> None:
    assert models.read_model(name) == (models.MODELS / name).read_bytes()


def test_a_file_with_one_other_byte_is_refused(tmp_path: Path) -> None:
    data = bytearray((models.MODELS / models.SEGMENTATION).read_bytes())
    data[-1] ^= 1
    (tmp_path / models.SEGMENTATION).write_bytes(data)
    with pytest.raises(EngineMismatch, match=models.SEGMENTATION):
        models.read_model(models.SEGMENTATION, tmp_path)


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineMismatch, match="Install Parley again"):
        models.read_model(models.SEGMENTATION, tmp_path)


@pytest.mark.parametrize("name", ["onnx-careful", "onnx-exact"])
def test_no_engine_starts_on_another_model(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(models.MODELS / models.SEGMENTATION, tmp_path)
    (tmp_path / models.EMBEDDING).write_bytes(b"something else")
    monkeypatch.setattr(models.read_model, "__defaults__", (tmp_path,))
    with pytest.raises(EngineMismatch, match=models.EMBEDDING):
        base.load_engine(name)


def test_inner_tensors_become_outputs_and_the_embedding_stays() -> None:
    plain = models.read_model(models.EMBEDDING)
    inner = "/xvector/out_nonlinear/relu/Relu_output_0"
    feats = np.random.default_rng(0).normal(size=(1, 200, 80)).astype(np.float32)
    both = models.open_session(models.with_outputs(plain, [inner]), 1).run(None, {"feats": feats})
    assert both[1].shape == (1, 512, 100)
    np.testing.assert_array_equal(both[0], models.open_session(plain, 1).run(None, {"feats": feats})[0])


def test_the_8_bit_trunk_gives_the_frames_of_the_released_one(conversation: NDArray[np.float32]) -> None:
    features = log_mel(conversation[: 20 * 16_000 + 240])
    features -= features.mean(axis=0)
    packed = IntegerTrunk(arithmetic.fastest(), models.read_arrays(models.TRUNK_INT8))
    released = trunk.ReleasedTrunk()
    frames = [trunk.unit(one.frames(features)) for one in (released, packed)]
    assert frames[1].shape == (1000, 512)
    assert (frames[0] * frames[1]).sum(axis=1).mean() > 0.98
    for mine, theirs in zip(packed.last_layer, released.last_layer, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_8_bit_models_run_where_our_arithmetic_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "arithmetic", lambda: SimpleNamespace(name="avx2"))
    assert DEFAULT.files == (models.SEGMENTATION_INT8, models.TRUNK_INT8)
    assert CAREFUL.files == (models.SEGMENTATION, models.EMBEDDING)
    monkeypatch.setattr(models, "arithmetic", lambda: None)
    assert DEFAULT.files == (models.SEGMENTATION, models.EMBEDDING)


def test_without_our_arithmetic_the_engine_finds_the_same_speakers(
    engine: Engine, conversation: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = conversation[: 30 * 16_000]
    ours = engine.diarize(beginning, SpeakerBounds(), lambda _phase, _share: None)
    monkeypatch.setattr(models, "arithmetic", lambda: None)
    without = base.load_engine("onnx")
    assert models.EMBEDDING in without.info.weights
    found = without.diarize(beginning, SpeakerBounds(), lambda _phase, _share: None)
    assert [turn.speaker for turn in found.turns] == [turn.speaker for turn in ours.turns]
    edges = [[(turn.start, turn.end) for turn in one.turns] for one in (found, ours)]
    np.testing.assert_allclose(edges[0], edges[1], atol=0.1)


def test_the_8_bit_segmentation_gives_the_probabilities_of_the_released_one(conversation: NDArray[np.float32]) -> None:
    step = grid.WINDOW // 2
    own = IntegerSegmentation(arithmetic.fastest(), models.read_arrays(models.SEGMENTATION_INT8))
    released = models.open_session(models.read_model(models.SEGMENTATION), 1)
    found = [
        np.exp(np.concatenate([scores for _, scores in class_scores(one, conversation, step, lambda _share: None)]))
        for one in (own, released)
    ]
    assert np.abs(found[0] - found[1]).mean() < 0.01
    assert (found[0].argmax(axis=2) == found[1].argmax(axis=2)).mean() > 0.98


def test_a_window_has_the_same_classes_whatever_is_beside_it(conversation: NDArray[np.float32]) -> None:
    own = IntegerSegmentation(arithmetic.fastest(), models.read_arrays(models.SEGMENTATION_INT8))
    step = grid.WINDOW // 2

    def scores(starts: range) -> NDArray[np.float32]:
        return own.scores(FilteredRecording(own.filters, conversation, step, 2).windows(starts))

    both = scores(range(0, 2 * step, step))
    alone = np.concatenate([scores(range(1)), scores(range(step, step + 1))])
    np.testing.assert_allclose(both, alone, atol=1e-5)  # the linear layers round by the number of rows


@pytest.mark.parametrize(
    ("system", "machine", "flags", "instructions"),
    [
        ("Linux", "x86_64", "flags : avx2 fma", {"flags", ":", "avx2", "fma"}),
        ("Darwin", "arm64", "", {"asimddp"}),
        ("Darwin", "x86_64", "", set()),
        ("Linux", "arm64", "", set()),
    ],
)
def test_arithmetic_is_chosen_by_what_the_system_tells(
    system: str, machine: str, flags: str, instructions: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda _path: flags)
    monkeypatch.setattr(models, "compiled", lambda named, found: (named, found))
    assert models.arithmetic.__wrapped__() == (machine, instructions)


@pytest.mark.parametrize(
    ("machine", "flags", "instructions"),
    [
        ("x86_64", "flags : fpu avx2 fma avx512_vnni", {"instructions": "avx2 fma avx512_vnni"}),
        ("x86_64", "flags : fpu avx2", {"instructions": "avx2"}),
        ("aarch64", "Features : fp asimd asimddp", {"instructions": "asimd asimddp"}),
        ("arm64", "", {}),
    ],
)
def test_kernels_name_library_processor_and_its_instructions(
    machine: str, flags: str, instructions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda _path: flags)
    monkeypatch.setattr(models, "arithmetic", lambda: None)
    expected = {"onnxruntime": onnxruntime.__version__, "processor": machine} | instructions
    assert models.kernels.__wrapped__() == expected
    monkeypatch.setattr(models, "arithmetic", lambda: SimpleNamespace(name="avx_vnni"))
    assert models.kernels.__wrapped__() == expected | {"arithmetic": "avx_vnni"}


@pytest.mark.parametrize("name", ["onnx", "onnx-exact"])
def test_an_engine_names_the_kernels_of_this_machine(name: str) -> None:
    assert base.load_engine(name).info.kernels == models.kernels()


def test_an_unknown_engine_is_refused_with_the_known_names() -> None:
    with pytest.raises(UnsafeSettings, match="onnx, onnx-fast, onnx-careful, onnx-exact, pyannote"):
        base.load_engine("nonesuch")


def test_pyannote_without_a_pipeline_or_without_torch_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PARLEY_PYANNOTE_PIPELINE", raising=False)
    with pytest.raises(UnsafeSettings, match="PARLEY_PYANNOTE_PIPELINE"):
        base.load_engine("pyannote")
    monkeypatch.setenv("PARLEY_PYANNOTE_PIPELINE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnsafeSettings, match="install requirements/worker-pyannote"):
        base.load_engine("pyannote")
