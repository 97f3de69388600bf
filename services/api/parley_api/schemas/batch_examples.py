"""Examples of batches."""

from __future__ import annotations

from parley_api.schemas.examples import JOB_ID, Example

BATCH_ID = "019ab9a4-1b90-7c4f-8f5e-2f1f6a2a9c11"
NEW_BATCH: Example = {
    "jobs": [
        {"url": "https://pacs.clinic.example/calls/visit-4711.wav", "reference": "visit-4711"},
        {"url": "https://pacs.clinic.example/calls/visit-4712.wav", "num_speakers": 2},
    ],
    "options": {"queue": "batch"},
    "reference": "night-0412",
}
BATCH_SUMMARY: Example = {
    "id": BATCH_ID,
    "created_at": "2025-11-25T22:00:00.000Z",
    "reference": "night-0412",
    "jobs": 1,
    "refused": 1,
}
BATCH: Example = {
    "id": BATCH_ID,
    "created_at": "2025-11-25T22:00:00.000Z",
    "reference": "night-0412",
    "done": False,
    "counts": {"running": 1, "refused": 1},
    "items": [
        {"index": 0, "reference": "visit-4711", "job": JOB_ID, "state": "running", "problem": None},
        {
            "index": 1,
            "reference": None,
            "job": None,
            "state": "refused",
            "problem": {
                "type": "urn:parley:problem:link_unusable",
                "title": "Link unusable",
                "status": 422,
                "detail": "The host answered with status 404 instead of the recording.",
                "code": "link_unusable",
                "errors": None,
            },
        },
    ],
}
