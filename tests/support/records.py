"""A job's record as Redis holds it."""

from __future__ import annotations

import json

RECORD = {
    "id": "job",
    "tenant": "default",
    "state": "queued",
    "options": json.dumps(
        {
            "speakers": {"min": None, "max": None},
            "queue": "interactive",
            "reference": None,
            "callback_url": None,
            "retain_seconds": None,
        }
    ),
    "recording": json.dumps(
        {"key": "recordings/job", "sha256": "0" * 64, "bytes": 1, "seconds": 1.0, "media_type": "audio/flac"}
    ),
    "limits": json.dumps({"soft": 540.0, "hard": 600.0}),
    "created_at": "1764046800000",
    "progress": "0",
    "token": "1",
    "attempt": "0",
}
