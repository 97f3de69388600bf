"""A program of another namespace calls the API with the token of its pod: no API key, and no Secret anywhere."""

from __future__ import annotations

import json

import pytest

from tests.cluster.conftest import Results
from tests.cluster.kubernetes import Manifest, Namespace, namespace, run, tool, until
from tests.cluster.release import Release

pytestmark = pytest.mark.timeout(900)

AUDIENCE = "parley"
CALLS = """
import io, json, sys, urllib.error, urllib.request, wave
api, path = sys.argv[1], "/var/run/parley/token"
def call(method, route, body=None, token=None):
    headers = {"Content-Type": "audio/wav"} | ({"Authorization": "Bearer " + token} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(api + route, body, headers, method=method)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
buffer = io.BytesIO()
with wave.open(buffer, "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", ""))
    file.writeframes(bytes(range(256)) * 250)
token = open(path).read()
found = {"without": call("GET", "/v1/jobs")[0], "altered": call("GET", "/v1/jobs", token=token[:-8] + "AAAAAAAA")[0]}
status, job = call("POST", "/v1/jobs", buffer.getvalue(), token)
found |= {"submitted": status, "job": job.get("id")}
while job.get("state") in ("accepted", "queued", "running"):
    _, job = call("GET", f"/v1/jobs/{job['id']}?wait=30", token=token)
found |= {"state": job.get("state"), "deleted": call("DELETE", f"/v1/jobs/{job.get('id')}", token=token)[0]}
print(json.dumps(found))
"""


def raw(path: str) -> str:
    """Return a document of the cluster's API server."""
    return run(tool("kubectl"), "get", "--raw", path)


def caller(image: str, api: str) -> list[Manifest]:
    """Return the ServiceAccount and the pod of a program."""
    container: Manifest = {
        "name": "caller",
        "image": image,
        "command": ["python", "-c", CALLS, api],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/parley", "readOnly": True}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: Manifest = {
        "serviceAccountName": "importer",
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            {
                "name": "token",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"path": "token", "audience": AUDIENCE, "expirationSeconds": 3600}}
                    ]
                },
            }
        ],
    }
    account: Manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "importer"}}
    return [account, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "caller"}, "spec": spec}]


def ended(space: Namespace) -> str | None:
    """Return the last phase of the caller's pod; None before it has ended."""
    phase: str = space.get("pod", "caller")["status"].get("phase", "")
    return phase if phase in ("Succeeded", "Failed") else None


def test_a_pod_of_another_namespace_calls_without_a_secret(release: Release, results: Results) -> None:
    issuer = {
        "issuer": json.loads(raw("/.well-known/openid-configuration"))["issuer"],
        "audience": AUDIENCE,
        "jwks": raw("/openid/v1/jwks"),
        "subjects": {"system:serviceaccount:e2e-callers:importer": {"tenant": "north", "scopes": ["submit", "read"]}},
    }
    release.install({"api": {"tokenIssuers": [issuer]}}, "--wait", "--timeout", "5m")
    deployment = release.space.get("deployment", f"{release.fullname}-api")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    api = f"http://{release.fullname}-api.{release.space.name}.svc:7001"
    with namespace("e2e-callers") as callers:
        manifests = {"apiVersion": "v1", "kind": "List", "items": caller(image, api)}
        callers.kubectl("apply", "--filename", "-", given=json.dumps(manifests))
        phase = until("the caller has ended", 300, lambda: ended(callers), every=1.0)
        said = callers.kubectl("logs", "caller")
        secrets = callers.get("secrets")["items"]
    assert phase == "Succeeded", said
    found = json.loads(said)
    assert (found["without"], found["altered"], found["submitted"], found["state"]) == (401, 401, 202, "succeeded")
    assert found["deleted"] == 403, "the table gives this subject no right to delete"
    assert secrets == []
    assert release.http.get(f"/v1/jobs/{found['job']}").status_code == 404, "the job is that of another tenant"
    results.add(
        "token of a ServiceAccount, called from another namespace", "submit and read, no Secret", "202, 401, 403"
    )
