"""Images have the right names, and their bills of materials list what is installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from k8s import images
from tests.chart.rendering import CHART, render

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile.api", "Dockerfile.worker")
ARITHMETIC = "services/worker/parley_worker/engines/onnx/arithmetic"
MEMBERS = {member for image in images.images("onnx") for member in image.members}


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
    wanted = {
        container["image"]
        for part in ("redis", "objects")
        for container in pods[f"release-parley-{part}"]["containers"]
    } | {"localhost/valkey/valkey:8.0-tls"}
    for name, text in (("versitygw", "#!/bin/sh\n"), ("build", f'#!/bin/sh\necho "$1" >> {tmp_path}/built\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(images, "builder", lambda: ["build"])
    assert set(images.build_stand_ins()) == wanted
    assert set((tmp_path / "built").read_text().split()) == wanted


def test_the_tag_moves_with_the_files_of_the_image_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api, worker = images.images("onnx")
    for name in images.files_of(
        [".gitignore", *DOCKERFILES, "requirements", *(f"services/{member}" for member in MEMBERS)]
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    before = (api.tag, worker.tag)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    assert (api.tag, worker.tag) == before
    assert re.fullmatch(rf"{images.VERSION}-[0-9a-f]{{12}}", api.tag)
    (tmp_path / "README.md").write_text("Not in an image.\n")
    (tmp_path / ARITHMETIC / "arithmetic-avx2.so").write_text("Compiled here, and again in the image.\n")
    assert (api.tag, worker.tag) == before
    (tmp_path / "services/worker/parley_worker/new.py").write_text("")
    assert api.tag == before[0]
    assert worker.tag != before[1]


def test_the_image_of_the_worker_has_the_arithmetic_and_no_compiler() -> None:
    _, build, image = re.split(r"^FROM ", (ROOT / "Dockerfile.worker").read_text(), flags=re.MULTILINE)
    assert "gcc libc6-dev" in build
    assert "PARLEY_ARITHMETIC=required" in build
    assert "apt-get" not in image
    assert "**/*.so" in (ROOT / ".dockerignore").read_text().splitlines()  # the image compiles its own


@pytest.mark.parametrize(("docker", "repository"), [(True, "registry.example/team/parley-api"), (False, "parley-api")])
def test_the_values_of_a_build_name_its_images(monkeypatch: pytest.MonkeyPatch, docker: bool, repository: str) -> None:
    monkeypatch.setattr(images, "has_docker", lambda: docker)
    values = images.helm_values("onnx", "registry.example/team")
    api, worker = images.images("onnx")
    assert values["images"]["api"] == {"repository": repository, "tag": api.tag}
    pods = render(values).pods()
    assert pods["release-parley-api"]["containers"][0]["image"] == f"registry.example/team/parley-api:{api.tag}"
    assert pods["release-parley-worker-batch"]["containers"][0]["image"].endswith(f"/parley-worker:{worker.tag}")
    redis = pods["release-parley-redis"]["containers"][0]["image"]
    assert redis.startswith("registry.example/team/") is not docker  # the replacements are in the same registry


def test_the_images_have_the_version_of_the_chart() -> None:
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
