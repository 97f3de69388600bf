"""Speaker verification: `python -m benchmarks.tuning.verification UTTERANCES SPLIT [CONDITION...]`.

Everybody of a split (data/mixes.py: `validation` or `test`, as `tuning` made the mean embedding) is enrolled from the
first half of their first utterance, under the clean condition. The second half and the first halves of up to three
other utterances are compared with everybody, under a condition of data/conditions.py (default: clean). So people are
compared within one session, which is easier than reality. Prints false rejections and false acceptances by threshold.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.audio import read_audio
from benchmarks.data.conditions import CLEAN, CONDITIONS, Condition
from benchmarks.data.mixes import speakers
from parley_core.job import SpeakerBounds
from parley_worker.engines.base import load_engine
from parley_worker.engines.port import Engine

Vector = NDArray[np.float32]
Half = NDArray[np.float32]  # of an utterance, shape (samples,)

OTHERS = 3  # further utterances of one person that are compared
THRESHOLDS = np.arange(0.25, 0.601, 0.05)
TENANTS = (10, 100)  # enrolled people of a practice, of a clinic
SEED = 20_261_125


@dataclass(frozen=True, slots=True)
class Trials:
    """Every test compared with every enrolled person.

    Attributes:
        similarity: cosine similarities, shape (tests, people).
        own: the column of each test's person, shape (tests,).
    """

    similarity: NDArray[np.float32]
    own: NDArray[np.int64]

    @property
    def genuine(self) -> NDArray[np.float32]:
        """Similarities of people to themselves, shape (tests,)."""
        return self.similarity[np.arange(len(self.own)), self.own]

    @property
    def impostors(self) -> NDArray[np.float32]:
        """Similarities to everybody else, shape (tests, people - 1)."""
        others = np.ones(self.similarity.shape, np.bool_)
        others[np.arange(len(self.own)), self.own] = False
        return self.similarity[others].reshape(len(self.own), -1)

    def rejected(self, threshold: float) -> float:
        """Return the false rejection rate: the share of tests that do not match their own person."""
        return float((self.genuine < threshold).mean())

    def accepted(self, threshold: float) -> float:
        """Return the false acceptance rate: the share of pairs of different people that match."""
        return float((self.impostors >= threshold).mean())

    def misnamed(self, threshold: float, enrolled: int) -> float:
        """Return the probability that a stranger matches one of a number of enrolled people, drawn at random."""
        matching = (self.impostors >= threshold).mean(axis=1)
        return float((1 - (1 - matching) ** enrolled).mean())

    def equal_error(self) -> tuple[float, float]:
        """Return (rate, threshold) where false rejection and false acceptance rate are equal."""
        candidates = np.linspace(-0.2, 1, 1201)
        gaps = [abs(self.rejected(one) - self.accepted(one)) for one in candidates]
        threshold = float(candidates[int(np.argmin(gaps))])
        return (self.rejected(threshold) + self.accepted(threshold)) / 2, threshold


def run(utterances: Path, split: str, condition: Condition) -> Trials:
    """Return all trials of the people of a split under one condition."""
    engine, generator = load_engine("onnx"), np.random.default_rng(SEED)
    enrolled, tests, own = [], [], []
    for first, *others in halves(utterances, split):
        enrolled.append(embedding_of(engine, first))
        tests += [embedding_of(engine, condition.record([half], generator)) for half in others]
        own += [len(enrolled) - 1] * len(others)
    return Trials(np.array(tests) @ np.array(enrolled).T, np.array(own))


def halves(utterances: Path, split: str) -> Iterator[list[Half]]:
    """Yield per person of a split: the half to enrol from, then those to compare."""
    for person in speakers(utterances, split):
        paths = sorted(utterances.glob(f"{person}-*.flac"))[: OTHERS + 1]
        first, *others = [read_audio(path) for path in paths]
        middle = len(first) // 2
        yield [first[:middle], first[middle:], *(other[: len(other) // 2] for other in others)]


def embedding_of(engine: Engine, half: Half) -> Vector:
    """Return the embedding of the one person in it, shape (192,); zero, similar to nobody, if there is none."""
    found = engine.diarize(half, SpeakerBounds(1, 1), lambda phase, progress: None).speaker_embeddings
    return np.array(next(iter(found.values()), np.zeros(192)), np.float32)


def report(trials: Trials) -> str:
    """Return the table."""
    rate, threshold = trials.equal_error()
    strangers = " | ".join(f"stranger named, {enrolled} enrolled" for enrolled in TENANTS)
    people, pairs = trials.similarity.shape[1], trials.impostors.size
    lines = [
        f"{len(trials.genuine)} tests against {people} people, {pairs} pairs of others",
        f"equal error rate {rate:.2%} at {threshold:.3f}",
        f"| threshold | own rejected | others accepted, per pair | {strangers} |",
        "|---" * (3 + len(TENANTS)) + "|",
    ]
    return "\n".join(lines + [_row(trials, float(one)) for one in THRESHOLDS])


def _row(trials: Trials, threshold: float) -> str:
    shares = [trials.rejected(threshold), trials.accepted(threshold)]
    shares += [trials.misnamed(threshold, enrolled) for enrolled in TENANTS]
    return f"| {threshold:.2f} | " + " | ".join(f"{share:.2%}" for share in shares) + " |"


def main(arguments: Sequence[str]) -> None:
    """Measure every named condition; clean without any."""
    utterances, split, *names = arguments
    for name in names or [CLEAN.name]:
        print(f"\n{split}, {name}: {report(run(Path(utterances), split, CONDITIONS[name]))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
