"""The access list of the chart on a real server: which roles may use voiceprints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parley_core.errors import JobStoreUnavailable
from parley_core.redis import connect
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.voiceprints import NewVoiceprint, Role
from tests.chart.rendering import render
from tests.support.valkey import Valkey

VOICEPRINT = NewVoiceprint("voiceprint-1", "clinic", "Dr. Weber", Role.CLINICIAN, "onnx/abc", (0.6, 0.8))


@pytest.fixture(scope="module")
def passwords() -> dict[str, str]:
    secret: dict[str, str] = render().one("Secret", "-redis")["stringData"]
    return secret


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, passwords: dict[str, str]) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("acl")
    (folder / "users.acl").write_text(passwords["users.acl"])
    server = Valkey(folder, "--aclfile", str(folder / "users.acl"))
    server.start_as("probe", passwords["probe-password"])
    yield server.url
    server.stop()


def voiceprints_as(role: str, url: str, passwords: dict[str, str]) -> RedisVoiceprintStore:
    path = url.removeprefix("unix://")
    return RedisVoiceprintStore(connect(f"unix://{role}@{path}&password={passwords[f'{role}-password']}", 5.0), 10)


def test_the_api_has_full_access(url: str, passwords: dict[str, str]) -> None:
    store = voiceprints_as("api", url, passwords)
    enrolled = store.enrol(VOICEPRINT)
    assert list(store.all("clinic")) == [store.get("clinic", "voiceprint-1")] == [enrolled]
    store.remove("clinic", "voiceprint-1")
    assert list(store.all("clinic")) == []


@pytest.mark.parametrize("role", ["flower", "probe", "keda"])
def test_monitoring_roles_have_no_access(role: str, url: str, passwords: dict[str, str]) -> None:
    with pytest.raises(JobStoreUnavailable):
        voiceprints_as(role, url, passwords).all("clinic")
