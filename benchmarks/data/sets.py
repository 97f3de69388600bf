"""All sets of the evaluation: `python -m benchmarks.data.sets UTTERANCES TIMINGS OUT SPLIT [COUNT]`.

Writes COUNT recordings (default: 8) of each condition to OUT/SPLIT/CONDITION. The conditions are those of the split:
what is chosen on the tuning split is tested on other people, and under conditions that were in no choice.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.data.conditions import CONDITIONS
from benchmarks.data.consultations import write_consultations
from benchmarks.data.mixes import write_mixes

CONSULTATION = "consultation"
SEEN = (
    "control", "same-sex", "children", "g711", "amr", "room", "babble", "loud-noise", "hold-music", "backchannels",
    CONSULTATION,
)  # fmt: skip
UNSEEN = ("opus", "g723", "far", "levels")
SETS = {"tuning": SEEN, "validation": SEEN + UNSEEN, "test": SEEN + UNSEEN}
COUNT = 8


def write_sets(utterances: Path, timings: Path, out: Path, split: str, count: int = COUNT) -> None:
    """Write the sets of one split."""
    for name in SETS[split]:
        folder = out / split / name
        if name == CONSULTATION:
            write_consultations(utterances, timings, folder, split, count)
        else:
            write_mixes(utterances, folder, split, count, CONDITIONS[name])


if __name__ == "__main__":
    write_sets(*map(Path, sys.argv[1:4]), sys.argv[4], *map(int, sys.argv[5:6]))
