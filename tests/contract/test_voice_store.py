"""Every VoiceStore keeps these promises: the one on Redis and the one in memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from parley_core.errors import ParleyError, TooManyVoices, VoiceNameTaken, VoiceNotFound
from parley_core.ports import VoiceStore
from parley_core.redis_voices import RedisVoiceStore
from parley_core.settings import Settings
from parley_core.testing import MemoryVoiceStore
from parley_core.voices import NewVoice, Role
from tests.support.valkey import Valkey

MakeStore = Callable[[int], VoiceStore]


@pytest.fixture(params=["redis", "memory"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    if request.param == "memory":
        return MemoryVoiceStore
    valkey: Valkey = request.getfixturevalue("valkey")
    return lambda limit: RedisVoiceStore.from_settings(Settings(redis_url=valkey.url, voices_per_tenant=limit))


@pytest.fixture
def store(make_store: MakeStore) -> VoiceStore:
    return make_store(10)


def new_voice(name: str = "Dr. Weber", tenant: str = "clinic") -> NewVoice:
    return NewVoice(str(uuid4()), tenant, name, Role.CLINICIAN, "onnx/abc", (0.6, -0.8, 0.0))


def test_an_enrolled_voice_reads_back_whole(store: VoiceStore) -> None:
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


def test_a_voice_without_a_role_has_none(store: VoiceStore) -> None:
    assert store.enrol(replace(new_voice(), role=None)).role is None


def test_the_same_voice_again_is_one_voice(store: VoiceStore) -> None:
    """A reply that was lost on the wire is asked for again."""
    new = new_voice()
    assert store.enrol(new) == store.enrol(new)
    assert len(store.all("clinic")) == 1


@pytest.mark.parametrize("other", ["Dr. Müller", "DR. MÜLLER", "Dr. Mu\u0308ller"])
def test_a_name_is_taken_however_it_is_written(store: VoiceStore, other: str) -> None:
    store.enrol(new_voice("Dr. Müller"))
    with pytest.raises(VoiceNameTaken):
        store.enrol(new_voice(other))
    assert len(store.all("clinic")) == 1


def test_a_removed_voice_is_gone_and_its_name_free(store: VoiceStore) -> None:
    first, kept = store.enrol(new_voice()), store.enrol(new_voice("Ms. Okafor"))
    store.remove("clinic", first.id)
    assert list(store.all("clinic")) == [kept]
    for gone in (store.get, store.remove):
        with pytest.raises(VoiceNotFound):
            gone("clinic", first.id)
    second = store.enrol(new_voice())
    assert [voice.id for voice in store.all("clinic")] == [kept.id, second.id]


def test_a_tenant_meets_its_own_voices_only(store: VoiceStore) -> None:
    theirs = store.enrol(new_voice(tenant="other"))
    assert list(store.all("clinic")) == []
    for foreign in (store.get, store.remove):
        with pytest.raises(VoiceNotFound):
            foreign("clinic", theirs.id)
    assert store.enrol(new_voice()).name == theirs.name
    assert store.get("other", theirs.id) == theirs


def test_a_tenant_may_enrol_so_many_and_no_more(make_store: MakeStore) -> None:
    store = make_store(2)
    first = store.enrol(new_voice("one"))
    store.enrol(new_voice("two"))
    with pytest.raises(TooManyVoices):
        store.enrol(new_voice("three"))
    store.enrol(new_voice("one", tenant="other"))
    store.remove("clinic", first.id)
    assert store.enrol(new_voice("three")).name == "three"


def test_of_many_at_once_with_one_name_one_is_enrolled(store: VoiceStore) -> None:
    def enrol(new: NewVoice) -> str:
        try:
            return store.enrol(new).id
        except ParleyError as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(enrol, [new_voice() for _ in range(16)]))
    assert outcomes.count(VoiceNameTaken.code) == 15
    assert [voice.id for voice in store.all("clinic")] == [one for one in outcomes if one != VoiceNameTaken.code]


def test_a_vector_is_never_written_where_a_voice_is_printed(store: VoiceStore) -> None:
    voice = store.enrol(new_voice())
    assert "0.6" not in f"{voice!r} {new_voice()!r}"
