"""`make bench-engine`: compares engines in one run, one thread each, on the same recordings.

`python -m benchmarks.engines [NAME=FOLDER[:SECONDS]...]` scores each folder of `NAME.flac` and `NAME.rttm`, or only the
first SECONDS of each recording. Without arguments it takes PARLEY_BENCH_SETS (the same, separated by spaces), else the
sample that ships with Parley. Every engine runs the first set twice, in turns, and the cheaper run counts: other
processes on the machine make a run dearer, never cheaper.
Prints a table, and writes bench/engine.json and bench/engine.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError

from rich.console import Console

from benchmarks.data.recordings import Recordings, recordings
from benchmarks.engines.candidates import CANDIDATES, Candidate
from benchmarks.engines.environments import Unavailable
from benchmarks.engines.process import Run, Runs, least, measure_engine
from benchmarks.engines.results import Cells, Result, as_markdown, as_table, cells
from benchmarks.measure import machine, processor
from benchmarks.plots import Point, plot_errors_against_cost

OUTPUT = Path("bench")
PICTURE, PAGE = Path("docs/img/engines.svg"), Path("docs/evaluation.md")
BEGIN, END = "<!-- engines: begin -->\n", "<!-- engines: end -->\n"
LINK = "![Errors against processor seconds per second of audio](img/engines.svg)\n\n"
REPEATS = 2
MINUTES = (1, 30, 240)
PROGRESS = Console(stderr=True)


def main(arguments: Sequence[str]) -> int:
    """Measure every engine that can run here.

    Returns:
        The exit status: 1 if no engine could run, 2 if the arguments are invalid.
    """
    options = _options(arguments)
    try:
        sets = recordings(options.sets)[: 1 if options.quick else None]
    except ValueError as error:
        PROGRESS.print(str(error), markup=False)
        return 2
    PROGRESS.print("bench: on " + ", ".join(f"{one.name} ({one.count} recordings)" for one in sets))
    results = [_with_long(found, options) for found in _measure(sets, options)]
    if results:
        _report(results, sets, options)
    return 0 if results else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-engine", description="Compare engines.")
    parser.add_argument("sets", nargs="*", metavar="NAME=FOLDER[:SECONDS]", help="labelled recordings")
    names = sorted({candidate.name for candidate in CANDIDATES})
    parser.add_argument("--only", action="append", choices=names, help="measure this engine; may be repeated")
    parser.add_argument("--quick", action="store_true", help="the first set once, and memory at one minute")
    parser.add_argument("--long", action="store_true", help="memory at four hours for every engine: takes over an hour")
    parser.add_argument("--json", action="store_true", help="print bench/engine.json instead of the table")
    parser.add_argument("--write", action="store_true", help=f"also update {PICTURE} and the table in {PAGE}")
    return parser.parse_args(arguments)


def _measure(sets: Sequence[Recordings], options: argparse.Namespace) -> list[Result]:
    """Run every engine on every set, and again on the first one, in turns."""
    found: dict[Candidate, list[Runs]] = {}
    for repeat in range(1 if options.quick else REPEATS):
        for candidate in CANDIDATES:
            if not options.only or candidate.name in options.only:
                runs = _run(candidate, [one.folder for one in (sets if repeat == 0 else sets[:1])])
                found.setdefault(candidate, []).extend([runs] if runs else [])
    return [Result(candidate, _joined(repeats, sets), {}) for candidate, repeats in found.items() if repeats]


def _joined(repeats: Sequence[Runs], sets: Sequence[Recordings]) -> Runs:
    """Return the cheapest runs of the first set, and the only ones of the others."""
    first = least([runs.of(sets[0].folder) for runs in repeats])
    others = tuple(run for one in sets[1:] for run in repeats[0].of(one.folder).runs)
    return Runs(first.ready_seconds, first.runs + others)


def _with_long(result: Result, options: argparse.Namespace) -> Result:
    """Add recordings of one minute and more, up to the limit of the engine."""
    most = 1 if options.quick else MINUTES[-1] if options.long else result.candidate.longest
    long: dict[int, Run] = {}
    for minutes in (minutes for minutes in MINUTES if minutes <= most):
        if runs := _run(result.candidate, [minutes]):
            long[minutes] = runs.runs[0]
    return Result(result.candidate, result.runs, long)


def _run(candidate: Candidate, sources: Sequence[Path | int]) -> Runs | None:
    """Return what was measured; None, with a message, if the engine cannot run."""
    what = ", ".join(f"{source} minutes" if isinstance(source, int) else str(source) for source in sources)
    PROGRESS.print(f"bench: {candidate.name}, {candidate.setting}, on {what}", markup=False, highlight=False)
    try:
        return measure_engine(candidate.engine, sources, candidate.python(), candidate.variables())
    except Unavailable as reason:
        PROGRESS.print(f"bench: {candidate.name} is left out: {reason}.", markup=False)
    except CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        PROGRESS.print(f"bench: {candidate.name} is left out: it ended with {error.returncode}: {last}", markup=False)
    return None


def _report(results: Sequence[Result], sets: Sequence[Recordings], options: argparse.Namespace) -> None:
    document = {"measured_on": machine(), "engines": [result.as_json(sets) for result in results]}
    text = json.dumps(document, indent=2) + "\n"
    table, picture = cells(results, sets), _picture(results, sets)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "engine.json").write_text(text)
    (OUTPUT / "engine.svg").write_text(picture)
    if options.write:
        _write(table, picture)
    if options.json:
        print(text, end="")
    else:
        Console().print(as_table(table, processor()))
    PROGRESS.print("Written to bench/engine.json and bench/engine.svg.")


def _picture(results: Sequence[Result], sets: Sequence[Recordings]) -> str:
    name = sets[0].name
    points = [
        Point(result.title, result.cost(sets), result.rates(sets)[name], result.candidate.name == "onnx")
        for result in results
    ]
    return plot_errors_against_cost(points, name)


def _write(table: Cells, picture: str) -> None:
    """Put the picture and the table into the docs, between two marks."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    place = f"Measured on {processor()}.\n\n"
    PAGE.write_text(before + BEGIN + place + LINK + as_markdown(table) + END + after)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
