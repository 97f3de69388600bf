"""Larger volumes for an installed release.

Kubernetes refuses to change the volume claim templates of a StatefulSet. So the claims are enlarged, and the
StatefulSet is deleted without its pods. The upgrade that follows creates it again with the new size and adopts them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

DELETED_SECONDS = 60.0
POLL_SECONDS = 0.5

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Growth:
    """A volume whose size in the values is larger than that of its claim."""

    key: str
    stateful_set: str
    claims: tuple[str, ...]
    now: str
    wanted: str

    def __str__(self) -> str:
        grows = "grows" if len(self.claims) == 1 else "grow"
        return f"{self.key}: {', '.join(self.claims)} {grows} from {self.now} to {self.wanted}"


def sizes(values: Values) -> dict[str, tuple[str, str]]:
    """Return key and size of the volume of each StatefulSet, by component. `values` must include the defaults."""
    found = {}
    if values["redis"]["mode"] != "external":
        found["redis"] = ("redis.persistence.size", values["redis"]["persistence"]["size"])
    if values["objects"]["kind"] == "embedded":
        found["objects"] = ("objects.embedded.size", values["objects"]["embedded"]["size"])
    return found


def growths(values: Values, release: str, namespace: str) -> list[Growth]:
    """Return the volumes of a release that must grow. Exits if one would have to shrink."""
    found = []
    for component, (key, wanted) in sizes(values).items():
        mine = f"app.kubernetes.io/instance={release},app.kubernetes.io/component={component}"
        for stateful in client.AppsV1Api().list_namespaced_stateful_set(namespace, label_selector=mine).items:
            (template,) = stateful.spec.volume_claim_templates
            now = template.spec.resources.requests["storage"]
            if parse_quantity(wanted) < parse_quantity(now):
                raise SystemExit(f"{key} is {wanted}, and the volume has {now}. Kubernetes cannot shrink volumes.")
            if parse_quantity(wanted) > parse_quantity(now):
                name = stateful.metadata.name
                claims = tuple(f"{template.metadata.name}-{name}-{pod}" for pod in range(stateful.spec.replicas))
                found.append(Growth(key, name, claims, now, wanted))
    return found


def grow(growth: Growth, namespace: str) -> None:
    """Enlarge the claims, then delete the StatefulSet without its pods.

    Raises:
        ApiException: the storage class cannot enlarge volumes. Nothing has changed then.
    """
    size = {"spec": {"resources": {"requests": {"storage": growth.wanted}}}}
    for claim in growth.claims:
        client.CoreV1Api().patch_namespaced_persistent_volume_claim(claim, namespace, size)
    apps = client.AppsV1Api()
    apps.delete_namespaced_stateful_set(growth.stateful_set, namespace, propagation_policy="Orphan")
    deadline = time.monotonic() + DELETED_SECONDS
    while time.monotonic() < deadline:
        if not apps.list_namespaced_stateful_set(
            namespace, field_selector=f"metadata.name={growth.stateful_set}"
        ).items:
            return
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"The StatefulSet {growth.stateful_set} was not deleted in {DELETED_SECONDS:.0f} s: try again.")
