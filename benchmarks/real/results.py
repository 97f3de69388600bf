"""The figures of `make bench-real`, as JSON and as cells of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.data.recordings import Recordings
from benchmarks.engines.candidates import Candidate
from benchmarks.engines.process import Runs
from benchmarks.engines.results import Cells
from benchmarks.scoring.der import Errors

COLLAR = 0.25  # seconds on either side of each boundary of the reference

Measured = Mapping[Candidate, Runs]


def as_json(sets: Sequence[Recordings], measured: Measured) -> list[dict[str, Any]]:
    """Return one row per corpus and engine; times in seconds, rates in percent."""
    return [_row(one, candidate, runs.of(one.folder)) for one in sets for candidate, runs in measured.items()]


def _row(one: Recordings, candidate: Candidate, runs: Runs) -> dict[str, Any]:
    strict = runs.errors(one.folder, one.inside)
    return {
        "corpus": one.name,
        "engine": candidate.name,
        "setting": candidate.setting,
        "recordings": one.count,
        "seconds": runs.seconds,
        "der": _rate(strict),
        "der_with_collar": _rate(runs.errors(one.folder, one.inside, COLLAR)),
        "missed": _rate(Errors(strict.total, missed=strict.missed)),
        "false_alarm": _rate(Errors(strict.total, false_alarm=strict.false_alarm)),
        "confusion": _rate(Errors(strict.total, confusion=strict.confusion)),
        "miscounted": runs.miscounted(one),
        "cpu_seconds_per_audio_second": runs.cost,
    }


def _rate(errors: Errors) -> float | None:
    """Return the rate in percent; None where nobody speaks in the scored part."""
    return errors.rate if errors.total else None


def cells(rows: Sequence[Mapping[str, Any]]) -> Cells:
    """Return the rows of the table, the header first: one row per corpus, three columns per engine."""
    engines = list(dict.fromkeys((row["engine"], row["setting"]) for row in rows))
    header = ["corpus", "recordings", "hours"]
    for name, setting in engines:
        header += [f"{name}, {setting}: DER", "±250 ms", "miscounted"]
    table = [header]
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        mine = [row for row in rows if row["corpus"] == corpus]
        line = [corpus, str(mine[0]["recordings"]), f"{mine[0]['seconds'] / 3600:.2f}"]
        for row in mine:
            line += [_percent(row["der"]), _percent(row["der_with_collar"]), str(row["miscounted"])]
        table.append(line)
    return table


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2f} %"
