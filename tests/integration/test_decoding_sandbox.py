"""Hostile recordings meet a confined process: the caller gets an error of ours, and nothing stays behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

import parley_audio
from parley_audio import DecodeLimits, decode, probe
from parley_audio.sandbox.sandbox import PROBING, SANDBOX, Sandbox, anonymous_file
from parley_core.errors import DecodingInterrupted, UnreadableRecording
from tests.support.containers import flac, pcm
from tests.support.waiting import HANG_SECONDS, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recording"
    path.write_bytes(flac(1))
    return path


def run(function: str, file: Path, limits: DecodeLimits | None = None, *, streams: bool = False) -> dict[str, object]:
    with file.open("rb") as source, anonymous_file() as sink:
        return SANDBOX.run(
            f"tests.support.hostile:{function}", {}, limits or DecodeLimits(), source.fileno(), sink, 1000, streams
        )


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("spin", "1 s of proc"),
        ("swallow", "64 MiB of memory"),
        ("crash", "crashed"),
        ("fail", "crashed"),
        ("write_without_end", "crashed"),
    ],
)
def test_a_decoder_gone_wild_is_the_recordings_fault(function: str, told: str, file: Path) -> None:
    limits = DecodeLimits(cpu_seconds=1, memory_bytes=64 * 1024**2)
    with pytest.raises(UnreadableRecording, match=told):
        run(function, file, limits)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_fork_server_that_only_measures_is_small(file: Path) -> None:
    """The API's own. Each fork copies the page tables of what is loaded."""
    sandbox = Sandbox()
    maps = Path(f"/proc/{sandbox.warm(PROBING)}/maps")
    with file.open("rb") as source, anonymous_file() as sink:
        arguments = {"container": "FLAC", "max_seconds": 60.0}
        measure = "parley_audio.reading.measure:measure"
        assert sandbox.run(measure, arguments, DecodeLimits(), source.fileno(), sink, 0)["seconds"] == 1.0
    loaded = maps.read_text()
    sandbox.close()
    assert "libavformat" in loaded
    assert "numpy" not in loaded


def test_a_failure_that_nobody_expects_is_logged_with_its_place(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableRecording):
        run("fail", file)
    assert "ZeroDivisionError" in caplog.text
    assert "fail:" in caplog.text


def test_a_decoder_killed_from_outside_is_nobodys_fault_and_may_be_tried_again(file: Path) -> None:
    server = psutil.Process(parley_audio.warm())
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run, "spin", file)
        until(server.children)[0].kill()
        with pytest.raises(DecodingInterrupted, match="Try again"):
            call.result()


def test_a_machine_that_stands_still_is_given_up_on(file: Path) -> None:
    endless = 3600.0  # so that no other limit ends it
    with pytest.raises(DecodingInterrupted, match="too busy"):
        run("spin", file, DecodeLimits(cpu_seconds=endless, wall_seconds=0.3))


def test_no_setting_of_the_owner_reaches_the_decoder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://:secret@somewhere")
    parley_audio.close()
    assert not [name for name in run("environment", file)["names"] if str(name).startswith("PARLEY")]  # type: ignore[attr-defined]


def test_a_killed_fork_server_is_replaced(file: Path) -> None:
    os.kill(parley_audio.warm(), signal.SIGKILL)
    assert probe(file).seconds == pytest.approx(1)


def test_a_process_that_is_done_before_its_owner_looks_is_asked_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy owner took it for a lost fork server, stopped that one with all other calls, and asked once more."""
    server, send_fds = parley_audio.warm(), socket.send_fds

    def and_wait_for_the_end(call: socket.socket, *rest: Any) -> int:
        sent = send_fds(call, *rest)
        if sent > 1:  # not the byte that asks for a process
            over = select.poll()
            over.register(call, 0)
            until(lambda: over.poll(0))
        return sent

    monkeypatch.setattr(socket, "send_fds", and_wait_for_the_end)
    assert probe(file).seconds == pytest.approx(1)
    assert parley_audio.warm() == server


def test_what_was_read_of_a_stream_is_not_asked_for_again(file: Path) -> None:
    server = psutil.Process(parley_audio.warm())
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(run, "spin", file, DecodeLimits(cpu_seconds=1), streams=True)
        until(server.children)
        server.kill()
        with pytest.raises(DecodingInterrupted, match="Try again"):
            call.result()


def test_many_threads_may_read_at_once_and_leave_no_descriptor(file: Path) -> None:
    probe(file)
    gc.collect()  # closes what earlier tests have left
    before = psutil.Process().num_fds()
    with ThreadPoolExecutor(20) as pool:
        lengths = list(pool.map(lambda _: len(decode(file)), range(60)))
    assert lengths == [16_000] * 60
    assert psutil.Process().num_fds() <= before


def server_of_this_process() -> int:
    return parley_audio.warm()


def test_a_fork_of_the_owner_reads_by_a_server_of_its_own(file: Path) -> None:
    own = parley_audio.warm()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(probe, (file,)).seconds == pytest.approx(1)
        assert pool.apply(server_of_this_process) != own
    assert parley_audio.warm() == own


OWNER = """
import sys
import parley_audio
from parley_audio.sandbox.sandbox import SANDBOX, anonymous_file
print(parley_audio.warm(), flush=True)
with open(sys.argv[1], "rb") as source, anonymous_file() as sink:
    limits = parley_audio.DecodeLimits(cpu_seconds=3600, wall_seconds=3600)  # what ends it is the end of its owner
    SANDBOX.run("tests.support.hostile:spin", {}, limits, source.fileno(), sink, 1000)
"""


def test_nothing_outlives_an_owner_that_is_killed(file: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(file)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}  # for tests.support.hostile
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        _kill_while_it_decodes(owner)


def _kill_while_it_decodes(owner: subprocess.Popen[str]) -> None:
    assert owner.stdout
    server = psutil.Process(int(owner.stdout.readline()))
    busy = until(server.children)
    owner.kill()
    owner.wait()
    gone, alive = psutil.wait_procs([server, *busy], timeout=HANG_SECONDS)
    assert len(gone) == 2
    assert not alive


def test_reading_half_an_hour_costs_the_owner_the_waveform_and_no_more(tmp_path: Path) -> None:
    program = (
        "import sys, resource; from pathlib import Path; from parley_audio import decode, probe\n"
        "probe(Path(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "waveform = decode(Path(sys.argv[1])); waveform.sum()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, waveform.nbytes // 1024)"
    )
    path = tmp_path / "recording"
    path.write_bytes(pcm(1800))
    shown = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    grown, waveform = map(int, shown.stdout.split())
    assert grown < waveform + 20_000
