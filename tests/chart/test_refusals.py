"""Values that cannot work are refused with a sentence that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.rendering import CHART, KEDA, Manifest, refusal, render

BATCH: Manifest = {"name": "batch", "queue": "batch"}

SENTENCES: list[tuple[Manifest, str]] = [
    ({"redis": {"maxmemoryPolicy": "allkeys-lru"}}, "only noeviction keeps accepted jobs"),
    ({"redis": {"enabled": False}}, "redis.external.host is empty: name the address of your Redis"),
    ({"redis": {"external": {"host": "redis.example"}}}, "set redis.enabled to false to use your own Redis"),
    ({"objects": {"kind": "url"}}, "set it to s3://bucket"),
    ({"objects": {"url": "s3://bucket"}}, "set objects.kind to url to use it"),
    ({"objects": {"kind": "url", "url": "file:///data"}}, "use objects.kind volume for a shared folder"),
    ({"objects": {"kind": "volume", "volume": {"accessMode": "ReadWriteOnce"}}}, "can be mounted on one node only"),
    ({"workers": []}, "jobs would wait for ever"),
    ({"workers": [BATCH, BATCH]}, "give each its own name"),
    ({"workers": [BATCH | {"engine": "pyannote"}]}, "an image built with ENGINE=pyannote"),
    ({"workers": [BATCH | {"autoscaling": {"minReplicas": 11}}]}, "minReplicas is above autoscaling.maxReplicas"),
    ({"api": {"autoscaling": {"minReplicas": 9}}}, "minReplicas is above api.autoscaling.maxReplicas"),
    ({"api": {"ingress": {"enabled": True}}}, "name the host it serves"),
    ({"api": {"httpRoute": {"enabled": True}}}, "name the gateway it attaches to"),
]

SCHEMA: list[tuple[Manifest, str]] = [
    ({"wokers": []}, "wokers"),
    ({"redis": {"maxmemory": "1Gi"}}, "maxmemory"),
    ({"workers": [BATCH | {"replica": 2}]}, "replica"),
    ({"workers": [BATCH | {"queue": "urgent"}]}, "queue"),
    ({"workers": [{"name": "batch"}]}, "queue"),
    ({"workers": [BATCH | {"name": "Not_A_Name"}]}, "name"),
    ({"workers": [BATCH | {"concurrency": 0}]}, "concurrency"),
    ({"objects": {"kind": "url", "url": "ftp://host"}}, "url"),
    ({"limits": {"longestAttemptSeconds": 60}}, "longestAttemptSeconds"),
    ({"workerDefaults": {"autoscaling": {"keda": "yes"}}}, "keda"),
]


@pytest.mark.parametrize(("values", "sentence"), SENTENCES)
def test_a_combination_that_cannot_work_is_refused(values: Manifest, sentence: str) -> None:
    assert sentence in refusal(values, KEDA)


@pytest.mark.parametrize(("values", "key"), SCHEMA)
def test_an_unknown_or_impossible_value_is_refused(values: Manifest, key: str) -> None:
    assert key in refusal(values)


def open_objects(schema: Any, path: str = "") -> list[str]:
    """Paths of objects with named properties that would let an unknown key pass."""
    if not isinstance(schema, dict):
        return []
    found = [path] if "properties" in schema and schema.get("additionalProperties") is not False else []
    for key, part in schema.get("properties", {}).items():
        found += open_objects(part, f"{path}.{key}")
    return found + open_objects(schema.get("items"), f"{path}[]")


def test_the_schema_is_closed_all_the_way_down() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert open_objects(schema) == []
    assert open_objects({"properties": {"a": {"properties": {}}}}) == ["", ".a"]


def test_the_fixes_that_the_sentences_name_are_taken() -> None:
    assert render({"redis": {"enabled": False, "external": {"host": "redis.example"}}})
    assert render({"objects": {"kind": "volume", "volume": {"accessMode": "ReadWriteOnce", "singleNode": True}}})
    pyannote = BATCH | {"engine": "pyannote", "image": {"repository": "parley-worker-pyannote", "tag": "1"}}
    assert render({"workers": [pyannote]})
