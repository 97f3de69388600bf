"""Environments for engines that are not Parley's: virtual environments in .bench, made when first needed.

Two settings name what lies outside the repository:
- PARLEY_BENCH_PYANNOTE: a Python interpreter with pyannote.audio, instead of .bench/pyannote.
- PARLEY_BENCH_MODELS: a folder with an offline pipeline of the project's models (`bundle/config.yaml.in`, in which
  @BUNDLE@ and @MODELS@ stand for absolute paths); default: .bench/models. `tools/cuda_stubs.py` in it, if present,
  builds stand-ins for the three gigabytes of CUDA libraries that torch loads on import, so that the packages for
  graphics cards are not installed. Nothing here runs on a graphics card.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".bench"
REQUIREMENTS = ROOT / "requirements"
CUDA_PACKAGE = re.compile(r"(cuda|nvidia)-|triton==")


class Unavailable(Exception):  # noqa: N818 - named as the errors of core: after what happened
    """An engine cannot take part; the message says why, and what to do."""


def with_pyannote() -> str:
    """Return the Python interpreter of an environment with pyannote.audio.

    Raises:
        Unavailable: the environment cannot be made here.
    """
    if python := os.environ.get("PARLEY_BENCH_PYANNOTE"):
        return python
    lock = (REQUIREMENTS / "worker-pyannote.txt").read_text()
    stubs = _models() / "tools" / "cuda_stubs.py"
    use_stubs = sys.platform == "linux" and stubs.is_file()
    python = _environment("pyannote", without_cuda(lock) if use_stubs else lock)
    if use_stubs and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        _run([sys.executable, str(stubs), python], "The stand-ins for CUDA could not be built")
    return python


def with_sherpa() -> str:
    """Return the Python interpreter of an environment with sherpa-onnx.

    Raises:
        Unavailable: the environment cannot be made here.
    """
    return _environment("sherpa", "")


def pipeline() -> Mapping[str, str]:
    """Return the variable that names pyannote's pipeline: as it is set, or made from PARLEY_BENCH_MODELS.

    Raises:
        Unavailable: there is neither.
    """
    if folder := os.environ.get("PARLEY_PYANNOTE_PIPELINE"):
        return {"PARLEY_PYANNOTE_PIPELINE": folder}
    bundle = _models() / "bundle"
    if not bundle.is_dir():
        raise Unavailable("it needs a pipeline: set PARLEY_PYANNOTE_PIPELINE to a folder with its config.yaml")
    made = FOLDER / "pipeline"
    made.mkdir(parents=True, exist_ok=True)
    config = (bundle / "config.yaml.in").read_text()
    config = config.replace("@BUNDLE@", str(bundle)).replace("@MODELS@", str(bundle.parent))
    (made / "config.yaml").write_text(config)
    return {"PARLEY_PYANNOTE_PIPELINE": str(made)}


def without_cuda(lock: str) -> str:
    """Return a lock file without the packages for graphics cards."""
    entries = re.split(r"\n(?=\S)", lock.rstrip("\n"))
    return "\n".join(entry for entry in entries if not CUDA_PACKAGE.match(entry)) + "\n"


def _models() -> Path:
    return Path(os.environ.get("PARLEY_BENCH_MODELS", FOLDER / "models")).absolute()


def _environment(name: str, lock: str) -> str:
    """Make an environment of a lock and of what every measurement needs, if it is not up to date; return its Python."""
    folder = FOLDER / name
    python = str(folder / "bin" / "python")
    installed = folder / "installed.txt"
    wanted = lock + (REQUIREMENTS / "bench.txt").read_text()
    if installed.is_file() and installed.read_text() == wanted:
        return python
    FOLDER.mkdir(exist_ok=True)
    requirements = FOLDER / f"{name}.txt"
    requirements.write_text(wanted)
    uv = str(Path(sys.executable).with_name("uv"))
    failed = "The environment could not be made"
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], failed)
    install = [uv, "pip", "install", "--quiet", "--python", python]
    _run([*install, "--compile-bytecode", "--require-hashes", "--no-deps", "-r", str(requirements)], failed)
    installed.write_text(wanted)
    return python


def _run(command: list[str], failed: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"{failed}: {last}")
