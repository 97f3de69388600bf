"""The driver without a cluster; tests/cluster/test_driver.py has the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kubernetes import client

from k8s import preflight
from k8s.deploy import VALUES, as_lines, is_ready, read_values, seconds_of
from k8s.preflight import Verdict
from tests.chart.rendering import KEDA, PROMETHEUS, render, tool

ROOT = Path(__file__).parents[2]


def drive(kubeconfig: Path, *arguments: str, needs_helm: bool = True) -> subprocess.CompletedProcess[str]:
    if needs_helm:
        tool("helm")
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    command = [sys.executable, "-m", "k8s.deploy", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", sorted(VALUES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_chart_accepts_each_values_file_of_the_repository(file: Path) -> None:
    assert render(read_values([file.stem]), KEDA, PROMETHEUS).of("Deployment", "api")


def test_later_values_override_earlier_ones_and_lists_are_replaced(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("workers: [{name: only, queue: batch}]\nflower: {enabled: true}\n")
    read = read_values(["production", str(own)])
    assert read["workers"] == [{"name": "only", "queue": "batch"}]
    assert read["flower"] == {"existingSecret": "parley-flower", "enabled": True}
    assert read_values(["production"])["flower"] == {"existingSecret": "parley-flower"}
    assert read_values([]) == {}


def test_a_missing_values_file_is_reported(tmp_path: Path) -> None:
    done = drive(tmp_path / "nowhere", "install", "--values", "staging")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "There is no values file staging. k8s/values has air-gapped, dev, production, single-node."
    )


def test_a_missing_helm_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = drive(tmp_path / "nowhere", "status", needs_helm=False)
    assert done.returncode == 1
    assert done.stderr == "Helm is not on PATH: https://helm.sh/docs/intro/install\n"


def test_a_missing_cluster_is_reported(tmp_path: Path) -> None:
    done = drive(tmp_path / "nowhere", "preflight")
    assert done.returncode == 1
    assert done.stderr.startswith("No cluster is configured: set KUBECONFIG")


def test_a_cluster_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    named = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(named))
    done = drive(tmp_path / "config", "preflight")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The cluster of KUBECONFIG does not answer: ")
    assert "Traceback" not in done.stderr


def test_a_diff_has_a_fixed_order_and_shows_no_secret() -> None:
    objects: list[dict[str, Any]] = [
        {"kind": "Secret", "metadata": {"name": "b"}, "stringData": {"key": "pssst"}, "data": {"key": "cHNzc3Q="}},
        {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"seen": "yes"}},
    ]
    lines = as_lines(objects)
    assert lines == as_lines(reversed(objects))
    assert "  seen: 'yes'" in lines
    assert "kind: Secret" in lines
    assert not [line for line in lines if "pssst" in line or "cHNzc3Q" in line]


def test_a_pod_without_conditions_is_not_ready() -> None:
    ready = SimpleNamespace(type="Ready", status="True")
    pods = [SimpleNamespace(status=SimpleNamespace(conditions=found)) for found in (None, [], [ready])]
    assert [is_ready(pod) for pod in pods] == [False, False, True]


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1h30m", 5400), ("45s", 45)])
def test_durations_have_the_meaning_that_helm_gives_them(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
    with pytest.raises(ValueError, match="not a duration"):
        seconds_of(text + "!")


@pytest.mark.parametrize(("text", "version"), [("v1.36.3", (1, 36)), ("1.30+", (1, 30)), ("2.17.0", (2, 17))])
def test_versions_are_parsed(text: str, version: tuple[int, int]) -> None:
    assert preflight.version_of(text) == version


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/kedacore/keda:2.17.1", "2.17.1"),
        ("host:5000/keda", None),
        ("keda:main", None),
        ("k:v2.18.0", "v2.18.0"),
    ],
)
def test_the_version_of_an_image_comes_from_its_tag(image: str, version: str | None) -> None:
    assert preflight.image_version(image) == version


@pytest.mark.parametrize(
    ("names", "classes"),
    [([], {""}), (["production"], {""}), (["single-node"], {""})],
)
def test_a_storage_class_is_needed_where_the_release_has_volumes(names: list[str], classes: set[str]) -> None:
    assert preflight.storage_classes(read_values(names)) == classes


def test_storage_classes_come_from_the_values() -> None:
    values = {"redis": {"persistence": {"storageClass": "fast"}}, "objects": {"embedded": {"storageClass": "big"}}}
    assert preflight.storage_classes(values) == {"fast", "big"}
    assert preflight.storage_classes({"redis": {"mode": "external"}, "objects": {"kind": "url"}}) == set()
    claimed = {"redis": {"mode": "external"}, "objects": {"kind": "volume", "volume": {"existingClaim": "disk"}}}
    assert preflight.storage_classes(claimed) == set()


def storage_class(name: str, default: bool) -> SimpleNamespace:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else None
    return SimpleNamespace(metadata=SimpleNamespace(name=name, annotations=annotations))


@pytest.mark.parametrize(
    ("classes", "wanted", "verdict", "advice"),
    [
        ([("local", True)], "", Verdict.OK, "local (default)"),
        ([("local", False)], "", Verdict.MISSING, "mark one of ['local'] as default"),
        ([("local", True)], "fast", Verdict.MISSING, "fast does not exist"),
        ([("fast", False)], "fast", Verdict.OK, "fast"),
    ],
)
def test_a_missing_storage_class_stops_the_installation(
    monkeypatch: pytest.MonkeyPatch, classes: list[tuple[str, bool]], wanted: str, verdict: Verdict, advice: str
) -> None:
    items = [storage_class(name, default) for name, default in classes]
    monkeypatch.setattr(client.StorageV1Api, "list_storage_class", lambda _: SimpleNamespace(items=items))
    values = {"redis": {"persistence": {"storageClass": wanted}}, "objects": {"kind": "url"}}
    (finding,) = preflight.storage(values, "space")
    assert (finding.verdict, advice in finding.detail) == (verdict, True)


@pytest.mark.parametrize(
    ("installed", "version", "wanted", "verdict"),
    [
        (False, "", "auto", Verdict.NOTE),
        (False, "", "always", Verdict.MISSING),
        (True, "2.16.0", "auto", Verdict.MISSING),
        (True, "2.17.0", "auto", Verdict.OK),
        (True, "main", "auto", Verdict.OK),
    ],
)
def test_an_old_keda_is_refused_and_none_is_a_note(
    monkeypatch: pytest.MonkeyPatch, installed: bool, version: str, wanted: str, verdict: Verdict
) -> None:
    monkeypatch.setattr(preflight, "has_api", lambda _: installed)
    monkeypatch.setattr(preflight, "keda_containers", lambda: [SimpleNamespace(image=f"keda:{version}")])
    (finding,) = preflight.keda({"workerDefaults": {"autoscaling": {"keda": wanted}}}, "space")
    assert finding.verdict is verdict


def test_gpus_that_no_node_has_stop_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    node = SimpleNamespace(status=SimpleNamespace(allocatable={"nvidia.com/gpu": "1"}))
    monkeypatch.setattr(client.CoreV1Api, "list_node", lambda _: SimpleNamespace(items=[node]))
    asked = [{"name": f"g{count}", "gpu": {"count": count}} for count in (0, 1, 2)]
    findings = list(preflight.gpus({"workers": asked}, "space"))
    assert [(found.what, found.verdict) for found in findings] == [
        ("GPU for worker g1", Verdict.OK),
        ("GPU for worker g2", Verdict.MISSING),
    ]
