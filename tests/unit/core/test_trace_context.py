"""The caller's trace context, by W3C Trace Context."""

from __future__ import annotations

import pytest

from parley_core.job_id import new_id
from parley_core.trace_context import accepted_traceparent, trace_id_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "doe-jane",
        VALID.upper(),
        f"ff{VALID[2:]}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{VALID}-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"{VALID}\n",
    ],
)
def test_an_invalid_header_is_ignored(header: str) -> None:
    assert accepted_traceparent([header]) is None


def test_one_valid_header_is_kept() -> None:
    assert accepted_traceparent([VALID]) == VALID
    assert accepted_traceparent([VALID, VALID]) is None
    assert accepted_traceparent([]) is None


def test_what_is_known_of_a_newer_version_is_kept() -> None:
    assert accepted_traceparent([f"cc-{TRACE}-{SPAN}-01-what-may-come"]) == VALID


def test_the_trace_is_that_of_the_caller_or_of_the_job() -> None:
    job_id = new_id()
    assert trace_id_of(job_id, VALID) == TRACE
    assert trace_id_of(job_id, None) == job_id.replace("-", "")
    assert len(trace_id_of("not-a-uuid", None)) == 32
