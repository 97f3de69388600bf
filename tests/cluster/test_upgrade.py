"""An upgrade and a rollback under load: no job lost or doubled, no request of the API refused."""

from __future__ import annotations

import threading
import time
from collections import Counter

import httpx
import pytest

from tests.cluster.conftest import Results
from tests.cluster.release import Release
from tests.cluster.test_faults import WORKING, check, succeeded

pytestmark = pytest.mark.timeout(900)
EVERY_SECONDS = 0.5


class Load:
    """Submits and reads all the time; counts answers by status, errors by class."""

    def __init__(self, release: Release, audio: bytes) -> None:
        self._release, self._audio = release, audio
        self.ids: list[str] = []
        self.answers: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self._once()
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    def _once(self) -> None:
        http = self._release.http
        answer = http.post("/v1/jobs", files={"audio": ("a.wav", self._audio)}, data={"queue": "batch"})
        self.answers[f"{answer.status_code} {'' if answer.is_success else answer.text}".strip()] += 1
        if answer.status_code == 202:
            self.ids.append(answer.json()["id"])
            read = http.get(f"/v1/jobs/{self.ids[-1]}")
            self.answers[f"{read.status_code} {'' if read.is_success else read.text}".strip()] += 1


def test_upgrade_and_rollback_under_load(release: Release, short: bytes, results: Results) -> None:
    quick = WORKING | {
        "workers": [WORKING["workers"][0] | {"extraEnv": [{"name": "PARLEY_SCRIPTED_SECONDS", "value": "1"}]}]
    }  # type: ignore[index,operator]
    release.install(quick, "--wait", "--timeout", "5m")
    release.wait_for_api()
    before = succeeded(release)
    newer = quick | {
        part: {**quick.get(part, {}), "podAnnotations": {"version": "newer"}} for part in ("api", "keeper")
    }  # type: ignore[dict-item]
    newer["workers"] = [quick["workers"][0] | {"podAnnotations": {"version": "newer"}}]  # type: ignore[index,operator]
    with Load(release, short) as load:
        time.sleep(3)
        started = time.monotonic()
        release.install(newer, "--wait", "--timeout", "5m")
        upgraded = time.monotonic() - started
        release.helm("rollback", "--wait", "--timeout", "5m", chart=False)
        rolled_back = time.monotonic() - started - upgraded
        time.sleep(3)
    failed = {answer: count for answer, count in load.answers.items() if answer not in {"200", "202"}}
    assert failed == {}, load.answers
    check(release, load.ids)
    assert succeeded(release) - before == len(load.ids)
    results.add(
        "upgrade of every pod under load, and rollback",
        "0 lost, 0 doubled, no failed request on the API",
        f"{len(load.ids)} jobs: 0 lost, 0 doubled; {sum(load.answers.values())} requests, 0 failed; "
        f"upgrade {upgraded:.0f} s, rollback {rolled_back:.0f} s",
    )
