"""The driver `python -m k8s.deploy` on a real cluster, verb by verb."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, namespace, run, tool, until
from tests.cluster.release import IMAGES, ROOT, VALUES, Release

pytestmark = pytest.mark.timeout(900)
NAME = "driven"
SMALL: Manifest = {
    "api": {"autoscaling": {"enabled": False}, "replicas": 1},
    "podDisruptionBudgets": False,
    "workers": [{"name": "batch", "queue": "batch", "replicas": 1, "autoscaling": {"keda": "never"}}],
}


class Driver:
    """One release in one namespace, by the driver alone."""

    def __init__(self, space: Namespace, folder: Path) -> None:
        self._space, self._folder = space, folder

    def __call__(self, verb: str, *arguments: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
        own = self._folder / "own.yaml"
        own.write_text(yaml.safe_dump(values or SMALL))
        command = [sys.executable, "-m", "k8s.deploy", verb, "--release", NAME, "--namespace", self._space.name]
        command += ["--values", str(VALUES), "--values", str(IMAGES), "--values", str(own), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False, timeout=400
        )


@pytest.fixture(scope="module")
def drive(space: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return Driver(space, tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def driven(drive: Driver, space: Namespace) -> Release:
    done = drive("install", "--timeout", "4m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME} is at revision 1 (deployed)." in done.stdout
    return Release(space, NAME)


def replicas(release: Release) -> int:
    return int(release.space.get("deployment", f"{release.fullname}-api")["spec"]["replicas"])


def test_preflight_reports_what_the_cluster_has(drive: Driver) -> None:
    done = drive("preflight")
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("Kubernetes: v1.", "Rights: sufficient", "StorageClass: ", "KEDA: "):
        assert what in done.stdout
    assert "MISSING" not in done.stdout


def test_preflight_stops_an_installation_that_cannot_work(drive: Driver, driven: Release) -> None:
    nowhere: Manifest = {**SMALL, "redis": {"existingSecret": "absent", "persistence": {"storageClass": "absent"}}}
    done = drive("install", values=nowhere)
    assert done.returncode == 1
    assert "absent does not exist; the cluster has " in done.stdout
    assert "create it first" in done.stdout
    assert "Nothing was installed" in done.stdout


def test_install_waits_until_everything_is_ready(drive: Driver, driven: Release, sample: bytes) -> None:
    done = drive("status")
    assert (done.returncode, "not ready" in done.stdout) == (0, False), done.stdout + done.stderr
    assert f"{NAME}: revision 1, deployed" in done.stdout
    (job,) = driven.finish([driven.submit(sample, "batch")], 120)
    assert job["state"] == "succeeded"


def test_an_upgrade_shows_what_changes_and_no_password(drive: Driver, driven: Release, results: Results) -> None:
    passwords = driven.password_fingerprint()
    done = drive("upgrade", values={**SMALL, "api": {"autoscaling": {"enabled": False}, "replicas": 2}})
    assert done.returncode == 0, done.stdout + done.stderr
    changed = [line for line in done.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert "-  replicas: 1" in changed
    assert "+  replicas: 2" in changed
    assert len(changed) < 10, changed
    assert driven.key not in done.stdout
    assert replicas(driven) == 2
    assert driven.password_fingerprint() == passwords


def test_an_upgrade_that_does_not_become_ready_is_rolled_back(drive: Driver, driven: Release, results: Results) -> None:
    broken: Manifest = {**SMALL, "images": {"api": {"repository": "parley-api", "tag": "missing"}}}
    before = driven.space.get("deployment", f"{driven.fullname}-api")["spec"]["template"]
    done = drive("upgrade", "--timeout", "20s", values=broken)
    assert done.returncode == 1, done.stdout
    assert done.stderr.strip()
    assert driven.space.get("deployment", f"{driven.fullname}-api")["spec"]["template"] == before
    until("the API answers", 60, driven.is_ready)
    results.add("driver: an upgrade to a missing image", "rolled back, the API answers", "rolled back, the API answers")


def test_rollback_returns_to_an_earlier_revision(drive: Driver, driven: Release) -> None:
    done = drive("rollback", "--revision", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert replicas(driven) == 1


def test_a_larger_volume_is_refused_by_helm_and_by_a_class_that_cannot_enlarge_it(
    drive: Driver, driven: Release
) -> None:
    larger: Manifest = {**SMALL, "redis": {"persistence": {"size": "2Gi"}}}
    with pytest.raises(AssertionError, match="an upgrade by Helm alone cannot enlarge it"):
        driven.install(larger)
    done = drive("upgrade", values=larger)
    assert done.returncode == 1
    assert "must support resize" in done.stderr
    assert driven.space.get("statefulset", f"{driven.fullname}-redis")


def test_uninstall_keeps_the_data_and_install_finds_it_again(
    drive: Driver, driven: Release, sample: bytes, results: Results
) -> None:
    ids = [driven.submit(sample, "batch")]
    driven.finish(ids, 120)
    turns = driven.turns(ids[0])
    key = driven.key
    done = drive("uninstall", "--timeout", "3m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kept") == 2 + 4  # volumes of Redis and the object store; Secrets
    assert not driven.space.get("deployments")["items"]
    assert len(driven.space.get("persistentvolumeclaims")["items"]) == 2
    again = drive("install", "--timeout", "4m")
    assert again.returncode == 0, again.stdout + again.stderr
    found = Release(driven.space, NAME)
    assert found.key == key
    assert found.turns(ids[0]) == turns
    results.add(
        "driver: uninstall, then install",
        "recordings, record and keys are kept",
        "the old key reads the old job's turns",
    )


def test_uninstall_with_delete_data_deletes_it(drive: Driver, driven: Release) -> None:
    done = drive("uninstall", "--delete-data", "--timeout", "3m")
    assert done.returncode == 0, done.stdout + done.stderr
    claims = driven.space.get("persistentvolumeclaims")["items"]
    assert all("deletionTimestamp" in claim["metadata"] for claim in claims)
    assert not driven.space.get("secrets", selector=f"app.kubernetes.io/instance={NAME}")["items"]


@pytest.fixture
def elsewhere() -> Iterator[Namespace]:
    with namespace("e2e-driver-empty") as made:
        yield made


def test_status_of_a_release_that_is_not_installed(elsewhere: Namespace, tmp_path: Path) -> None:
    done = Driver(elsewhere, tmp_path)("status")
    assert done.returncode == 1
    assert "not found" in done.stderr
    assert "Traceback" not in done.stderr
    assert "No resources" in run(tool("kubectl"), "get", "pods", "--namespace", elsewhere.name)
