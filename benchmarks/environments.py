"""Where the engines that are not Parley's run: environments of their own in .bench, made when first asked for.

torch needs three gigabytes of CUDA libraries even to be imported. Where the shared tools beside the checkout can stand
in for them they are left out; else everything of the lock is installed. Nothing here runs on a graphics card.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.recordings import SHARED

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".bench"
REQUIREMENTS = ROOT / "requirements"
BUNDLE = SHARED / "models" / "bundle"
STAND_INS = SHARED / "models" / "tools" / "cuda_stubs.py"
GRAPHICS = re.compile(r"(cuda|nvidia)-|triton==")


class Unavailable(Exception):  # noqa: N818 - it says what is the matter, as the errors of core do
    """An engine cannot take part; the message says why, and what to do."""


def with_pyannote() -> str:
    """Return the Python of an environment with pyannote.audio: PARLEY_BENCH_PYANNOTE, or .bench/pyannote.

    Raises:
        Unavailable: it cannot be made here.
    """
    if python := os.environ.get("PARLEY_BENCH_PYANNOTE"):
        return python
    lock = (REQUIREMENTS / "worker-pyannote.txt").read_text()
    stand_in = sys.platform == "linux" and STAND_INS.is_file()
    python = _environment("pyannote", without_graphics(lock) if stand_in else lock)
    if stand_in and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        _run([sys.executable, str(STAND_INS), python], "The stand-ins for CUDA could not be built")
    return python


def with_sherpa() -> str:
    """Return the Python of an environment with sherpa-onnx.

    Raises:
        Unavailable: it cannot be made here.
    """
    return _environment("sherpa", "")


def pipeline() -> Mapping[str, str]:
    """Return the variable that names pyannote's pipeline: as it is set, or made from the shared models.

    Raises:
        Unavailable: there is neither.
    """
    if set_by_user := os.environ.get("PARLEY_PYANNOTE_PIPELINE"):
        return {"PARLEY_PYANNOTE_PIPELINE": set_by_user}
    if not BUNDLE.is_dir():
        raise Unavailable("it needs a pipeline: set PARLEY_PYANNOTE_PIPELINE to a folder with its config.yaml")
    folder = PLACE / "pipeline"
    folder.mkdir(parents=True, exist_ok=True)
    config = (BUNDLE / "config.yaml.in").read_text()
    config = config.replace("@BUNDLE@", str(BUNDLE)).replace("@MODELS@", str(BUNDLE.parent))
    (folder / "config.yaml").write_text(config)
    return {"PARLEY_PYANNOTE_PIPELINE": str(folder)}


def without_graphics(lock: str) -> str:
    """Return a lock file without the packages that only graphics cards need."""
    entries = re.split(r"\n(?=\S)", lock.rstrip("\n"))
    return "\n".join(entry for entry in entries if not GRAPHICS.match(entry)) + "\n"


def _environment(name: str, lock: str) -> str:
    """Make an environment of a lock and of what every measurement needs, unless it is there; return its Python."""
    folder = PLACE / name
    python, wanted, done = folder / "bin" / "python", PLACE / f"{name}.txt", folder / "installed.txt"
    text = lock + (REQUIREMENTS / "bench.txt").read_text()
    if done.is_file() and done.read_text() == text:
        return str(python)
    PLACE.mkdir(exist_ok=True)
    wanted.write_text(text)
    uv, failed = str(Path(sys.executable).with_name("uv")), "The environment could not be made"
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], failed)
    install = [
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--compile-bytecode",
        "--require-hashes",
        "--no-deps",
    ]
    _run([uv, *install, "-r", str(wanted)], failed)
    done.write_text(text)
    return str(python)


def _run(command: list[str], failed: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"{failed}: {last}")
