"""What the table of faults says of a run, and what it keeps of earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaos import report
from chaos.engine_work import Piece, repeated_shares
from chaos.figures import stated
from chaos.schedule import every_fault

NAMES = [fault.name for fault in every_fault()]


def row(name: str, accepted: int, **more: object) -> dict[str, Any]:
    return {
        "fault": name,
        "description": "it breaks",
        "accepted": accepted,
        "lost": 0,
        "committed_twice": 0,
        "executions": {"mean": 1.0, "max": 1},
        "recovery_seconds": None,
        "manual_interventions": 0,
        **more,
    }


def test_a_fault_that_runs_again_alone_leaves_the_rows_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(report, "ROOT", tmp_path)
    first, second, third = NAMES[:3]
    report.write_documents([row(first, 1), row(third, 3), row("a fault that is no more", 9)], "1")
    report.write_documents([row(second, 2), row(third, 30, figures={"time to stop": "2 s"})], "1")
    kept = json.loads((tmp_path / "docs" / "faults.json").read_text())["faults"]
    assert [(found["fault"], found["accepted"]) for found in kept] == [(first, 1), (second, 2), (third, 30)]
    page = (tmp_path / "docs" / "faults.md").read_text()
    assert f"- **{third}**: it breaks. Time to stop: 2 s.\n" in page
    assert "| **all** | **33** | **0** | **0** |" in page


def test_every_fault_has_its_own_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


def begun(attempt: str, *positions: tuple[int, float], job_id: str = "a") -> list[Piece]:
    return [Piece(job_id, attempt, 0.0, step, share) for step, share in positions]


def test_only_what_is_computed_again_is_counted_and_the_open_piece_whole() -> None:
    first = begun("1", (0, 0.0), (0, 0.1), (0, 0.2))  # 0.2 to 0.3 was open: half of 0.1 is lost
    second = begun("2", (0, 0.2), (0, 0.3), (1, 0.0), (1, 0.5))
    third = begun("3", (1, 0.5))  # goes on where the second was broken off, whose last piece is computed again
    assert repeated_shares([*first, *second, *third]) == pytest.approx([0.05, 0.25])


def test_attempts_of_other_jobs_and_a_job_without_a_disturbance_repeat_nothing() -> None:
    assert repeated_shares([*begun("1", (0, 0.0), (0, 0.5)), *begun("2", (0, 0.0), job_id="b")]) == []


def test_figures_are_stated_with_their_number() -> None:
    assert stated([3.0, 1.0, 2.0], "s") == "2.0 / 3.0 / 3.0 s (p50 / p95 / max of 3)"
