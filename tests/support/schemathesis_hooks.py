"""What the API's document cannot say about requests: for Schemathesis, by the variable SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies
from schemathesis import HookContext

from tests.support.containers import flac

LONGEST_WAIT = 0.1  # seconds
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
