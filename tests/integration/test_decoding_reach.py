"""A decoder that a recording has taken over reaches nothing: no file, no network, no other process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from parley_audio.sandbox import confinement, landlock, seccomp
from parley_audio.sandbox.confinement import missing, require_confinement
from parley_core.errors import UnsafeSettings
from tests.support.hostile import ATTEMPTS

ROOT = Path(__file__).parents[2]
AS_ROOT = os.getuid() == 0
USERS = ["root", "an ordinary user"] if AS_ROOT else ["an ordinary user"]
CONFINED = pytest.mark.skipif(bool(missing()), reason=f"this system has no {' and no '.join(missing())}")

OWNER = """
import importlib, json, os, sys
from parley_audio import DecodeLimits
from parley_audio.sandbox.sandbox import PRELOADED, Sandbox, anonymous_file
file, port, *modules = sys.argv[1:]
sandbox = Sandbox((*PRELOADED, "tests.support.hostile", *modules))
sandbox.warm()
for module in modules:
    importlib.import_module(module)
target = {"owner": os.getpid(), "file": file, "port": int(port)}
with open(file, "rb") as source, anonymous_file() as sink:
    print(json.dumps(sandbox.run("tests.support.hostile:reach", target, DecodeLimits(), source.fileno(), sink, 1000)))
"""
UNCONFINED = """
import importlib, json, os, sys
from tests.support.hostile import reach
file, port, *modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
print(json.dumps(reach(0, 1, os.getpid(), file, int(port))))
"""


@contextmanager
def target() -> Iterator[tuple[Path, int]]:
    """Give a file and a port that every user may reach."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        Path(folder).chmod(0o777)
        file = Path(folder) / "recording"
        file.write_bytes(b"another conversation")
        yield file, server.getsockname()[1]


def outcomes(program: str, user: str, *layers: str) -> dict[str, str]:
    """Return what each attempt came to, by a decoder of that user with the given modules of tests/support/layers."""
    modules = [*layers, *(["tests.support.ordinary_user"] if AS_ROOT and user != "root" else [])]
    with target() as (file, port):
        shown = subprocess.run(
            [sys.executable, "-P", "-B", "-c", program, str(file), str(port), *modules],
            env={
                "PATH": os.defpath,
                "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
                "PARLEY_REDIS_URL": "redis://:secret@somewhere",
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    assert shown.returncode == 0, shown.stderr
    return cast("dict[str, str]", json.loads(shown.stdout))


@pytest.fixture(scope="module", params=USERS)
def taken_over(request: pytest.FixtureRequest) -> dict[str, str]:
    return outcomes(OWNER, request.param)


@CONFINED
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_decoder_that_was_taken_over_cannot(attempt: str, taken_over: dict[str, str]) -> None:
    assert taken_over[attempt] == "PermissionError"


FILES = {
    "open another recording",
    "open a file to write",
    "list a folder",
    "read the owner's environment",
    "read the owner's memory",
}
OUTSIDE = {"attach to the owner", "signal the owner", "connect over TCP"}


@pytest.mark.skipif(landlock.version() < 6, reason="Landlock of this system knows no signals")
@pytest.mark.parametrize("user", USERS)
def test_landlock_alone_refuses_files_connections_and_other_processes(user: str) -> None:
    found = outcomes(OWNER, user, "tests.support.layers.only_landlock")
    assert {name: found[name] for name in FILES | OUTSIDE if found[name] != "PermissionError"} == {}
    assert found["make a UDP socket"] == "reached"  # the filter was out


@pytest.mark.skipif(not seccomp.available(), reason="this system filters no system calls")
@pytest.mark.parametrize("user", USERS)
def test_the_filter_of_system_calls_alone_refuses_everything(user: str) -> None:
    found = outcomes(OWNER, user, "tests.support.layers.only_seccomp")
    assert {name: found[name] for name in ATTEMPTS if found[name] != "PermissionError"} == {}


NEEDS_PRIVILEGE = {
    "attach to the owner",
    "become another user",
    "change the root",
    "enter a namespace",
    "load a BPF program",
    "set up io_uring",
}


def test_without_confinement_the_same_attempts_reach_what_they_try() -> None:
    found = outcomes(UNCONFINED, "an ordinary user")
    assert [name for name in set(ATTEMPTS) - NEEDS_PRIVILEGE if found[name] == "PermissionError"] == []


def test_a_system_that_cannot_confine_is_reported_at_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(confinement, "missing", lambda: ("Landlock",))
    require_confinement(required=False)
    assert "without Landlock" in caplog.text


def test_a_system_that_cannot_confine_is_refused_where_the_deployment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "missing", lambda: ("Landlock", "seccomp filters"))
    with pytest.raises(UnsafeSettings, match=r"Landlock and seccomp filters.*PARLEY_SANDBOX_REQUIRED"):
        require_confinement(required=True)
