"""Hostile recordings get an answer of ours, and leave nothing behind. `make fuzz` changes more of them, for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from tests.support.api_process import ApiProcess
from tests.support.forgeries import ALLOWED, REFUSED
from tests.support.fuzzing import findings, footprint, wrong_with_answer, wrong_with_reading

NUMBERS = range(120)  # of changed recordings
FOUND: tuple[int, ...] = ()  # numbers for which `make fuzz` found something once
SPARE_DESCRIPTORS = 5  # connections to Redis that come and go


def test_changed_recordings_are_refused_or_accepted_and_nothing_else(api: ApiProcess, api_settings: Settings) -> None:
    objects = object_store(api_settings)
    list(findings(api, range(3)))  # opens what later ones use again
    before = footprint(api, objects)
    found = [finding for finding in findings(api, (*NUMBERS, *FOUND)) if finding]
    assert not found
    after = footprint(api, objects)
    assert after.recordings == 0
    assert after.processes <= before.processes
    assert after.descriptors <= before.descriptors + SPARE_DESCRIPTORS


@pytest.mark.parametrize("name", [*REFUSED, *ALLOWED])
def test_a_forged_recording_is_no_error_of_the_server(
    api: ApiProcess, api_settings: Settings, tmp_path: Path, name: str
) -> None:
    data = (REFUSED | ALLOWED)[name]()
    assert not wrong_with_answer(api.http, data)
    assert not wrong_with_reading(tmp_path / "recording", data)
    accepted = api.http.post("/v1/jobs", content=data, headers={"Content-Type": "audio/wav"}).is_success
    assert not (accepted and name in REFUSED)
    assert accepted == bool(object_store(api_settings).keys("recordings"))
