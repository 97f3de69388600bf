"""One example per response and request body. A test validates each of them with its model."""

from __future__ import annotations

import json
from typing import Any

Example = dict[str, Any]

JOB_ID = "019ab9a4-1c20-7d3e-8a51-6f2b9c4e7d10"
VOICEPRINT_ID = "019ab9a5-77d8-7c02-9b1f-2e8d5a6c3f47"
UPLOAD_ID = "019ab9a3-0f61-7b2c-9d40-1c5e8f7a2b36-2552408"
SHA256 = "9f2c4b7e1d8a3560f4b9c2e7a1d6830597fe42c8b0a3d91e6c5f7284ab10d3ce"
JOB_PATH = f"/v1/jobs/{JOB_ID}"

RECORDING: Example = {
    "sha256": SHA256,
    "bytes": 2552408,
    "seconds": 61.2,
    "media_type": "audio/flac",
    "file_name": "visit-4711.flac",
    "kept": True,
}
QUEUED_JOB: Example = {
    "id": JOB_ID,
    "state": "queued",
    "queue": "interactive",
    "reference": "consult-4711",
    "created_at": "2025-11-25T05:00:00.000Z",
    "started_at": None,
    "finished_at": None,
    "recording": RECORDING,
    "speakers": {"min": 2, "max": 2},
    "speaker_embeddings": False,
    "transcribe": False,
    "channels": [],
    "position": 0,
    "eta_seconds": 5.2,
    "eta": {"seconds": 5.2, "low": 4.4, "high": 6.9},
    "phase": None,
    "progress": 0.0,
    "attempts": [],
    "error": None,
    "result": None,
    "links": {
        "self": JOB_PATH,
        "events": f"{JOB_PATH}/events",
        "timeline": f"{JOB_PATH}/timeline",
        "audio": f"{JOB_PATH}/audio",
    },
}
JOB: Example = QUEUED_JOB | {
    "state": "succeeded",
    "started_at": "2025-11-25T05:00:00.041Z",
    "finished_at": "2025-11-25T05:00:04.310Z",
    "position": None,
    "eta_seconds": None,
    "eta": None,
    "progress": 1.0,
    "attempts": [
        {
            "number": 1,
            "worker": "worker-0/3f9a1c/41",
            "started_at": "2025-11-25T05:00:00.041Z",
            "ended_at": "2025-11-25T05:00:04.310Z",
            "error": None,
        }
    ],
    "result": {
        "speakers": 2,
        "turns": 31,
        "seconds_of_speech": 55.8,
        "engine": {"name": "onnx", "version": "1", "weights": {}, "parameters": {}},
        "timings": {"decoding": 0.12, "engine": 4.0},
        "turns_to_review": 3,
        "seconds_to_review": 2.7,
        "plausible_speakers": [2, 3],
        "speakers_to_review": 1,
        "transcription": None,
        "usage": {
            "audio_seconds": 60.0,
            "engine_seconds": 4.0,
            "engine_cpu_seconds": 7.5,
            "transcribed_seconds": 0.0,
            "wait_seconds": 0.041,
            "attempts": 1,
        },
    },
    "links": {
        "self": JOB_PATH,
        "events": f"{JOB_PATH}/events",
        "turns": f"{JOB_PATH}/turns",
        "timeline": f"{JOB_PATH}/timeline",
        "audio": f"{JOB_PATH}/audio",
        "peaks": f"{JOB_PATH}/peaks",
    },
}
JOB_PAGE: Example = {"jobs": [JOB], "next_cursor": None}
EVENT: Example = {
    "state": "running",
    "phase": "embedding",
    "progress": 0.42,
    "eta": {"seconds": 2.5, "low": 2.1, "high": 3.2},
    "at": "2025-11-25T05:00:02.150Z",
}
EVENT_STREAM = f"event: change\ndata: {json.dumps(EVENT)}\nid: 7\n\n"
RECEIPT: Example = {
    "job_id": JOB_ID,
    "deleted_at": "2025-11-26T09:30:00.000Z",
    "recording": RECORDING | {"kept": False},
    "removed": ["recording", "result", "record"],
}

