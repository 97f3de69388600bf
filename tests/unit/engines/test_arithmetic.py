"""Every compilation of arithmetic.c that this processor can run computes what numpy computes, bit by bit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.linalg import _umath_linalg
from numpy.typing import NDArray

from parley_worker.engines.onnx import grid, models
from parley_worker.engines.onnx.arithmetic import library as libraries
from parley_worker.engines.onnx.arithmetic.library import (
    FILTER_COLUMNS,
    SEGMENT,
    Bytes,
    Floats,
    Library,
    Plane,
    Residual,
)
from parley_worker.engines.onnx.arithmetic.variants import VARIANTS, Variant
from parley_worker.engines.onnx.features import log_mel
from parley_worker.engines.onnx.filter_bank import FilteredRecording
from parley_worker.engines.onnx.integer_segmentation import IntegerSegmentation
from parley_worker.engines.onnx.integer_trunk import IntegerTrunk
from tests.support import arithmetic

ABOVE = np.array(
    [
        -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
        1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
    ],
    np.float32,
)  # fmt: skip
BELOW = np.array([1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03], np.float32)
RANDOM = np.random.default_rng(0)
ROW_3_BY_3 = 43 * 32  # of the first case below
AROUND = [band * ROW_3_BY_3 + time * 32 for band in range(3) for time in range(3)]


@pytest.fixture(params=arithmetic.runnable(), ids=lambda variant: variant.name)
def library(request: pytest.FixtureRequest) -> Library:
    return arithmetic.compiled(request.param)


@dataclass(frozen=True)
class Case:
    """A layer: places of its taps, sizes, distances of groups and rows of the input, and what follows the sums."""

    taps: list[int]
    depth: int
    columns: int
    size: tuple[int, int]
    outer: int
    row: int
    residual: bool = False
    gate: bool = False

    @property
    def places(self) -> NDArray[np.int64]:
        """Where the activations of each output row are, shape (groups, rows, taps, depth)."""
        groups, rows = np.arange(self.size[0])[:, None], np.arange(self.size[1])
        begins = (groups * self.outer + rows * self.row)[..., None, None]
        return np.asarray(begins + np.array(self.taps)[:, None] + np.arange(self.depth))


CASES = {
    "3 by 3, every second band": Case(AROUND, 32, 32, (5, 41), 2 * ROW_3_BY_3, 32, residual=True),
    "one tap, wide": Case([0], 1024, 512, (1, 25), 0, 1024),
    "one tap, three groups": Case([0], 256, 64, (3, 13), 13 * 256, 256, residual=True),
    "dilated, with a gate": Case([0, 256, 512], 128, 32, (1, 2 * SEGMENT), 0, 128, gate=True),
    "fifty taps, every second frame": Case([tap * 32 for tap in range(50)], 32, 128, (1, 37), 0, 64),
    "one row": Case([0], 4, 32, (1, 1), 0, 4),
    "as deep as can be": Case([0, 1024], 1024, 128, (1, 7), 0, 100),
}


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("extreme", [False, True], ids=["random", "extreme"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_layer_is_exact(library: Library, case: Case, extreme: bool, kind: type[np.generic]) -> None:
    values, weights = activations(case.places.max() + 1, extreme), weights_of(case, extreme)
    scale, offset = small(case.columns, 90 / weights.shape[1] ** 0.5 / 5000), small(case.columns, 100)
    before = RANDOM.integers(0, 256, (*case.size, case.columns + 8)).astype(kind)  # eight columns stay as they are
    skipped = RANDOM.integers(0, 256, before.shape).astype(np.uint8)
    gate = small((case.size[1] // SEGMENT, case.columns), 1) if case.gate else None

    sums = np.einsum("grtd,tdc->grc", values[case.places].astype(np.int64), weights.astype(np.int64))
    expected = sums.astype(np.float32) * scale + offset
    if case.residual:
        expected += (skipped[..., 4:-4].astype(np.float32) - np.float32(12)) * np.float32(0.37)
    if gate is not None:
        expected *= gate[np.arange(case.size[1]) // SEGMENT]
    wanted = before.copy()
    wanted[..., 4:-4] = byte(expected) if kind is np.uint8 else expected

    rows, width = case.size[1], case.columns + 8
    place = Plane(before, 4, rows * width, width)
    residual = Residual(Plane(skipped, 4, rows * width, width), 0.37, 12.0) if case.residual else None
    layer = library.layer(weights, scale, offset)
    layer.run(Plane(values, 0, case.outer, case.row), case.taps, place, case.size, residual, gate)
    np.testing.assert_array_equal(before, wanted)


def activations(number: int, extreme: bool) -> Bytes:
    return np.full(number, 255, np.uint8) if extreme else RANDOM.integers(0, 256, number).astype(np.uint8)


def weights_of(case: Case, extreme: bool) -> NDArray[np.int8]:
    """Return random weights, or the largest ones: in 16 bits, sums of two of their products would saturate."""
    shape = len(case.taps), case.depth, case.columns
    if extreme:
        return np.broadcast_to(np.where(np.arange(case.columns) % 2, 127, -127), shape).astype(np.int8)
    return RANDOM.integers(-127, 128, shape).astype(np.int8)


def small(shape: int | tuple[int, ...], most: float) -> Floats:
    return RANDOM.uniform(-most, most, shape).astype(np.float32)


def byte(values: Floats) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_a_row_that_is_too_long_is_refused(library: Library) -> None:
    for shape in [(3, 1024, 32), (65, 4, 32)]:
        with pytest.raises(ValueError, match="2048 and 64 are the most"):
            library.layer(np.zeros(shape, np.int8), small(32, 1), small(32, 1))


def test_bytes_are_rounded_to_the_nearest_even_and_end_at_0_and_255(library: Library) -> None:
    values = np.array([[-1e9, -0.6, 0.5, 1.5, 2.5, 254.5, 255.4, 1e9, 7.0]], np.float32)
    found = np.full((1, 8), 9, np.uint8)
    library.rectified(values, 8, np.ones(8, np.float32), np.zeros(8, np.float32), found)
    assert found.tolist() == [[0, 0, 0, 2, 2, 254, 255, 255]]
    many, scale, offset = small((37, 200), 100), small(160, 2), small(160, 50)
    wide = np.zeros((37, 160), np.uint8)
    library.rectified(many, 160, scale, offset, wide)
    np.testing.assert_array_equal(wide, byte(many[:, :160] * scale + offset))


def test_segments_are_summed(library: Library) -> None:
    values = RANDOM.integers(0, 256, (3 * SEGMENT, 128)).astype(np.uint8)
    sums = np.empty((3, 128), np.int32)
    library.segment_sums(values, sums)
    np.testing.assert_array_equal(sums, values.reshape(3, SEGMENT, 128).sum(axis=1))


def test_the_first_layer_is_a_convolution_inside_a_border(library: Library) -> None:
    times, bands = 39, 10
    values, weights, offset = small((times + 2, bands + 2), 100), small((9, 32), 1), small(32, 50)
    found = np.full((bands + 2, times + 2, 32), 7, np.uint8)
    wanted = np.full_like(found, 7)
    sums = np.broadcast_to(offset, (bands, times, 32)).copy()
    for tap in range(9):
        moved = values[tap % 3 : tap % 3 + times, tap // 3 : tap // 3 + bands]
        sums += moved.T[..., None] * weights[tap]
    wanted[1:-1, 1:-1] = byte(sums)
    library.first_layer(values, weights, offset, found)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("outputs", [8, 11, 99])
def test_filters_are_symmetric_and_antisymmetric(library: Library, outputs: int) -> None:
    samples, halves = small(10 * outputs + 241, 1), small((251, FILTER_COLUMNS), 1)
    symmetric, antisymmetric = halves[:126].copy(), halves[126:].copy()
    symmetric[:, 40:] = antisymmetric[:, 40:] = 0
    found = np.zeros((outputs + 1, 80), np.float32)
    library.filters(samples, symmetric, antisymmetric, found[:-1])
    parts = np.stack([samples[10 * one : 10 * one + 251] for one in range(outputs)]).astype(np.float64)
    added = parts[:, :126] + parts[:, :124:-1]
    subtracted = parts[:, :125] - parts[:, :125:-1]
    wanted = np.hstack([added @ symmetric[:, :40], subtracted @ antisymmetric[:, :40]])
    np.testing.assert_allclose(found[:-1], wanted, atol=1e-4)
    assert not found[-1].any()


def test_the_greatest_of_three_magnitudes_is_pooled(library: Library) -> None:
    outputs, shift = small((3 * 37, 80), 1), small(80, 1)
    pooled = np.zeros((37, 80), np.float32)
    library.pool(outputs, shift, 0.7, pooled)
    wanted = np.abs(outputs + shift).reshape(37, 3, 80).max(axis=1) * np.float32(0.7)
    np.testing.assert_array_equal(pooled, wanted)


@pytest.mark.parametrize("columns", [80, 60])
def test_columns_are_normalised_and_what_is_negative_gets_small(library: Library, columns: int) -> None:
    values, weight, offset = small((589, columns), 3) + 7, small(columns, 2), small(columns, 1)
    normal = (values - values.mean(axis=0, dtype=np.float64)) / np.sqrt(values.var(axis=0, dtype=np.float64) + 1e-5)
    wanted = normal * weight + offset
    library.normalised(values, weight, offset)
    np.testing.assert_allclose(values, np.where(wanted > 0, wanted, 0.01 * wanted), atol=1e-5)


@pytest.mark.parametrize(("outputs", "columns"), [(2, 80), (37, 80), (12, 60)])
def test_five_rows_are_convolved_and_the_greatest_of_three_results_counts(
    library: Library, outputs: int, columns: int
) -> None:
    values, weights, offset = small((3 * outputs + 5, columns), 1), small((5 * columns, 64), 1), small(60, 1)
    weights[:, 60:] = 0
    found = np.zeros((outputs + 1, 60), np.float32)
    library.convolved(values, weights, offset, found[:-1])
    rows = np.stack([values[one : one + 5].ravel() for one in range(3 * outputs)]).astype(np.float64)
    wanted = (rows @ weights[:, :60]).reshape(outputs, 3, 60).max(axis=1) + offset
    np.testing.assert_allclose(found[:-1], wanted, atol=1e-4)
    assert not found[-1].any()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("windows", [1, 2])
def test_an_lstm_is_exact(library: Library, windows: int, backwards: bool) -> None:
    weights = RANDOM.integers(-127, 128, (128, 512)).astype(np.int8)
    scale = RANDOM.uniform(0.001, 0.01, 512).astype(np.float32)
    gates = small((23, windows, 2, 512), 4)
    found, floats = np.full((23, windows, 2, 128), 7, np.uint8), np.full((23, windows, 2, 128), 7, np.float32)
    bytes_alone = found.copy()
    wanted_bytes, wanted = found.copy(), floats.copy()
    cell, now = np.zeros((windows, 128), np.float32), np.full((windows, 128), 128, np.uint8)
    for time in range(23)[:: -1 if backwards else 1]:
        sums = (now.astype(np.int64) - 128) @ weights.astype(np.int64)
        inputs = gates[time, :, int(backwards)] + sums.astype(np.float32) * (scale / 127)
        enter, leave, keep, candidate = np.split(inputs, 4, axis=1)
        cell = logistic(keep) * cell + logistic(enter) * tanh(candidate)
        wanted[time, :, int(backwards)] = logistic(leave) * tanh(cell)
        now = byte(wanted[time, :, int(backwards)] * np.float32(127) + np.float32(128))
        wanted_bytes[time, :, int(backwards)] = now
    recurrence = library.recurrent(weights, scale)
    recurrence.run(gates, backwards, found, floats)
    recurrence.run(gates, backwards, bytes_alone, None)
    np.testing.assert_array_equal(floats, wanted)
    np.testing.assert_array_equal(found, wanted_bytes)
    np.testing.assert_array_equal(bytes_alone, wanted_bytes)


def test_the_fraction_that_stands_for_tanh_is_near_it() -> None:
    values = np.linspace(-12, 12, 10_001, dtype=np.float32)
    np.testing.assert_allclose(tanh(values), np.tanh(values), atol=1e-6)


def tanh(values: Floats) -> Floats:
    """Return what arithmetic.c computes, operation by operation."""
    x = np.clip(values, np.float32(-7.9), np.float32(7.9))
    above, below = np.full_like(x, ABOVE[0]), np.full_like(x, BELOW[0])
    for factor in ABOVE[1:]:
        above = above * (x * x) + factor
    for factor in BELOW[1:]:
        below = below * (x * x) + factor
    return np.asarray(x * above / below)


def logistic(values: Floats) -> Floats:
    half = np.float32(0.5)
    return half * tanh(half * values) + half


def features(conversation: NDArray[np.float32], seconds: int) -> Floats:
    found = log_mel(conversation[: seconds * 16_000 + 240])
    return np.asarray(found - found.mean(axis=0), np.float32)


def test_all_variants_give_the_same_trunk_frames(conversation: NDArray[np.float32]) -> None:
    seen, arrays = features(conversation, 6), models.read_arrays(models.TRUNK_INT8)
    found = [arithmetic.compiled(variant) for variant in arithmetic.runnable()]
    assert len({IntegerTrunk(one, arrays).frames(seen).tobytes() for one in found}) <= 1


def test_all_variants_give_the_same_classes(conversation: NDArray[np.float32]) -> None:
    arrays = models.read_arrays(models.SEGMENTATION_INT8)
    found = set()
    for variant in arithmetic.runnable():
        model = IntegerSegmentation(arithmetic.compiled(variant), arrays)
        windows = FilteredRecording(model.filters, conversation, grid.WINDOW // 2, 2)
        found.add(model.scores(windows.windows(range(0, grid.WINDOW, grid.WINDOW // 2))).tobytes())
    assert len(found) <= 1


def test_a_recording_has_the_same_trunk_frames_after_any_other(conversation: NDArray[np.float32]) -> None:
    trunk = IntegerTrunk(arithmetic.fastest(), models.read_arrays(models.TRUNK_INT8))
    seen = features(conversation, 4)
    before = trunk.frames(seen).copy()
    trunk.frames(features(conversation, 6) * 2)
    trunk.frames(features(conversation, 4) * 2)
    np.testing.assert_array_equal(trunk.frames(seen), before)
    trunk.release()
    np.testing.assert_array_equal(trunk.frames(seen), before)


AVX512 = frozenset({"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"})


@pytest.mark.parametrize(
    ("machine", "instructions", "name"),
    [
        ("x86_64", AVX512 | {"avx512_vnni", "avx_vnni"}, "avx512_vnni"),
        ("x86_64", AVX512, "avx512bw"),
        ("x86_64", AVX512 - {"avx512bw"}, "avx2"),
        ("AMD64", {"avx2", "fma", "avx_vnni"}, "avx_vnni"),
        ("x86_64", {"avx2"}, None),
        ("x86_64", {"asimddp"}, None),
        ("aarch64", {"asimd", "asimddp"}, "asimddp"),
        ("arm64", {"asimddp"}, "asimddp"),
        ("aarch64", {"asimd"}, None),
        ("riscv64", AVX512 | {"asimddp"}, None),
    ],
)
def test_the_fastest_library_that_the_processor_can_run_is_chosen(
    machine: str, instructions: frozenset[str], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "Library", lambda variant: variant)
    found = libraries.compiled(machine, frozenset(instructions))
    assert (found and found.name) == name


def test_a_file_that_was_not_compiled_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"avx_vnni", "avx2"}

    def load(variant: Variant) -> Variant:
        if variant.name not in there:
            raise OSError(variant.file)
        return variant

    monkeypatch.setattr(libraries, "Library", load)
    everything = frozenset().union(*(variant.instructions for variant in VARIANTS))
    assert libraries.compiled("x86_64", everything).name == "avx_vnni"
    there.clear()
    assert libraries.compiled("x86_64", everything) is None


def test_a_file_of_other_code_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = next(one for one in VARIANTS if one.name == arithmetic.fastest().name)
    for name in ("arithmetic.c", variant.file):
        shutil.copy(libraries._FOLDER / name, tmp_path)
    monkeypatch.setattr(libraries, "_FOLDER", tmp_path)
    assert Library(variant).name == variant.name
    with (tmp_path / "arithmetic.c").open("a") as source:
        source.write("/* changed since */")
    with pytest.raises(OSError, match="compiled from another"):
        Library(variant)
    shutil.copy(_umath_linalg.__file__, tmp_path / variant.file)
    with pytest.raises(OSError, match="no function parley_source"):
        Library(variant)
