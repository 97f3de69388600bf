"""`make security-controls`: take the controls out, one by one, and see that the test of each fails.

Each is taken out in a copy of the repository, so that nothing here changes. Words select controls by their text.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.security.controls import ROOT, Control, controls

COPIED = (
    "services",
    "tests",
    "tools",
    "benchmarks",
    "chaos",
    "k8s",
    "charts",
    "docs",
    "requirements",
    "pyproject.toml",
)
SECONDS = 300.0  # a test that hangs without its control has noticed


def main(words: Sequence[str]) -> int:
    """Return the exit status: 1 if a test passes without its control, or fails with it."""
    chosen = [control for control in controls() if not words or any(word in str(control) for word in words)]
    if not chosen:
        print("No control has these words.")
        return 1
    tests = sorted({control.test for control in chosen})
    with tempfile.TemporaryDirectory(prefix="parley-controls-") as folder:
        if not passes(copied(Path(folder) / "whole"), *tests):
            print("A test fails with all controls in place.")
            return 1
        missed = 0
        for number, control in enumerate(chosen):
            noticed = is_noticed(control, Path(folder) / str(number))
            missed += not noticed
            print(f"{'noticed' if noticed else 'MISSED '}  {control.control}: {control.test}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} controls are noticed when they are gone.")
    return int(missed > 0)


def is_noticed(control: Control, folder: Path) -> bool:
    """Return whether the test of a control fails in a copy without it."""
    root = copied(folder)
    control.take_out(root)
    return not passes(root, control.test)


def copied(root: Path) -> Path:
    """Return a copy of the repository by hard links."""
    root.mkdir()
    command = ["cp", "--archive", "--link", *(str(ROOT / name) for name in COPIED), str(root)]
    if subprocess.run(command, check=False, capture_output=True).returncode:  # another file system
        subprocess.run([part for part in command if part != "--link"], check=True)
    return root


def passes(root: Path, *tests: str) -> bool:
    """Return whether tests pass in a copy."""
    sources = [str(path) for path in sorted((root / "services").iterdir())]
    environment = os.environ | {
        "CI": "1",
        "PYTHONPATH": os.pathsep.join([*sources, str(root)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # CI: a missing tool fails
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:])
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
