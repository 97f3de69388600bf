"""How sure the engine may be: `python -m benchmarks.confidence FIT_FOLDER CHECK_FOLDER [NAME=FOLDER[:SECONDS]]...`.

Fits what evidence is worth on one folder of labelled recordings (`NAME.flac`, `NAME.rttm`), writes it to the engine's
calibration.py, and holds it against the truth on the second folder, and on more. The plot of the second goes to docs/.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize

from benchmarks.audio import sound_in
from benchmarks.der import matched, read_rttm
from benchmarks.recordings import Recordings
from benchmarks.reliability import WRONG, Judged, Vector, plot
from parley_core.job import SpeakerBounds
from parley_core.turns import Span, Turn
from parley_worker.engines.onnx import OnnxEngine, calibration
from parley_worker.engines.onnx.confidence import Calibration
from parley_worker.engines.onnx.frames import Run, runs
from parley_worker.engines.onnx.grid import frame_seconds

PLOT = Path("docs") / "img" / "reliability.svg"
REVIEWED = 0.9  # of the wrong turns of the first folder are to be among those to review
PENALTY = 1e-3  # on squared weights of standardised evidence: keeps those of what is almost the same small
COLUMNS = ("set", "turns", "calibration error", "of turns", "separation", "of turns", "to review", "wrong", "found")


@dataclass(frozen=True, slots=True)
class Evident:
    """Turns with the evidence for them, shape (turns, 4), and what is true of them."""

    evidence: NDArray[np.float64]
    right: Vector
    seconds: Vector

    def judged(self, by: Calibration) -> Judged:
        """Return them with confidences."""
        return Judged(np.array([by.confidence(row) for row in self.evidence]), self.right, self.seconds)


def main(fit_folder: Path, check: Sequence[Recordings]) -> None:
    """Fit, write, check and plot."""
    engine = OnnxEngine()
    known = gather(engine, Recordings("fitted", fit_folder, None))
    fitted = fit(known)
    Path(calibration.__file__).write_text(_source(fitted, known))
    checked = {part.name: gather(engine, part).judged(fitted) for part in check}
    held_out = next(iter(checked.values()))
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(plot(held_out, f"{len(held_out.right)} turns of people never used for fitting"))
    _print({"fitted": known.judged(fitted)} | checked, fitted.review_below)


def gather(engine: OnnxEngine, recordings: Recordings) -> Evident:
    """Return what the engine decides on some recordings."""
    rows = [row for path in recordings.paths for row in _turns(engine, path, recordings.inside)]
    evidence, right, seconds = zip(*rows, strict=True)
    return Evident(np.array(evidence), np.array(right), np.array(seconds))


def fit(known: Evident) -> Calibration:
    """Return the calibration under which the truth is likeliest.

    A turn weighs as much as the root of its length: a moment is to be judged well, and so is a short turn.
    """
    mean, spread = known.evidence.mean(axis=0), known.evidence.std(axis=0)
    standard = np.column_stack([np.ones(len(known.right)), (known.evidence - mean) / spread])
    weight = np.sqrt(known.seconds) / np.sqrt(known.seconds).sum()

    def loss(worth: Vector) -> float:
        odds = standard @ worth
        return float(weight @ (np.logaddexp(0, odds) - known.right * odds) + PENALTY * (worth[1:] ** 2).sum())

    worth = minimize(loss, np.zeros(standard.shape[1])).x
    weights = worth[1:] / spread
    offset = round(float(worth[0] - weights @ mean), 4)
    return _with_bound(known, Calibration(offset, tuple(np.round(weights, 4).tolist()), 0.0))


def _with_bound(known: Evident, fitted: Calibration) -> Calibration:
    """Set the bound below which so many of the wrong turns lie."""
    wrong = known.judged(fitted).confidence[known.right < WRONG]
    return Calibration(fitted.offset, fitted.weights, round(float(np.quantile(wrong, REVIEWED)), 2))


def _turns(engine: OnnxEngine, path: Path, inside: Span | None) -> Iterator[tuple[Vector, float, float]]:
    """Yield evidence, right share and seconds of each turn of a recording."""
    found = engine.decide(sound_in(path), SpeakerBounds(), lambda _phase, _share: None)
    if found is None:
        return
    truth, said = read_rttm(path.with_suffix(".rttm")), [(run, _turn(run)) for run in runs(found.active)]
    person = matched(truth, [turn for _, turn in said], inside)
    for run, turn in said:
        start, end = (turn.start, turn.end) if inside is None else (turn.start, min(turn.end, inside.end))
        if start < end:
            right = _spoken(truth, person.get(turn.speaker), start, end)
            yield found.evidence.of(run), right / (end - start), end - start


def _turn(run: Run) -> Turn:
    start, end = frame_seconds(np.array([run.first, run.after])).tolist()
    return Turn(start, end, str(run.speaker))


def _spoken(truth: Iterable[Turn], person: str | None, start: float, end: float) -> float:
    """Return in how many seconds between two moments somebody speaks."""
    own = (turn for turn in truth if turn.speaker == person)
    return sum(max(0.0, min(end, turn.end) - max(start, turn.start)) for turn in own)


def _source(fitted: Calibration, known: Evident) -> str:
    return (
        f'"""What evidence is worth, by `python -m benchmarks.confidence` from {len(known.right):,} turns."""\n\n'
        "from parley_worker.engines.onnx.confidence import Calibration\n\n"
        "FITTED = Calibration(\n"
        f"    offset={fitted.offset},\n"
        f"    weights={fitted.weights},\n"
        f"    review_below={fitted.review_below},\n"
        ")\n"
    )


def _print(sets: Mapping[str, Judged], below: float) -> None:
    table = Table(title=f"Confidence against the truth; to review below {below:g}", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "set" else "right")
    for name, judged in sets.items():
        turns = np.ones(len(judged.right))
        by_moment = (judged.calibration_error(judged.seconds), judged.separation(judged.seconds))
        by_turn = (judged.calibration_error(turns), judged.separation(turns))
        measures = [f"{value:.3f}" for pair in zip(by_moment, by_turn, strict=True) for value in pair]
        shares = [f"{share:.1%}" for share in judged.review(below)]
        table.add_row(name, str(len(turns)), *measures, *shares)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        [Recordings("held out", Path(sys.argv[2]), None), *map(Recordings.from_argument, sys.argv[3:])],
    )
