"""Fits the doubt about speakers: `python -m benchmarks.tuning.doubt TUNING VALIDATION`.

Both arguments are folders that `python -m benchmarks.data.sets` writes, with one folder of labelled recordings per
condition. Prints the regressions for engines/onnx/doubt.py, fitted on the first one, and per condition of the
second one what the warnings find and miss.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.data.audio import labelled, read_audio
from benchmarks.scoring.der import miscounted, read_rttm
from benchmarks.scoring.speakers import foreign_turns, shared_labels, surplus_labels
from benchmarks.tuning.regression import fit_logistic
from parley_core.job import SpeakerBounds
from parley_core.turns import Turn
from parley_worker.engines.onnx import OnnxEngine
from parley_worker.engines.onnx.clustering import DEFAULT, FoundSpeakers, find_speakers
from parley_worker.engines.onnx.cohort import cohort, nearness
from parley_worker.engines.onnx.decision import Decision
from parley_worker.engines.onnx.doubt import EVIDENCE, SEVERAL, SURPLUS, Regression, speaker_evidence, turn_evidence
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.frames import frame_segments, segments

OF_SEVERAL = ("joined", "stray", "spread", "odd", "crowded")  # the evidence of each regression
OF_SURPLUS = ("log_seconds", "apart")
FALSE_ALARMS = {OF_SEVERAL: 0.025, OF_SURPLUS: 0.03}  # share of the sound speakers of the tuning split that are flagged
SAME_PERSON = 0.7  # cosine similarity from which a vector of the cohort is of a speaker of the recording
COLUMNS = ("condition", "recordings", "merged", "not flagged", "miscounted", "not flagged", "false alarms")


@dataclass(frozen=True, slots=True)
class Case:
    """A recording with what the engine found in it.

    Attributes:
        evidence: shape (speakers, numbers).
        turns: evidence for the turns that can be compared with others, shape (turns, 3).
        foreign: whether each of these is somebody else's, shape (turns,).
        shared: seconds of other people under the label of each speaker, shape (speakers,).
        surplus: whether each speaker is nobody or has another label, shape (speakers,).
        miscounted: whether the number of speakers is wrong.
    """

    evidence: NDArray[np.float64]
    turns: NDArray[np.float64]
    foreign: NDArray[np.bool_]
    shared: NDArray[np.float64]
    surplus: NDArray[np.bool_]
    miscounted: bool


def main(tuning: Path, validation: Path) -> None:
    """Fit on the tuning split, print the regressions, score the validation split with those of the engine."""
    engine = OnnxEngine()
    cases = [case for found in _conditions(engine, tuning).values() for case in found]
    turns, foreign = (np.concatenate([getattr(case, name) for case in cases]) for name in ("turns", "foreign"))
    print("ODD =", fit_logistic(turns, foreign.astype(np.float64), np.ones(len(foreign))))
    evidence = np.concatenate([case.evidence for case in cases])  # with the ODD of the engine: for a new one, run again
    shared = np.concatenate([case.shared for case in cases])
    print("SEVERAL =", fit(evidence, shared > 0, OF_SEVERAL, 1 + shared))  # a merge weighs as what it costs
    surplus = np.concatenate([case.surplus for case in cases])
    print("SURPLUS =", fit(evidence, surplus, OF_SURPLUS, np.ones(len(surplus))))
    _print(_conditions(engine, validation))


def fit(
    evidence: NDArray[np.float64], wrong: NDArray[np.bool_], names: tuple[str, ...], importance: NDArray[np.float64]
) -> Regression:
    """Return the regression on some of the evidence, with its bound.

    Args:
        evidence: shape (speakers, numbers).
        wrong: whether each speaker is to be flagged, shape (speakers,).
        names: of the evidence that is used, a key of FALSE_ALARMS.
        importance: of each speaker, shape (speakers,).
    """
    used = [EVIDENCE.index(name) for name in names]
    offset, found = fit_logistic(evidence[:, used], wrong.astype(np.float64), importance)
    weights = np.zeros(len(EVIDENCE))
    weights[used] = found
    regression = Regression(offset, tuple(weights.tolist()), 0.0)
    bound = np.quantile(regression.probability(evidence[~wrong]), 1 - FALSE_ALARMS[names])
    return Regression(offset, regression.weights, round(float(bound), 3))


def case_of(reference: list[Turn], decision: Decision) -> Case:
    """Return a decision compared with the true turns."""
    found = [Turn(one.start, one.end, str(one.speaker)) for one in segments(decision.active)]
    names = [str(speaker) for speaker in range(len(decision.speakers))]
    shared, surplus = shared_labels(reference, found), surplus_labels(reference, found)
    compared, turns = turn_evidence(decision)
    foreign = dict(zip(frame_segments(decision.active), foreign_turns(reference, found), strict=True))
    return Case(
        speaker_evidence(decision),
        turns,
        np.array([foreign[turn] for turn in compared], np.bool_),
        np.array([shared.get(name, 0.0) for name in names]),
        np.array([name in surplus for name in names]),
        miscounted(reference, found),
    )


def _conditions(engine: OnnxEngine, folder: Path) -> dict[str, list[Case]]:
    places = sorted(place for place in folder.iterdir() if place.is_dir())
    return {place.name: list(_cases(engine, place)) for place in places}


def _cases(engine: OnnxEngine, folder: Path) -> Iterator[Case]:
    for path in labelled(folder):
        heard = engine.run_models(read_audio(path), lambda _phase, _share: None)
        if heard is not None and len(heard.embeddings.subsegments):
            found = _speakers(heard.embeddings)
            decision = Decision(heard.segmentation, heard.embeddings, found, SpeakerBounds())
            yield case_of(read_rttm(path.with_suffix(".rttm")), decision)


def _speakers(embeddings: Embeddings) -> FoundSpeakers:
    """Return the speakers, found with a cohort without them: it is made of people of the tuning split."""
    strangers = cohort()
    for _ in range(2):
        near = nearness(embeddings.subsegments, strangers)
        found = find_speakers(embeddings.subsegments, near, embeddings.seconds, SpeakerBounds(), DEFAULT)
        strangers = strangers[(strangers @ found.embeddings.T).max(axis=1) < SAME_PERSON]
    return found


def _print(conditions: dict[str, list[Case]]) -> None:
    table = Table(*COLUMNS, title="Warnings per recording", title_justify="left")
    everything = [case for cases in conditions.values() for case in cases]
    for name, cases in [*conditions.items(), ("all", everything)]:
        flagged = np.array([_flagged(case) for case in cases])
        merged = np.array([bool(case.shared.any()) for case in cases])
        wrong = np.array([case.miscounted for case in cases])
        alarms = flagged & ~merged & ~wrong
        counts = (len(cases), merged.sum(), (merged & ~flagged).sum(), wrong.sum(), (wrong & ~flagged).sum())
        table.add_row(name, *map(str, counts), f"{alarms.sum()} of {(~merged & ~wrong).sum()}")
    Console(width=120).print(table)


def _flagged(case: Case) -> bool:
    return any((one.probability(case.evidence) > one.bound).any() for one in (SEVERAL, SURPLUS))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
