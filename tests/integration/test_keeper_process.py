"""Real keepers beside a real worker on a real Valkey: what was left behind is put right without anybody's hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parley_core.durable_job_store import DurableJobStore
from parley_core.job import JobState
from parley_core.settings import Settings
from tests.support.collector import Collector
from tests.support.valkey import Valkey
from tests.support.waiting import HANG_SECONDS, seconds_of, until
from tests.support.worker import System, environment, running_system

GATED = "tests.support.engines:Gated"
RECOVERY = 10.0  # seconds after Redis is back that keepers and worker may take in all, besides what they compute


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def system(server: Valkey, tmp_path: Path) -> Iterator[System]:
    objects = f"file://{tmp_path}/objects"
    settings = Settings(redis_url=server.url, objects_url=objects, lease_seconds=3, lease_renewal_seconds=0.5)
    with running_system(settings, tmp_path) as system:
        yield system


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def test_a_job_that_nobody_published_is_done(system: System) -> None:
    system.keeper()
    system.worker()
    job = system.store.create(system.upload()).job
    assert system.wait_for_end(job.id).state is JobState.SUCCEEDED


def test_a_message_deleted_by_hand_is_published_again(system: System, server: Valkey) -> None:
    job_id = system.submit()
    assert server.client().delete("interactive") == 1
    system.keeper()
    system.worker()
    job = system.wait_for_end(job_id)
    assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 1)


def test_the_jobs_of_a_killed_worker_are_done_by_another_with_three_keepers_at_work(
    system: System, server: Valkey, collector: Collector
) -> None:
    for _ in range(3):
        system.keeper(**collector.environment)
    until(lambda: server.client().exists("parley:tracing"))
    doomed = system.worker(GATED)
    jobs = [system.submit() for _ in range(4)]
    for job_id in jobs[:2]:
        system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    doomed.process.kill()
    system.worker(PARLEY_SCRIPTED_SECONDS=0.2)
    for number, job_id in enumerate(jobs):
        job = system.wait_for_end(job_id)
        assert (job.state, len(job.attempts)) == (JobState.SUCCEEDED, 2 if number < 2 else 1)
        assert job.result is not None
        assert system.results(job_id) == [job.result.key]
    assert system.store.stats().counters["attempts_failed|code=worker_lost|queue=interactive"] == 2
    until(lambda: collector.count()["job"] == 4)
    assert collector.count()["attempt"] == 6  # every attempt has its span, those of the killed worker too
    assert len({span.span_id for span in collector.spans()}) == len(collector.spans())
    lost = [span for span in collector.named("attempt") if span.failed]
    assert [span.attributes["error.type"] for span in lost] == ["worker_lost"] * 2


def test_what_was_accepted_while_redis_was_down_is_done_soon_after_it_is_back(system: System, server: Valkey) -> None:
    keepers = [system.keeper() for _ in range(2)]
    system.worker()
    start = seconds_of(lambda: system.wait_for_end(system.submit()))
    for keeper in keepers:
        until(lambda keeper=keeper: keeper.events("keeper ready"))
    server.kill()
    store = DurableJobStore.from_settings(system.settings)
    jobs = [system.upload() for _ in range(5)]
    for new in jobs:
        assert not store.create(new).recorded
    time.sleep(3)
    server.start()

    def recover() -> None:
        for new in jobs:
            until(lambda new=new: not store.manifests.is_unrecorded(new.id))
            assert system.wait_for_end(new.id).state is JobState.SUCCEEDED

    assert seconds_of(recover) < RECOVERY + start
    assert list(store.manifests.unrecorded()) == []
    assert system.store.stats().counters["jobs_accepted|queue=interactive"] == 6
    for keeper in keepers:
        assert keeper.process.poll() is None
        assert [line["code"] for line in keeper.events("trouble")] == ["job_store_unavailable"]
        until(lambda keeper=keeper: keeper.events("trouble over"))


def test_a_job_whose_retention_is_over_is_gone_with_its_objects(system: System) -> None:
    system.worker()
    new = system.upload()
    brief = replace(new, options=replace(new.options, retain_seconds=0))
    silent = system.upload()
    silent = replace(silent, options=replace(silent.options, retain_audio_seconds=0))
    for job in (brief, silent):
        system.publish(system.store.create(job).job)
        system.wait_for_end(job.id)
    system.keeper()
    until(lambda: not system.objects.keys("recordings"))
    until(lambda: not any(brief.id in key for key in system.objects.keys("results")))
    assert any(silent.id in key for key in system.objects.keys("results")), "the result stays without its recording"


STOPPED_IN_A_LOCK = """
import os, signal, sys, threading
from parley_keeper.loop import Keeper
from parley_keeper.main import main

wait_of_event, wait_of_keeper = threading.Condition.wait, Keeper.wait
waiting = False

def wait(condition, timeout=None):
    if waiting and threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGTERM)  # arrives while this thread holds the lock of the event
    return wait_of_event(condition, timeout)

def wait_for_stop(keeper):
    global waiting
    waiting = True
    wait_of_keeper(keeper)

threading.Condition.wait, Keeper.wait = wait, wait_for_stop
sys.exit(main())
"""

# A signal may come to another thread, or just before the main thread waits. Then it interrupts no wait.
STOPPED_IN_ANOTHER_THREAD = """
import signal, sys, threading, time
from parley_keeper import main

def stop():
    time.sleep(1)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

stop_signal = main.stop_signal

def stop_signal_of_another_thread():
    wait = stop_signal()
    threading.Thread(target=stop, daemon=True).start()
    return wait

main.stop_signal = stop_signal_of_another_thread
sys.exit(main.main())
"""


def test_a_stop_signal_that_arrives_inside_a_lock_stops_it(system: System, tmp_path: Path) -> None:
    log = tmp_path / "keeper.log"
    with log.open("wb") as output:
        command = [sys.executable, "-c", STOPPED_IN_A_LOCK]
        keeper = subprocess.Popen(command, env=environment(system.settings), stdout=output, stderr=output)
    try:
        until(lambda: "keeper ready" in log.read_text())
        keeper.terminate()
        assert keeper.wait(HANG_SECONDS) == 0
    finally:
        keeper.kill()


def test_a_stop_signal_that_interrupts_no_wait_stops_it(system: System) -> None:
    command = [sys.executable, "-c", STOPPED_IN_ANOTHER_THREAD]
    with subprocess.Popen(command, env=environment(system.settings)) as keeper:
        try:
            assert keeper.wait(HANG_SECONDS) == 0
        finally:
            keeper.kill()


def test_it_shows_its_health_and_stops_promptly(system: System, tmp_path: Path) -> None:
    beat, port = tmp_path / "beat", 20_000 + os.getpid() % 10_000
    keeper = system.keeper(PARLEY_LIVENESS_FILE=beat, PARLEY_KEEPER_PORT=port)
    start = seconds_of(lambda: until(lambda: keeper.events("keeper ready")))
    until(beat.exists)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=HANG_SECONDS) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS) as answer:
        assert b'parley_keeper_lag_seconds{task="publish"} 0' in answer.read()
    keeper.signal(signal.SIGTERM)
    assert seconds_of(lambda: keeper.process.wait(HANG_SECONDS)) < start
    assert keeper.process.returncode == 0
    assert keeper.events("keeper stopped")
