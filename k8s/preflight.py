"""Checks of a cluster before an installation. Each finding says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

OLDEST_KUBERNETES = (1, 30)
OLDEST_KEDA = (2, 17)  # fallback.behavior: an outage of Redis must not remove workers
NEEDED_RIGHTS = (
    ("apps", "deployments", "create"),
    ("apps", "statefulsets", "create"),
    ("", "secrets", "create"),
    ("networking.k8s.io", "networkpolicies", "create"),
    ("rbac.authorization.k8s.io", "roles", "create"),
)

Values = dict[str, Any]


class Verdict(StrEnum):
    """Severity of a finding. Only `missing` stops an installation."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its subject, its severity, and what was found or what to do."""

    what: str
    verdict: Verdict
    detail: str


def version_of(text: str) -> tuple[int, int]:
    """Return major and minor version, for example (1, 36) for `v1.36.3` or `1.36+`."""
    major, minor = text.lstrip("v").split(".")[:2]
    return int(major), int(minor.rstrip("+"))


def kubernetes_version(_: Values, __: str) -> Iterator[Finding]:
    found = client.VersionApi().get_code()
    good = version_of(found.git_version) >= OLDEST_KUBERNETES
    advice = "" if good else "; Parley needs 1.30 or newer: upgrade the cluster"
    yield Finding("Kubernetes", Verdict.OK if good else Verdict.MISSING, f"{found.git_version}{advice}")


def has_api(group: str) -> bool:
    """Return whether the cluster has an API group."""
    return any(known.name == group for known in client.ApisApi().get_api_versions().groups)


def keda(values: Values, _: str) -> Iterator[Finding]:
    if not has_api("keda.sh"):
        wanted = values.get("workerDefaults", {}).get("autoscaling", {}).get("keda") == "always"
        verdict = Verdict.MISSING if wanted else Verdict.NOTE
        yield Finding("KEDA", verdict, "not installed: workers get a fixed number of pods; install KEDA 2.17 or newer")
        return
    versions = {image_version(container.image) for container in keda_containers()}
    known = sorted(version for version in versions if version)
    if known and version_of(known[-1]) < OLDEST_KEDA:
        yield Finding("KEDA", Verdict.MISSING, f"{known[-1]} has no fallback.behavior: upgrade to 2.17 or newer")
    else:
        yield Finding("KEDA", Verdict.OK, known[-1] if known else "installed, version unknown")


def keda_containers() -> Iterator[Any]:
    operators = client.AppsV1Api().list_deployment_for_all_namespaces(label_selector="app=keda-operator").items
    for operator in operators:
        yield from operator.spec.template.spec.containers


def image_version(image: str) -> str | None:
    """Return the version in the tag of an image, or None."""
    tag = image.rpartition(":")[2]
    return tag if tag.lstrip("v").replace(".", "").isdigit() and "." in tag else None


def prometheus(_: Values, __: str) -> Iterator[Finding]:
    if has_api("monitoring.coreos.com"):
        yield Finding("Prometheus operator", Verdict.OK, "installed: the chart creates monitors")
    else:
        yield Finding(
            "Prometheus operator",
            Verdict.NOTE,
            "not installed: pods have scrape annotations, see docs/how-to/watch-parley.md",
        )


def metrics_server(values: Values, _: str) -> Iterator[Finding]:
    if values.get("api", {}).get("autoscaling", {}).get("enabled") is False:
        return
    if has_api("metrics.k8s.io"):
        yield Finding("Metrics server", Verdict.OK, "installed: the API scales on CPU")
    else:
        advice = "not installed: the API stays at its minimum number of pods; install metrics-server"
        yield Finding("Metrics server", Verdict.NOTE, advice)


