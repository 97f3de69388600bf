"""Put Parley into a cluster and look after it: `python -m k8s.deploy VERB`.

Works on whatever KUBECONFIG names. An upgrade shows what changes, waits until it is ready and takes itself back when it
does not get there. An uninstall keeps the data unless it is told to delete it.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from pyhelm3 import Client, Command, errors
from urllib3.exceptions import HTTPError

from k8s.preflight import Finding, Verdict, has_api, preflight

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "parley"
VALUES = ROOT / "k8s" / "values"
WORKERS = ",app.kubernetes.io/component=worker"
UNITS = {"h": 3600, "m": 60, "s": 1}
MARKS = {Verdict.OK: "  ok", Verdict.NOTE: "note", Verdict.MISSING: "MISSING"}


def read_values(names: list[str]) -> dict[str, Any]:
    """Return values files merged as Helm merges them, the later before the earlier.

    Args:
        names: files, or names of those in k8s/values.
    """
    read: dict[str, Any] = {}
    for name in names:
        read = merged(read, yaml.safe_load(values_file(name).read_text()) or {})
    return read


def values_file(name: str) -> Path:
    """Return where these values are; end with a sentence when they are nowhere."""
    file = Path(name) if Path(name).exists() else VALUES / f"{name}.yaml"
    if not file.exists():
        known = ", ".join(sorted(found.stem for found in VALUES.glob("*.yaml")))
        raise SystemExit(f"There is no values file {name}; in k8s/values are {known}.")
    return file


def merged(older: Any, newer: Any) -> Any:
    """Return `newer` over `older`: keys are merged, lists and all else replaced."""
    if not (isinstance(older, dict) and isinstance(newer, dict)):
        return newer
    return older | {key: merged(older.get(key), value) for key, value in newer.items()}


def show(findings: list[Finding]) -> bool:
    """Print findings; say whether an installation can work."""
    for finding in findings:
        print(f"{MARKS[finding.verdict]:>8}  {finding.what}: {finding.detail}")
    return all(finding.verdict is not Verdict.MISSING for finding in findings)


class Deployment:
    """One release in one namespace."""

    def __init__(self, release: str, namespace: str, values: dict[str, Any], timeout: str) -> None:
        self._release, self._namespace = release, namespace
        self._values, self._timeout = values, timeout
        self._command = Command(default_timeout=timeout)
        self._helm = Client(self._command)

    def preflight(self) -> bool:
        return show(preflight(self._values, self._namespace))

    async def install(self) -> bool:
        """Install or upgrade, wait until everything is ready, and take it back when it does not get there."""
        if not self.preflight():
            print("Nothing was installed: see what is missing above.")
            return False
        chart = await self._helm.get_chart(CHART)
        revision = await self._helm.install_or_upgrade_release(
            self._release,
            chart,
            self._values,
            namespace=self._namespace,
            create_namespace=True,
            rollback_on_failure=True,
            wait=True,
            timeout=self._timeout,
        )
        print(f"{self._release} is at revision {revision.revision} ({revision.status.value}).")
        return True

    async def upgrade(self) -> bool:
        """Show what would change, then install."""
        print("\n".join(await self.changes()) or "Nothing changes.")
        return await self.install()

    async def changes(self) -> list[str]:
        """Return a unified diff of the objects; what Secrets hold is not in it."""
        before = await self._command.get_resources(self._release, namespace=self._namespace)
        return list(difflib.unified_diff(as_lines(before), as_lines(await self._planned()), "now", "then", lineterm=""))

    async def _planned(self) -> list[dict[str, Any]]:
        words = ["upgrade", self._release, str(CHART), "--namespace", self._namespace]
        words += ["--dry-run=server", "--output", "json", "--values", "-"]
        said = await self._command.run(words, json.dumps(self._values).encode())
        return [found for found in yaml.safe_load_all(json.loads(said)["manifest"]) if found]

    async def rollback(self, revision: int | None) -> bool:
        await self._command.rollback(
            self._release, revision, namespace=self._namespace, wait=True, timeout=self._timeout
        )
        return await self.status()

    async def status(self) -> bool:
        """Print the release and its pods; say whether every pod is ready."""
        revision = await self._helm.get_current_revision(self._release, namespace=self._namespace)
        print(
            f"{self._release}: revision {revision.revision}, {revision.status.value}, {revision.updated:%Y-%m-%d %H:%M}"
        )
        pods = [pod for pod in self._pods() if pod.metadata.labels["app.kubernetes.io/component"] != "test"]
        for pod in pods:
            print(f"  {pod.metadata.name:50} {pod.status.phase:10} {'ready' if is_ready(pod) else 'not ready'}")
        return all(is_ready(pod) for pod in pods)

    def _pods(self, selector: str = "") -> list[Any]:
        mine = f"app.kubernetes.io/instance={self._release}{selector}"
        return list(client.CoreV1Api().list_namespaced_pod(self._namespace, label_selector=mine).items)

    def _drain(self) -> bool:
        """Say whether all workers left in time. With Redis gone too, they would wait for it for hours."""
        mine = f"app.kubernetes.io/instance={self._release}{WORKERS}"
        if has_api("keda.sh"):  # else it would start them again
            client.CustomObjectsApi().delete_collection_namespaced_custom_object(
                "keda.sh", "v1alpha1", self._namespace, "scaledobjects", label_selector=mine
            )
        apps = client.AppsV1Api()
        for worker in apps.list_namespaced_deployment(self._namespace, label_selector=mine).items:
            nobody = {"spec": {"replicas": 0}}
            apps.patch_namespaced_deployment_scale(worker.metadata.name, self._namespace, nobody)
        deadline = time.monotonic() + seconds_of(self._timeout)
        while self._pods(WORKERS) and time.monotonic() < deadline:
            time.sleep(1)
        return not self._pods(WORKERS)

    async def uninstall(self, delete_data: bool) -> bool:
        """Let the workers finish, then remove the release; recordings and record stay in their claims unless told."""
        if not self._drain():
            print("Workers still finish their jobs, and start no more. Nothing was removed: run it again later.")
            return False
        await self._command.uninstall(self._release, namespace=self._namespace, wait=True, timeout=self._timeout)
        selector = f"app.kubernetes.io/instance={self._release}"
        core = client.CoreV1Api()
        claims = core.list_namespaced_persistent_volume_claim(self._namespace, label_selector=selector).items
        for claim in claims:
            if delete_data:
                core.delete_namespaced_persistent_volume_claim(claim.metadata.name, self._namespace)
            print(f"{claim.metadata.name}: {'deleted' if delete_data else 'kept (--delete-data removes it)'}")
        return True


def seconds_of(duration: str) -> int:
    """Return 90 of `1m30s`. Raises ValueError for what helm would not take either."""
    if not re.fullmatch(r"(\d+[hms])+", duration):
        raise ValueError(f"{duration!r} is no duration such as 10m or 1h30m")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def duration(text: str) -> str:
    """Return it as it is, for argparse, once it can be read."""
    seconds_of(text)
    return text


def as_lines(resources: Any) -> list[str]:
    """Return objects as lines of YAML in a fixed order, without what Secrets hold."""
    shown = []
    for found in resources:
        hidden = {"data", "stringData"} if found["kind"] == "Secret" else set()
        shown.append({key: value for key, value in found.items() if key not in hidden})
    ordered = sorted(shown, key=lambda found: (found["kind"], found["metadata"]["name"]))
    return yaml.safe_dump_all(ordered).splitlines()


def is_ready(pod: Any) -> bool:
    """Say whether a pod takes part in the service."""
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions or [])


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m k8s.deploy", description=__doc__)
    parser.add_argument("verb", choices=["preflight", "install", "upgrade", "rollback", "status", "uninstall"])
    parser.add_argument("--release", default="parley")
    parser.add_argument("--namespace", default="parley")
    parser.add_argument(
        "--values", action="append", default=[], help="a file, or dev, single-node, production, air-gapped"
    )
    parser.add_argument("--timeout", type=duration, default="10m", help="how long to wait until all is ready, or gone")
    parser.add_argument("--revision", type=int, help="rollback: to this one instead of the one before")
    parser.add_argument("--delete-data", action="store_true", help="uninstall: recordings and record too")
    return parser


async def run(asked: argparse.Namespace) -> bool:
    values = read_values(asked.values)
    config.load_config()
    deployment = Deployment(asked.release, asked.namespace, values, asked.timeout)
    if asked.verb == "preflight":
        return deployment.preflight()
    if asked.verb == "rollback":
        return await deployment.rollback(asked.revision)
    if asked.verb == "uninstall":
        return await deployment.uninstall(asked.delete_data)
    done: bool = await {"install": deployment.install, "upgrade": deployment.upgrade, "status": deployment.status}[
        asked.verb
    ]()
    return done


def main() -> int:
    """Return the exit status: 1 when the cluster said no."""
    asked = arguments().parse_args()
    if shutil.which("helm") is None:
        print("Helm is not on PATH: https://helm.sh/docs/intro/install", file=sys.stderr)
        return 1
    try:
        return 0 if asyncio.run(run(asked)) else 1
    except errors.Error as error:
        print(error.stderr.decode().strip(), file=sys.stderr)
    except ConfigException as error:
        print(f"There is no cluster to talk to: set KUBECONFIG ({error}).", file=sys.stderr)
    except HTTPError as error:
        print(f"The cluster of KUBECONFIG does not answer: {error}", file=sys.stderr)
    except ApiException as error:
        print(f"The cluster refused: {error.status} {error.reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
