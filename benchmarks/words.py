"""Who said each word, on conversations with known words:
`python -m benchmarks.words UTTERANCES TIMINGS SPLIT [COUNT [OUT]]`.

The conversations are those of benchmarks.data.consultations: the turn-taking of real consultations with the voices of
other people. The texts of the consultations are the words, spread over their turns by length, and the time of each
word is off by 0 to 200 ms. The share of words with a wrong speaker is compared with that of the interval rule on the
same turns: a word belongs to the speaker whose turns overlap it most, or to the nearest turn.

With a folder OUT as the fifth argument, the words of one draw are written there as SegLST, to be scored with MeetEval:
`meeteval-wer cpwer -r OUT/reference.json -h OUT/parley.json`, and the same for `OUT/overlap.json`.

The words come in the order of their times, as a recogniser of one channel writes them, or utterance by utterance, as
services for calls write them.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.data.consultations import consultation, consultations, words_of
from benchmarks.scoring.der import speaker_mapping
from parley_api.transcripts.attribution import attribute
from parley_core.frame_evidence import FrameEvidence
from parley_core.job import SpeakerBounds
from parley_core.transcript import Word
from parley_core.turns import Diarization, Turn
from parley_worker.engines.onnx import OnnxEngine

OFF = 200  # milliseconds that a time may be off
NEAR = 0.3  # seconds around a word in which the engine has to find its speaker
SEEDS = range(3)
MANY_WORDS, MANY_SECONDS = 40_000, 4 * 3600.0

Spoken = tuple[str, Word]  # who says a word, and the word at its true time


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation with the words that are said in it, utterance by utterance, and what the engine found."""

    words: list[Spoken]
    reference: list[Turn]
    found: Diarization

    def by_time(self) -> Case:
        """Return the case with its words in the order of their times."""
        return replace(self, words=sorted(self.words, key=lambda spoken: spoken[1].start))


def main(utterances: Path, timings: Path, split: str, count: int = 8, out: Path | None = None) -> None:
    """Print the shares of wrong speakers, and why the interval rule is wrong."""
    cases = list(_cases(utterances, timings, split, count))
    for name, chosen in (("by time", [case.by_time() for case in cases]), ("by utterance", cases)):
        for what, change in (("with sentences", _as_it_is), ("without", _plain)):
            total, rule, ours = _compared(chosen, change)
            print(
                f"{split}, {len(cases)} consultations, {name}, {what}: {total} words, interval rule "
                f"{100 * rule / total:.2f} % wrong, attribution {100 * ours / total:.2f} %, ratio {ours / rule:.2f}"
            )
    reasons = Counter(reason for case in cases for reason in _reasons(case.by_time()))
    for reason, number in reasons.most_common():
        print(f"  {number} errors of the interval rule: {reason}")
    print(f"{MANY_WORDS} words on 4 hours: {1000 * _seconds(cases):.0f} ms of processor time")
    if out is not None:
        _write_seglst([case.by_time() for case in cases], out)


def _cases(utterances: Path, timings: Path, split: str, count: int) -> Iterator[Case]:
    engine = OnnxEngine()
    for file, people, source in consultations(utterances, timings, split, count):
        waveform, reference = consultation(utterances, file, people, source)
        found = engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)
        yield Case(words_of(json.loads(file.read_text()), people), reference, found)


def _as_it_is(word: Word) -> Word:
    return word


def _plain(word: Word) -> Word:
    """Return a word as recognisers write it that know no sentences."""
    return replace(word, text=word.text.lower().strip(".,?!"))


def _compared(cases: Sequence[Case], change: Callable[[Word], Word]) -> tuple[int, int, int]:
    """Return the number of words, and of wrong ones by the interval rule and by Parley."""
    total = rule = ours = 0
    for case in cases:
        true_name = speaker_mapping(case.reference, case.found.turns)
        for seed in SEEDS:
            written = [change(word) for word in _off([word for _, word in case.words], seed)]
            by_rule = [_by_overlap(word, case.found.turns) for word in written]
            evidence = case.found.evidence
            assert evidence is not None, "the default engine has evidence"
            for person, one, other in zip(
                (person for person, _ in case.words), by_rule, attribute(written, evidence).speakers, strict=True
            ):
                rule += true_name.get(one) != person
                ours += true_name.get(other or "") != person
            total += len(written)
    return total, rule, ours


