"""`make lint` refuses a commit whose subject breaks the rule, in full and in shallow clones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools import commit_subjects

GOOD, LONG = "Add a check", "A" * 73
IDENTITY = {f"GIT_{role}_{field}": "x@y.z" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}


class Repository:
    """A new repository, and what the check says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        environment = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null"}
        subprocess.run(["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True)

    def commit(self, subject: str) -> None:
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)

    def add_the_check(self) -> None:
        file = self.folder / commit_subjects.THIS
        file.parent.mkdir(exist_ok=True)
        file.touch()
        self.git("add", "--all")
        self.commit(GOOD)

    def check(self) -> int:
        return commit_subjects.main(self.folder)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("A" * 72, None),
        (LONG, "73 characters, and 72 are allowed"),
        ("Mend the lease.", "ends with a full stop"),
        ("Read v1.2", None),
    ],
)
def test_a_subject_is_short_and_has_no_full_stop(subject: str, reason: str | None) -> None:
    assert commit_subjects.fault(subject) == reason


def test_older_commits_are_not_checked(repository: Repository) -> None:
    repository.commit(LONG)
    assert repository.check() == 0
    repository.add_the_check()
    assert repository.check() == 0


def test_a_newer_commit_is_refused_with_its_subject(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.commit(LONG)
    repository.add_the_check()
    repository.commit("End it.")
    repository.commit(GOOD)
    assert repository.check() == 1
    assert capsys.readouterr().out.count("\n") == 1
    assert commit_subjects.main(repository.folder) == 1


@pytest.mark.parametrize(("subject", "status"), [(LONG, 1), (GOOD, 0)])
def test_a_shallow_clone_checks_what_it_has(repository: Repository, tmp_path: Path, subject: str, status: int) -> None:
    repository.add_the_check()
    repository.commit(GOOD)
    repository.commit(subject)
    repository.git("clone", "--quiet", "--depth", "2", f"file://{repository.folder}", str(tmp_path / "shallow"))
    assert commit_subjects.main(tmp_path / "shallow") == status


def test_the_commit_that_added_the_check_may_be_the_first_one(repository: Repository) -> None:
    repository.add_the_check()
    assert repository.check() == 0
    repository.commit(LONG)
    assert repository.check() == 1


def test_a_folder_without_git_passes_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commit_subjects.main(tmp_path) == 0
    assert "not checked" in capsys.readouterr().out
