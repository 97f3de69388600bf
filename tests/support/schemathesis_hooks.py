"""What the API's document cannot say about requests: for Schemathesis, by the variable SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import gc

import schemathesis
from hypothesis import strategies
from schemathesis import HookContext

from tests.support.containers import flac

# Its modules and the document stay. Walks through them were a tenth of its processor time.
gc.freeze()
gc.set_threshold(10_000)

LONGEST_WAIT = 0.1  # seconds
LONGEST_DIGITS = 9  # of a length that the server takes
RECORDINGS = strategies.sampled_from([flac(0.1), flac(0.1, seed=1), b"no recording"])

# Noise is no recording, so that no generated submit would be accepted.
schemathesis.openapi.format("binary", RECORDINGS)
schemathesis.openapi.media_type("application/octet-stream", RECORDINGS)


@schemathesis.hook
def map_query(context: HookContext, query: dict[str, object] | None) -> dict[str, object] | None:
    """Shorten long polls."""
    if query and isinstance(query.get("wait"), int | float):
        query["wait"] = min(float(str(query["wait"])), LONGEST_WAIT)
    return query


@schemathesis.hook
def before_call(context: HookContext, case: schemathesis.Case, kwargs: dict[str, object]) -> None:
    """Speak one version of tus, and begin uploads that fit: the document has no rule for others, which get 412, 413."""
    if case.headers and "Tus-Resumable" in case.headers:
        case.headers["Tus-Resumable"] = "1.0.0"
    if case.headers and len(str(case.headers.get("Upload-Length", ""))) > LONGEST_DIGITS:
        case.headers["Upload-Length"] = "1" * LONGEST_DIGITS