FIRST_TURN: Example = {
    "start": 0.412,
    "end": 3.874,
    "speaker": "SPEAKER_00",
    "confidence": 0.97,
    "needs_review": False,
}
SECOND_TURN: Example = {
    "start": 3.655,
    "end": 5.22,
    "speaker": "SPEAKER_01",
    "confidence": 0.61,
    "needs_review": True,
}
TURNS: Example = {
    "job_id": JOB_ID,
    "recording": {"sha256": SHA256, "seconds": 61.2},
    "version": 0,
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "turns": [
        {**FIRST_TURN, "id": "1", "confirmed": False},
        {**SECOND_TURN, "id": "2", "confirmed": False},
    ],
    "exclusive_turns": [
        FIRST_TURN,
        SECOND_TURN | {"start": 3.874},
    ],
    "overlaps": [{"start": 3.655, "end": 3.874}],
    "speaker_count": {"found": 2, "plausible": [2, 3], "needs_review": True},
    "purity": [
        {"speaker": "SPEAKER_00", "purity": 0.41, "needs_review": True},
        {"speaker": "SPEAKER_01", "purity": 0.97, "needs_review": False},
    ],
    "audio_quality": {
        "needs_review": True,
        "warnings": [
            {
                "code": "noise",
                "detail": "The noise in the pauses is only 2 dB below the speech. Expect more errors.",
                "needs_review": True,
            }
        ],
        "measures": {"signal_to_noise_db": 2.1, "noise_deviation_db": 0.5, "bandwidth_hz": 8000.0},
    },
    "engine": {
        "name": "onnx",
        "version": "1",
        "weights": {"segmentation.onnx": SHA256},
        "parameters": {},
        "kernels": {
            "onnxruntime": "1.23.2",
            "processor": "x86_64",
            "arithmetic": "avx512_vnni",
            "instructions": "avx2 fma avx512f avx512_vnni",
        },
    },
}
TRANSCRIPT_RECEIPT: Example = {"job_id": JOB_ID, "words": 4, "format": "openai"}
TRANSCRIPT: Example = {
    "job_id": JOB_ID,
    "version": 0,
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "identities": None,
    "utterances": [
        {
            "start": 0.412,
            "end": 3.874,
            "speaker": "SPEAKER_00",
            "text": "Good morning.",
            "confidence": 0.97,
            "first_word": 0,
            "words": 2,
        },
        {
            "start": 3.9,
            "end": 5.22,
            "speaker": "SPEAKER_01",
            "text": "Good morning.",
            "confidence": 0.61,
            "first_word": 2,
            "words": 2,
        },
    ],
    "words": [
        {"text": "Good", "start": 0.412, "end": 1.1, "speaker": "SPEAKER_00", "confidence": 0.98},
        {"text": "morning.", "start": 1.1, "end": 3.874, "speaker": "SPEAKER_00", "confidence": 0.96},
        {"text": "Good", "start": 3.9, "end": 4.4, "speaker": "SPEAKER_01", "confidence": 0.58},
        {"text": "morning.", "start": 4.4, "end": 5.22, "speaker": "SPEAKER_01", "confidence": 0.64},
    ],
}
CONSULT_ACCEPTED: Example = {"job_id": JOB_ID, "session_id": "session-7", "status": "queued"}
CONSULT: Example = {
    "job_id": JOB_ID,
    "session_id": "session-7",
    "status": "succeeded",
    "progress": 1.0,
    "error": None,
    "turns": [FIRST_TURN, SECOND_TURN],
    "identities": None,
}

CORRECTION_REQUEST: Example = {
    "base_version": 0,
    "author": "A. Weber",
    "operations": [
        {"operation": "reassign_turns", "turns": ["2"], "speaker": "SPEAKER_00"},
        {"operation": "rename_speaker", "speaker": "SPEAKER_00", "name": "Dr. Weber"},
    ],
}
CORRECTION: Example = {
    "version": 1,
    "author": "A. Weber",
    "created_at": "2025-11-25T05:10:00.000Z",
    "operations": CORRECTION_REQUEST["operations"],
    "redecided": [],
    "counts": True,
}
CORRECTIONS: Example = {
    "job_id": JOB_ID,
    "version": 1,
    "can_undo": True,
    "can_redo": False,
    "corrections": [CORRECTION],
}

QUESTIONS: Example = {
    "job_id": JOB_ID,
    "version": 1,
    "by_voice": True,
    "questions": [
        {
            "kind": "same_person",
            "turn": "12",
            "speaker": "SPEAKER_02",
            "candidates": [{"speaker": "SPEAKER_00", "example": "3"}],
            "seconds": 14.2,
        }
    ],
}

CONSENT: Example = {
    "given_by": "Dr. Weber",
    "given_at": "2025-11-25T05:00:00Z",
    "purpose": "Names in the notes of consultations",
    "until": "2035-11-25T05:00:00Z",
}
ENROL: Example = {
    "name": "Dr. Weber",
    "role": "clinician",
    "job_id": JOB_ID,
    "speaker": "SPEAKER_00",
    "consent": CONSENT,
}
VOICEPRINT: Example = {
    "id": VOICEPRINT_ID,
    "name": "Dr. Weber",
    "role": "clinician",
    "enrolled_at": "2025-11-25T05:03:11.000Z",
    "model": "onnx-embedding/9f2c4b7e",
    "consent": CONSENT | {"given_at": "2025-11-25T05:00:00.000Z", "until": "2035-11-25T05:00:00.000Z"},
}
VOICEPRINTS: Example = {"voiceprints": [VOICEPRINT]}
VOICEPRINT_RECEIPT: Example = {
    "voiceprint_id": VOICEPRINT_ID,
    "deleted_at": "2025-11-26T09:30:00.000Z",
    "removed": ["name", "role", "vector"],
}

