"""Sets of labelled recordings that engines are measured on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data.audio import SHIPPED, labelled
from parley_core.turns import Span


@dataclass(frozen=True, slots=True)
class Recordings:
    """A folder of `NAME.flac` with `NAME.rttm`.

    Attributes:
        name: in tables and pictures.
        folder: of the recordings.
        inside: only this part of each recording is scored (a UEM); None for all of it.
    """

    name: str
    folder: Path
    inside: Span | None

    @classmethod
    def from_argument(cls, argument: str) -> Recordings:
        """Parse `NAME=FOLDER` or `NAME=FOLDER:SECONDS`; the latter scores the first seconds only.

        Raises:
            ValueError: the argument has another form, or the folder contains no labelled recording.
        """
        name, equals, place = argument.partition("=")
        folder, _, seconds = place.partition(":")
        if not equals or (seconds and not seconds.replace(".", "").isdigit()):
            raise ValueError(f"Name recordings as NAME=FOLDER or NAME=FOLDER:SECONDS, not {argument!r}.")
        found = cls(name, Path(folder), Span(0, float(seconds)) if seconds else None)
        if not found.count:
            raise ValueError(f"The folder {folder!r} contains no NAME.flac with its NAME.rttm.")
        return found

    @property
    def paths(self) -> list[Path]:
        """The recordings, sorted by name."""
        return labelled(self.folder)

    @property
    def count(self) -> int:
        """Number of recordings."""
        return len(self.paths)


def recordings(arguments: Sequence[str]) -> list[Recordings]:
    """Return the sets that the arguments name, else those of PARLEY_BENCH_SETS, else the sample of Parley.

    Args:
        arguments: see Recordings.from_argument; PARLEY_BENCH_SETS holds the same, separated by spaces.

    Raises:
        ValueError: see Recordings.from_argument.
    """
    names = arguments or os.environ.get("PARLEY_BENCH_SETS", "").split() or [f"sample={SHIPPED}"]
    return [Recordings.from_argument(name) for name in names]
