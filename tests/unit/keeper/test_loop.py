"""The keeper's rounds: one task's trouble is no other's, it is told once, and health says how each one goes."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parley_core.errors import JobStoreUnavailable
from parley_core.listening import listening_socket
from parley_core.settings import Settings
from parley_keeper import health, loop
from parley_keeper.loop import Keeper, MaintenanceTask
from tests.support.waiting import HANG_SECONDS, until


def failing(error: Exception) -> Callable[[object], int]:
    def work(_: object) -> int:
        raise error

    return work


def test_a_duty_that_fails_or_hangs_keeps_no_other_from_its_rounds() -> None:
    hanging = threading.Event()
    good = MaintenanceTask("good", 0.01, lambda _: 1)
    bad = MaintenanceTask("bad", 0.01, failing(ZeroDivisionError()))
    keeper = Keeper([MaintenanceTask("hangs", 0.01, lambda _: hanging.wait(HANG_SECONDS)), bad, good])
    keeper.start()
    until(lambda: min(good.items_done, bad.failures) >= 5)
    hanging.set()
    keeper.stop()
    keeper.wait()
    assert good.items_done >= 5
    assert (good.failures, bad.failures) == (0, bad.rounds)
    assert bad.failures >= 5


def test_it_stops_promptly_in_the_middle_of_a_long_pause() -> None:
    keeper = Keeper([MaintenanceTask("rare", 3600.0, lambda _: 0)])
    keeper.start()
    keeper.stop()
    keeper.wait()
    assert "rare" not in {thread.name for thread in threading.enumerate()}, "it was given up on and still pauses"


def test_a_rare_duty_that_failed_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    rare = MaintenanceTask("rare", 3600.0, failing(JobStoreUnavailable("down")))
    keeper = Keeper([rare])
    keeper.start()
    until(lambda: rare.rounds >= 3)
    keeper.stop()
    keeper.wait()


def test_an_outage_is_told_once_however_many_duties_meet_it_and_its_end_too() -> None:
    down = [True]

    def ask(_: object) -> int:
        if down[0]:
            raise JobStoreUnavailable("down")
        return 0

    tasks = [MaintenanceTask(name, 1.0, ask) for name in ("publish", "reap")]
    keeper = Keeper(tasks)
    with capture_logs() as lines:
        for _ in range(3):
            for task in tasks:
                keeper.run_once(task)
        down[0] = False
        for _ in range(2):
            for task in tasks:
                keeper.run_once(task)
    assert [(line["event"], line["code"]) for line in lines] == [
        ("trouble", "job_store_unavailable"),
        ("trouble over", "job_store_unavailable"),
    ]
    assert [task.failures for task in tasks] == [3, 3]


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=HANG_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def served() -> tuple[list[MaintenanceTask], str]:
    tasks = [MaintenanceTask("publish", 0.5, lambda _: 0), MaintenanceTask("collect_orphans", 1800.0, lambda _: 0)]
    server = health.serve(tasks, listening_socket("127.0.0.1", 0), Settings())
    yield tasks, f"http://127.0.0.1:{server.server_port}"  # type: ignore[misc]
    server.shutdown()
    server.server_close()


def test_health_is_ok_while_every_duty_goes_its_rounds_and_not_when_one_is_stuck(
    served: tuple[list[MaintenanceTask], str],
) -> None:
    tasks, address = served
    assert asked(f"{address}/healthz")[0] == 200
    tasks[1].progress_at -= 1000
    assert asked(f"{address}/healthz")[0] == 200, "a rare task may be quiet for long"
    tasks[0].progress_at -= health.STUCK_SECONDS + 1
    status, body = asked(f"{address}/healthz")
    assert status == 503
    assert '"status": "stuck"' in body


def test_metrics_show_rounds_failures_and_lag_of_each_duty(served: tuple[list[MaintenanceTask], str]) -> None:
    tasks, address = served
    tasks[0].work = failing(JobStoreUnavailable("down"))
    tasks[0].done_at -= 1000
    Keeper([]).run_once(tasks[0])
    text = asked(f"{address}/metrics")[1]
    assert 'parley_keeper_failures_total{task="publish"} 1.0\n' in text
    assert 'parley_keeper_rounds_total{task="collect_orphans"} 0.0\n' in text
    lag = next(line for line in text.splitlines() if line.startswith('parley_keeper_lag_seconds{task="publish"}'))
    assert 999 < float(lag.split()[1]) < 1999
    assert asked(f"{address}/else")[0] == 404


def test_the_heartbeat_file_is_touched_while_the_keeper_is_well(tmp_path: Path) -> None:
    file = tmp_path / "beat"
    health.touch_while_well([MaintenanceTask("publish", 0.5, lambda _: 0)], file)
    until(file.exists)
