"""Which elements of a queue are jobs: those that Parley publishes, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from parley_core.celery_queue import TASK
from parley_worker.celery.messages import is_copy_of_job, is_job

JOB_ID = "01a21b76-f592-7254-845d-f54507cb8d80"
NO_FOLLOW_UPS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message(body: object = None, headers: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a message as Parley publishes it, with changes."""
    told = [[JOB_ID], {}, NO_FOLLOW_UPS] if body is None else body
    return {
        "body": b64encode(json.dumps(told).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"task": TASK, "id": "x", "eta": None, "retries": 0, "timelimit": [600.0, 540.0]} | (headers or {}),
        "properties": {"body_encoding": "base64", "delivery_info": {}, "delivery_tag": "y"},
    } | changes


FOREIGN: dict[str, object] = {
    "a number": 7,
    "a list": [],
    "no headers": {"body": "x", "properties": {}},
    "another task": message(headers={"task": "celery.backend_cleanup"}),
    "a delay": message(headers={"eta": "2099-01-01T00:00:00"}),
    "repetitions": message(headers={"retries": "many"}),
    "no time limit": message(headers={"timelimit": [None, None]}),
    "an endless time limit": message(headers={"timelimit": [float("inf"), 540.0]}),
    "pickle": message(**{"content-type": "application/x-python-serialize"}),
    "a body without encoding": message(body=None, properties={"delivery_info": {}, "delivery_tag": "y"}),
    "no arguments": message([[], {}, NO_FOLLOW_UPS]),
    "a list as the id": message([[[JOB_ID]], {}, NO_FOLLOW_UPS]),
    "an id of another form": message([["../recordings"], {}, NO_FOLLOW_UPS]),
    "named arguments": message([[JOB_ID], {"deps": 1}, NO_FOLLOW_UPS]),
    "a further task": message([[JOB_ID], {}, NO_FOLLOW_UPS | {"chain": [{"task": "x"}]}]),
    "a body that is no base64": message(body=None) | {"body": "%%%"},
}


def test_a_message_of_parley_is_a_job() -> None:
    assert is_job(json.dumps(message()))
    assert is_copy_of_job(json.dumps([message(), "", "interactive"]))


@pytest.mark.parametrize("name", FOREIGN)
def test_anything_else_is_none(name: str) -> None:
    assert not is_job(json.dumps(FOREIGN[name]))
    assert not is_copy_of_job(json.dumps([FOREIGN[name], "", "interactive"]))


@pytest.mark.parametrize("item", [b"", b"no JSON", b"\xff\xfe", b"[" * 100_000, b'{"__type__": "decimal"}'])
def test_what_is_no_json_is_none(item: bytes) -> None:
    assert not is_job(item)
    assert not is_copy_of_job(item)
