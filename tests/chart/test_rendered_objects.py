"""Kubernetes accepts every object of the chart, under strict validation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from joserfc.jwk import RSAKey

from parley_api.runtime.keys import Scope
from parley_api.runtime.tokens import Tokens
from parley_core.settings import Settings
from parley_core.tenants import TenantQuota
from tests.chart.rendering import KEDA, PROMETHEUS, Manifest, render

SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = ("1.30", "1.36")

SHAPES: dict[str, Manifest] = {
    "default": {},
    "own Redis, own store": {
        "redis": {
            "mode": "external",
            "external": {"host": "redis.example", "existingSecret": "r", "tls": {"caSecret": "ca"}},
        },
        "objects": {"kind": "url", "url": "s3://recordings", "existingSecret": "s3"},
        "api": {"existingKeysSecret": "keys"},
        "flower": {"existingSecret": "flower"},
    },
    "sentinel": {"redis": {"mode": "sentinel"}},
    "one node": {"objects": {"kind": "volume", "volume": {"accessMode": "ReadWriteOnce", "singleNode": True}}},
    "everything on": {
        "commonLabels": {"team": "clinic"},
        "commonAnnotations": {"contact": "clinic"},
        "images": {"registry": "mirror.example", "pullSecrets": ["pull"]},
        "api": {
            "rootPath": "/parley",
            "ingress": {"enabled": True, "host": "parley.example", "className": "x", "tlsSecret": "tls"},
            "extraEnv": [{"name": "A", "value": "b"}],
            "affinity": {"nodeAffinity": {}},
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "priorityClassName": "high",
        },
        "keeper": {"replicas": 2, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}},
        "workers": [
            {"name": "gpu", "queue": "batch", "concurrency": 1, "gpu": {"count": 1}, "runtimeClassName": "nvidia"},
            {
                "name": "cpu",
                "queue": "interactive",
                "extraVolumes": [{"name": "v", "emptyDir": {}}],
                "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
                "nodeSelector": {"disk": "fast"},
            },
        ],
        "monitoring": {"labels": {"prometheus": "x"}, "dashboards": {"enabled": "always", "annotations": {"f": "x"}}},
        "networkPolicy": {"apiFrom": [{"podSelector": {}}], "flowerFrom": [{"podSelector": {}}]},
        "extraManifests": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more", "labels": {}}}
        ],
    },
}


def closed(schema: Any) -> Any:
    """Return the schema with every object closed, so that a misspelt field is an error."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def validate_custom(manifest: Manifest) -> None:
    schema = closed(json.loads((SCHEMAS / f"{manifest['kind'].lower()}.json").read_text()))
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(manifest, schema)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("shape", SHAPES)
def test_kubernetes_accepts_every_object(shape: str, version: str) -> None:
    for manifest in render(SHAPES[shape]):
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_keda_accepts_its_objects(shape: str) -> None:
    ours = [manifest for manifest in render(SHAPES[shape], KEDA) if manifest["apiVersion"] == KEDA]
    assert {manifest["kind"] for manifest in ours} == {"ScaledObject", "TriggerAuthentication"}
    for manifest in ours:
        validate_custom(manifest)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_prometheus_operator_accepts_its_objects(shape: str) -> None:
    ours = [manifest for manifest in render(SHAPES[shape], PROMETHEUS) if manifest["apiVersion"] == PROMETHEUS]
    assert {manifest["kind"] for manifest in ours} == {"PodMonitor", "PrometheusRule"}
    for manifest in ours:
        validate_custom(manifest)


def test_a_misspelt_field_is_found() -> None:
    (scaled, *_) = render({}, KEDA).of("ScaledObject")
    scaled["spec"]["minReplicas"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minReplicas"):
        validate_custom(scaled)


@pytest.mark.parametrize("shape", SHAPES)
def test_names_are_unique_and_belong_to_the_release(shape: str) -> None:
    rendered = render(SHAPES[shape], KEDA, PROMETHEUS)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered]
    assert len(names) == len(set(names))
    assert all(name.startswith("release") for _, name in names)


def test_one_value_moves_every_image_to_a_mirror() -> None:
    pods = render({"images": {"registry": "mirror.example/team/"}}).pods().values()
    images = {container["image"] for pod in pods for container in pod["containers"] + pod.get("initContainers", [])}
    assert all(image.startswith("mirror.example/team/") for image in images)
    assert not any(image.endswith(":latest") for image in images)


@pytest.mark.parametrize(
    ("enabled", "managed", "kept"),
    [("auto", False, True), ("auto", True, False), (True, True, True), (False, False, False)],
)
def test_flower_has_a_volume_where_redis_has_one(enabled: object, managed: bool, kept: bool) -> None:
    redis = {"mode": "external", "external": {"host": "redis.example", "existingSecret": "r"}} if managed else {}
    chart = render({"flower": {"persistence": {"enabled": enabled}}, "redis": redis})
    claims = [one["metadata"]["name"] for one in chart.of("PersistentVolumeClaim")]
    volumes = {volume["name"]: volume for volume in chart.pods()["release-parley-flower"]["volumes"]}
    assert claims == ["release-parley-flower"] * kept
    assert ("persistentVolumeClaim" in volumes["tasks"]) is kept


