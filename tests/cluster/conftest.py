"""The cluster, an installed release, and the table of results."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cluster.kubernetes import Namespace, namespace, reachable, run, tool
from tests.cluster.release import IMAGES, SAMPLE, Release
from tests.support.sounds import wav

RESULTS = Path(__file__).parents[2] / "docs" / "kubernetes.md"
# Jobs of a known length: this engine only waits, so the tests measure Kubernetes and not the engine.
SLOW = "parley_worker.engines.scripted:scripted_engine"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that lose a node last, since the node does not come back."""
    items.sort(key=lambda item: item.path.stem == "test_node_loss")


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    if not reachable():
        pytest.skip("KUBECONFIG names no cluster that answers")
    assert IMAGES.exists(), "build the images first: make images"


class Results:
    """Measurements as rows of (case, wanted, measured). A run of all files replaces the table."""

    def __init__(self, complete: bool) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self._complete = complete

    def add(self, case: str, wanted: str, measured: str) -> None:
        self.rows.append((case, wanted, measured))

    def write(self, file: Path) -> None:
        kept = {} if self._complete else {row[0]: row for row in read_rows(file)}
        kept |= {row[0]: row for row in self.rows}
        lines = ["| case | wanted | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in kept.values())]
        text = file.read_text() if file.exists() else HEAD
        head, _, rest = text.partition("<!-- results -->")
        _, _, tail = rest.partition("<!-- end -->")
        stamp = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"
        file.write_text(f"{head}<!-- results -->\nLast run: {stamp}.\n\n" + "\n".join(lines) + f"\n<!-- end -->{tail}")


HEAD = """# Parley on Kubernetes

What `make e2e` measured on a real cluster. A run of all its files replaces the table.

<!-- results --><!-- end -->
"""


def read_rows(file: Path) -> list[tuple[str, str, str]]:
    """Return the rows of an earlier run."""
    if not file.exists():
        return []
    _, _, ours = file.read_text().partition("<!-- results -->")
    lines = [line for line in ours.partition("<!-- end -->")[0].splitlines() if line.startswith("| ")][1:]
    return [(cells[0], cells[1], cells[2]) for cells in ([c.strip() for c in line[1:-1].split("|")] for line in lines)]


def machine() -> str:
    version = run(tool("kubectl"), "version", "--output", "json")
    server = version.split('"serverVersion"', 1)[1].split('"gitVersion": "', 1)[1].split('"', 1)[0]
    helm = subprocess.run([tool("helm"), "version", "--short"], capture_output=True, text=True, check=True).stdout
    nodes = run(tool("kubectl"), "get", "nodes", "--output", "name").count("node/")
    tools = f"Kubernetes {server}, Helm {helm.strip().split('+')[0]}"
    return f"{tools}, {nodes} node(s), {os.cpu_count()} cores, {platform.machine()}"


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    files = {item.path for item in request.session.items}
    collected = Results(complete=files == set(Path(__file__).parent.glob("test_*.py")))
    yield collected
    if collected.rows:
        collected.write(RESULTS)


@pytest.fixture(scope="session")
def sample() -> bytes:
    """The conversation in the package of the client."""
    return SAMPLE.read_bytes()


@pytest.fixture(scope="session")
def short() -> bytes:
    return wav(2.0)


@pytest.fixture(scope="module")
def space(request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A new restricted namespace, named after the test file."""
    name = request.module.__name__.rpartition(".test_")[2].replace("_", "-")
    with namespace(f"e2e-{name}") as made:
        yield made


@pytest.fixture(scope="module")
def release(space: Namespace) -> Release:
    return Release(space, "main")
