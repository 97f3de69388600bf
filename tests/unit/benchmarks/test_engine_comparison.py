"""`make bench-engine` without running engines: repeats, arguments, environments and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.data.audio import SHIPPED
from benchmarks.data.recordings import Recordings, recordings
from benchmarks.engines import environments
from benchmarks.engines.__main__ import main
from benchmarks.engines.candidates import CANDIDATES
from benchmarks.engines.environments import Unavailable, pipeline, without_cuda
from benchmarks.engines.process import Run, Runs, least
from benchmarks.engines.results import Result, as_markdown, cells
from parley_core.turns import Span, Turn

RTTM = "SPEAKER a 1 0.000 10.000 <NA> <NA> anna <NA> <NA>\n"


def run(source: Path | int, processor: float, *turns: Turn) -> Run:
    return Run(str(source), "a", 10.0, processor, processor, 0.5, 2_000_000, turns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.flac").touch()
    (tmp_path / "a.rttm").write_text(RTTM)
    return tmp_path


def test_of_several_runs_the_cheapest_one_of_each_recording_counts() -> None:
    first = Runs(3.0, (run(1, 4.0), run(2, 1.0)))
    second = Runs(2.0, (run(1, 2.0), run(2, 5.0)))
    found = least([first, second])
    assert [one.processor_seconds for one in found.runs] == [2.0, 1.0]
    assert found.ready_seconds == 2.0
    assert found.cost == pytest.approx(3.0 / 20)


def test_a_row_scores_each_set_and_takes_the_cost_from_the_first(folder: Path) -> None:
    sets = [Recordings("whole", folder, None), Recordings("half", folder / ".", Span(0, 5))]
    half_right = Turn(0, 5, "SPEAKER_00")
    result = Result(CANDIDATES[0], Runs(1.0, (run(folder, 1.0, half_right),)), {30: run(30, 1.0)})
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
def test_an_argument_that_names_no_recordings_is_refused_with_a_sentence(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument]) == 2
    assert capsys.readouterr().err.strip().endswith(".")


def test_only_packages_for_graphics_cards_are_removed_from_a_lock() -> None:
    names = ("cuda-toolkit", "numpy", "nvidia-nccl-cu13", "torch", "triton")
    lock = "".join(f"{name}==1 \\\n    --hash=sha256:a\n" for name in names)
    kept = [line.partition("=")[0] for line in without_cuda(lock).splitlines() if "==" in line]
    assert kept == ["numpy", "torch"]


def test_without_arguments_and_environment_the_shipped_sample_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARLEY_BENCH_SETS", raising=False)
    assert recordings([]) == [Recordings("sample", SHIPPED, None)]


def test_a_pipeline_is_made_from_the_models_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARLEY_PYANNOTE_PIPELINE", raising=False)
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    with pytest.raises(Unavailable, match="PARLEY_PYANNOTE_PIPELINE"):
        pipeline()
    bundle = tmp_path / "elsewhere" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "config.yaml.in").write_text("segmentation: @BUNDLE@/a\nembedding: @MODELS@/b\n")
    monkeypatch.setenv("PARLEY_BENCH_MODELS", str(bundle.parent))
    config = Path(pipeline()["PARLEY_PYANNOTE_PIPELINE"]) / "config.yaml"
    assert config.read_text() == f"segmentation: {bundle}/a\nembedding: {bundle.parent}/b\n"
