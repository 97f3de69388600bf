"""hatch_build.py compiles the engine's arithmetic into the wheel, or says that it did not."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

from parley_worker.engines.onnx.arithmetic.variants import VARIANTS
from tests.support import arithmetic

WORKER = Path(__file__).parents[3] / "services" / "worker"
FOLDER = Path("parley_worker") / "engines" / "onnx" / "arithmetic"


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    """A copy of the worker's sources without models, with files of another machine and of older code."""
    copy = tmp_path / "worker"
    shutil.copytree(WORKER, copy, ignore=shutil.ignore_patterns("models", "__pycache__", "*.so"))
    for name in ("arithmetic-asimddp.so", "arithmetic-older.so", VARIANTS[0].file):
        (copy / FOLDER / name).write_bytes(b"stale")
    return copy


def build(worker: Path) -> Path:
    return Path(next(WheelBuilder(str(worker)).build(directory=str(worker / "dist"), versions=["standard"])))


def compiled(wheel: Path) -> set[str]:
    with ZipFile(wheel) as file:
        names = {name for name in file.namelist() if name.endswith(".so")}
        assert b"stale" not in {file.read(name) for name in names}
    assert {Path(name).parent for name in names} <= {FOLDER}
    return {Path(name).name for name in names}


def test_a_wheel_has_a_file_per_set_of_instructions_and_a_platform(
    worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arithmetic.fastest()
    monkeypatch.setenv("PARLEY_ARITHMETIC", "required")
    wheel = build(worker)
    assert compiled(wheel) >= {variant.file for variant in arithmetic.runnable()}
    assert "arithmetic-older.so" not in compiled(wheel)
    assert not wheel.name.endswith("-none-any.whl")
    with ZipFile(wheel) as file:
        assert b"Root-Is-Purelib: false" in next(file.read(one) for one in file.namelist() if one.endswith("/WHEEL"))
    assert not list((worker / FOLDER).glob("*.new"))


@pytest.mark.parametrize("compiler", ["/nonexistent/cc", "false"])
def test_without_a_compiler_the_wheel_is_pure_and_the_build_says_so(
    worker: Path, compiler: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", compiler)
    monkeypatch.delenv("PARLEY_ARITHMETIC", raising=False)
    wheel = build(worker)
    assert compiled(wheel) == set()
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "was not compiled" in "".join(capfd.readouterr())


def test_where_arithmetic_is_required_a_build_without_it_fails(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nonexistent/cc")
    monkeypatch.setenv("PARLEY_ARITHMETIC", "required")
    with pytest.raises(RuntimeError, match="was not compiled"):
        build(worker)


@pytest.mark.parametrize("command", ["env cc", "", " "])
def test_a_command_in_cc_may_have_arguments_or_be_empty(
    worker: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arithmetic.fastest()
    monkeypatch.setenv("CC", command)
    assert compiled(build(worker))
