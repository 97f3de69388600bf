"""`parley doctor`: a line per check, advice for each failure, and an exit code."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import parley
from parley.cli import checks
from parley.cli.app import app
from parley.cli.exit_codes import Exit
from tests.support.certificates import make_certificate
from tests.unit.client.scripted import Reply, ScriptedServer, problem

IDLE = {"queue": "interactive", "unfinished": 0, "waiting": 0, "running": 0, "oldest_seconds": None, "workers": 1}


def healthy(server: ScriptedServer, **changes: Any) -> None:
    server.on("GET", "/openapi.json", changes.get("version", Reply(document={"info": {"version": parley.__version__}})))
    server.on("GET", "/readyz", changes.get("ready", Reply(document={"status": "ok", "decoder_lacks": []})))
    server.on("GET", "/v1/queues", changes.get("queues", Reply(document={"queues": [IDLE]})))


def doctor() -> tuple[int, dict[str, dict[str, Any]]]:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    return result.exit_code, {finding["subject"]: finding for finding in json.loads(result.stdout)}


def test_a_healthy_server_has_no_failures(server: ScriptedServer) -> None:
    healthy(server)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == Exit.OK
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok      server",
        "ok      ready",
        "ok      decoders",
        "ok      access",
        "ok      queue interactive",
    ]


def test_a_component_that_is_down_is_named(server: ScriptedServer) -> None:
    healthy(server, ready=problem(503, "not_ready", "The job store does not answer."))
    code, findings = doctor()
    assert code == Exit.UNAVAILABLE
    assert findings["ready"]["detail"] == "The job store does not answer."
    assert findings["access"]["ok"]


def test_decoders_that_are_not_confined_are_shown_with_advice(server: ScriptedServer) -> None:
    healthy(server, ready=Reply(document={"status": "ok", "decoder_lacks": ["Landlock"]}))
    code, findings = doctor()
    assert code == Exit.OK
    assert "no Landlock" in findings["decoders"]["detail"]
    assert "PARLEY_SANDBOX_REQUIRED" in findings["decoders"]["advice"]


def test_a_missing_api_key_is_named(server: ScriptedServer) -> None:
    healthy(server, queues=problem(401, "unauthorized", "This server wants a key."))
    code, findings = doctor()
    assert code == Exit.REFUSED
    assert "PARLEY_API_KEY" in findings["access"]["advice"]


@pytest.mark.parametrize(
    ("queue", "code"),
    [
        ({"waiting": 3, "workers": 0, "oldest_seconds": 90.0}, Exit.UNAVAILABLE),
        ({"waiting": 3, "workers": 0, "oldest_seconds": 5.0}, Exit.OK),
        ({"waiting": 3, "workers": None, "oldest_seconds": 3600.0}, Exit.UNAVAILABLE),
        ({"waiting": 3, "workers": None, "oldest_seconds": 5.0}, Exit.OK),
        ({"waiting": 3, "running": 2, "workers": 1, "oldest_seconds": 3600.0}, Exit.OK),
    ],
)
def test_a_queue_without_progress_is_a_failure(server: ScriptedServer, queue: dict[str, Any], code: Exit) -> None:
    healthy(server, queues=Reply(document={"queues": [IDLE | queue]}))
    exit_code, findings = doctor()
    assert exit_code == code
    assert findings["queue interactive"]["ok"] is (code is Exit.OK)


@pytest.mark.parametrize(
    ("workers", "alert"), [(0, "ParleyNoWorker"), (1, "ParleyQueueNotMoving"), (None, "ParleyQueueNotMoving")]
)
def test_a_failure_names_its_alert_in_the_runbook(server: ScriptedServer, workers: int | None, alert: str) -> None:
    stuck = IDLE | {"unfinished": 1, "waiting": 1, "oldest_seconds": 3600.0, "workers": workers}
    down = problem(503, "not_ready", "The job store does not answer.")
    healthy(server, ready=down, queues=Reply(document={"queues": [stuck]}))
    _, findings = doctor()
    assert (findings["ready"]["alert"], findings["queue interactive"]["alert"]) == ("ParleyNotReady", alert)
    headings = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text().splitlines()
    for finding in (findings["ready"], findings["queue interactive"]):
        assert finding["alert"] in finding["advice"]
        assert f"## {finding['alert']}" in headings
    assert findings["access"]["alert"] == ""


def test_another_major_version_is_a_failure(server: ScriptedServer) -> None:
    healthy(server, version=Reply(document={"info": {"version": "7.1.0"}}))
    code, findings = doctor()
    assert code == Exit.REFUSED
    assert "of version 7:" in findings["server"]["advice"]


def test_another_server_at_the_address_is_a_failure(server: ScriptedServer) -> None:
    server.on("GET", "/openapi.json", Reply(text="<html>Welcome to nginx</html>"))
    code, findings = doctor()
    assert code == Exit.UNAVAILABLE
    assert set(findings) == {"server"}


def engine_finding() -> dict[str, Any]:
    result = CliRunner().invoke(app, ["doctor", "--engine", "--json"])
    return next(finding for finding in json.loads(result.stdout) if finding["subject"] == "engine")


def test_the_engine_of_this_machine_is_loaded(server: ScriptedServer) -> None:
    pytest.importorskip("onnxruntime")
    healthy(server)
    finding = engine_finding()
    assert finding["ok"]
    assert "4 model files as pinned" in finding["detail"]


def test_a_damaged_model_file_is_named(server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("parley_worker.engines.onnx.models")
    healthy(server)
    for name in models.PINS:
        (tmp_path / name).symlink_to(models.MODELS / name)
    (tmp_path / models.CHANNEL_SUBSPACE).unlink()
    (tmp_path / models.CHANNEL_SUBSPACE).write_bytes(b"cut off")
    monkeypatch.setattr(models.read_model, "__defaults__", (tmp_path,))
    finding = engine_finding()
    assert not finding["ok"]
    assert models.CHANNEL_SUBSPACE in finding["detail"]


def test_an_engine_that_does_not_exist_is_named(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("parley_worker")
    healthy(server)
    monkeypatch.setenv("PARLEY_ENGINE", "nonesuch")
    assert "nonesuch" in engine_finding()["detail"]


def test_a_machine_without_a_worker_is_a_failure_without_a_traceback(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(server)
    monkeypatch.setitem(sys.modules, "parley_worker.engines.base", None)
    assert "no worker is installed here" in engine_finding()["detail"]


def listed(name: str, days_left: float, used_days_ago: float | None, lifetime: float = 90) -> dict[str, Any]:
    now = datetime.now(UTC)
    used = None if used_days_ago is None else (now - timedelta(days=used_days_ago)).isoformat()
    ends = now + timedelta(days=days_left)
    times = {"expires_at": ends.isoformat(), "created_at": (ends - timedelta(days=lifetime)).isoformat()}
    return {"id": name, "name": name, "scopes": ["read"], "last_used_at": used, **times}


def test_keys_in_use_that_expire_soon_are_named_with_their_alert(server: ScriptedServer) -> None:
    healthy(server)
    keys = [
        listed("soon", 3, 0.1),
        listed("over", -1, 0.1),
        listed("later", 40, 0.1),
        listed("unused", 3, None),
        listed("forgotten", 3, 9),
        listed("renewed daily", 0.5, 0.1, lifetime=1),
    ]
    server.on("GET", "/v1/keys", Reply(document={"keys": keys}))
    code, findings = doctor()
    assert code == Exit.REFUSED
    named = {subject: one["alert"] for subject, one in findings.items() if subject.startswith("API key")}
    assert named == {"API key soon": "ParleyApiKeyExpiring", "API key over": "ParleyApiKeyExpiring"}


@pytest.mark.parametrize(("days", "ok"), [(30, True), (3, False)], ids=["in a month", "this week"])
def test_the_end_of_the_certificate_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, ok: bool
) -> None:
    certificate = make_certificate(tmp_path, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()
        [finding] = checks._certificate(f"https://127.0.0.1:{listener.getsockname()[1]}")
    assert (finding.ok, finding.alert) == (ok, "" if ok else "ParleyCertificateExpiring")
    assert list(checks._certificate("http://127.0.0.1:1")) == []
