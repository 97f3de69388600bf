"""The page of error codes, from the table of the API."""

from __future__ import annotations

from parley_api.http.attempt_kinds import ATTEMPT_KINDS
from parley_api.http.problem_kinds import KINDS
from tools.reference.markdown import table

INTRODUCTION = """# Errors

Every error of the API is an `application/problem+json` document
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). Programs decide by `code`, which is stable; `detail` is a sentence
for people. Some codes add members: `errors`, `missing`, `state` or `error`.

```json
{
  "type": "urn:parley:problem:queue_full",
  "title": "Queue full",
  "status": 429,
  "detail": "The queue interactive holds its limit of 10000 unfinished jobs.",
  "code": "queue_full"
}
```

`Retry-After` says after how many seconds the same request can succeed. A request with an `Idempotency-Key` can be sent
again after every error, and after no response at all: it never makes a second job."""

ATTEMPTS = """## Errors of jobs and attempts

A job that has failed has an `error` with a code, and so has each of its `attempts`. The codes of recordings above can
appear there too. A job has up to four attempts; errors of the recording end it at once."""


def render() -> str:
    """Return the page."""
    rows = [
        (f"`{code}`", str(kind.status), kind.meaning, kind.action, f"{kind.retry_after} s" if kind.retry_after else "")
        for code, kind in sorted(KINDS.items(), key=lambda item: (item[1].status, item[0]))
    ]
    responses = table(("Code", "Status", "Meaning", "What to do", "`Retry-After`"), rows)
    attempts = table(
        ("Code", "Meaning", "What to do"),
        [(f"`{code}`", meaning, action) for code, (meaning, action) in sorted(ATTEMPT_KINDS.items())],
    )
    return f"{INTRODUCTION}\n\n## Responses\n\n{responses}\n\n{ATTEMPTS}\n\n{attempts}"
