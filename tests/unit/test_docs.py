"""Every link in the pages leads somewhere, and every decision has a number of its own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from parley.cli.app import SUBCOMMANDS, load

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "charts").rglob("*.md")]


def test_every_relative_link_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_test_that_a_page_names_is_there() -> None:
    named = {found for page in PAGES for found in TEST.findall(page.read_text())}
    assert named
    assert [(file, name) for file, name in sorted(named) if f"def {name}(" not in (ROOT / file).read_text()] == []


def test_every_command_of_the_runbook_is_one_of_parley() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    found = re.findall(r"(?:`|^|xargs )parley ([a-z][^`#|\n]*)", text, re.MULTILINE)
    assert len(found) > 15
    assert [one for one in found if not is_command(one)] == []


def is_command(text: str) -> bool:
    """Return whether `parley` has this subcommand, and every option that it is given here."""
    words = text.split()
    if words[0] not in SUBCOMMANDS:
        return False
    command: Any = load(words[0])
    for word in words[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    options = {name for parameter in command.params for name in parameter.opts}
    return options.issuperset(word for word in words if word.startswith("--"))


def test_a_command_that_is_none_is_found() -> None:
    assert is_command("webhooks resend ID --json")
    assert not is_command("purge ID")
    assert not is_command("jobs --stuk")
    assert not is_command("webhooks resend --state failed")


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = Counter(path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert sorted(numbers) == [f"{number:04d}" for number in range(len(numbers))]
    assert set(numbers.values()) == {1}
