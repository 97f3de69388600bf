"""Check the subjects of commits: at most 72 characters, no full stop at the end. Part of `make lint`.

Only commits since the one that added this file are checked, that one included. A shallow clone checks what it has.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LONGEST = 72
ROOT = Path(__file__).parents[1]
THIS = Path(__file__).relative_to(ROOT)


def fault(subject: str) -> str | None:
    """Return what is wrong with a subject, or None."""
    if len(subject) > LONGEST:
        return f"{len(subject)} characters, and {LONGEST} are allowed"
    if subject.endswith("."):
        return "ends with a full stop"
    return None


def new_commits(repository: Path) -> list[tuple[str, str]]:
    """Return the short hash and the subject of each commit since this file was added, the newest first."""
    added = git(repository, "log", "--diff-filter=A", "--format=%H", "--", str(THIS)).split()
    if not added:
        return []
    # In a shallow clone the oldest commit has no parents, and all of its files count as added.
    parents = git(repository, "log", "-1", "--format=%P", added[-1]).split()
    lines = git(repository, "log", "--format=%h %s", "HEAD", *(f"^{parent}" for parent in parents)).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True).stdout


def main(repository: Path) -> int:
    """Print every subject that breaks the rule; return the exit status."""
    if not (repository / ".git").exists():
        print("lint: commit subjects are not checked, since this is no git repository")
        return 0
    faults = [(commit, subject, fault(subject)) for commit, subject in new_commits(repository)]
    broken = [(commit, subject, reason) for commit, subject, reason in faults if reason]
    for commit, subject, reason in broken:
        print(f"{commit} {subject!r}: {reason} (CONTRIBUTING.md, Commits)")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(ROOT))
