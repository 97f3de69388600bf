"""Helm 3 and Helm 4 accept the chart and render the same objects."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, KEDA, PROMETHEUS, Manifest, helm_of, render
from tests.chart.test_rendered_objects import SHAPES

MAJORS = ("3", "4")
VALUES = CHART.parents[1] / "k8s" / "values"
CASES: dict[str, Manifest] = SHAPES | {file.stem: yaml.safe_load(file.read_text()) for file in VALUES.glob("*.yaml")}


def without_fresh_secrets(manifest: Manifest) -> Any:
    """Return the object without the random values of Secrets."""
    return {key: value for key, value in manifest.items() if manifest["kind"] != "Secret" or key != "stringData"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("major", MAJORS)
def test_it_lints(major: str, case: str) -> None:
    command = [helm_of(major), "lint", "--strict", str(CHART), "--values", "-"]
    done = subprocess.run(command, input=yaml.safe_dump(CASES[case]), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("case", CASES)
def test_both_render_the_same(case: str) -> None:
    rendered = [
        sorted(
            (
                without_fresh_secrets(manifest)
                for manifest in render(CASES[case], KEDA, PROMETHEUS, binary=helm_of(major))
            ),
            key=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]),
        )
        for major in MAJORS
    ]
    assert rendered[0] == rendered[1]
    assert len(rendered[0]) > 20
