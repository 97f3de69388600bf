"""The lock files: complete, hashed, one version of a package everywhere, and free of addresses."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
ROOT = REQUIREMENTS.parent

names = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)


def entries(lock: Path) -> list[str]:
    """Return each locked package with its hashes as one logical line."""
    joined = lock.read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip()]


def requirement(entry: str) -> Requirement:
    return Requirement(entry.split("--hash=", 1)[0].strip())


def wanted(path: Path) -> list[Requirement]:
    """Return what an .in file asks for, with those it includes."""
    found: list[Requirement] = []
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            found += wanted(path.parent / line[3:].strip())
        elif line.strip() and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def test_each_lock_has_its_source() -> None:
    assert {p.stem for p in LOCKS} == {p.stem for p in REQUIREMENTS.glob("*.in")}
    assert {"api", "worker", "worker-pyannote", "dev"} <= {p.stem for p in LOCKS}


@names
def test_every_entry_is_one_version_with_hashes(lock: Path) -> None:
    for entry in entries(lock):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        assert [s.operator for s in requirement(entry).specifier] == ["=="], entry


@names
def test_no_lock_names_an_index_or_a_path(lock: Path) -> None:
    for text in (lock.read_text(), lock.with_suffix(".in").read_text()):
        assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", text)


@names
def test_every_wanted_package_is_locked_as_wanted(lock: Path) -> None:
    locked = defaultdict(list)
    for entry in entries(lock):
        locked[canonicalize_name(requirement(entry).name)].append(requirement(entry))
    for want in wanted(lock.with_suffix(".in")):
        got = locked[canonicalize_name(want.name)]
        assert got, f"{want} is in {lock.stem}.in but not in the lock: run 'make lock'"
        for found in got:
            assert want.specifier.contains(next(iter(found.specifier)).version), f"{want}: {found}"


def test_all_locks_agree_on_versions() -> None:
    """What the tests ran with is what the images hold."""
    versions: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for lock in LOCKS:
        for entry in entries(lock):
            found = requirement(entry)
            versions[canonicalize_name(found.name)].setdefault(lock.stem, set()).add(str(found.specifier))
    for name, by_lock in versions.items():
        assert len({frozenset(specifiers) for specifiers in by_lock.values()}) == 1, (name, by_lock)


@pytest.mark.parametrize("service", ["core", "api", "worker", "client", "local"])
def test_what_a_service_declares_is_locked_in_range(service: str) -> None:
    project = tomllib.loads((ROOT / f"services/{service}/pyproject.toml").read_text())["project"]
    run = {canonicalize_name(requirement(e).name): requirement(e) for e in entries(REQUIREMENTS / "run.txt")}
    for declared in map(Requirement, project["dependencies"]):
        if declared.name.startswith("parley-"):
            continue
        version = next(iter(run[canonicalize_name(declared.name)].specifier)).version
        assert declared.specifier.contains(version), f"{service}: {declared} but locked {version}"
