"""Running the `parley` command in this process, against the scripted server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from typer.testing import CliRunner, Result

from parley.cli.app import app
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, turns_document

RTTM = f"SPEAKER {JOB_ID} 1 0.000 12.500 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
FAILED = job_document(state="failed", error={"code": "unreadable_recording", "detail": "The recording is damaged."})
SUCCEEDED = job_document(state="succeeded", result={"speakers": 2, "turns": 2, "seconds_of_speech": 30.0})


def parley(*arguments: object, **options: Any) -> Result:
    """Run a command to its end."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


def ago(**duration: float) -> str:
    return (datetime.now(UTC) - timedelta(**duration)).isoformat()


def every_submit_ends_as(server: ScriptedServer, final: dict[str, Any]) -> None:
    server.on("POST", "/v1/jobs", Reply(202, job_document()))
    server.on("GET", f"/v1/jobs/{JOB_ID}", Reply(document=final))
    server.on("GET", f"/v1/jobs/{JOB_ID}/turns", Reply(document=turns_document()))