def _off(words: Sequence[Word], seed: int) -> list[Word]:
    """Return words with times that are off, their order unchanged."""
    source = random.Random(seed)
    shifts = [round(source.uniform(0, OFF)) * source.choice((-1, 1)) for _ in words]
    return [
        Word(word.text, max(0, word.start + shift), max(1, word.end + shift))
        for word, shift in zip(words, shifts, strict=True)
    ]


def _by_overlap(word: Word, turns: Sequence[Turn]) -> str:
    start, end = word.start / 1000, word.end / 1000
    overlaps: Counter[str] = Counter()
    for turn in turns:
        overlaps[turn.speaker] += max(0.0, min(turn.end, end) - max(turn.start, start))  # type: ignore[assignment]
    speaker, most = overlaps.most_common(1)[0]
    nearest = min(turns, key=lambda turn: max(turn.start - end, start - turn.end))
    return speaker if most > 0 else nearest.speaker


def _reasons(case: Case) -> Iterator[str]:
    """Yield why the interval rule is wrong, for each wrong word."""
    true_name = speaker_mapping(case.reference, case.found.turns)
    written = _off([word for _, word in case.words], 0)
    for (person, word), late in zip(case.words, written, strict=True):
        if true_name.get(_by_overlap(late, case.found.turns)) == person:
            continue
        start, end = word.start / 1000, word.end / 1000
        own = [turn for turn in case.found.turns if true_name.get(turn.speaker) == person]
        together = len({turn.speaker for turn in case.reference if turn.start < end and turn.end > start}) > 1
        if not any(turn.start < end + NEAR and turn.end > start - NEAR for turn in own):
            yield "the engine has not found the speaker there: no rule can mend it"
        elif not together:
            yield "at the edge of a turn"
        elif any(turn.start < end and turn.end > start for turn in own):
            yield "two people talk at once, and the engine has found both"
        else:
            yield "two people talk at once, and the engine has found one"


def _write_seglst(cases: Sequence[Case], out: Path) -> None:
    """Write each word as a segment: who said it, and whom both rules give it to."""
    segments: dict[str, list[dict[str, object]]] = {"reference": [], "overlap": [], "parley": []}
    for number, case in enumerate(cases):
        written = _off([word for _, word in case.words], 0)
        evidence = case.found.evidence
        assert evidence is not None, "the default engine has evidence"
        speakers = {
            "reference": [person for person, _ in case.words],
            "overlap": [_by_overlap(word, case.found.turns) for word in written],
            "parley": attribute(written, evidence).speakers,
        }
        for name, found in speakers.items():
            segments[name] += [
                {
                    "session_id": str(number),
                    "speaker": speaker,
                    "words": word.text,
                    "start_time": word.start / 1000,
                    "end_time": max(word.end, word.start + 1) / 1000,
                }
                for word, speaker in zip(written, found, strict=True)
            ]
    out.mkdir(parents=True, exist_ok=True)
    for name, found_segments in segments.items():
        (out / f"{name}.json").write_text(json.dumps(found_segments))


def _seconds(cases: Sequence[Case]) -> float:
    """Return the processor time of the attribution of many words in a conversation of four hours."""
    words: list[Word] = []
    levels: list[bytes] = []
    labels = max((case.found.evidence for case in cases if case.found.evidence), key=lambda one: len(one.speakers))
    usable = [one for one in cases if one.found.evidence and one.found.evidence.speakers == labels.speakers]
    offset = 0.0
    while offset < MANY_SECONDS:
        for case in usable:
            evidence = case.found.evidence
            assert evidence is not None
            words += [
                Word(word.text, word.start + round(offset * 1000), word.end + round(offset * 1000))
                for _, word in case.by_time().words
            ]
            levels.append(evidence.levels)
            offset += len(evidence.levels) / len(evidence.speakers) * evidence.hop
    joined = FrameEvidence(labels.speakers, labels.first, labels.hop, b"".join(levels))
    words = words[:MANY_WORDS]
    attribute(words, joined)
    began = time.process_time()
    attribute(words, joined)
    return (time.process_time() - began) * MANY_WORDS / len(words)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:5]), *map(Path, sys.argv[5:6]))
