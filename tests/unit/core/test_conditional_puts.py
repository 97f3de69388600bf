"""A conditional put whose answer is lost is repeated, and counts once."""

from __future__ import annotations

import pytest

from parley_core.errors import ObjectStoreUnavailable
from parley_core.storage import remote
from parley_core.storage.remote import RemoteStore
from tests.support.s3 import ForgetfulS3, environment_of

MANIFEST = b'{"id": "job"}'


def opened(port: int, monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    for name, value in environment_of(port).items():
        monkeypatch.setenv(name, value)
    return RemoteStore("s3://parley")


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_put_whose_answers_are_lost_is_this_calls_own(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    server = ForgetfulS3(lost)
    with server.serving() as port:
        assert opened(port, monkeypatch).create("jobs/a", MANIFEST)
    assert server.puts == {"/parley/jobs/a": lost + 1}


@pytest.mark.parametrize("lost", [0, 1])
def test_another_calls_object_stays_the_other_calls(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    server = ForgetfulS3(lost)
    server.objects["/parley/jobs/a"] = b"another"
    with server.serving() as port:
        assert not opened(port, monkeypatch).create("jobs/a", MANIFEST)
    assert server.objects["/parley/jobs/a"] == b"another"


def test_the_same_bytes_of_another_call_are_not_this_calls_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the call that wrote a manifest may remove it, so an answered put is never mistaken for one of its own."""
    server = ForgetfulS3(0)
    server.objects["/parley/jobs/a"] = MANIFEST
    with server.serving() as port:
        assert not opened(port, monkeypatch).create("jobs/a", MANIFEST)


def test_a_store_that_never_answers_is_waited_for_as_long_as_the_rule_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.5)
    server = ForgetfulS3(1000)
    with server.serving() as port, pytest.raises(ObjectStoreUnavailable):
        opened(port, monkeypatch).create("jobs/a", MANIFEST)
    assert server.puts["/parley/jobs/a"] > 1
