"""The README of the chart has every value with its default and its meaning."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.chart.rendering import CHART, VALUES, tool

ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| `(?P<default>[^`]+)` \| (?P<meaning>.*) \|$", re.MULTILINE)
README = (CHART / "README.md").read_text()
OF_A_POD = {  # described once, above the table
    "nodeSelector",
    "affinity",
    "tolerations",
    "priorityClassName",
    "podLabels",
    "podAnnotations",
    "extraEnv",
    "extraVolumes",
    "extraVolumeMounts",
}


def rows() -> dict[str, tuple[Any, str]]:
    """Return default and meaning by key, from the table."""
    return {row["key"]: (json.loads(row["default"]), row["meaning"].strip()) for row in ROW.finditer(README)}


def leaves(values: Any, path: str = "") -> Iterator[str]:
    if not isinstance(values, dict) or not values:
        yield path
        return
    for key, value in values.items():
        yield from leaves(value, f"{path}.{key}".lstrip("."))


def test_every_value_has_a_row_with_its_default_and_a_meaning() -> None:
    for leaf in leaves(VALUES):
        parts = leaf.split(".")
        described = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        assert parts[-1] in OF_A_POD or set(described) & rows().keys(), leaf
    for key, (default, meaning) in rows().items():
        found: Any = VALUES
        for part in key.split("."):
            found = found[part]
        assert found == default, key
        assert meaning, key


def test_the_settings_of_every_pod_are_described_above_the_table() -> None:
    head = README.partition("## Values")[0]
    assert all(f"`{key}`" in head for key in OF_A_POD)


def test_it_is_the_output_of_helm_docs() -> None:
    command = [
        tool("helm-docs"),
        "--dry-run",
        "--sort-values-order",
        "file",
        "--skip-version-footer",
        "--log-level",
        "warning",
    ]
    made = subprocess.run(command, cwd=CHART, capture_output=True, text=True, check=True).stdout
    assert made.strip() == README.strip(), "run: make chart-readme"
