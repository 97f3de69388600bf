"""Speaker embeddings of engines: one unit vector per speaker, similar to the same person's in another recording."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.data.audio import SHIPPED
from benchmarks.scoring.der import read_rttm
from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization, Turn
from parley_worker.engines.exact.clustering import mean_embeddings
from parley_worker.engines.port import Engine
from parley_worker.engines.pyannote.engine import speaker_embeddings
from parley_worker.engines.result import Segment, SpeakerEmbeddings, diarization

Waveform = NDArray[np.float32]

RATE = 16_000


def diarize(engine: Engine, waveform: Waveform) -> Diarization:
    return engine.diarize(waveform, SpeakerBounds(), lambda _phase, _share: None)


def reader_of(speaker: str, turns: tuple[Turn, ...], truth: list[Turn], offset: float) -> str:
    """Return the true speaker who talks longest during the turns of a label."""
    said = [(turn.start + offset, turn.end + offset) for turn in turns if turn.speaker == speaker]
    seconds = {
        person: sum(
            max(0.0, min(end, t.end) - max(start, t.start)) for t in truth for start, end in said if t.speaker == person
        )
        for person in {turn.speaker for turn in truth}
    }
    return max(seconds, key=lambda person: seconds[person])


def test_each_speaker_has_an_embedding_of_length_one(any_engine: Engine, conversation: Waveform) -> None:
    found = diarize(any_engine, conversation[: 17 * RATE])
    assert found.speaker_embeddings.keys() == set(found.speakers)
    assert {len(embedding) for embedding in found.speaker_embeddings.values()} == {192}
    for embedding in found.speaker_embeddings.values():
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)
    assert len(found.embedding_model.split()[1]) == 64


def test_the_embedding_of_a_person_is_most_similar_to_their_own_in_another_recording(
    engine: Engine, conversation: Waveform
) -> None:
    truth, middle = read_rttm(SHIPPED / "conversation.rttm"), len(conversation) // 2
    embeddings: list[dict[str, NDArray[np.float64]]] = []
    for part, offset in ((conversation[:middle], 0.0), (conversation[middle:], middle / RATE)):
        found = diarize(engine, part)
        embeddings.append(
            {reader_of(s, found.turns, truth, offset): np.array(v) for s, v in found.speaker_embeddings.items()}
        )
    first, second = embeddings
    assert len(first.keys() & second.keys()) >= 2
    for person in first.keys() & second.keys():
        similarity = {other: float(first[person] @ embedding) for other, embedding in second.items()}
        assert max(similarity, key=lambda other: similarity[other]) == person
        assert similarity[person] > 0.5


def test_embeddings_have_the_labels_of_the_turns_and_speakers_without_turn_or_embedding_have_none() -> None:
    turns = [Segment(2.0, 3.0, "a"), Segment(0.0, 1.0, "b"), Segment(4.0, 5.0, "mute")]
    vectors = {"a": np.array([3.0, 4.0]), "b": np.array([0.0, 2.0]), "mute": np.zeros(2), "absent": np.ones(2)}
    found = diarization(turns, turns, 10.0, SpeakerEmbeddings("model", vectors))
    assert dict(found.speaker_embeddings) == {"SPEAKER_00": (0.0, 1.0), "SPEAKER_01": (0.6, 0.8)}
    assert found.embedding_model == "model"


def test_embeddings_of_the_reference_engine_are_the_mean_directions_of_the_local_speakers() -> None:
    missing = np.full(2, np.nan)
    embeddings = np.array([[[5.0, 0.0], [0.0, 1.0], missing], [[0.0, 2.0], missing, missing]], np.float32)
    found = mean_embeddings(embeddings, np.array([[0, 1, 2], [0, -1, -1]]))
    assert {speaker: embedding.tolist() for speaker, embedding in found.items()} == {0: [0.5, 0.5], 1: [0.0, 1.0]}


@pytest.mark.parametrize("vectors", [np.array([[3.0, 4.0], [0.0, 0.0]]), None])
def test_embeddings_of_a_pyannote_pipeline_belong_to_its_weights(vectors: NDArray[np.float64] | None) -> None:
    labels = ["SPEAKER_00", "SPEAKER_01"]
    output = SimpleNamespace(speaker_diarization=SimpleNamespace(labels=lambda: labels), speaker_embeddings=vectors)
    found, again, other = (speaker_embeddings(output, {"weights.bin": digest}) for digest in ("ab", "ab", "cd"))
    assert [list(vector) for vector in found.vectors.values()] == ([] if vectors is None else vectors.tolist())
    assert found.model == again.model != other.model
