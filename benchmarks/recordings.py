"""The labelled recordings that engines are measured on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audio import SHIPPED, labelled
from benchmarks.der import miscounted, read_rttm
from benchmarks.engine import Run
from parley_core.turns import Span

SHARED = Path(__file__).parents[2] / "shared"  # recordings and models beside the checkout, where a team has them
BESIDE = (f"conversations={SHARED / 'audio'}", f"meetings={SHARED / 'audio' / 'real'}:30")


@dataclass(frozen=True, slots=True)
class Recordings:
    """A folder of `NAME.flac` with `NAME.rttm`; only what lies inside the span counts."""

    name: str
    folder: Path
    inside: Span | None

    @classmethod
    def from_argument(cls, argument: str) -> Recordings:
        """Read `NAME=FOLDER` or `NAME=FOLDER:SECONDS`.

        Raises:
            ValueError: it is written otherwise, or the folder holds no labelled recording; the message says so.
        """
        name, equals, place = argument.partition("=")
        folder, _, seconds = place.partition(":")
        if not equals or (seconds and not seconds.replace(".", "").isdigit()):
            raise ValueError(f"Recordings are named as NAME=FOLDER or NAME=FOLDER:SECONDS, not {argument!r}.")
        found = cls(name, Path(folder), Span(0, float(seconds)) if seconds else None)
        if not found.count:
            raise ValueError(f"There is no NAME.flac with its NAME.rttm in {folder!r}.")
        return found

    @property
    def paths(self) -> list[Path]:
        """The recordings, in order of their names."""
        return labelled(self.folder)

    @property
    def count(self) -> int:
        return len(self.paths)

    def miscounted(self, runs: Sequence[Run]) -> int:
        """Return in how many recordings the number of speakers is wrong."""
        return sum(miscounted(read_rttm(self.folder / f"{run.recording}.rttm"), run.turns) for run in runs)


def recordings(arguments: Sequence[str]) -> list[Recordings]:
    """Return the sets that the arguments name, else PARLEY_BENCH_SETS, else those beside the checkout, else the sample.

    Raises:
        ValueError: see Recordings.from_argument.
    """
    beside = BESIDE if (SHARED / "audio").is_dir() else (f"sample={SHIPPED}",)
    named = arguments or os.environ.get("PARLEY_BENCH_SETS", "").split() or beside
    return [Recordings.from_argument(argument) for argument in named]
