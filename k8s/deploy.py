"""Install, upgrade and remove Parley in a cluster: `python -m k8s.deploy VERB`.

Works on the cluster of KUBECONFIG. An upgrade prints what changes, waits until all pods are ready, and rolls back if
they do not become ready. An uninstall keeps volumes and Secrets unless --delete-data is given.
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

from k8s import volumes
from k8s.preflight import Finding, Verdict, has_api, preflight

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "parley"
VALUES = ROOT / "k8s" / "values"
WORKERS = ",app.kubernetes.io/component=worker"
UNITS = {"h": 3600, "m": 60, "s": 1}
MARKS = {Verdict.OK: "  ok", Verdict.NOTE: "note", Verdict.MISSING: "MISSING"}


def read_values(names: list[str]) -> dict[str, Any]:
    """Return values files merged as Helm merges them. Later files override earlier ones.

    Args:
        names: files, or names of those in k8s/values.
    """
    read: dict[str, Any] = {}
    for name in names:
        read = merged(read, yaml.safe_load(values_file(name).read_text()) or {})
    return read


def values_file(name: str) -> Path:
    """Return the path of a values file. Exits with a message if there is none."""
    file = Path(name) if Path(name).exists() else VALUES / f"{name}.yaml"
    if not file.exists():
        known = ", ".join(sorted(found.stem for found in VALUES.glob("*.yaml")))
        raise SystemExit(f"There is no values file {name}. k8s/values has {known}.")
    return file


def merged(older: Any, newer: Any) -> Any:
    """Return `newer` over `older`: keys are merged, lists and all else replaced."""
    if not (isinstance(older, dict) and isinstance(newer, dict)):
        return newer
    return older | {key: merged(older.get(key), value) for key, value in newer.items()}


def show(findings: list[Finding]) -> bool:
    """Print findings; return whether an installation can work."""
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
        """Install or upgrade, wait until all pods are ready, and roll back if they do not become ready."""
        return self._prepare() and await self._apply()

    async def upgrade(self) -> bool:
        """Print what changes, then install."""
        if not self._prepare():
            return False
        print("\n".join(await self.changes()) or "Nothing changes.")
        return await self._apply()

    def _prepare(self) -> bool:
        """Check the cluster and enlarge the volumes. Return whether the installation can go on."""
        if not self.preflight():
            print("Nothing was installed: see MISSING above.")
            return False
        defaults = yaml.safe_load((CHART / "values.yaml").read_text())
        for growth in volumes.growths(merged(defaults, self._values), self._release, self._namespace):
            print(growth)
            volumes.grow(growth, self._namespace)
        return True

    async def _apply(self) -> bool:
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

    async def changes(self) -> list[str]:
        """Return a unified diff of the objects, without the contents of Secrets."""
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
        """Print the release and its pods; return whether every pod is ready."""
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
        """Scale workers to zero, since they would wait for hours without Redis. Return whether all ended in time."""
        mine = f"app.kubernetes.io/instance={self._release}{WORKERS}"
        if has_api("keda.sh"):  # KEDA would start them again
            client.CustomObjectsApi().delete_collection_namespaced_custom_object(
                "keda.sh", "v1alpha1", self._namespace, "scaledobjects", label_selector=mine
            )
        apps = client.AppsV1Api()
        for worker in apps.list_namespaced_deployment(self._namespace, label_selector=mine).items:
            none = {"spec": {"replicas": 0}}
            apps.patch_namespaced_deployment_scale(worker.metadata.name, self._namespace, none)
        deadline = time.monotonic() + seconds_of(self._timeout)
        while self._pods(WORKERS) and time.monotonic() < deadline:
            time.sleep(1)
        return not self._pods(WORKERS)

    async def uninstall(self, delete_data: bool) -> bool:
        """Let the workers finish, then remove the release. Volumes and Secrets stay, unless `delete_data`."""
        if not self._drain():
            print("Workers are still finishing their jobs. Nothing was removed: run this again later.")
            return False
        await self._command.uninstall(self._release, namespace=self._namespace, wait=True, timeout=self._timeout)
        self._handle_kept("persistent_volume_claim", delete_data)
        self._handle_kept("secret", delete_data)
        return True

    def _handle_kept(self, kind: str, delete: bool) -> None:
        """Print what the uninstall has kept of a kind, and delete it if `delete`."""
        core, mine = client.CoreV1Api(), f"app.kubernetes.io/instance={self._release}"
        for kept in getattr(core, f"list_namespaced_{kind}")(self._namespace, label_selector=mine).items:
            if delete:
                getattr(core, f"delete_namespaced_{kind}")(kept.metadata.name, self._namespace)
            outcome = "deleted" if delete else "kept (--delete-data deletes it)"
            print(f"{kind.replace('_', ' ')} {kept.metadata.name}: {outcome}")


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration such as `1m30s`. Raises ValueError if helm would refuse it."""
    if not re.fullmatch(r"(\d+[hms])+", duration):
        raise ValueError(f"{duration!r} is not a duration such as 10m or 1h30m")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def duration(text: str) -> str:
    """Return a valid duration unchanged, for argparse."""
    seconds_of(text)
    return text


def as_lines(resources: Any) -> list[str]:
    """Return objects as lines of YAML in a fixed order, without the contents of Secrets."""
    shown = []
    for found in resources:
        hidden = {"data", "stringData"} if found["kind"] == "Secret" else set()
        shown.append({key: value for key, value in found.items() if key not in hidden})
    ordered = sorted(shown, key=lambda found: (found["kind"], found["metadata"]["name"]))
    return yaml.safe_dump_all(ordered).splitlines()


def is_ready(pod: Any) -> bool:
    """Return whether a pod is ready."""
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions or [])


def reason_of(error: ApiException) -> str:
    """Return the message of the API server, else the HTTP status."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m k8s.deploy", description=__doc__)
    parser.add_argument("verb", choices=["preflight", "install", "upgrade", "rollback", "status", "uninstall"])
    parser.add_argument("--release", default="parley")
    parser.add_argument("--namespace", default="parley")
    parser.add_argument(
        "--values", action="append", default=[], help="a file, or dev, single-node, production, air-gapped"
    )
    parser.add_argument("--timeout", type=duration, default="10m", help="maximum wait for all pods")
    parser.add_argument("--revision", type=int, help="rollback: to this revision instead of the previous one")
    parser.add_argument("--delete-data", action="store_true", help="uninstall: delete volumes and Secrets too")
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
    """Return the exit status: 1 if the cluster refused or is not reachable."""
    asked = arguments().parse_args()
    if shutil.which("helm") is None:
        print("Helm is not on PATH: https://helm.sh/docs/intro/install", file=sys.stderr)
        return 1
    try:
        return 0 if asyncio.run(run(asked)) else 1
    except errors.Error as error:
        print(error.stderr.decode().strip(), file=sys.stderr)
    except ConfigException as error:
        print(f"No cluster is configured: set KUBECONFIG ({error}).", file=sys.stderr)
    except HTTPError as error:
        print(f"The cluster of KUBECONFIG does not answer: {error}", file=sys.stderr)
    except ApiException as error:
        print(f"The cluster refused: {reason_of(error)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
