"""How far the clustering threshold may be off: `python -m benchmarks.threshold NAME=FOLDER[:SECONDS]...`.

Runs the models of the default engine once over folders of `NAME.flac` and `NAME.rttm`, scores what follows at
thresholds around the one that is set, prints errors and miscounted recordings, and writes docs/img/threshold.svg.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.audio import sound_in
from benchmarks.der import Errors, errors, miscounted, read_rttm
from benchmarks.recordings import Recordings
from benchmarks.threshold_plot import Line, plot
from parley_core.job import SpeakerBounds
from parley_core.turns import Span, Turn
from parley_worker.engines.onnx import OnnxEngine
from parley_worker.engines.onnx.clustering import DEFAULT, centroids
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.embedding import Voices
from parley_worker.engines.onnx.frames import stretches
from parley_worker.engines.onnx.segmentation import Segmentation

SHARES = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)  # of the threshold that is set
PICTURE = Path("docs") / "img" / "threshold.svg"


@dataclass(frozen=True, slots=True)
class Case:
    """A recording as the models hear it, and the truth."""

    heard: Segmentation
    voices: Voices
    truth: list[Turn]
    inside: Span | None

    def at(self, threshold: float) -> tuple[Errors, bool]:
        """Return the errors at a threshold, and whether the number of people is wrong."""
        parameters = replace(DEFAULT, threshold=threshold)
        people = centroids(self.voices.pieces, self.voices.weights, SpeakerBounds(), parameters)
        found = Decision(self.heard, self.voices, people, SpeakerBounds())
        said = [Turn(run.start, run.end, str(run.speaker)) for run in stretches(found.active)]
        return errors(self.truth, said, self.inside), miscounted(self.truth, said)


def main(arguments: Sequence[str]) -> None:
    """Sweep, print and plot."""
    engine = OnnxEngine()
    lines = [_swept(engine, Recordings.from_argument(argument)) for argument in arguments]
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(plot(lines, DEFAULT.threshold))


def _swept(engine: OnnxEngine, recordings: Recordings) -> Line:
    name, cases = recordings.name, list(_cases(engine, recordings))
    points = []
    for threshold in (DEFAULT.threshold * share for share in SHARES):
        found = [case.at(threshold) for case in cases]
        rate, wrong = sum((score for score, _ in found), Errors()).rate, sum(off for _, off in found)
        points.append((threshold, rate))
        print(f"{name}, {len(cases)} recordings, {threshold:.3f}: {rate:.2f} %, {wrong} miscounted", flush=True)
    return Line(name, points)


def _cases(engine: OnnxEngine, recordings: Recordings) -> Iterator[Case]:
    for path in recordings.paths:
        found = engine.hear(sound_in(path), lambda _phase, _share: None)
        if found and len(found[1].pieces):
            yield Case(*found, read_rttm(path.with_suffix(".rttm")), recordings.inside)


if __name__ == "__main__":
    main(sys.argv[1:])
