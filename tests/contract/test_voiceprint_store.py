"""Every VoiceprintStore keeps these promises: the one on Redis and the one in memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from parley_core.errors import ParleyError, TooManyVoiceprints, VoiceprintNameTaken, VoiceprintNotFound
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.settings import Settings
from parley_core.voiceprints import Consent, NewVoiceprint, Role, VoiceprintStore
from tests.support.fakes import MemoryVoiceprintStore
from tests.support.valkey import Valkey

MakeStore = Callable[[int], VoiceprintStore]


@pytest.fixture(params=["redis", "memory"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    if request.param == "memory":
        return MemoryVoiceprintStore
    valkey: Valkey = request.getfixturevalue("valkey")
    return lambda limit: RedisVoiceprintStore.from_settings(
        Settings(redis_url=valkey.url, voiceprints_per_tenant=limit)
    )


@pytest.fixture
def store(make_store: MakeStore) -> VoiceprintStore:
    return make_store(10)


def new_voice(name: str = "Dr. Weber", tenant: str = "clinic") -> NewVoiceprint:
    return NewVoiceprint(str(uuid4()), tenant, name, Role.CLINICIAN, "onnx/abc", (0.6, -0.8, 0.0), None)


def test_an_enrolled_voice_reads_back_whole(store: VoiceprintStore) -> None:
    new = new_voice()
    voice = store.enrol(new)
    assert (voice.id, voice.tenant, voice.name, voice.role, voice.model) == (
        new.id,
        "clinic",
        "Dr. Weber",
        Role.CLINICIAN,
        "onnx/abc",
    )
    assert voice.vector == pytest.approx((0.6, -0.8, 0.0), abs=1e-6)
    assert abs((datetime.now(UTC) - voice.enrolled_at).total_seconds()) < 60
    assert store.get("clinic", new.id) == voice
    assert list(store.all("clinic")) == [voice]


def test_a_voice_without_a_role_has_none(store: VoiceprintStore) -> None:
    assert store.enrol(replace(new_voice(), role=None)).role is None


def test_the_same_voice_again_is_one_voice(store: VoiceprintStore) -> None:
    """A reply that was lost on the wire is asked for again."""
    new = new_voice()
    assert store.enrol(new) == store.enrol(new)
    assert len(store.all("clinic")) == 1


def consent(seconds: float) -> Consent:
    now = datetime.now(UTC)
    return Consent("Ms. Weber", now - timedelta(days=1), "Names in notes", now + timedelta(seconds=seconds))


def test_consent_reads_back_whole(store: VoiceprintStore) -> None:
    new = replace(new_voice(), consent=consent(60))
    store.enrol(new)
    assert store.get("clinic", new.id).consent == new.consent
    assert list(store.expired(10)) == []


def test_a_voice_ends_with_its_consent_and_is_kept_until_it_is_removed(store: VoiceprintStore) -> None:
    first = store.enrol(replace(new_voice("first"), consent=consent(-2)))
    second = store.enrol(replace(new_voice("second", tenant="other"), consent=consent(-1)))
    for name, seconds in (("third", 60.0), ("fourth", None)):
        store.enrol(replace(new_voice(name), consent=None if seconds is None else consent(seconds)))
    assert {voice.name for voice in store.all("clinic")} == {"third", "fourth"}
    with pytest.raises(VoiceprintNotFound):
        store.get("clinic", first.id)
    assert list(store.expired(10)) == [first, second]
    assert list(store.expired(1)) == [first]
    store.remove("clinic", first.id)
    assert list(store.expired(1)) == list(store.expired(10)) == [second]
    assert store.enrol(new_voice("first")).name == "first"


@pytest.mark.parametrize("other", ["Dr. Müller", "DR. MÜLLER", "Dr. Mu\u0308ller"])
def test_a_name_is_taken_however_it_is_written(store: VoiceprintStore, other: str) -> None:
    store.enrol(new_voice("Dr. Müller"))
    with pytest.raises(VoiceprintNameTaken):
        store.enrol(new_voice(other))
    assert len(store.all("clinic")) == 1


def test_a_removed_voice_is_gone_and_its_name_free(store: VoiceprintStore) -> None:
    first, kept = store.enrol(new_voice()), store.enrol(new_voice("Ms. Okafor"))
    store.remove("clinic", first.id)
    assert list(store.all("clinic")) == [kept]
    for gone in (store.get, store.remove):
        with pytest.raises(VoiceprintNotFound):
            gone("clinic", first.id)
    second = store.enrol(new_voice())
    assert [voice.id for voice in store.all("clinic")] == [kept.id, second.id]


def test_a_tenant_meets_its_own_voices_only(store: VoiceprintStore) -> None:
    theirs = store.enrol(new_voice(tenant="other"))
    assert list(store.all("clinic")) == []
    for foreign in (store.get, store.remove):
        with pytest.raises(VoiceprintNotFound):
            foreign("clinic", theirs.id)
    assert store.enrol(new_voice()).name == theirs.name
    assert store.get("other", theirs.id) == theirs


def test_a_tenant_may_enrol_so_many_and_no_more(make_store: MakeStore) -> None:
    store = make_store(2)
    first = store.enrol(new_voice("one"))
    store.enrol(new_voice("two"))
    with pytest.raises(TooManyVoiceprints):
        store.enrol(new_voice("three"))
    store.enrol(new_voice("one", tenant="other"))
    store.remove("clinic", first.id)
    assert store.enrol(new_voice("three")).name == "three"


def test_of_many_at_once_with_one_name_one_is_enrolled(store: VoiceprintStore) -> None:
    def enrol(new: NewVoiceprint) -> str:
        try:
            return store.enrol(new).id
        except ParleyError as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(enrol, [new_voice() for _ in range(16)]))
    assert outcomes.count(VoiceprintNameTaken.code) == 15
    assert [voice.id for voice in store.all("clinic")] == [one for one in outcomes if one != VoiceprintNameTaken.code]


def test_a_vector_is_never_written_where_a_voice_is_printed(store: VoiceprintStore) -> None:
    voice = store.enrol(new_voice())
    assert "0.6" not in f"{voice!r} {new_voice()!r}"