def storage(values: Values, _: str) -> Iterator[Finding]:
    classes = client.StorageV1Api().list_storage_class().items
    names = {found.metadata.name for found in classes}
    default = [
        found.metadata.name
        for found in classes
        if (found.metadata.annotations or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    for wanted in storage_classes(values):
        if wanted and wanted not in names:
            yield Finding("StorageClass", Verdict.MISSING, f"{wanted} does not exist; the cluster has {sorted(names)}")
        elif not wanted and not default:
            advice = f"no default class: mark one of {sorted(names)} as default, or set one in the values"
            yield Finding("StorageClass", Verdict.MISSING, advice)
        else:
            yield Finding("StorageClass", Verdict.OK, wanted or f"{default[0]} (default)")


def storage_classes(values: Values) -> set[str]:
    """Return the storage classes that these values need, "" for the default one."""
    wanted = set()
    if values.get("redis", {}).get("mode") != "external":
        wanted.add(values.get("redis", {}).get("persistence", {}).get("storageClass", ""))
    objects = values.get("objects", {})
    kind = objects.get("kind", "embedded")
    if kind != "url" and not objects.get("volume", {}).get("existingClaim"):
        wanted.add(objects.get(kind, {}).get("storageClass", ""))
    return wanted


def gpus(values: Values, _: str) -> Iterator[Finding]:
    for worker in values.get("workers", []):
        gpu = worker.get("gpu", {})
        if not gpu.get("count"):
            continue
        resource = gpu.get("resource", "nvidia.com/gpu")
        nodes = client.CoreV1Api().list_node().items
        found = sum(int((node.status.allocatable or {}).get(resource, 0)) for node in nodes)
        verdict = Verdict.OK if found >= gpu["count"] else Verdict.MISSING
        advice = "" if found else ": install the device plugin of your GPUs"
        yield Finding(f"GPU for worker {worker['name']}", verdict, f"{found} of {resource}{advice}")


def secrets(values: Values, namespace: str) -> Iterator[Finding]:
    named = {
        "api.existingKeysSecret": values.get("api", {}).get("existingKeysSecret"),
        "redis.existingSecret": values.get("redis", {}).get("existingSecret"),
        "redis.external.existingSecret": values.get("redis", {}).get("external", {}).get("existingSecret"),
        "objects.existingSecret": values.get("objects", {}).get("existingSecret"),
        "objects.embedded.existingSecret": values.get("objects", {}).get("embedded", {}).get("existingSecret"),
        "flower.existingSecret": values.get("flower", {}).get("existingSecret"),
    }
    by_role = values.get("objects", {}).get("existingSecrets") or {}
    named |= {f"objects.existingSecrets.{role}": name for role, name in by_role.items()}
    for key, name in named.items():
        if name:
            there = exists(namespace, name)
            detail = f"{name} exists" if there else f"{name} does not exist in namespace {namespace}: create it first"
            yield Finding(key, Verdict.OK if there else Verdict.MISSING, detail)


def exists(namespace: str, secret: str) -> bool:
    try:
        client.CoreV1Api().read_namespaced_secret(secret, namespace)
    except ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def rights(_: Values, namespace: str) -> Iterator[Finding]:
    missing = [
        f"{verb} {resource}" for group, resource, verb in NEEDED_RIGHTS if not may(namespace, group, resource, verb)
    ]
    verdict = Verdict.MISSING if missing else Verdict.OK
    detail = f"missing: {', '.join(missing)}" if missing else f"sufficient in namespace {namespace}"
    yield Finding("Rights", verdict, detail)


def may(namespace: str, group: str, resource: str, verb: str) -> bool:
    asked = client.V1ResourceAttributes(namespace=namespace, group=group, resource=resource, verb=verb)
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked))
    return bool(client.AuthorizationV1Api().create_self_subject_access_review(review).status.allowed)


CHECKS: tuple[Callable[[Values, str], Iterator[Finding]], ...] = (
    kubernetes_version,
    rights,
    storage,
    keda,
    metrics_server,
    prometheus,
    gpus,
    secrets,
)


def preflight(values: Values, namespace: str) -> list[Finding]:
    """Return the findings in the order of CHECKS. The Kubernetes client must be configured."""
    return [finding for check in CHECKS for finding in check(values, namespace)]
