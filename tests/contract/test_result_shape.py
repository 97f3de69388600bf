"""The worker's result document, the API's answer and the client's copy of it: one shape, equal values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields

import pytest

from parley.results import Turn as ClientTurn
from parley.results import Turns
from parley_api.corrected_result import CorrectedResult
from parley_api.schemas import TurnsAnswer
from parley_api.speaker_identification import SpeakerIdentity
from parley_api.use_cases.writing import to_json
from parley_core.result_document import DiarizedRecording, ResultDocument
from parley_core.turns import (
    PURITY_REVIEW_BELOW,
    REVIEW_BELOW,
    AudioQuality,
    AudioWarning,
    EngineInfo,
    Span,
    SpeakerCount,
    Turn,
)
from parley_core.voiceprints import Role

DOCUMENT = ResultDocument(
    job_id="job-1",
    recording=DiarizedRecording("ab" * 32, 4.125),
    speakers=("SPEAKER_00", "SPEAKER_01"),
    turns=(Turn(0.25, 3.5, "SPEAKER_00", 0.9), Turn(3.0, 4.0, "SPEAKER_01", 0.69)),
    exclusive_turns=(Turn(0.25, 3.5, "SPEAKER_00"), Turn(3.5, 4.0, "SPEAKER_01", 0.69)),
    overlaps=(Span(3.0, 3.5),),
    engine=EngineInfo(
        "engine", "2", {"model.onnx": "cd" * 32}, {REVIEW_BELOW: 0.7, PURITY_REVIEW_BELOW: 0.5}, {"onnxruntime": "1"}
    ),
    speaker_count=SpeakerCount(2, (2, 3)),
    purity={"SPEAKER_00": 0.4, "SPEAKER_01": 0.9},
    audio_quality=AudioQuality({"level_dbfs": -60.5}, (AudioWarning("quiet", "It is quiet.", False),)),
    roles={"SPEAKER_00": Role.CLINICIAN},
    speaker_embeddings={"SPEAKER_00": (0.6, 0.8)},
    embedding_model="model/abc",
)
IDENTITIES = (
    SpeakerIdentity("SPEAKER_00", "Dr. Weber", 0.8, "voiceprint-1", Role.CLINICIAN),
    SpeakerIdentity("SPEAKER_01", role=Role.PATIENT),
)
SERVER_ONLY = {"format_version", "roles"}  # the API answers roles as part of `identities`


def in_core(turns: tuple[ClientTurn, ...]) -> tuple[Turn, ...]:
    return tuple(Turn(turn.start, turn.end, turn.speaker, turn.confidence) for turn in turns)


# How a user of the client gets at each member of the document.
IN_CLIENT: dict[str, Callable[[Turns], object]] = {
    "job_id": lambda turns: turns.job_id,
    "recording": lambda turns: DiarizedRecording(turns.document["recording"]["sha256"], turns.seconds),
    "speakers": lambda turns: turns.speakers,
    "turns": lambda turns: in_core(turns.turns),
    "exclusive_turns": lambda turns: in_core(turns.exclusive_turns),
    "overlaps": lambda turns: tuple(Span(**span) for span in turns.document["overlaps"]),
    "engine": lambda turns: EngineInfo(**turns.document["engine"]),
    "speaker_count": lambda turns: SpeakerCount(turns.speaker_count.found, turns.speaker_count.plausible),
    "purity": lambda turns: {one.speaker: one.purity for one in turns.purity},
    "audio_quality": lambda turns: AudioQuality(
        turns.audio_quality.measures,
        tuple(AudioWarning(one.code, one.detail, one.needs_review) for one in turns.audio_quality.warnings),
    ),
    "speaker_embeddings": lambda turns: {
        speaker: tuple(vector) for speaker, vector in turns.document["speaker_embeddings"].items()
    },
    "embedding_model": lambda turns: turns.document["embedding_model"],
}


@pytest.fixture(scope="module")
def turns() -> Turns:
    """The document as the client sees it, by way of JSON in the store and JSON over HTTP."""
    stored = ResultDocument.from_json(DOCUMENT.to_json())
    return Turns.from_document(json.loads(to_json(CorrectedResult.of_engine(stored), IDENTITIES, embeddings=True)))


def test_every_member_is_known_to_core_api_and_client() -> None:
    members = {member.name for member in fields(ResultDocument)}
    assert set(IN_CLIENT) == members - SERVER_ONLY
    assert set(TurnsAnswer.model_fields) == members - SERVER_ONLY | {"identities", "version", "has_text"}


@pytest.mark.parametrize("member", IN_CLIENT)
def test_the_client_reads_what_the_worker_wrote(turns: Turns, member: str) -> None:
    assert IN_CLIENT[member](turns) == getattr(DOCUMENT, member)


def test_the_client_reads_identities_and_reviews_of_the_api(turns: Turns) -> None:
    assert [asdict(identity) for identity in turns.identities] == [asdict(identity) for identity in IDENTITIES]
    assert [turn.needs_review for turn in turns.turns] == [False, True]
    assert [turn.needs_review for turn in turns.exclusive_turns] == [None, True]
    assert turns.speaker_count is not None
    assert turns.speaker_count.needs_review
    assert [one.needs_review for one in turns.purity] == [True, False]
