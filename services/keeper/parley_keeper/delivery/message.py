"""What a receiver gets: the body and its signed headers, by the Standard Webhooks specification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from parley_core.job import Job, JobEnd


def body_of(job: Job, end: JobEnd) -> bytes:
    """Return the body: thin, since the caller reads the rest with its key.

    Args:
        job: the job; it may have been retried since this end.
    """
    error = None if end.error is None else {"code": end.error.code, "detail": end.error.detail}
    data = {"id": job.id, "state": end.state, "queue": job.options.queue, "reference": job.options.reference}
    ended = end.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document = {"type": f"job.{end.state}", "timestamp": ended, "data": data | {"error": error}}
    return json.dumps(document, separators=(",", ":")).encode()


def headers_of(delivery_id: str, body: bytes, secrets: Sequence[str]) -> Mapping[str, str]:
    """Return the headers of an attempt that is made now, signed with every secret."""
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(delivery_id, now, body.decode()) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Parley-Webhooks",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