def test_the_api_takes_the_limits_of_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "tenantLimits": {"storedBytes": 5_000_000_000_000},
        "tenants": {"radiology": {"submitsPerMinute": 60, "audioHoursPerDay": 1.5, "storedBytes": 0}},
    }
    (container,) = render(values).one("Deployment", "-api")["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        if variable["name"].startswith("PARLEY_TENANT"):
            monkeypatch.setenv(variable["name"], variable["value"])
    settings = Settings.from_environment()
    assert settings.tenant_stored_bytes == 5_000_000_000_000
    own = TenantQuota(submits_per_minute=60, audio_hours_per_day=1.5, stored_bytes=0)
    assert settings.tenants == {"radiology": own}


def test_the_api_takes_the_issuers_of_tokens(tmp_path: Path) -> None:
    keys = [RSAKey.generate_key(2048, {"kid": "one"}).as_dict(private=False)]
    subjects = {
        "system:serviceaccount:records:importer": {"tenant": "north", "scopes": [scope.value for scope in Scope]}
    }
    issuer = {"issuer": "https://k", "audience": "parley", "jwks": json.dumps({"keys": keys}), "subjects": subjects}
    rendered = render({"api": {"tokenIssuers": [issuer]}})
    (tmp_path / "issuers.json").write_text(rendered.one("ConfigMap", "-api-issuers")["data"]["issuers.json"])
    assert Tokens(tmp_path / "issuers.json")
    pod = rendered.one("Deployment", "-api")["spec"]["template"]["spec"]
    assert {"name": "issuers", "mountPath": "/etc/parley/issuers", "readOnly": True} in pod["containers"][0][
        "volumeMounts"
    ]


def test_extra_manifests_are_templates() -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more", "labels": {}}}
    names = [manifest["metadata"]["name"] for manifest in render({"extraManifests": [extra]}).of("ConfigMap")]
    assert "release-more" in names


def test_the_api_stays_reachable_while_it_journals() -> None:
    container = render().one("Deployment", "-api")["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz?degraded=true"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


@pytest.mark.parametrize(
    ("cpu", "seconds"),
    [("100m", 200), ("50m", 400), ("500m", 120), ("4", 120), (1, 120), (0.1, 200), ("1m", 900), (None, 900)],
)
def test_a_start_may_take_as_long_as_its_cpu_request_needs(cpu: str | float | None, seconds: int) -> None:
    """With 60 s, an API that got just its 100m on a busy node was killed three times in 5.5 minutes."""
    pods = render({"api": {"resources": {"requests": {"cpu": cpu}}}}).pods()
    probe = pods["release-parley-api"]["containers"][0]["startupProbe"]
    assert 0 <= probe["failureThreshold"] * probe["timeoutSeconds"] - seconds < 3


def test_a_startup_probe_waits_in_the_container_and_logs_no_warning_each_second() -> None:
    for name, pod in render().pods().items():
        for container in pod["containers"]:
            probe = container.get("startupProbe")
            assert (probe is None) is (name in {"release-parley-test", "release-parley-objects"}), name
            if probe is not None:
                assert probe["exec"]["command"][2].startswith("until "), name
                assert probe["timeoutSeconds"] >= 40, name


def test_the_startup_probe_succeeds_when_the_port_opens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        container = render({"keeper": {"port": port}}).pods()["release-parley-keeper"]["containers"][0]
        with subprocess.Popen(container["startupProbe"]["exec"]["command"]) as probe:
            with pytest.raises(subprocess.TimeoutExpired):
                probe.wait(1.5)
            server.listen()
            assert probe.wait(60) == 0


def test_the_startup_probe_of_a_worker_ignores_an_old_liveness_file(tmp_path: Path) -> None:
    file = tmp_path / "liveness"
    file.touch()
    os.utime(file, (0, 0))
    container = render().pods()["release-parley-worker-batch"]["containers"][0]
    *shell, text = container["startupProbe"]["exec"]["command"]
    with subprocess.Popen([*shell, text.replace("/tmp/parley-liveness", str(file))]) as probe:
        with pytest.raises(subprocess.TimeoutExpired):
            probe.wait(1.5)
        file.touch()
        assert probe.wait(60) == 0


def test_a_rollback_does_not_wait_for_the_broken_pod_it_replaces() -> None:
    """With OrderedReady, Kubernetes waits forever for a pod whose image is missing, even after a rollback."""
    assert {stateful["spec"]["podManagementPolicy"] for stateful in render().of("StatefulSet")} == {"Parallel"}
