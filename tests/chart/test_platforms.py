"""Platforms beside the plain one: charts rendered without a cluster (Argo CD, `helm template`), and OpenShift."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chart.rendering import ROOT, Manifest, render

OWN_SECRETS: Manifest = {
    "redis": {"existingSecret": "parley-redis"},
    "objects": {"embedded": {"existingSecret": "parley-objects"}},
    "api": {"existingKeysSecret": "parley-api-keys"},
    "flower": {"existingSecret": "parley-flower"},
}


@pytest.mark.parametrize("mode", ["single", "sentinel"])
def test_with_secrets_of_ones_own_every_render_is_the_same(mode: str) -> None:
    values = OWN_SECRETS | {"redis": {"existingSecret": "parley-redis", "mode": mode}}
    first, second = render(values), render(values)
    assert first.manifests == second.manifests
    assert not first.of("Secret")


USER = ("runAsUser", "runAsGroup", "fsGroup")


def users(values: Manifest, *apis: str) -> set[tuple[int | None, ...]]:
    """Return what pods ask for, each combination once."""
    pods = render(values, *apis).pods().values()
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in pods)
    assert not any(
        "runAsUser" in container.get("securityContext", {}) for pod in pods for container in pod["containers"]
    )
    return {tuple(pod["securityContext"].get(name) for name in USER) for pod in pods}


def test_pods_run_as_the_user_of_the_values_and_on_openshift_as_that_of_the_namespace() -> None:
    assert users({}) == {(10001, 10001, 10001)}
    assert users({"userId": 1000650000}) == {(1000650000, 1000650000, 1000650000)}
    assert users({"userId": 0}) == users({}, "security.openshift.io/v1") == {(None, None, None)}


def test_the_page_of_platforms_makes_every_secret_that_the_chart_would_make() -> None:
    page = (ROOT / "docs/how-to/install-on-your-platform.md").read_text()
    made = re.search(r"for role in (.+?);", page)
    assert made
    roles = {f"{role}-password" for role in made[1].split()}
    secrets = {
        one["metadata"]["name"]: one["stringData"] for one in render({"redis": {"mode": "sentinel"}}).of("Secret")
    }
    assert roles == set(secrets.pop("release-parley-redis"))
    prefixes = re.search(r"parley-objects \$\(for role in (.+?);", page)
    assert prefixes
    names = [prefix.strip('"') for prefix in prefixes[1].split()]
    keys = {f"{name}{part}" for name in names for part in ("access-key", "secret-key")}
    assert keys == set(secrets.pop("release-parley-objects"))
    for name, entries in secrets.items():
        assert name.removeprefix("release-") in page
        assert all(f"--from-literal={entry}=" in page for entry in entries)


def test_the_folders_for_a_versitygw_of_ones_own_are_those_of_the_chart() -> None:
    (pod,) = [one for name, one in render().pods().items() if name.endswith("-objects")]
    (command,) = [one["command"] for one in pod["initContainers"] if one["command"][0] == "mkdir"]
    made = {str(Path(folder).parent).removeprefix("/data/parley/") for folder in command if folder.endswith("/.kept")}
    sentence = re.search(
        r"a folder `\.kept` in each of (.+?)\. No listing", (ROOT / "docs/kubernetes.md").read_text(), re.DOTALL
    )
    assert sentence
    assert set(re.findall(r"`([\w/]+)`", sentence[1])) == made
