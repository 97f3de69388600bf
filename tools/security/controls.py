"""The controls of controls.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("controls.toml")


@dataclass(frozen=True, slots=True)
class Control:
    """What stops a threat.

    Attributes:
        test: a test, or a file of tests, that fails without the control.
        file: where the control is, below the repository.
        old: the code of the control, once in the file.
        new: what takes its place.
    """

    threat: str
    control: str
    test: str
    file: str
    old: str
    new: str

    def take_out(self, root: Path) -> None:
        """Change a copy of the repository. Raises ValueError where the code is not there once."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} does not have the code of a control once: {self.old}")
        path.unlink()  # a copy by hard links shares the file
        path.write_text(text.replace(self.old, self.new))


def controls() -> Iterator[Control]:
    """Yield all controls."""
    for entry in tomllib.loads(FILE.read_text())["control"]:
        yield Control(**entry)
