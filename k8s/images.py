"""`make images`: build the images and write their SBOMs and the Helm values that name them into build/images.

The tag of an image is the version and a hash of the files that go into it, so it moves with the code and with nothing
else. `--registry R --push` names the images R/parley-api and R/parley-worker and pushes them.

Docker builds where its daemon answers, else the program in PARLEY_IMAGE_BUILDER, called as `PROGRAM build NAME:TAG
CONTEXT [FLAGS]` and `PROGRAM buildah images --json NAME:TAG`. Such a program has no registry to pull from, so
replacements of the upstream images of the chart are built too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "images"
VALUES = BUILT / "values.yaml"
VERSION = "0.1.0"
VERSITYGW = "v1.8.0"
REDIS_WITH_TLS = {"repository": "valkey/valkey", "tag": "8.0-tls"}  # the replacement of the chart's Valkey has none
IMAGE_PYTHON = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its Dockerfile, the lock file of its packages, and the services in it."""

    name: str
    dockerfile: str
    lock: str
    members: tuple[str, ...]
    arguments: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The version and a hash of the build arguments and of every file that the Dockerfile copies."""
        paths = [self.dockerfile, "requirements/bootstrap.txt", f"requirements/{self.lock}.txt"]
        paths += [f"services/{member}" for member in self.members]
        digest = hashlib.sha256("\n".join(self.arguments).encode())
        for name in files_of(paths):
            digest.update(f"\n{name}\n".encode())
            digest.update((ROOT / name).read_bytes())
        return f"{VERSION}-{digest.hexdigest()[:12]}"


def files_of(paths: Sequence[str]) -> list[str]:
    """Return the files below these paths that git tracks or could track, in order."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in set(names) if name and (ROOT / name).is_file())


def images(engine: str) -> tuple[Image, Image]:
    """Return the image of the API and that of the worker with this engine."""
    suffix, lock = ("", "worker") if engine == "onnx" else (f"-{engine}", f"worker-{engine}")
    return (
        Image("parley-api", "Dockerfile.api", "cluster", ("core", "audio", "console", "api", "keeper", "client")),
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


def build(image: Image, registry: str) -> str:
    """Build one image; return its name and tag."""
    command = builder()
    name = f"{registry}/{image.name}:{image.tag}" if registry else f"{image.name}:{image.tag}"
    flags = ["--file", str(ROOT / image.dockerfile), "--build-arg", f"VERSION={image.tag}"]
    flags += ["--build-arg", f"REVISION={revision()}"]
    for argument in image.arguments:
        flags += ["--build-arg", argument]
    words = [*flags, str(ROOT)] if has_docker() else [str(ROOT), *flags]
    subprocess.run([*command, name, *words], check=True, cwd=ROOT)
    return name


def build_stand_ins() -> list[str]:
    """Build replacements of the upstream images of Valkey, versitygw and Python; return their names and tags."""
    server = shutil.which("versitygw")
    if server is None:
        raise SystemExit("versitygw is not on PATH: `make chart-tools` installs it.")
    tags = [
        "localhost/valkey/valkey:9.1-alpine",
        f"localhost/versity/versitygw:{VERSITYGW}",
        "localhost/python:3.12-slim-bookworm",
        f"localhost/{REDIS_WITH_TLS['repository']}:{REDIS_WITH_TLS['tag']}",
    ]
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(server, Path(context) / "versitygw")
        for tag, name in zip(tags, ("redis", "objects", "flush", "redis-tls"), strict=True):
            file = str(ROOT / "k8s" / "images" / f"Dockerfile.{name}")
            subprocess.run([*builder(), tag, context, "--file", file], check=True)
    return tags


def helm_values(engine: str, registry: str) -> dict[str, Any]:
    """Return the values of the chart that name these images."""
    api, worker = images(engine)
    prefix = f"{registry}/" if registry and has_docker() else ""
    named: dict[str, Any] = {
        "api": {"repository": f"{prefix}{api.name}", "tag": api.tag},
        "worker": {"repository": f"{prefix}{worker.name}", "tag": worker.tag},
    }
    if not has_docker():
        named["registry"] = registry  # of the replacements too
    return {"images": named} | ({"workerDefaults": {"engine": engine}} if engine != "onnx" else {})


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
        "metadata": {"component": {"type": "container", "name": image.name, "version": image.tag}},
        "components": components + ours,
    }


def main() -> None:
    """Build both images, and push them if asked."""
    parser = argparse.ArgumentParser(prog="python -m k8s.images", description=__doc__)
    parser.add_argument("--engine", default="onnx", help="engine of the worker: onnx or pyannote")
    parser.add_argument("--registry", default="", help="registry and folder, as registry.example.org/team")
    parser.add_argument("--push", action="store_true", help="push the images to --registry, with docker")
    asked = parser.parse_args()
    if asked.push and not (asked.registry and has_docker()):
        parser.error("--push needs --registry and docker")
    registry = asked.registry if has_docker() else "localhost"
    BUILT.mkdir(parents=True, exist_ok=True)
    names = []
    for image in images(asked.engine):
        names.append(build(image, registry))
        (BUILT / f"{image.name}.cdx.json").write_text(json.dumps(sbom(image), indent=1) + "\n")
    VALUES.write_text(yaml.safe_dump(helm_values(asked.engine, registry)))
    for name in names if asked.push else ():
        subprocess.run(["docker", "push", name], check=True)
    if not has_docker():
        names += build_stand_ins()
    for name in names:
        print(f"{name:50} {size(name) / 1e6:7.0f} MB")
    print(f"Bills of materials are in {BUILT.relative_to(ROOT)}.")
    print(f"The values that name these images are in {VALUES.relative_to(ROOT)}: `make k8s-install` uses them.")


if __name__ == "__main__":
    main()
