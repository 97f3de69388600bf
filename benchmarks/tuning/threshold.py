"""Errors by clustering threshold: `python -m benchmarks.tuning.threshold NAME=FOLDER[:SECONDS]...`.

Runs the models of the default engine once over folders of `NAME.flac` and `NAME.rttm`, scores the results at thresholds
around the chosen one, prints errors and miscounted recordings, and writes docs/img/threshold.svg.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.data.audio import read_audio
from benchmarks.data.recordings import Recordings
from benchmarks.plots import Line, plot_errors_by_threshold
from benchmarks.scoring.der import Errors, errors, miscounted, read_rttm
from parley_core.job import SpeakerBounds
from parley_core.turns import Span, Turn
from parley_worker.engines.onnx import OnnxEngine
from parley_worker.engines.onnx.clustering import DEFAULT, find_speakers
from parley_worker.engines.onnx.cohort import cohort, nearness
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.frames import segments
from parley_worker.engines.onnx.segmentation import Segmentation

FACTORS = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)  # of the chosen threshold
PICTURE = Path("docs") / "img" / "threshold.svg"


@dataclass(frozen=True, slots=True)
class Case:
    """The output of the models for one recording, and its reference."""

    segmentation: Segmentation
    embeddings: Embeddings
    reference: list[Turn]
    inside: Span | None

    def at(self, threshold: float) -> tuple[Errors, bool]:
        """Return the errors at a threshold, and whether the number of speakers is wrong."""
        parameters = replace(DEFAULT, threshold=threshold)
        bounds = SpeakerBounds()
        near = nearness(self.embeddings.subsegments, cohort())
        speakers = find_speakers(self.embeddings.subsegments, near, self.embeddings.seconds, bounds, parameters)
        decision = Decision(self.segmentation, self.embeddings, speakers, bounds)
        found = [Turn(segment.start, segment.end, str(segment.speaker)) for segment in segments(decision.active)]
        return errors(self.reference, found, self.inside), miscounted(self.reference, found)


def main(arguments: Sequence[str]) -> None:
    """Score every threshold, print and plot."""
    engine = OnnxEngine()
    lines = [_line(engine, Recordings.from_argument(argument)) for argument in arguments]
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(plot_errors_by_threshold(lines, DEFAULT.threshold))


def _line(engine: OnnxEngine, recordings: Recordings) -> Line:
    cases = list(_cases(engine, recordings))
    points = []
    for threshold in (DEFAULT.threshold * factor for factor in FACTORS):
        found = [case.at(threshold) for case in cases]
        rate = sum((score for score, _ in found), Errors()).rate
        wrong = sum(off for _, off in found)
        points.append((threshold, rate))
        where = f"{recordings.name}, {len(cases)} recordings, {threshold:.3f}"
        print(f"{where}: {rate:.2f} %, {wrong} miscounted", flush=True)
    return Line(recordings.name, points)


def _cases(engine: OnnxEngine, recordings: Recordings) -> Iterator[Case]:
    for path in recordings.paths:
        found = engine.run_models(read_audio(path), lambda _phase, _share: None)
        if found and len(found.embeddings.subsegments):
            yield Case(found.segmentation, found.embeddings, read_rttm(path.with_suffix(".rttm")), recordings.inside)


if __name__ == "__main__":
    main(sys.argv[1:])