DELIVERY_ID = f"msg_{JOB_ID.replace('-', '')}_0"
DELIVERY: Example = {
    "id": DELIVERY_ID,
    "job_id": JOB_ID,
    "batch_id": None,
    "url": "https://records.example/parley",
    "state": "pending",
    "attempts": 2,
    "outcome": "503",
    "ended_at": "2025-11-25T05:00:04.310Z",
    "last_attempt_at": "2025-11-25T05:00:09.870Z",
    "next_attempt_at": "2025-11-25T05:05:21.400Z",
}
DELIVERIES: Example = {"deliveries": [DELIVERY]}
MESSAGE: Example = {
    "type": "job.succeeded",
    "timestamp": "2025-11-25T05:00:04.310Z",
    "data": {"id": JOB_ID, "state": "succeeded", "queue": "interactive", "reference": "consult-4711", "error": None},
}

NEW_KEY: Example = {"name": "records import", "scopes": ["submit", "read"], "expires_at": "2026-11-25T00:00:00Z"}
KEY: Example = {
    "id": "3f9a1c07d2be",
    "name": "records import",
    "scopes": ["read", "submit"],
    "created_at": "2025-11-25T05:00:00.000Z",
    "expires_at": "2026-11-25T00:00:00.000Z",
    "last_used_at": None,
}
CREATED_KEY: Example = {**KEY, "key": "pk_3f9a1c07d2be_" + "0" * 43}
KEYS: Example = {"keys": [KEY]}
KEY_RECEIPT: Example = {"key_id": "3f9a1c07d2be", "revoked_at": "2025-11-26T09:30:00.000Z"}

SHARE_ID = "5c1b7f20a9d3e864"
NEW_SHARE: Example = {"seconds": 604_800, "audio": False}
SHARE: Example = {
    "id": SHARE_ID,
    "audio": False,
    "created_at": "2025-11-25T05:00:00.000Z",
    "expires_at": "2025-12-02T05:00:00.000Z",
}
CREATED_SHARE: Example = {**SHARE, "link": f"/shared#ps_{JOB_ID.replace('-', '')}_" + "0" * 43}
SHARES: Example = {"shares": [SHARE]}
SHARE_RECEIPT: Example = {"share_id": SHARE_ID, "revoked_at": "2025-11-26T09:30:00.000Z"}
SHARED_JOB: Example = {
    "created_at": "2025-11-25T05:00:00.000Z",
    "expires_at": "2025-12-02T05:00:00.000Z",
    "recording": {"seconds": 612.4, "media_type": "audio/flac"},
    "speakers": 2,
    "links": {"turns": "/v1/shared/turns", "peaks": "/v1/shared/peaks", "audio": None},
}

QUEUES: Example = {
    "queues": [
        {
            "queue": "interactive",
            "unfinished": 3,
            "waiting": 1,
            "running": 2,
            "oldest_seconds": 4.2,
            "workers": 1,
            "capacity": 2,
        },
        {
            "queue": "batch",
            "unfinished": 0,
            "waiting": 0,
            "running": 0,
            "oldest_seconds": None,
            "workers": 1,
            "capacity": 2,
        },
    ]
}

USED: Example = {
    "succeeded": 41,
    "failed": 1,
    "cancelled": 0,
    "attempts": 43,
    "audio_seconds": 36120.5,
    "engine_seconds": 904.2,
    "engine_cpu_seconds": 1790.8,
    "transcribed_seconds": 0.0,
    "wait_seconds": 52.0,
}
USAGE: Example = {
    "first": "2025-11-01",
    "last": "2025-11-30",
    "total": USED,
    "days": [{"day": "2025-11-25", "queue": "interactive", **USED}],
}

LINK: Example = {"url": "https://pacs.clinic.example/calls/visit-4711.wav", "queue": "batch"}

HEALTH: Example = {
    "state": "warn",
    "version": "0.1.0",
    "checks": [
        {
            "name": "redis",
            "state": "good",
            "text": "Redis answers.",
            "advice": None,
            "alert": None,
            "detail": None,
        },
        {
            "name": "queue_batch",
            "state": "warn",
            "text": "Queue batch: 0 workers, 0 running, 0 waiting.",
            "advice": "Its recordings wait until a worker starts.",
            "alert": None,
            "detail": None,
        },
    ],
}
