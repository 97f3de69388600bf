"""`make images`: build the images, print their sizes, and write an SBOM (CycloneDX) beside each into build/images.

Uses docker where its daemon answers, else the program that PARLEY_IMAGE_BUILDER names: `PROGRAM build NAME:TAG CONTEXT
[FLAGS]` and `PROGRAM buildah images --json NAME:TAG`. Such a program has no registry to pull from, so stand-ins for the
two upstream images that the chart names are built too.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "images"
VERSION = "0.1.0"
VERSITYGW = "v1.8.0"
IMAGE_PYTHON = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its Dockerfile, the lock file of its packages, and the services in it."""

    name: str
    dockerfile: str
    lock: str
    members: tuple[str, ...]
    arguments: tuple[str, ...] = ()


def images(engine: str) -> tuple[Image, Image]:
    """Return the image of the API and that of the worker with this engine."""
    suffix, lock = ("", "worker") if engine == "onnx" else (f"-{engine}", f"worker-{engine}")
    return (
        Image("parley-api", "Dockerfile.api", "cluster", ("core", "audio", "api", "keeper", "client")),
        Image(f"parley-worker{suffix}", "Dockerfile.worker", lock, ("core", "audio", "worker"), (f"ENGINE={engine}",)),
    )


@cache
def has_docker() -> bool:
    """Return whether docker is installed and its daemon answers."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def builder() -> list[str]:
    """Return the command that builds an image, up to the name of the image."""
    if has_docker():
        return ["docker", "build", "--tag"]
    if other := os.environ.get("PARLEY_IMAGE_BUILDER"):
        return [other, "build"]
    raise SystemExit("Nothing here can build images: install docker and start its daemon.")


def build(image: Image) -> str:
    """Build one image; return its name and tag."""
    command, local = builder(), not has_docker()
    tag = f"{'localhost/' if local else ''}{image.name}:{VERSION}"
    flags = ["--file", str(ROOT / image.dockerfile), "--build-arg", f"VERSION={VERSION}"]
    flags += ["--build-arg", f"REVISION={revision()}"]
    for argument in image.arguments:
        flags += ["--build-arg", argument]
    context = str(ROOT)
    subprocess.run([*command, tag, *([context, *flags] if local else [*flags, context])], check=True, cwd=ROOT)
    return tag


def build_stand_ins() -> list[str]:
    """Build replacements of the upstream images of Valkey and versitygw; return their names and tags."""
    server = shutil.which("versitygw")
    if server is None:
        raise SystemExit("versitygw is not on PATH: `make chart-tools` installs it.")
    tags = ["localhost/valkey/valkey:9.1-alpine", f"localhost/versity/versitygw:{VERSITYGW}"]
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(server, Path(context) / "versitygw")
        for tag, name in zip(tags, ("redis", "objects"), strict=True):
            file = str(ROOT / "k8s" / "images" / f"Dockerfile.{name}")
            subprocess.run([*builder(), tag, context, "--file", file], check=True)
    return tags


def revision() -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def size(tag: str) -> int:
    """Return the size of an image in bytes."""
    if has_docker():
        said = subprocess.run(
            ["docker", "image", "inspect", tag, "--format", "{{.Size}}"], capture_output=True, text=True, check=True
        )
        return int(said.stdout)
    command = [os.environ["PARLEY_IMAGE_BUILDER"], "buildah", "images", "--json", tag]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return parse_size(json.loads(said.stdout)[0]["size"])


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `796 MB`."""
    number, unit = text.split()
    return int(float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit.upper()])


def locked(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Yield every package that a lock file installs into the image, with its SHA-256 hashes."""
    environment = IMAGE_PYTHON | {"platform_machine": platform.machine(), "implementation_name": "cpython"}
    for entry in lock.read_text().replace("\\\n", " ").splitlines():
        words = entry.split("--hash=sha256:")
        if not words[0].strip():
            continue
        requirement = Requirement(words[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement, [word.strip() for word in words[1:]]


def sbom(image: Image) -> dict[str, Any]:
    """Return the packages in the image, without those of its base, as CycloneDX 1.6."""
    components = [
        {
            "type": "library",
            "name": requirement.name,
            "version": (version := next(iter(requirement.specifier)).version),
            "purl": f"pkg:pypi/{requirement.name.lower()}@{version}",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
        }
        for requirement, hashes in locked(ROOT / "requirements" / f"{image.lock}.txt")
    ]
    ours = [{"type": "library", "name": f"parley-{member}", "version": VERSION} for member in image.members]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image.name, "version": VERSION}},
        "components": components + ours,
    }


def main(engine: str) -> None:
    """Build both images, the worker with this engine."""
    BUILT.mkdir(parents=True, exist_ok=True)
    rows = []
    for image in images(engine):
        tag = build(image)
        (BUILT / f"{image.name}.cdx.json").write_text(json.dumps(sbom(image), indent=1) + "\n")
        rows.append((tag, size(tag)))
    if not has_docker():
        rows += [(tag, size(tag)) for tag in build_stand_ins()]
    for tag, bytes_ in rows:
        print(f"{tag:40} {bytes_ / 1e6:7.0f} MB")
    print(f"SBOMs: {BUILT.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "onnx")
