"""Only the pinned model files run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from parley_core.errors import EngineMismatch, UnsafeSettings
from parley_worker.engines import base
from parley_worker.engines.onnx import models, trunk
from parley_worker.engines.onnx.features import log_mel
from parley_worker.engines.onnx.setting import CAREFUL, DEFAULT


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
    feats = {"feats": (features - features.mean(axis=0))[None]}
    released = models.open_session(models.with_outputs(models.read_model(models.EMBEDDING), trunk.INNER_TENSORS), 1)
    quantized = models.open_session(models.read_model(models.TRUNK_INT8), 1)
    frames = [trunk.unit(_frames(session, feats)) for session in (released, quantized)]
    assert (frames[0] * frames[1]).sum(axis=1).mean() > 0.98


def _frames(session: onnxruntime.InferenceSession, feats: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(session.run([trunk.OUTPUT], feats)[0][0].T)


def test_the_released_trunk_runs_where_8_bit_sums_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "int8_sums_are_exact", lambda: False)
    assert DEFAULT.files == (models.SEGMENTATION_INT8, models.EMBEDDING)
    assert CAREFUL.files == (models.SEGMENTATION, models.EMBEDDING)


def test_no_weight_of_the_segmentation_has_more_than_seven_bits() -> None:
    """Two products of seven and eight bits fit into 16 bits, so the LSTM is exact without VNNI too."""
    graph = onnx.load(models.MODELS / models.SEGMENTATION_INT8).graph
    weights = [onnx.numpy_helper.to_array(one) for one in graph.initializer if one.data_type == onnx.TensorProto.INT8]
    matrices = [weight.astype(int) for weight in weights if weight.ndim == 3]
    assert len(matrices) == 8
    assert max(np.abs(weight).max() for weight in matrices) <= 64


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [("x86_64", "avx2 avx512_vnni", True), ("x86_64", "avx2 fma", False), ("aarch64", "asimddp", True)],
)
def test_8_bit_models_run_where_their_sums_cannot_overflow(
    machine: str, flags: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda _path: flags)
    assert models.int8_sums_are_exact.__wrapped__() is exact


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
    expected = {"onnxruntime": onnxruntime.__version__, "processor": machine} | instructions
    assert models.kernels.__wrapped__() == expected


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
