"""Which messages of a queue are jobs of Parley. Whoever can write to Redis can put anything there.

Celery reads more from a message than the id of a job: time limits, a delay, further tasks to publish. A message without
JSON ends the worker, and one with a delay is kept by it.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from parley_core.celery_queue import TASK

JOB_ID = re.compile(r"[0-9a-f-]{1,64}")
FOLLOW_UPS = ("callbacks", "errbacks", "chain", "chord")
MUST_BE_EMPTY = ("eta", "expires", "group", "retries", "shadow", "stamps", "stamped_headers")


def is_job(item: bytes | str) -> bool:
    """Return whether an element of a queue is a message that Parley has published."""
    try:
        message = json.loads(item)
        return _is_ours(message, message["headers"], message["properties"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def is_copy_of_job(copy: bytes | str) -> bool:
    """Return whether the copy of a message in progress, with its exchange and routing key, is one of these."""
    try:
        message, exchange, routing_key = json.loads(copy)
        named = isinstance(exchange, str) and isinstance(routing_key, str)
        return named and _is_ours(message, message["headers"], message["properties"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _is_ours(message: Mapping[str, Any], headers: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    arguments, options, embedded = json.loads(b64decode(message["body"], validate=True))
    (job_id,) = arguments
    return (
        (headers["task"], message["content-type"], message["content-encoding"]) == (TASK, "application/json", "utf-8")
        and properties["body_encoding"] == "base64"
        and isinstance(headers["id"], str)
        and isinstance(properties["delivery_tag"], str)
        and isinstance(properties["delivery_info"], dict)
        and isinstance(job_id, str)
        and JOB_ID.fullmatch(job_id) is not None
        and options == {}
        and not any(embedded.get(name) for name in FOLLOW_UPS)
        and not any(headers.get(name) for name in MUST_BE_EMPTY)
        and all(_is_limit(limit) for limit in headers["timelimit"])
        and len(headers["timelimit"]) == 2
    )


def _is_limit(limit: object) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and 0 < limit < float("inf")
