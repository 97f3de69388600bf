"""Metrics of one worker: times that children write, processes that it has started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from parley_core.errors import UnsafeSettings
from parley_core.job import Phase
from parley_core.settings import Settings
from parley_worker.celery import metrics, processes
from parley_worker.celery.metrics import WorkerCollector
from parley_worker.celery.phase_times import BOUNDS, PhaseTimes
from tests.support.waiting import until


def in_a_child(work: object) -> None:
    """Do this in a fork and wait for its end."""
    if (pid := os.fork()) == 0:
        work()  # type: ignore[operator]
        os._exit(0)
    os.waitpid(pid, 0)


def test_the_main_process_reads_what_all_children_and_their_successors_noted() -> None:
    times = PhaseTimes(2)
    for child in (0, 1, 0):  # the third has the place of the first, which has ended
        in_a_child(lambda child=child: times.note(child, {"decoding": 0.05, "embedding": 2.5, "unknown": 9.0}))  # type: ignore[misc]
    in_a_child(lambda: times.note(1, {"embedding": 99999.0}))
    samples = times.samples()
    assert samples[Phase.DECODING].counts == (3, *[0] * len(BOUNDS))  # a bound belongs to its bucket
    assert samples[Phase.EMBEDDING].counts == (0, 0, 0, 3, 0, 0, 0, 0, 1)
    assert samples[Phase.EMBEDDING].sum == 3 * 2.5 + 99999.0
    assert sum(samples[Phase.STORING].counts) == 0


def test_the_processes_of_a_worker_are_its_children_and_theirs() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(5_000_000)); input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        try:
            until(lambda: child.pid in {one.parent for one in processes.of_this_worker()})
            main, *others = processes.of_this_worker()
            [grandchild] = [one.pid for one in others if one.parent == child.pid]
            assert main.pid == os.getpid()
            assert child.pid in {one.pid for one in others}
            assert main.resident_bytes > 10_000_000

            def burnt() -> bool:
                used = {one.pid: one.cpu_seconds for one in processes.of_this_worker()}
                return used[grandchild] > 0

            until(burnt)
        finally:
            assert child.stdin is not None
            child.stdin.close()
    used = {one.pid: one for one in processes.of_this_worker()}
    assert child.pid not in used
    assert used[os.getpid()].cpu_seconds > main.cpu_seconds  # the time of a child that has ended stays counted


def test_a_scrape_tells_slots_processor_memory_and_phases() -> None:
    times = PhaseTimes(1)
    times.note(0, {"decoding": 0.1})
    main, child = (processes.Process(pid, 0, 2.0, pid) for pid in (1, 7))
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in WorkerCollector(2, ["a job"], times, lambda: [main, child]).collect()
        for sample in family.samples
    }
    assert found["parley_worker_slots",] == 2
    assert found["parley_worker_slots_busy",] == 1
    assert found["parley_worker_cpu_seconds_total",] == 4.0
    assert found["parley_worker_resident_bytes", "largest_child"] == 7
    assert found["parley_worker_phase_seconds_count", "decoding"] == 1
    assert found["parley_worker_phase_seconds_bucket", "decoding", "0.05"] == 0
    assert found["parley_worker_phase_seconds_bucket", "decoding", "0.25"] == 1
    without_proc = WorkerCollector(2, [], times, list).collect()
    assert "parley_worker_cpu_seconds" not in {family.name for family in without_proc}


def test_a_port_that_is_taken_is_refused_before_the_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_phase_times", None)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UnsafeSettings, match="Cannot listen"):
        metrics.serve(Settings(worker_metrics_port=taken.getsockname()[1]))
