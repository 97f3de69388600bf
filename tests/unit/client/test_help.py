"""The help of every command, and the reference pages that are generated from the same declarations."""

from __future__ import annotations

import pytest

from parley.cli.app import SUBCOMMANDS
from tests.unit.client.command import parley
from tools.reference import pages

NESTED = [("voiceprints", "delete"), ("webhooks", "listen"), ("keys", "create")]
COMMANDS = [(), *((name,) for name in SUBCOMMANDS), *NESTED]
PYTHON_WORDS = ("<str>", "<bool>", "<int>", "<int ", "list[", "Path", "Enum", "None")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_no_words_of_python(command: tuple[str, ...]) -> None:
    result = parley(*command, "--help")
    assert result.exit_code == 0
    assert [word for word in PYTHON_WORDS if word in result.stdout] == []


@pytest.mark.parametrize("name", ["cli", "python"])
def test_the_reference_is_in_step_with_the_code(name: str) -> None:
    assert pages.path(name).read_text() == pages.render(name), f"write it with: python -m tools.reference {name}"
