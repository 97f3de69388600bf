"""Make mutants, run the tests that concern each, and report those that no test notices."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

from tools.mutants import lua, python
from tools.mutants.mutant import LIBRARIES, LUA, ROOT, Mutant
from tools.mutants.runner import load, record, run_all

EQUIVALENT = Path(__file__).parent / "equivalent.toml"
JOURNAL = ROOT / "build/mutants.json"
PYTHON = (
    "services/core/parley_core/durable_job_store.py",
    "services/core/parley_core/redis/restoration.py",
    "services/core/parley_core/redis/transitions.py",
    "services/core/parley_core/storage/manifests.py",
    "services/api/parley_api/use_cases/submit.py",
    "services/worker/parley_worker/attempt/attempt.py",
    "services/worker/parley_worker/attempt/lease_renewal.py",
    "services/worker/parley_worker/attempt/retry.py",
    "services/keeper/parley_keeper/maintenance.py",
    "services/keeper/parley_keeper/orphans.py",
    "services/keeper/parley_keeper/reconciliation.py",
    "services/keeper/parley_keeper/retention.py",
)
TESTS = (
    "tests/contract",
    "tests/integration/test_deliveries.py",
    "tests/integration/test_job_store_in_trouble.py",
    "tests/integration/test_redis_record.py",
    "tests/integration/test_redis_transitions.py",
    "tests/integration/test_restore.py",
    "tests/integration/test_traces.py",
    "tests/unit/api/test_audio_retention.py",
    "tests/unit/api/test_consult.py",
    "tests/unit/api/test_idempotency.py",
    "tests/unit/api/test_jobs.py",
    "tests/unit/api/test_stores_down.py",
    "tests/unit/api/test_submit.py",
    "tests/unit/api/test_tenant_limits.py",
    "tests/unit/core/test_durable_job_store.py",
    "tests/unit/keeper/test_maintenance.py",
    "tests/unit/keeper/test_reconciliation.py",
    "tests/unit/keeper/test_retention.py",
    "tests/unit/worker/test_attempt.py",
    "tests/unit/worker/test_checkpoint.py",
    "tests/unit/worker/test_evidence.py",
    "tests/unit/worker/test_recogniser_of_an_attempt.py",
)
# Without the in-memory stores of the contracts, and without tests that start processes.
SELECTED = "not (memory or test_job_store_in_trouble and (process or frozen or away or restart or cluster))"


def main() -> int:
    """Return the exit status: 0 if every mutant is noticed, or listed as equivalent."""
    options = _options()
    began = time.monotonic()
    everything = every_mutant()
    mutants = [mutant for mutant in everything if options.only in mutant.name]
    equivalent = known_equivalents()
    journal = Journal(JOURNAL, options.fresh)
    load(TESTS)
    if not journal.record_tests(began + options.seconds):
        print(f"Not all tests are recorded yet, after {time.monotonic() - began:.0f} s. Run it again.")
        return 1
    open_ = [mutant for mutant in mutants if mutant.name not in equivalent and not journal.is_killed(mutant)]
    print(f"{len(mutants)} mutants, {len(open_)} to test; {time.monotonic() - began:.0f} s so far", flush=True)
    survivors, tested = list[str](), 0
    for mutant, survived in run_all(open_, journal.tests_of, options.at_once, began + options.seconds):
        tested += 1
        if survived:
            survivors.append(mutant.name)
            print(f"{'SURVIVED' if journal.tests_of(mutant) else 'NOT REACHED'} {mutant.name}", flush=True)
        else:
            journal.note_killed(mutant)
    stale = sorted(equivalent.keys() - {mutant.name for mutant in everything})
    for name in stale:
        print(f"Listed as equivalent, but there is no such mutant: {name}")
    listed = sum(mutant.name in equivalent for mutant in mutants)
    left = len(open_) - tested
    print(
        f"{len(mutants)} mutants: {len(mutants) - listed - left - len(survivors)} killed, {listed} equivalent, "
        f"{len(survivors)} survived, {left} not tested yet; {tested} tested, {time.monotonic() - began:.0f} s"
    )
    return int(bool(survivors or stale or left))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="only mutants whose name contains this")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs have found")
    parser.add_argument("--at-once", type=int, default=2, help="number of mutants at a time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start nothing after this time")
    return parser.parse_args()


def every_mutant() -> list[Mutant]:
    """Return the mutants of all files, scripts first."""
    scripts = [str(file.relative_to(ROOT)) for file in sorted(LUA.glob("*.lua"))]
    found = [mutant for file in scripts for mutant in lua.mutants_of(file, (ROOT / file).read_text())]
    return found + [mutant for file in PYTHON for mutant in python.mutants_of(file, (ROOT / file).read_text())]


def known_equivalents() -> dict[str, str]:
    """Return the reason of each mutant that behaves as the original."""
    return {entry["mutant"]: entry["reason"] for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]}


class Journal:
    """What earlier runs have found: a killed mutant stays killed while its file is the same."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        self._content: dict[str, Any] = json.loads(path.read_text()) if path.exists() and not fresh else {}
        self._killed: dict[str, str] = self._content.setdefault("killed", {})
        self._recorded: dict[str, Any] = self._content.setdefault("recorded", {})
        self._tests: dict[str, dict[str, float]] = defaultdict(dict)
        self._scripts = {file.stem: file.read_text() for file in LUA.glob("*.lua") if file.stem not in LIBRARIES}

    def record_tests(self, ends: float) -> bool:
        """Run each file of tests that has changed, and note what it runs; return whether all are noted."""
        for file in (file for name in TESTS for file in _files_of(ROOT / name)):
            name = str(file.relative_to(ROOT))
            digest = hashlib.sha256(SELECTED.encode() + file.read_bytes()).hexdigest()[:16]
            if self._recorded.get(name, {}).get("digest") != digest:
                if time.monotonic() > ends:
                    return False
                self._recorded[name] = {"digest": digest, "found": record(PYTHON, name, SELECTED)}
                self._write()
            for target, tests in self._recorded[name]["found"].items():
                self._tests[target] |= tests
        return True

    def tests_of(self, mutant: Mutant) -> dict[str, float]:
        """Return the tests that can notice a mutant with their seconds, the fastest first."""
        tests: dict[str, float] = {}
        for target in self._targets_of(mutant):
            tests |= self._tests.get(target, {})
        return dict(sorted(tests.items(), key=lambda test: (test[1], test[0])))

    def _targets_of(self, mutant: Mutant) -> list[str]:
        if Path(mutant.file).stem in LIBRARIES:
            library = "".join((LUA / f"{name}.lua").read_text() for name in LIBRARIES)
            users = lua.users_of(mutant.function, library, self._scripts) if mutant.function else self._scripts
            return [f"{(LUA / f'{name}.lua').relative_to(ROOT)}:" for name in users]
        place = f"{mutant.file}:{mutant.place}"
        return [place if place in self._tests else f"{mutant.file}:{mutant.function}"]

    def is_killed(self, mutant: Mutant) -> bool:
        return self._killed.get(mutant.name) == mutant.digest

    def note_killed(self, mutant: Mutant) -> None:
        self._killed[mutant.name] = mutant.digest
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self._content))


def _files_of(path: Path) -> list[Path]:
    return sorted(path.glob("test_*.py")) if path.is_dir() else [path]


if __name__ == "__main__":
    sys.exit(main())
