"""The cluster of KUBECONFIG, by kubectl and helm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

Manifest = dict[str, Any]
T = TypeVar("T")


def tool(name: str) -> str:
    """Return a program of the PATH. Where there is none, the test fails in CI and is skipped elsewhere."""
    found = shutil.which(name)
    if found is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"{name} is not on PATH")
    return found


def run(*command: str, given: str | None = None, seconds: float = 300, warnings: bool = True) -> str:
    """Return the output of a command, with stderr if `warnings`. Raises AssertionError with all output if it fails."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(command)}: {said}"
    return said if warnings else done.stdout


def until(what: str, seconds: float, look: Callable[[], T | None], every: float = 0.25) -> T:
    """Return the first true result of `look`. Raises AssertionError if there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds} s")


class Namespace:
    """One namespace of the cluster."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *arguments: str, given: str | None = None, seconds: float = 300) -> str:
        command = [tool("kubectl"), "--namespace", self.name, *arguments]
        return run(*command, given=given, seconds=seconds, warnings=False)  # `exec` prints messages of its own

    def get(self, kind: str, name: str = "", selector: str = "") -> Manifest:
        """Return an object, or the list of those that a label selector matches."""
        named = [name] if name else []
        chosen = ["--selector", selector] if selector else []
        found: Manifest = json.loads(self.kubectl("get", kind, *named, *chosen, "--output", "json"))
        return found

    def secret(self, name: str, key: str) -> str:
        return self.kubectl(
            "get", "secret", name, "--output", f"go-template={{{{index .data {json.dumps(key)} | base64decode}}}}"
        )

    def pods(self, selector: str) -> list[Manifest]:
        """Return the pods that are not being deleted, oldest first."""
        pods = [p for p in self.get("pods", selector=selector)["items"] if "deletionTimestamp" not in p["metadata"]]
        return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def ready(self, selector: str) -> list[str]:
        """Return the names of pods that are ready."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods(selector)
            if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        ]

    def end(self) -> None:
        """Kill every pod: without Redis a worker would use its whole grace period."""
        scaled = ("scaledobjects,deployments,statefulsets", "--all", "--ignore-not-found", "--wait=false")
        subprocess.run(
            [tool("kubectl"), "-n", self.name, "delete", *scaled], capture_output=True, check=False, timeout=60
        )
        self.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", seconds=60)


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """A new namespace that enforces the Pod Security standard `restricted`, deleted afterwards."""
    space = Namespace(name)
    kubectl = tool("kubectl")
    space.end()
    run(kubectl, "delete", "namespace", name, "--ignore-not-found", "--wait", seconds=120)
    run(kubectl, "create", "namespace", name)
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn", "audit")]
    run(kubectl, "label", "namespace", name, *levels)
    try:
        yield space
    finally:
        if not os.environ.get("PARLEY_E2E_KEEP"):
            space.end()
            run(kubectl, "delete", "namespace", name, "--wait=false")


def reachable() -> bool:
    """Return whether KUBECONFIG names a cluster that answers."""
    if not os.environ.get("KUBECONFIG"):
        return False
    command = [tool("kubectl"), "get", "--raw", "/readyz", "--request-timeout", "5s"]
    return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
