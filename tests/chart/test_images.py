"""Images have the right names, and their bills of materials list what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from k8s import images
from tests.chart.rendering import CHART, render

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A docker command first on PATH; the test writes its script."""
    images.has_docker.cache_clear()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    yield tmp_path / "docker"
    images.has_docker.cache_clear()


@pytest.mark.parametrize(("status", "found"), [(0, True), (1, False)])
def test_docker_without_its_daemon_does_not_count(docker: Path, status: int, found: bool) -> None:
    docker.write_text(f"#!/bin/sh\nexit {status}\n")
    docker.chmod(0o755)
    assert images.has_docker() is found


def test_replacement_images_have_the_names_in_the_chart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pods = render({"images": {"registry": "localhost"}}).pods()
    wanted = {pods[f"release-parley-{part}"]["containers"][0]["image"] for part in ("redis", "objects")}
    for name, text in (("versitygw", "#!/bin/sh\n"), ("build", f'#!/bin/sh\necho "$1" >> {tmp_path}/built\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(images, "builder", lambda: ["build"])
    assert set(images.build_stand_ins()) == wanted
    assert set((tmp_path / "built").read_text().split()) == wanted


def test_our_images_have_the_versions_of_the_chart() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == images.VERSION
    repositories = yaml.safe_load((CHART / "values.yaml").read_text())["images"]
    api, worker = images.images("onnx")
    assert (api.name, worker.name) == (repositories["api"]["repository"], repositories["worker"]["repository"])
    assert images.images("pyannote")[1].name == "parley-worker-pyannote"


def test_a_bill_of_materials_lists_the_packages_of_the_lock() -> None:
    for image in images.images("onnx"):
        bill = images.sbom(image)
        named = {component["name"]: component for component in bill["components"]}
        assert {"redis", "celery", "parley-core"} <= named.keys()
        assert all(component["hashes"] for name, component in named.items() if not name.startswith("parley-"))
        assert named["celery"]["purl"] == f"pkg:pypi/celery@{named['celery']['version']}"
    assert "torch" not in {component["name"] for component in bill["components"]}


def test_a_package_for_another_system_is_left_out(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "here==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "there==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n"
    )
    ((requirement, hashes),) = images.locked(lock)
    assert (requirement.name, hashes) == ("here", ["aa", "bb"])


def test_sizes_are_parsed() -> None:
    assert [images.parse_size(text) for text in ("796 MB", "53.2 MB", "1.2 GB")] == [796e6, 53.2e6, 1.2e9]
