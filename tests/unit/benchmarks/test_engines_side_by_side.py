"""`make bench-engine` without its engines: what counts of several runs, what is read, installed, shown and drawn."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.comparison import Result, as_markdown, cells
from benchmarks.contenders import CONTENDERS
from benchmarks.engine import Run, Runs, least
from benchmarks.engines import main
from benchmarks.environments import without_graphics
from benchmarks.plot import Point, plot
from benchmarks.recordings import Recordings, recordings
from parley_core.turns import Span, Turn

RTTM = "SPEAKER a 1 0.000 10.000 <NA> <NA> anna <NA> <NA>\n"


def run(source: Path | int, processor: float, *turns: Turn) -> Run:
    return Run(str(source), "a", 10.0, processor, processor, 0.5, 2_000_000, turns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.flac").touch()
    (tmp_path / "a.rttm").write_text(RTTM)
    return tmp_path


def test_of_several_runs_the_cheapest_counts_for_each_recording() -> None:
    first = Runs(3.0, (run(1, 4.0), run(2, 1.0)))
    second = Runs(2.0, (run(1, 2.0), run(2, 5.0)))
    found = least([first, second])
    assert [one.processor_seconds for one in found.runs] == [2.0, 1.0]
    assert found.ready_seconds == 2.0
    assert found.cost == pytest.approx(3.0 / 20)


def test_a_row_scores_each_set_and_takes_the_cost_from_the_first(folder: Path) -> None:
    sets = [Recordings("whole", folder, None), Recordings("half", folder / ".", Span(0, 5))]
    half_right = Turn(0, 5, "SPEAKER_00")
    result = Result(CONTENDERS[0], Runs(1.0, (run(folder, 1.0, half_right),)), {30: run(30, 1.0)})
    assert result.rates(sets[:1]) == {"whole": pytest.approx(50.0)}
    assert result.as_json(sets[:1])["cpu_seconds_per_audio_second"] == pytest.approx(0.1)
    assert result.as_json(sets[:1])["miscounted"] == {"whole": 0}
    assert Recordings("half", folder, Span(0, 5)).count == 1
    assert "| 50.00 %; 0 | 1.0 | 1.5 | 2 |" in as_markdown(cells([result], sets[:1]))


def test_recordings_are_named_with_or_without_seconds(folder: Path) -> None:
    assert recordings([f"set={folder}"]) == [Recordings("set", folder, None)]
    assert recordings([f"set={folder}:30"]) == [Recordings("set", folder, Span(0, 30))]


def test_sets_come_from_the_environment_where_no_argument_names_any(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_BENCH_SETS", f"one={folder} two={folder}:5")
    assert [found.name for found in recordings([])] == ["one", "two"]


@pytest.mark.parametrize("argument", ["no-equals-sign", "set=/nowhere", "set=/tmp:soon"])
def test_what_names_no_recordings_is_refused_in_a_sentence(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 2
    assert capsys.readouterr().err.strip().endswith(".")


def test_only_packages_for_graphics_cards_are_left_out_of_a_lock() -> None:
    names = ("cuda-toolkit", "numpy", "nvidia-nccl-cu13", "torch", "triton")
    lock = "".join(f"{name}==1 \\\n    --hash=sha256:a\n" for name in names)
    left = [line.partition("=")[0] for line in without_graphics(lock).splitlines() if "==" in line]
    assert left == ["numpy", "torch"]


def test_the_picture_has_a_point_and_a_name_for_each_engine_and_cheaper_ones_stand_left() -> None:
    points = [Point("dear <one>", 0.2, 10.0, False), Point("cheap", 0.01, 5.0, True)]
    root = ElementTree.fromstring(plot(points, "talks"))
    dear, cheap = (float(dot.get("cx", "nan")) for dot in root.iter("{http://www.w3.org/2000/svg}circle"))
    names = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert cheap < dear
    assert {"dear <one>", "cheap"} <= names
