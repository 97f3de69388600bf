"""Compiles the engine's arithmetic when the package is built or installed for development.

A machine without a C compiler gets a worker that runs the released weights on onnxruntime instead, which takes longer.
Where that must not happen, as in images, PARLEY_ARITHMETIC=required makes it an error.
"""

from __future__ import annotations

import os
import platform
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from zlib import crc32

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("parley_worker/engines/onnx/arithmetic")


class ArithmeticBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds one compiled file per set of instructions of this machine's kind of processor."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; `version` is the kind of build, `build_data` what hatchling puts into the wheel."""
        folder = Path(self.root) / FOLDER
        for stale in folder.glob("*.so"):  # of older code, or of another machine
            stale.unlink()
        code = runpy.run_path(str(folder / "variants.py"), run_name="variants")
        made = [one for one in code["VARIANTS"] if platform.machine().lower() in one.machines]
        source = folder / "arithmetic.c"
        options = (*code["OPTIMISED"], code["SAME_EVERYWHERE"], f"-DPARLEY_SOURCE={crc32(source.read_bytes())}")
        missing = _compile([(one.options, folder / one.file) for one in made], options, source)
        if missing:
            message = f"The engine's arithmetic was not compiled for all processors, where it is slower: {missing}"
            if os.environ.get("PARLEY_ARITHMETIC") == "required":
                raise RuntimeError(message)
            self.app.display_warning(message)
        if len(missing) < len(made):
            build_data["artifacts"] += [f"/{FOLDER}/*.so"]
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def _compile(files: list[tuple[tuple[str, ...], Path]], options: tuple[str, ...], source: Path) -> list[str]:
    """Compile all variants side by side; return the names of those that failed.

    A file appears at once: a worker that starts meanwhile finds a whole one, or none.
    """
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    running = []
    for own, file in files if shutil.which(compiler[0]) else ():
        new = file.with_suffix(".new")
        command = [*compiler, *options, *own, "-o", str(new), str(source)]
        running.append((subprocess.Popen(command), new, file))  # noqa: S603 - whoever builds chooses the compiler
    done = [new.replace(file).name for process, new, file in running if not process.wait()]
    return [file.name for _, file in files if file.name not in done]
