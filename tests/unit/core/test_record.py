"""Records and results of one version, read by another during an upgrade."""

from __future__ import annotations

import json
from dataclasses import fields

from parley_core.job import ResultSummary
from parley_core.redis.record import job_from, result_to_fields
from tests.support.records import RECORD

KNOWN_TO_0_1_0 = {"key", "speakers", "turns", "seconds_of_speech", "engine", "timings"}
RESULT = ResultSummary("results/x/1.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0}, 2, 1.25)


def test_a_result_of_the_version_before_is_read_without_what_it_did_not_know() -> None:
    old = {"key": "k", "speakers": 1, "turns": 1, "seconds_of_speech": 1.0, "engine": {}, "timings": {}}
    job = job_from(RECORD | {"state": "succeeded", "result": json.dumps(old)})
    assert job.result == ResultSummary("k", 1, 1, 1.0, {}, {}, turns_to_review=None, seconds_to_review=None)


def test_the_version_before_finds_only_what_it_knows_in_a_new_result() -> None:
    assert json.loads(result_to_fields(RESULT)[0]).keys() == KNOWN_TO_0_1_0


def test_a_new_result_comes_back_whole() -> None:
    result, more = result_to_fields(RESULT)
    assert job_from(RECORD | {"state": "succeeded", "result": result, "result_more": more}).result == RESULT


def test_every_member_of_a_result_is_in_one_field_or_the_other() -> None:
    kept = [json.loads(field) for field in result_to_fields(RESULT)]
    assert sorted([*kept[0], *kept[1]]) == sorted(member.name for member in fields(ResultSummary))
