"""Fits the confidence: `python -m benchmarks.tuning.confidence TUNING VALIDATION [NAME=FOLDER[:SECONDS]]...`.

Fits the logistic regression on the labelled recordings (`NAME.flac`, `NAME.rttm`) of one folder, writes its weights to
the engine's calibration.py, and scores the confidence on the second folder and on further ones. The reliability diagram
of the second one goes to docs/img/.
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

from benchmarks.data.audio import read_audio
from benchmarks.data.recordings import Recordings
from benchmarks.plots import plot_reliability
from benchmarks.scoring.der import read_rttm, speaker_mapping
from benchmarks.scoring.reliability import WRONG, ScoredTurns, Vector
from benchmarks.tuning.regression import fit_logistic
from parley_core.job import SpeakerBounds
from parley_core.turns import Span, Turn
from parley_worker.engines.onnx import OnnxEngine, calibration
from parley_worker.engines.onnx.confidence import Calibration
from parley_worker.engines.onnx.frames import FrameSegment, frame_segments
from parley_worker.engines.onnx.grid import frame_seconds

PLOT = Path("docs") / "img" / "reliability.svg"
RECALL = 0.9  # share of the wrong turns of the tuning split that must be below the review bound
COLUMNS = ("set", "turns", "calibration error", "by turn", "separation", "by turn", "to review", "wrong", "found")


@dataclass(frozen=True, slots=True)
class Observations:
    """Turns with their evidence and their outcome.

    Attributes:
        evidence: shape (turns, 4).
        right: share of each turn with the right speaker label, shape (turns,).
        seconds: length of each turn, shape (turns,).
    """

    evidence: NDArray[np.float64]
    right: Vector
    seconds: Vector

    def scored(self, calibration: Calibration) -> ScoredTurns:
        """Return the turns with the confidences of a calibration."""
        confidence = np.array([calibration.confidence(row) for row in self.evidence])
        return ScoredTurns(confidence, self.right, self.seconds)


def main(tuning: Path, others: Sequence[Recordings]) -> None:
    """Fit on the tuning split, write the weights, score all sets, plot the first of the others."""
    engine = OnnxEngine()
    observed = observations(engine, Recordings("tuning", tuning, None))
    fitted = fit(observed)
    Path(calibration.__file__).write_text(_source(fitted, observed))
    scored = {one.name: observations(engine, one).scored(fitted) for one in others}
    validation = next(iter(scored.values()))
    PLOT.parent.mkdir(exist_ok=True)
    PLOT.write_text(plot_reliability(validation, f"{len(validation.right)} turns of the validation split"))
    _print({"tuning": observed.scored(fitted)} | scored, fitted.review_below)


def observations(engine: OnnxEngine, recordings: Recordings) -> Observations:
    """Return the turns that the engine finds in some recordings."""
    rows = [row for path in recordings.paths for row in _turns(engine, path, recordings.inside)]
    evidence, right, seconds = zip(*rows, strict=True)
    return Observations(np.array(evidence), np.array(right), np.array(seconds))


def fit(observed: Observations) -> Calibration:
    """Return the calibration of maximum likelihood, with a small penalty on its weights.

    A turn weighs as much as the root of its length: a compromise between counting time and counting turns.
    """
    offset, weights = fit_logistic(observed.evidence, observed.right, np.sqrt(observed.seconds))
    confidence = observed.scored(Calibration(offset, weights, 0.0)).confidence
    bound = np.quantile(confidence[observed.right < WRONG], RECALL)
    return Calibration(offset, weights, round(float(bound), 2))


def _turns(engine: OnnxEngine, path: Path, inside: Span | None) -> Iterator[tuple[Vector, float, float]]:
    """Yield evidence, right share and seconds of each turn of a recording."""
    heard = engine.run_models(read_audio(path), lambda _phase, _share: None)
    if heard is None:
        return
    decision = engine.decide(heard, SpeakerBounds())
    reference = read_rttm(path.with_suffix(".rttm"))
    found = [(segment, _turn(segment)) for segment in frame_segments(decision.active)]
    true_speaker = speaker_mapping(reference, [turn for _, turn in found], inside)
    for segment, turn in found:
        start, end = (turn.start, turn.end) if inside is None else (turn.start, min(turn.end, inside.end))
        if start < end:
            right = _spoken(reference, true_speaker.get(turn.speaker), start, end)
            yield decision.evidence.of(segment), right / (end - start), end - start


def _turn(segment: FrameSegment) -> Turn:
    start, end = frame_seconds(np.array([segment.first, segment.end])).tolist()
    return Turn(start, end, str(segment.speaker))


def _spoken(reference: Iterable[Turn], speaker: str | None, start: float, end: float) -> float:
    """Return the seconds between two moments in which a speaker of the reference speaks."""
    own = (turn for turn in reference if turn.speaker == speaker)
    return sum(max(0.0, min(end, turn.end) - max(start, turn.start)) for turn in own)


def _source(fitted: Calibration, observed: Observations) -> str:
    turns = f"{len(observed.right):,} turns"
    return (
        f'"""Weights of the evidence, fitted by `python -m benchmarks.tuning.confidence` on {turns}."""\n\n'
        "from parley_worker.engines.onnx.confidence import Calibration\n\n"
        "FITTED = Calibration(\n"
        f"    offset={fitted.offset},\n"
        f"    weights={fitted.weights},\n"
        f"    review_below={fitted.review_below},\n"
        ")\n"
    )


def _print(sets: Mapping[str, ScoredTurns], below: float) -> None:
    table = Table(title=f"Confidence compared with the reference; review below {below:g}", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "set" else "right")
    for name, scored in sets.items():
        ones = np.ones(len(scored.right))
        errors = [scored.calibration_error(weights) for weights in (scored.seconds, ones)]
        separations = [scored.separation(weights) for weights in (scored.seconds, ones)]
        measures = [f"{value:.3f}" for value in errors + separations]
        shares = [f"{share:.1%}" for share in scored.review(below)]
        table.add_row(name, str(len(ones)), *measures, *shares)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        [Recordings("validation", Path(sys.argv[2]), None), *map(Recordings.from_argument, sys.argv[3:])],
    )
