"""What `import parley` and `parley --help` load and cost, and what the command says without its packages."""

from __future__ import annotations

import importlib.metadata
import resource
import subprocess
import sys

import pytest

from parley.cli.app import SUBCOMMANDS, load
from parley.cli.exit_codes import Exit

COMMAND_PACKAGES = {"click", "pydantic", "pygments", "rich", "typer"}
MAX_HELP_COST = 20.0  # starts of Python without any import: 0.3 s where such a start costs 15 ms


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def loaded_by(code: str) -> set[str]:
    listed = python("-c", f"import sys\n{code}\nprint(*sys.modules)")
    assert listed.returncode == 0, listed.stderr
    return {module.split(".")[0] for module in listed.stdout.split()}


def processor_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert python(*arguments).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_library_needs_httpx_and_the_standard_library_only() -> None:
    pytest.importorskip("rich")
    pytest.importorskip("click")
    assert loaded_by("from parley import Parley, AsyncParley") & (COMMAND_PACKAGES | {"httpx"}) == {"httpx"}
    required = [line for line in importlib.metadata.requires("parley-client") or [] if "extra" not in line]
    assert [line.split(">")[0] for line in required] == ["httpx"]


def test_httpx_that_is_loaded_before_stays_as_it_is() -> None:
    assert "httpx" in loaded_by("import httpx\nbefore = httpx.main\nimport parley.client\nassert httpx.main is before")


def test_help_loads_no_subcommand() -> None:
    code = "from parley.cli.app import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass"
    assert loaded_by(f"import os\nsys.stdout = open(os.devnull, 'w')\n{code}\nsys.stdout = sys.__stdout__") & (
        COMMAND_PACKAGES | {"httpx"}
    ) == {"typer"}


def test_help_costs_at_most_as_much_as_some_starts_of_python() -> None:
    bare = min(processor_seconds("-c", "pass") for _ in range(5))
    assert min(processor_seconds("-m", "parley", "--help") for _ in range(3)) < MAX_HELP_COST * bare


def test_without_the_extra_the_command_says_what_to_install() -> None:
    result = python("-c", "import sys\nsys.modules['typer'] = None\nfrom parley.cli import main\nmain()")
    assert result.returncode == Exit.USAGE
    assert "pip install './services/client[cli]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_summary_of_a_subcommand_is_the_first_line_of_its_own_help(name: str) -> None:
    assert (load(name).help or "").split("\n\n")[0] == SUBCOMMANDS[name].summary
