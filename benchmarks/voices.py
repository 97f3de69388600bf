"""How surely a voice names its person: `python -m benchmarks.voices UTTERANCES PART [CONDITION...]`.

Everybody of a part (mixes.py: `held-out`, `sealed`; `choose` made the mean voice) is enrolled from the first half
of their first utterance, as it is, and looked for in its second half and in the first half of up to three others, as
heard under a condition (conditions.py; `clean` unless said). So people are compared within one session, which is kinder
than life. Prints what each threshold accepts and refuses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.audio import sound_in
from benchmarks.conditions import CLEAN, CONDITIONS, Condition
from benchmarks.mixes import speakers
from parley_core.engine import Engine
from parley_core.job import SpeakerBounds
from parley_worker.engines.base import load_engine

Vector = NDArray[np.float32]
Half = NDArray[np.float32]

OTHERS = 3  # further utterances of one person that are looked at
THRESHOLDS = np.arange(0.25, 0.601, 0.05)
TENANTS = (10, 100)  # enrolled voices of a practice, of a clinic
SEED = 20_261_125


@dataclass(frozen=True, slots=True)
class Trials:
    """Every test against every enrolled person.

    Attributes:
        scores: cosines, shape (tests, people).
        own: the column of each test's person, shape (tests,).
    """

    scores: NDArray[np.float32]
    own: NDArray[np.int64]

    @property
    def genuine(self) -> NDArray[np.float32]:
        """Scores of a person against themselves, shape (tests,)."""
        return self.scores[np.arange(len(self.own)), self.own]

    @property
    def impostors(self) -> NDArray[np.float32]:
        """Scores against everybody else, shape (tests, people - 1)."""
        others = np.ones(self.scores.shape, np.bool_)
        others[np.arange(len(self.own)), self.own] = False
        return self.scores[others].reshape(len(self.own), -1)

    def refused(self, threshold: float) -> float:
        """Return the share of people who are enrolled and not recognized."""
        return float((self.genuine < threshold).mean())

    def accepted(self, threshold: float) -> float:
        """Return the share of pairs of different people that pass for one."""
        return float((self.impostors >= threshold).mean())

    def misnamed(self, threshold: float, enrolled: int) -> float:
        """Return the chance that a person who is not enrolled gets one of so many names, drawn at random."""
        passing = (self.impostors >= threshold).mean(axis=1)
        return float((1 - (1 - passing) ** enrolled).mean())

    def equal_error(self) -> tuple[float, float]:
        """Return (rate, threshold) where as many of the own are refused as of the others accepted."""
        candidates = np.linspace(-0.2, 1, 1201)
        gaps = [abs(self.refused(one) - self.accepted(one)) for one in candidates]
        threshold = float(candidates[int(np.argmin(gaps))])
        return (self.refused(threshold) + self.accepted(threshold)) / 2, threshold


def run(utterances: Path, part: str, condition: Condition) -> Trials:
    """Return all trials of the people of a part under one condition."""
    engine, chance = load_engine("onnx"), np.random.default_rng(SEED)
    enrolled, tests, own = [], [], []
    for first, *others in halves(utterances, part):
        enrolled.append(voice_in(engine, first))
        tests += [voice_in(engine, condition.heard([half], chance)) for half in others]
        own += [len(enrolled) - 1] * len(others)
    return Trials(np.array(tests) @ np.array(enrolled).T, np.array(own))


def halves(utterances: Path, part: str) -> Iterator[list[Half]]:
    """Yield each person of a part: the half to enrol from, then those to look in."""
    for person in speakers(utterances, part):
        paths = sorted(utterances.glob(f"{person}-*.flac"))[: OTHERS + 1]
        first, *others = [sound_in(path) for path in paths]
        yield [first[: len(first) // 2], first[len(first) // 2 :], *(other[: len(other) // 2] for other in others)]


def voice_in(engine: Engine, half: Half) -> Vector:
    """Return the voice of the one person in it; zero, which is near nobody, where the engine has none."""
    found = engine.diarize(half, SpeakerBounds(1, 1), lambda phase, progress: None).speaker_embeddings
    return np.array(next(iter(found.values()), np.zeros(192)), np.float32)


def report(trials: Trials) -> str:
    """Return the table."""
    rate, threshold = trials.equal_error()
    lines = [
        f"{len(trials.genuine)} tests against {trials.scores.shape[1]} people, {trials.impostors.size} pairs of others",
        f"equal error rate {rate:.2%} at {threshold:.3f}",
        "| threshold | own refused | others accepted, per pair | "
        + " | ".join(f"stranger named, {n} enrolled" for n in TENANTS)
        + " |",
        "|---" * (3 + len(TENANTS)) + "|",
    ]
    return "\n".join(lines + [_row(trials, float(one)) for one in THRESHOLDS])


def _row(trials: Trials, threshold: float) -> str:
    shares = [trials.refused(threshold), trials.accepted(threshold)]
    shares += [trials.misnamed(threshold, enrolled) for enrolled in TENANTS]
    return f"| {threshold:.2f} | " + " | ".join(f"{share:.2%}" for share in shares) + " |"


def main(arguments: Sequence[str]) -> None:
    """Measure every condition named, `clean` without any."""
    utterances, part, *names = arguments
    for name in names or [CLEAN.name]:
        print(f"\n{part}, {name}: {report(run(Path(utterances), part, CONDITIONS[name]))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
