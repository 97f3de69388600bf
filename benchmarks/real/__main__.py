"""`make bench-real DATA=FOLDER`: the engine's errors on corpora of real conversations, in their published layouts.

Finds AMI, NOTSOFAR-1, PriMock57, HCRC Map Task, and RTTM files with audio (VoxConverse) below the folder. Measures the
default engine, stock pyannote.audio where its environment and pipeline are there, and community-1 where
PARLEY_BENCH_COMMUNITY names its folder. Prints a table, and writes bench/real.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from subprocess import CalledProcessError

from rich.console import Console

from benchmarks.engines.candidates import CANDIDATES, STOCK, Candidate
from benchmarks.engines.environments import FOLDER, Unavailable, with_pyannote
from benchmarks.engines.process import Runs, measure_engine
from benchmarks.engines.results import as_table
from benchmarks.measure import machine, processor
from benchmarks.real.corpora import Labelled, labelled
from benchmarks.real.preparing import prepare
from benchmarks.real.results import as_json, cells

OUTPUT = Path("bench")
DEFAULT = next(one for one in CANDIDATES if (one.name, one.setting) == ("onnx", "default"))
PROGRESS = Console(stderr=True)


def main(arguments: Sequence[str]) -> int:
    """Measure every engine that can run here, on every corpus of a folder.

    Returns:
        The exit status: 2 if the folder has no labelled recording, or one that cannot be read, or if the engine fails.
    """
    options = _options(arguments)
    try:
        found = list(_usable(labelled(options.data), options.recordings))
        if not found:
            raise ValueError(f"No recording with labels in a known layout was found below {options.data}.")
        with tempfile.TemporaryDirectory() as folder:
            sets = prepare(found, Path(folder), options.seconds)
            folders = [one.folder for one in sets]
            rows = as_json(sets, {one: runs for one in _candidates() if (runs := _run(one, folders))})
    except ValueError as error:
        PROGRESS.print(str(error), markup=False)
        return 2
    _report(rows, options.json)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-real", description="Measure errors on real conversations.")
    parser.add_argument("data", type=Path, metavar="FOLDER", help="holds one corpus or more, at any depth")
    parser.add_argument("--recordings", type=int, help="at most this many of each corpus")
    parser.add_argument("--seconds", type=float, help="only the beginning of each recording")
    parser.add_argument("--json", action="store_true", help="print bench/real.json instead of the table")
    return parser.parse_args(arguments)


def _usable(found: Sequence[Labelled], most: int | None) -> Iterator[Labelled]:
    """Yield the complete recordings of each corpus, and say how many are not."""
    for corpus, group in groupby(found, key=lambda one: one.corpus):
        recordings = list(group)
        complete = [one for one in recordings if one.is_complete]
        missing = len(recordings) - len(complete)
        note = f"; {missing} more have no audio or nobody speaks" if missing else ""
        PROGRESS.print(f"bench: {corpus}: {len(complete)} recordings{note}", markup=False, highlight=False)
        yield from complete[:most]


def _candidates() -> Iterator[Candidate]:
    yield DEFAULT
    if os.environ.get("PARLEY_BENCH_PYANNOTE") or (FOLDER / "pyannote").is_dir():
        yield STOCK
        if os.environ.get("PARLEY_BENCH_COMMUNITY"):
            yield Candidate("pyannote", "community-1", STOCK.engine, with_pyannote, _community)
    else:
        PROGRESS.print("bench: stock-pyannote is left out: name its Python in PARLEY_BENCH_PYANNOTE.", markup=False)


def _community() -> Mapping[str, str]:
    return {"PARLEY_PYANNOTE_PIPELINE": os.environ["PARLEY_BENCH_COMMUNITY"]}


def _run(candidate: Candidate, folders: Sequence[Path]) -> Runs | None:
    """Return what was measured; None, with a message, if another engine than Parley's cannot run."""
    PROGRESS.print(f"bench: {candidate.name}, {candidate.setting}", markup=False, highlight=False)
    try:
        variables = candidate.variables()
        return measure_engine(candidate.engine, folders, candidate.python(), variables)
    except Unavailable as reason:
        last = str(reason)
    except CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
    if candidate is DEFAULT:
        raise ValueError(f"The engine failed: {last}")
    PROGRESS.print(f"bench: {candidate.name}, {candidate.setting}, is left out: {last}", markup=False)
    return None


def _report(rows: Sequence[Mapping[str, object]], as_document: bool) -> None:
    text = json.dumps({"measured_on": machine(), "rows": rows}, indent=2, allow_nan=False) + "\n"
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "real.json").write_text(text)
    if as_document:
        print(text, end="")
    else:
        Console().print(as_table(cells(rows), processor()))
    PROGRESS.print("Written to bench/real.json.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
