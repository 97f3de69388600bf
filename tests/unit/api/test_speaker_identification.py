"""Who is found in a recording, and in which role."""

from __future__ import annotations

from datetime import UTC, datetime

from parley_api.speaker_identification import SpeakerIdentity, identities
from parley_core.job import JobOptions, Queue
from parley_core.redis.record import options_from, options_to_plain
from parley_core.storage.job_documents import manifest_from_json, manifest_to_json
from parley_core.voiceprints import Match, Role, Voiceprint, identify
from tests.support.fakes import new_job

MODEL = "onnx/abc"
CLINICIAN, PATIENT, OTHER = Role.CLINICIAN, Role.PATIENT, Role.OTHER


def voice(name: str, *vector: float, role: Role | None = None, model: str = MODEL) -> Voiceprint:
    return Voiceprint(
        f"id of {name}", "clinic", name, role, model, vector, None, enrolled_at=datetime(2026, 11, 25, tzinfo=UTC)
    )


def names(found: dict[str, Match]) -> dict[str, str]:
    return {label: match.voiceprint.name for label, match in found.items()}


def test_the_nearest_voice_names_a_speaker() -> None:
    found = identify({"A": (1.0, 0.0)}, MODEL, [voice("far", 0.6, 0.8), voice("near", 0.8, 0.6)], 0.5)
    assert names(found) == {"A": "near"}
    assert found["A"].similarity == 0.8


def test_below_the_threshold_nobody_is_named() -> None:
    assert identify({"A": (1.0, 0.0)}, MODEL, [voice("far", 0.6, 0.8)], 0.61) == {}


def test_a_voice_names_one_speaker_and_the_best_pair_comes_first() -> None:
    vectors = {"A": (0.8, 0.6), "B": (1.0, 0.0)}
    assert names(identify(vectors, MODEL, [voice("x", 1.0, 0.0)], 0.5)) == {"B": "x"}
    both = identify(vectors, MODEL, [voice("x", 1.0, 0.0), voice("y", 0.6, 0.8)], 0.5)
    assert names(both) == {"B": "x", "A": "y"}


def test_a_speaker_has_one_name() -> None:
    assert len(identify({"A": (1.0, 0.0)}, MODEL, [voice("x", 1.0, 0.0), voice("y", 1.0, 0.0)], 0.5)) == 1


def test_voices_of_different_models_are_never_compared() -> None:
    assert identify({"A": (1.0, 0.0)}, MODEL, [voice("x", 1.0, 0.0, model="onnx/def")], -1.0) == {}


def test_nobody_known_is_nobody_named() -> None:
    assert identities(["A", "B"], {}, {}) == (SpeakerIdentity("A"), SpeakerIdentity("B"))


def test_a_person_is_named_with_score_voice_and_role() -> None:
    match = Match(voice("Dr. Weber", 1.0, 0.0, role=CLINICIAN), 0.81234)
    assert identities(["A"], {"A": match}, {}) == (
        SpeakerIdentity("A", "Dr. Weber", 0.812, "id of Dr. Weber", CLINICIAN),
    )


def roles(speakers: str, matches: dict[str, Match], by_channel: dict[str, Role] | None = None) -> list[Role | None]:
    return [person.role for person in identities(list(speakers), matches, by_channel or {})]


def test_the_only_other_one_beside_a_known_clinician_is_the_patient() -> None:
    weber = Match(voice("Dr. Weber", 1.0, role=CLINICIAN), 0.9)
    assert roles("AB", {"B": weber}) == [PATIENT, CLINICIAN]
    assert roles("ABC", {"B": weber}) == [None, CLINICIAN, None]
    assert roles("B", {"B": weber}) == [CLINICIAN]
    assert roles("AB", {"B": weber, "A": Match(voice("Ms. Okafor", 1.0), 0.9)}) == [PATIENT, CLINICIAN]


def test_two_clinicians_leave_nobody_a_patient() -> None:
    found = {label: Match(voice(label, 1.0, role=CLINICIAN), 0.9) for label in "AB"}
    assert roles("AB", found) == [CLINICIAN, CLINICIAN]


def test_a_known_patient_says_nothing_of_the_other() -> None:
    assert roles("AB", {"A": Match(voice("Ms. Okafor", 1.0, role=PATIENT), 0.9)}) == [PATIENT, None]


def test_the_channel_knows_better_than_the_voice() -> None:
    weber = Match(voice("Dr. Weber", 1.0, role=CLINICIAN), 0.9)
    assert roles("AB", {"B": weber}, {"A": OTHER, "B": PATIENT}) == [OTHER, PATIENT]
    assert roles("AB", {"B": weber}, {"A": OTHER}) == [OTHER, CLINICIAN]


def test_new_options_read_back_from_the_record_and_the_manifest() -> None:
    options = JobOptions(queue=Queue.BATCH, speaker_embeddings=True, channels=(CLINICIAN, PATIENT))
    new = new_job(options=options)
    assert options_from(options_to_plain(options)) == options
    assert manifest_from_json(manifest_to_json(new, None))[0] == new
