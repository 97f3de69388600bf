"""TLS as rendered: who gets which certificate, who verifies it, and which values are refused."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509

from tests.chart.rendering import KEDA, PROMETHEUS, Manifest, environment, refusal, render

OWN: Manifest = {"tls": {"enabled": True}}
PARTS = ("api", "keeper", "worker", "flower", "redis", "objects")


def entry(secret: Manifest, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(secret["data"][name]))


def test_the_chart_signs_a_certificate_per_component_with_the_names_that_are_called() -> None:
    rendered = render(OWN)
    authority = entry(rendered.one("Secret", "-tls-authority"), "tls.crt")
    keys = set()
    for part in PARTS:
        secret = rendered.one("Secret", f"-tls-{part}")
        certificate = entry(secret, "tls.crt")
        certificate.verify_directly_issued_by(authority)
        assert entry(secret, "ca.crt") == authority
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {f"release-parley-{part}", f"release-parley-{part}.space.svc", "localhost"} <= set(
            names.get_values_for_type(x509.DNSName)
        )
        keys.add(secret["data"]["tls.key"])
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert len(keys) == len(PARTS)
    assert "*.release-parley-redis-ha.space.svc" in str(
        entry(rendered.one("Secret", "-tls-redis"), "tls.crt").extensions
    )


def test_no_pod_gets_the_key_of_the_authority_or_of_another_component() -> None:
    for name, pod in render(OWN).pods().items():
        for volume in pod["volumes"]:
            secret: dict[str, Any] = volume.get("secret", {})
            if "-tls-" in secret.get("secretName", ""):
                wanted = "api" if name.endswith("-test") else name.removeprefix("release-parley-").partition("-")[0]
                assert secret["secretName"] == f"release-parley-tls-{wanted}"
                assert name.endswith("-test") == ("tls.key" not in {item["key"] for item in secret["items"]})


def test_every_client_and_every_probe_speaks_tls() -> None:
    for mode, scheme in (("single", "rediss://"), ("sentinel", "rediss+sentinel://")):
        rendered = render(OWN | {"redis": {"mode": mode}}, KEDA, PROMETHEUS)
        for name, pod in rendered.pods().items():
            for container in pod["containers"]:
                probes = [probe.get("httpGet") for key, probe in container.items() if key.endswith("Probe")]
                assert all(probe["scheme"] == "HTTPS" for probe in probes if probe), (name, container["name"])
            if "env" in pod["containers"][0] and "PARLEY_REDIS_URL" in environment(pod):
                found = environment(pod)
                assert found["PARLEY_REDIS_URL"].startswith(scheme)
                assert found["PARLEY_CA_FILE"] == "/etc/parley/tls/ca.crt"
                assert found.get("AWS_ENDPOINT_URL", "https:").startswith("https:")
                assert "AWS_ALLOW_HTTP" not in found
        for scaled in rendered.of("ScaledObject"):
            assert scaled["spec"]["triggers"][0]["metadata"]["enableTLS"] == "true"
        references = rendered.one("TriggerAuthentication", "-keda")["spec"]["secretTargetRef"]
        assert {"parameter": "ca", "name": "release-parley-tls-redis", "key": "ca.crt"} in references
        for monitor in rendered.of("PodMonitor"):
            (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
            assert (endpoint["scheme"], endpoint["tlsConfig"]["serverName"]) == ("https", monitor["metadata"]["name"])


def test_cert_manager_signs_instead_and_two_renders_are_equal() -> None:
    values = {
        "tls": {"enabled": True, "issuerRef": {"name": "hospital", "kind": "ClusterIssuer"}},
        "redis": {"existingSecret": "r"},
        "objects": {"embedded": {"existingSecret": "o"}},
        "flower": {"existingSecret": "f"},
        "api": {"existingKeysSecret": "k"},
    }
    first, second = render(values), render(values)
    assert first.manifests == second.manifests
    assert not first.of("Secret")
    certificates = {one["spec"]["secretName"]: one["spec"] for one in first.of("Certificate")}
    assert set(certificates) == {f"release-parley-tls-{part}" for part in PARTS}
    assert {spec["issuerRef"]["kind"] for spec in certificates.values()} == {"ClusterIssuer"}


def test_values_that_encrypt_nothing_or_contradict_each_other_are_refused() -> None:
    assert "tls.enabled is false" in refusal({"tls": {"existingSecret": "mine"}})
    both = {"enabled": True, "existingSecret": "mine", "issuerRef": {"name": "hospital"}}
    assert "not both" in refusal({"tls": both})
    assert "no entry keeper" in refusal({"tls": {"enabled": True, "existingSecrets": {"api": "mine"}}})
    assert not render().of("Certificate")
