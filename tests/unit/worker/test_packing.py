"""Arrays of a checkpoint: few bytes, and the same bits again."""

from __future__ import annotations

import numpy as np
import pytest

from parley_worker.attempt.packing import pack, unpack

RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float32])
@pytest.mark.parametrize("shape", [(0, 3), (1,), (400,), (40, 3), (20, 4, 5)])
@pytest.mark.parametrize("slow", [True, False])
def test_arrays_come_back_bit_by_bit(dtype: type[np.generic], shape: tuple[int, ...], slow: bool) -> None:
    bits = RANDOM.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)  # with NaN, infinities and both zeros
    array = np.frombuffer(bits, dtype).reshape(shape)
    array = np.sort(array, axis=0) if slow else array
    found = unpack(pack({"one": array, "other": array[:1]}))
    assert {name: (one.dtype, one.shape) for name, one in found.items()} == {
        "one": (dtype, shape),
        "other": (dtype, array[:1].shape),
    }
    assert found["one"].tobytes() == array.tobytes()
    assert found["other"].tobytes() == array[:1].tobytes()


def test_slow_changes_take_two_bits_a_number_and_constant_ones_nearly_none() -> None:
    slow = np.cumsum(RANDOM.integers(-1, 2, (1000, 192)), axis=0, dtype=np.int8)
    assert len(pack({"slow": slow})) < slow.size / 4
    assert len(pack({"constant": np.zeros((1000, 192), np.int8)})) < 2000
