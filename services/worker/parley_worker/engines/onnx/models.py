"""The model files, each pinned by its SHA-256: the models that run are the models that were tested."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley_core.errors import EngineMismatch
from parley_worker.engines.onnx.arithmetic.library import Library, compiled

MODELS = Path(__file__).resolve().parents[2] / "models"

SEGMENTATION = "segmentation.onnx"
EMBEDDING = "wespeaker-campplus.onnx"
SEGMENTATION_INT8 = "segmentation.int8.npz"  # made by `make weights`
TRUNK_INT8 = "campplus-trunk.int8.npz"  # made by `make weights`
CHANNEL_SUBSPACE = "channel-subspace.f32"  # made by benchmarks/tuning/channel_subspace.py
COHORT = "cohort.f16"  # made by benchmarks/tuning/cohort.py
MEAN_EMBEDDING = "mean-embedding.f32"  # made by benchmarks/tuning/mean_embedding.py
PINS = {
    SEGMENTATION: "a3d1e1f66f84957eca8322179c4f3054f1438acf38d25e60ed2f3c0f8c95468e",
    EMBEDDING: "f842b67ce3e663df19afcacd4db392ea0f4518fe7d2f91b88a1bf05f11c93b68",
    SEGMENTATION_INT8: "159700fe721951d579cc9e55ed52083a7eb4a867a76f99df63e7ae8968311b66",
    TRUNK_INT8: "fc5c190e6a1b00000b24f29d2ff0a9a4ad621050cfa2a200caa030446f3b5520",
    CHANNEL_SUBSPACE: "fc9661a6f3c61261dcb5f067e33383c53d0372a167744bfe691b36dbe219e08d",
    COHORT: "4696159de546ab63b96946397cde796d2a3088c4213899dbb65739d6fb8748e3",
    MEAN_EMBEDDING: "ef5ea4c6972ab11184880c148c67608dc546d8657ea7a686e980556328d0a379",
}

# What onnxruntime's kernels for matrices tell apart: asimddp is the dot product of ARM, i8mm its 8-bit matrix product.
INSTRUCTIONS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve")

MODEL_GRAPH, GRAPH_OUTPUT, VALUE_NAME = 7, 12, 1  # field numbers of onnx.proto3


def pins(*names: str) -> dict[str, str]:
    """Return the SHA-256 of model files by name."""
    return {name: PINS[name] for name in names}


def embedding_model(normalized_by: str) -> str:
    """Return the identity of an embedding space: only embeddings of one space can be compared.

    Args:
        normalized_by: name of the file with which the embeddings are normalised.
    """
    return f"{EMBEDDING} {PINS[EMBEDDING]} {PINS[normalized_by][:16]}"


def read_model(name: str, folder: Path = MODELS) -> bytes:
    """Return the bytes of a model file.

    Raises:
        EngineMismatch: the file is missing, or its SHA-256 is not the pinned one.
    """
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise EngineMismatch(f"Model file {name} cannot be read ({error.strerror}). Install Parley again.") from error
    if hashlib.sha256(data).hexdigest() != PINS[name]:
        raise EngineMismatch(f"Model file {name} is not the one this version was built for. Install Parley again.")
    return data


def read_arrays(name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model file in NumPy's format, by name.

    Raises:
        EngineMismatch: the file is missing, or its SHA-256 is not the pinned one.
    """
    with np.load(BytesIO(read_model(name))) as file:
        return {array: file[array] for array in file.files}


@cache
def arithmetic() -> Library | None:
    """Return our own arithmetic for this processor; None where it was not compiled, or the processor is too old."""
    flags = _processor_flags()
    if not flags and platform.system() == "Darwin" and platform.machine() == "arm64":
        flags = frozenset({"asimddp"})  # every such processor has it
    return compiled(platform.machine(), flags)


@cache
def kernels() -> dict[str, str]:
    """Return what computes the models: onnxruntime's version, the processor, and its instructions for matrices.

    onnxruntime chooses its kernels by these instructions. They have the names that Linux gives them, and are left out
    where the system does not tell. `arithmetic` names those for which our own arithmetic was compiled, where it runs.
    """
    found = {"onnxruntime": onnxruntime.__version__, "processor": platform.machine()}
    if own := arithmetic():
        found["arithmetic"] = own.name
    instructions = [name for name in INSTRUCTIONS if name in _processor_flags()]
    return found | ({"instructions": " ".join(instructions)} if instructions else {})


def _processor_flags() -> frozenset[str]:
    try:
        return frozenset(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return frozenset()


def with_outputs(model: bytes, tensors: Iterable[str]) -> bytes:
    """Return the model with inner tensors or weights as additional outputs.

    Two concatenated serialized protobuf messages are one message whose repeated fields are joined, so the pinned file
    itself does not change: https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    outputs = b"".join(_field(GRAPH_OUTPUT, _field(VALUE_NAME, name.encode())) for name in tensors)
    return model + _field(MODEL_GRAPH, outputs)


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited protobuf field."""
    size = len(content)
    length = bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def last_call() -> onnxruntime.RunOptions:
    """Return options for the last call of a session on a recording: its arena returns the memory that it holds."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def open_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU with a number of threads, which sleep while it is idle."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning would use up the pod's quota
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
