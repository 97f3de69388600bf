"""Values that cannot work are refused with a message that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.rendering import CHART, KEDA, Manifest, refusal, render

BATCH: Manifest = {"name": "batch", "queue": "batch"}

MESSAGES: list[tuple[Manifest, str]] = [
    ({"redis": {"maxmemoryPolicy": "allkeys-lru"}}, "only noeviction keeps accepted jobs"),
    ({"redis": {"mode": "external"}}, "redis.external.host is empty: set the host of your Redis"),
    ({"redis": {"external": {"host": "redis.example"}}}, "set redis.mode to external to use your own Redis"),
    ({"objects": {"kind": "url"}}, "set it to s3://bucket"),
    ({"objects": {"url": "s3://bucket"}}, "set objects.kind to url to use it"),
    ({"objects": {"kind": "url", "url": "file:///data"}}, "set objects.kind to volume for a shared folder"),
    ({"objects": {"kind": "volume", "volume": {"accessMode": "ReadWriteOnce"}}}, "can be mounted on one node only"),
    ({"workers": []}, "no job would ever run"),
    ({"workers": [BATCH, BATCH]}, "give each its own name"),
    ({"workers": [BATCH | {"engine": "pyannote"}]}, "an image built with ENGINE=pyannote"),
    ({"workers": [BATCH | {"autoscaling": {"minReplicas": 11}}]}, "minReplicas is above autoscaling.maxReplicas"),
    ({"api": {"autoscaling": {"minReplicas": 9}}}, "minReplicas is above api.autoscaling.maxReplicas"),
    ({"api": {"ingress": {"enabled": True}}}, "set the host name of the API"),
    ({"api": {"httpRoute": {"enabled": True}}}, "name a gateway to attach to"),
]

SCHEMA: list[tuple[Manifest, str]] = [
    ({"wokers": []}, "wokers"),
    ({"redis": {"maxmemory": "1Gi"}}, "maxmemory"),
    ({"redis": {"mode": "cluster"}}, "mode"),
    ({"redis": {"sentinel": {"downAfterMilliseconds": 10}}}, "downAfterMilliseconds"),
    ({"workers": [BATCH | {"replica": 2}]}, "replica"),
    ({"workers": [BATCH | {"queue": "urgent"}]}, "queue"),
    ({"workers": [{"name": "batch"}]}, "queue"),
    ({"workers": [BATCH | {"name": "Not_A_Name"}]}, "name"),
    ({"workers": [BATCH | {"concurrency": 0}]}, "concurrency"),
    ({"objects": {"kind": "url", "url": "ftp://host"}}, "url"),
    ({"limits": {"longestAttemptSeconds": 60}}, "longestAttemptSeconds"),
    ({"tracing": {"endpoint": "collector:4318"}}, "endpoint"),
    ({"webhooks": {"networks": ["10.20.0.0"]}}, "networks"),
    ({"links": {"hosts": ["pacs.example"]}}, "hosts"),
    ({"api": {"rootPath": "parley/"}}, "rootPath"),
    ({"links": {"buckets": ["calls"]}}, "buckets"),
    ({"recogniser": {"url": "whisper:8000"}}, "url"),
    ({"workerDefaults": {"autoscaling": {"keda": "yes"}}}, "keda"),
]


@pytest.mark.parametrize(("values", "message"), MESSAGES)
def test_a_combination_that_cannot_work_is_refused(values: Manifest, message: str) -> None:
    assert message in refusal(values, KEDA)


@pytest.mark.parametrize(("values", "key"), SCHEMA)
def test_an_unknown_or_impossible_value_is_refused(values: Manifest, key: str) -> None:
    assert key in refusal(values)


def open_objects(schema: Any, path: str = "") -> list[str]:
    """Return the paths of objects with properties that accept unknown keys."""
    if not isinstance(schema, dict):
        return []
    found = [path] if "properties" in schema and schema.get("additionalProperties") is not False else []
    for key, part in schema.get("properties", {}).items():
        found += open_objects(part, f"{path}.{key}")
    return found + open_objects(schema.get("items"), f"{path}[]")


def test_the_schema_is_closed_at_every_level() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert open_objects(schema) == []
    assert open_objects({"properties": {"a": {"properties": {}}}}) == ["", ".a"]


def test_the_fixes_in_the_messages_are_accepted() -> None:
    assert render({"redis": {"mode": "external", "external": {"host": "redis.example"}}})
    assert render({"objects": {"kind": "volume", "volume": {"accessMode": "ReadWriteOnce", "singleNode": True}}})
    pyannote = BATCH | {"engine": "pyannote", "image": {"repository": "parley-worker-pyannote", "tag": "1"}}
    assert render({"workers": [pyannote]})
