"""The headers `RateLimit-Policy` and `RateLimit`: what a tenant may do in a window, and what is left of it.

As draft-ietf-httpapi-ratelimit-headers-10 describes them: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import MutableHeaders

SCOPE_KEY = "parley.allowances"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a rate after a call.

    Attributes:
        rate: its name.
        quota: how much there is in a window.
        window: seconds.
        remaining: of the quota.
        reset: seconds until more of the quota is there.
    """

    rate: str
    quota: int
    window: int
    remaining: int
    reset: int


def note(scope: MutableMapping[str, Any], allowance: Allowance) -> None:
    """Leave an allowance in the scope of a request, for the headers of its response."""
    scope.setdefault(SCOPE_KEY, {})[allowance.rate] = allowance


def write(scope: MutableMapping[str, Any], headers: MutableHeaders) -> None:
    """Write the headers of the allowances that the request has used."""
    allowances = scope.get(SCOPE_KEY, {}).values()
    if allowances:
        headers["ratelimit-policy"] = ", ".join(f'"{one.rate}";q={one.quota};w={one.window}' for one in allowances)
        headers["ratelimit"] = ", ".join(f'"{one.rate}";r={one.remaining};t={one.reset}' for one in allowances)
