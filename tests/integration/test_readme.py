"""The output that the README shows is what the command prints, up to the engine's last digits on another processor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.scoring.der import errors
from parley.cli.app import app
from parley_core.settings import Settings
from parley_core.turns import Turn
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey
from tests.support.worker import ParleyProcess

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"```\n\$ (parley submit [^\n]+)\n\n(.*?)```", re.DOTALL)
LINE = re.compile(r"^ {1,8}(\d+\.\d\d) {1,9}(\d+\.\d\d)  (SPEAKER_\d\d)$", re.MULTILINE)
MOST_DIFFERENT = 5.0  # percent of speech: eight bits and float weights differ by less on the sample


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with ExitStack() as parts:
        valkey = Valkey(tmp_path / "valkey")
        valkey.start()
        parts.callback(valkey.stop)
        settings = Settings(redis_url=valkey.url, objects_url=f"file://{tmp_path}/objects")
        api = parts.enter_context(ApiProcess(settings, tmp_path / "api.log"))
        parts.callback(ParleyProcess("parley_worker", settings, tmp_path, PARLEY_CONCURRENCY=1).stop)
        yield api.url


def turns(text: str) -> list[Turn]:
    return [Turn(float(start), float(end), speaker) for start, end, speaker in LINE.findall(text)]


def test_the_sample_output_is_real(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = COMMAND.search((ROOT / "README.md").read_text())
    assert shown is not None
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, shown[1].split()[1:], env={"PARLEY_URL": url, "PARLEY_API_KEY": ""})
    assert result.exit_code == 0, result.output
    expected, printed = turns(shown[2]), turns(result.stdout)
    assert len(expected) >= 5
    assert errors(expected, printed).rate < MOST_DIFFERENT
    head = shown[2].splitlines()[0].partition("  job ")[0]
    assert head in result.stdout
