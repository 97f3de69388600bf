"""Output of the parts: complete in the files, readable and harmless on the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from parley_local import output as module
from parley_local.output import Output


def make(folder: Path, *, quiet: bool = False) -> tuple[Output, io.StringIO]:
    screen = io.StringIO()
    return Output(Console(file=screen, width=80, highlight=False, markup=False), folder, quiet=quiet), screen


def test_a_json_line_is_shown_as_event_and_fields_and_kept_unchanged(tmp_path: Path) -> None:
    output, screen = make(tmp_path)
    line = json.dumps({"event": "job started", "level": "info", "logger": "x", "timestamp": "t", "job_id": "abc"})
    output.line("worker", "green", line)
    assert screen.getvalue() == "worker  │ job started job_id=abc\n"
    assert output.log("worker").read_text() == line + "\n"


def test_an_exception_is_shown_completely(tmp_path: Path) -> None:
    output, screen = make(tmp_path)
    output.line("api", "cyan", json.dumps({"event": "failed", "level": "error", "exception": "Traceback\n  Boom"}))
    assert "failed\nTraceback\n  Boom\n" in screen.getvalue()


@pytest.mark.parametrize("line", ["[bold]no markup[/bold]", "{not json", '["a", "list"]', "12"])
def test_any_other_line_is_shown_unchanged(line: str, tmp_path: Path) -> None:
    output, screen = make(tmp_path)
    output.line("valkey", "magenta", line)
    assert screen.getvalue() == f"valkey  │ {line}\n"


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    output, screen = make(tmp_path)
    output.line("api", "cyan", "\x1b]0;owned\x07 text")
    output.line("api", "cyan", json.dumps({"event": "\x1b[2J", "name": "\x07"}))
    assert not {"\x1b", "\x07"} & set(screen.getvalue())


def test_quiet_output_still_shows_messages_of_the_supervisor(tmp_path: Path) -> None:
    output, screen = make(tmp_path, quiet=True)
    output.line("worker", "green", "chatter")
    output.about("worker", "green", "died")
    assert screen.getvalue() == "worker  │ died\n"
    assert output.last_lines("worker") == "chatter"


def test_a_large_log_is_rotated_at_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_LOG", 10)
    output, _ = make(tmp_path)
    output.line("api", "cyan", "more than ten bytes")
    output.begin("api")
    output.line("api", "cyan", "new")
    assert output.log("api").read_text() == "new\n"
    assert (tmp_path / "api.log.1").read_text() == "more than ten bytes\n"
