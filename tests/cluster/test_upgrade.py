"""An upgrade from the previous chart and its images, and a rollback under load, lose no job and refuse no request."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
import yaml

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, run
from tests.cluster.release import CHART, ROOT, Release
from tests.cluster.test_faults import WORKING, check, succeeded

pytestmark = pytest.mark.timeout(900)
CALLERS = 3
EVERY_SECONDS = 0.5
WORKER: Manifest = WORKING["workers"][0]
QUICK: Manifest = WORKING | {"workers": [WORKER | {"extraEnv": [{"name": "PARLEY_SCRIPTED_SECONDS", "value": "1"}]}]}
NEWER: Manifest = {"podAnnotations": {"version": "newer"}}  # replaces every pod, as a new image would


class Load:
    """Callers that submit and read in a loop, with the status or error class of each answer."""

    def __init__(self, release: Release, audio: bytes) -> None:
        self._release, self._audio = release, audio
        self.ids: list[str] = []
        self.answers: list[str] = []
        self._stop = threading.Event()
        self._callers = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def __enter__(self) -> Load:
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for caller in self._callers:
            caller.join()

    def failed(self) -> dict[str, int]:
        return {answer: count for answer, count in Counter(self.answers).items() if answer not in {"200", "202"}}

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self._once()
            except httpx.HTTPError as error:
                self.answers.append(type(error).__name__)

    def _once(self) -> None:
        http = self._release.http
        answer = self._kept(http.post("/v1/jobs", files={"audio": ("a.wav", self._audio)}, data={"queue": "batch"}))
        if answer.status_code == 202:
            self.ids.append(answer.json()["id"])
            self._kept(http.get(f"/v1/jobs/{self.ids[-1]}"))

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append(f"{answer.status_code} {'' if answer.is_success else answer.text}".strip())
        return answer


def version_at(commit: str) -> str:
    return version_of(run("git", "-C", str(ROOT), "show", f"{commit}:charts/parley/Chart.yaml"))


def version_of(chart: str) -> str:
    return str(yaml.safe_load(chart)["version"])


def last_of_previous_version() -> str | None:
    """Return the last commit whose chart has another version than the present one, or None."""
    now, candidate = version_of((CHART / "Chart.yaml").read_text()), "HEAD"
    for commit in run("git", "-C", str(ROOT), "log", "--format=%H", "--", "charts/parley/Chart.yaml").split():
        if version_at(commit) != now:
            return candidate
        candidate = f"{commit}^"
    return None


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository at the previous version of the chart, with its images built."""
    commit = last_of_previous_version()
    if commit is None:
        pytest.skip("the repository's history has no earlier version of the chart")
    if "PARLEY_IMAGE_BUILDER" not in os.environ:
        pytest.skip("the images of the previous version cannot be built here: set PARLEY_IMAGE_BUILDER")
    folder = tmp_path_factory.mktemp("previous")
    run("git", "clone", "--quiet", str(ROOT), str(folder))
    run("git", "-C", str(folder), "checkout", "--quiet", commit)
    run("env", "--chdir", str(folder), sys.executable, "-m", "k8s.images", seconds=600)
    return folder


def test_upgrade_and_rollback_under_load(space: Namespace, previous: Path, short: bytes, results: Results) -> None:
    chart = previous / "charts" / "parley"
    older = Release(space, "main", chart, previous / "build" / "images" / "values.yaml")
    newer = Release(space, "main")
    older.install(QUICK, "--wait", "--timeout", "5m")
    older.wait_for_api()
    before = succeeded(older)
    all_replaced = QUICK | {part: {**QUICK.get(part, {}), **NEWER} for part in ("api", "keeper", "objects")}
    all_replaced["workers"] = [QUICK["workers"][0] | NEWER]
    with Load(older, short) as load:
        time.sleep(3)
        started = time.monotonic()
        newer.install(all_replaced, "--wait", "--timeout", "5m")
        upgraded = time.monotonic() - started
        newer.helm("rollback", "--wait", "--timeout", "5m", chart=False)
        rolled_back = time.monotonic() - started - upgraded
        time.sleep(3)
    assert load.failed() == {}
    check(older, load.ids)
    assert succeeded(older) - before == len(load.ids)
    versions = " to ".join(version_of((one / "Chart.yaml").read_text()) for one in (chart, CHART))
    results.add(
        f"upgrade of every pod from chart {versions} under load, and rollback",
        "0 lost, 0 doubled, no failed request on the API",
        f"{len(load.ids)} jobs: 0 lost, 0 doubled; {len(load.answers)} requests, 0 failed; "
        f"upgrade {upgraded:.0f} s, rollback {rolled_back:.0f} s",
    )
