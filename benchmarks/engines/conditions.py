"""Errors and doubts of the default engine under each condition.

`python -m benchmarks.engines.conditions FOLDER PICTURE`: FOLDER has one folder of labelled recordings (`NAME.flac`,
`NAME.rttm`) per condition, as `python -m benchmarks.data.sets` writes it. Prints a table in Markdown and writes the
reliability of the confidence per condition as SVG. Chooses nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data.audio import labelled, read_audio
from benchmarks.measure import processor
from benchmarks.plots import plot_reliability_by_condition
from benchmarks.scoring.der import Errors, errors, miscounted, read_rttm, speaker_mapping
from benchmarks.scoring.reliability import ScoredTurns
from benchmarks.scoring.speakers import shared_labels
from parley_core.job import SpeakerBounds
from parley_core.turns import Turn
from parley_worker.engines.onnx import OnnxEngine

COLUMNS = (
    "condition",
    "DER, %",
    "missed",
    "false alarm",
    "confusion",
    "miscounted",
    "no warning",
    "two people under one label",
    "no warning",
    "warnings where both are right",
    "calibration error",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result beside the truth.

    Attributes:
        reference: the true turns.
        found: the turns of the result.
        warned: the number of speakers, or whether one of them is several people, needs review.
    """

    reference: Sequence[Turn]
    found: Sequence[Turn]
    warned: bool


def main(folder: Path, picture: Path) -> None:
    """Run the engine on every condition; print the table and write the picture."""
    engine = OnnxEngine()
    conditions = {place.name: list(_outcomes(engine, place)) for place in sorted(folder.iterdir()) if place.is_dir()}
    print("\n".join(table(conditions)))
    print(f"\n{processor()}")
    scored = {name: scored_turns(outcomes) for name, outcomes in conditions.items()}
    picture.write_text(plot_reliability_by_condition(scored))


def table(conditions: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: a row per condition, and one for all recordings together."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" + "|---:" * (len(COLUMNS) - 1) + "|"
    everything = [outcome for outcomes in conditions.values() for outcome in outcomes]
    for name, outcomes in [*conditions.items(), ("all", everything)]:
        yield f"| {name} | {' | '.join(_cells(outcomes))} |"


def scored_turns(outcomes: Iterable[Outcome]) -> ScoredTurns:
    """Return the confidence of all turns, and the share of each in which its speaker label is right."""
    rows = []
    for outcome in outcomes:
        true = speaker_mapping(outcome.reference, outcome.found)
        for turn in outcome.found:
            own = (one for one in outcome.reference if one.speaker == true.get(turn.speaker))
            right = sum(max(0.0, min(turn.end, one.end) - max(turn.start, one.start)) for one in own)
            rows.append((turn.confidence, right / (turn.end - turn.start), turn.end - turn.start))
    return ScoredTurns(*np.array(rows, np.float64).T)


def _outcomes(engine: OnnxEngine, folder: Path) -> Iterator[Outcome]:
    for path in labelled(folder):
        found = engine.diarize(read_audio(path), SpeakerBounds(), lambda _phase, _share: None)
        count = found.speaker_count
        several = any(engine.info.may_be_several(purity) for purity in found.purity.values())
        yield Outcome(
            read_rttm(path.with_suffix(".rttm")), found.turns, several or (count and count.needs_review) or False
        )


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    total = sum((errors(one.reference, one.found) for one in outcomes), Errors())
    parts = [f"{100 * part / total.total:.1f}" for part in (total.missed, total.false_alarm, total.confusion)]
    warned = np.array([one.warned for one in outcomes])
    wrong = np.array([miscounted(one.reference, one.found) for one in outcomes])
    merged = np.array([bool(shared_labels(one.reference, one.found)) for one in outcomes])
    sound = ~wrong & ~merged
    scored = scored_turns(outcomes)
    return [
        f"{total.rate:.1f}",
        *parts,
        f"{wrong.sum()} of {len(outcomes)}",
        str((wrong & ~warned).sum()),
        str(merged.sum()),
        str((merged & ~warned).sum()),
        f"{(sound & warned).sum()} of {sound.sum()}",
        f"{scored.calibration_error(scored.seconds):.3f}",
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
