"""The chart as Helm renders it: `render(values)` returns the objects, `refusal(values)` the error message."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "parley"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
KUBERNETES = "1.36"
KEDA, PROMETHEUS = "keda.sh/v1alpha1", "monitoring.coreos.com/v1"


def tool(name: str) -> str:
    """Return a program of the PATH. Where there is none, the test fails in CI and is skipped elsewhere."""
    found = shutil.which(name)
    if found is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"{name} is not on PATH: `make chart-tools` installs it, and `make chart` finds it")
    return found


@cache
def helm() -> str:
    """Return the helm binary of the PATH."""
    return tool("helm")


@cache
def helm_of(major: str) -> str:
    """Return a helm of this major version: `helm3` or `helm4` of the PATH, or `helm` where that is the one."""
    for name in ("helm", f"helm{major}"):
        path = tool(name)
        command = [path, "version", "--short"]
        if subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(f"v{major}."):
            return path
    raise AssertionError(f"helm{major} on PATH is another version of Helm")


def run(values: Manifest | None, apis: tuple[str, ...], binary: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [binary or helm(), "template", "release", str(CHART), "--namespace", "space", "--values", "-"]
    command += ["--kube-version", KUBERNETES]  # else each Helm takes the version that it was built with
    for api in apis:
        command += ["--api-versions", api]
    return subprocess.run(command, input=yaml.safe_dump(values or {}), capture_output=True, text=True, check=False)


class Rendered:
    """The objects of one `helm template`."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def of(self, kind: str, component: str | None = None) -> list[Manifest]:
        """Return the objects of a kind, and of a component if one is given."""
        return [
            manifest
            for manifest in self.manifests
            if manifest["kind"] == kind
            and component in (None, manifest["metadata"].get("labels", {}).get("app.kubernetes.io/component"))
        ]

    def one(self, kind: str, name: str) -> Manifest:
        """Return the object of this kind whose name is that of the release with this suffix."""
        wanted = f"release-parley{name}"
        (found,) = [m for m in self.manifests if (m["kind"], m["metadata"]["name"]) == (kind, wanted)]
        return found

    def pods(self) -> dict[str, Manifest]:
        """Return every pod spec by the name of its Deployment, StatefulSet, Job or Pod."""
        found = {}
        for manifest in self.manifests:
            if manifest["kind"] in {"Deployment", "StatefulSet", "Job"}:
                found[manifest["metadata"]["name"]] = manifest["spec"]["template"]["spec"]
            elif manifest["kind"] == "Pod":
                found[manifest["metadata"]["name"]] = manifest["spec"]
        return found


def render(values: Manifest | None = None, *apis: str, binary: str | None = None) -> Rendered:
    """Return the objects of a release called `release` in the namespace `space`."""
    answer = run(values, apis, binary)
    assert answer.returncode == 0, answer.stderr
    return Rendered([manifest for manifest in yaml.safe_load_all(answer.stdout) if manifest])


def refusal(values: Manifest, *apis: str) -> str:
    """Return the error message of Helm, which must refuse these values."""
    answer = run(values, apis)
    assert answer.returncode != 0, "the chart accepted values that cannot work"
    return answer.stderr


def environment(pod: Manifest) -> dict[str, Any]:
    """Return the environment of the first container: values, or their sources."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in pod["containers"][0]["env"]}
