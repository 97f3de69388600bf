"""Scale-in that interrupts nobody: busy worker pods are marked as costly to delete, so that idle ones go first.

Kubernetes removes pods of a Deployment in the order of `controller.kubernetes.io/pod-deletion-cost`. The cost is the
number of leases a pod holds, written only when it changes: an annotation per renewal would be a load on the API
server. A pod that is removed nevertheless gives its jobs back; this only spares the move.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from parley_core.errors import RetryableError
from parley_core.ports import MaintenanceStore
from parley_keeper.loop import NoteProgress

COST = "controller.kubernetes.io/pod-deletion-cost"
# Node autoscalers leave a node alone while a pod on it has these. An idle pod must not have them.
BUSY_MARKS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
INCOMPLETE = -1  # no cost that is wanted, so it is written again
SELECTOR_VARIABLE = "PARLEY_WORKER_PODS"  # set by the chart: the label selector of this release's workers
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
HOSTNAME_LENGTH = 63  # a longer pod name is cut for the host name, by which a worker goes
TIMEOUT_SECONDS = (3.0, 10.0)  # to connect, to answer: the keeper has other tasks


class PodsUnavailable(RetryableError):  # noqa: N818  # named like the errors of core
    """Kubernetes does not answer, or not to us."""

    code = "pods_unavailable"


class WorkerPods(Protocol):
    """This release's worker pods."""

    def costs(self) -> dict[str, int]:
        """Deletion cost by pod name, 0 where none was written, INCOMPLETE where one must be written again.

        Raises PodsUnavailable.
        """
        ...

    def set_cost(self, pod: str, cost: int) -> None:
        """Write a pod's cost, and with it the marks of a busy pod; no error when the pod is gone.

        Raises PodsUnavailable.
        """
        ...


def leases_by_pod(running: Mapping[str, int]) -> Counter[str]:
    """Sum the leases of a pod's processes; a worker's name in the record is `<pod>/<instance>/<pid>`."""
    pods: Counter[str] = Counter()
    for worker, leases in running.items():
        pods[worker.partition("/")[0]] += leases
    return pods


class PodDeletionCosts:
    """Keeps the deletion costs in step with the leases."""

    def __init__(self, store: MaintenanceStore, pods: WorkerPods) -> None:
        self._store, self._pods = store, pods

    def run_once(self, note_progress: NoteProgress) -> int:
        """Write the costs that have changed; return how many.

        Raises:
            JobStoreUnavailable: nothing was written: unknown is not idle.
            PodsUnavailable: Kubernetes did not answer.
        """
        leases = leases_by_pod(self._store.running_by_worker())
        changed = 0
        for pod, cost in self._pods.costs().items():
            wanted = leases[host_name(pod)]
            if wanted != cost:
                self._pods.set_cost(pod, wanted)
                changed += 1
                note_progress()
        return changed


def host_name(pod: str) -> str:
    """Return what a pod of this name is called from inside."""
    return pod[:HOSTNAME_LENGTH].rstrip("-.")


class KubernetesPods:
    """WorkerPods of one namespace, by label."""

    def __init__(self, api: Any, namespace: str, selector: str) -> None:
        self._api, self._namespace, self._selector = api, namespace, selector

    def costs(self) -> dict[str, int]:
        # From the API server's cache: a list of pods every few seconds must not reach etcd.
        options = {"label_selector": self._selector, "resource_version": "0", "_request_timeout": TIMEOUT_SECONDS}
        pods = _asked(lambda: self._api.list_namespaced_pod(self._namespace, **options)).items
        return {pod.metadata.name: _cost(pod.metadata.annotations or {}) for pod in pods}

    def set_cost(self, pod: str, cost: int) -> None:
        marks = BUSY_MARKS if cost else dict.fromkeys(BUSY_MARKS)  # None removes an annotation
        body = {"metadata": {"annotations": {COST: str(cost), **marks}}}
        _asked(
            lambda: self._api.patch_namespaced_pod(pod, self._namespace, body, _request_timeout=TIMEOUT_SECONDS),
            gone_is_fine=True,
        )


def _cost(annotations: Mapping[str, str]) -> int:
    """Return the cost that was written, INCOMPLETE where the marks of node autoscalers do not fit it."""
    try:
        cost = int(annotations.get(COST, "0"))
    except ValueError:
        return INCOMPLETE
    marks = {name: annotations[name] for name in BUSY_MARKS if name in annotations}
    return cost if marks == (BUSY_MARKS if cost else {}) else INCOMPLETE


def _asked(call: Any, gone_is_fine: bool = False) -> Any:
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return call()
    except ApiException as error:
        if gone_is_fine and error.status == 404:
            return None
        raise PodsUnavailable(f"Kubernetes refused ({error.status} {error.reason}); does the Role allow it?") from error
    except (HTTPError, OSError) as error:
        raise PodsUnavailable(f"Kubernetes does not answer ({type(error).__name__}).") from error


def worker_pods() -> KubernetesPods | None:
    """Return this release's worker pods, None outside a cluster."""
    selector = os.environ.get(SELECTOR_VARIABLE)
    if not selector or not NAMESPACE_FILE.exists():
        return None
    from kubernetes import client, config

    config.load_incluster_config()  # type: ignore[no-untyped-call]
    return KubernetesPods(client.CoreV1Api(), NAMESPACE_FILE.read_text().strip(), selector)
