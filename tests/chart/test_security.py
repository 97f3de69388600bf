"""Private by default: restricted pods, no tokens, no open ports, passwords in Secrets only."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from subprocess import CalledProcessError

import pytest
import yaml

from tests.chart.rendering import KEDA, Manifest, environment, render
from tests.chart.test_rendered_objects import SHAPES
from tests.support.access_lists import write_access_lists

COMPONENTS = {"api", "keeper", "worker", "redis", "objects", "flower", "test"}


@pytest.fixture(scope="module")
def pods() -> dict[str, Manifest]:
    return render().pods()


def test_every_pod_passes_the_restricted_standard(pods: dict[str, Manifest]) -> None:
    assert len(pods) == 8
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"] + pod.get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name


def test_only_the_keeper_has_a_token_with_few_rights(pods: dict[str, Manifest]) -> None:
    with_token = [name for name, pod in pods.items() if pod["automountServiceAccountToken"]]
    assert with_token == ["release-parley-keeper"]
    assert pods["release-parley-keeper"]["serviceAccountName"] == "release-parley-keeper"
    rendered = render()
    assert not any(account["automountServiceAccountToken"] for account in rendered.of("ServiceAccount"))
    assert not rendered.of("ClusterRole")
    (role,) = rendered.of("Role")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "patch"]}]


def policies(values: Manifest | None = None) -> dict[str, Manifest]:
    return {policy["metadata"]["name"]: policy["spec"] for policy in render(values).of("NetworkPolicy")}


def test_traffic_is_denied_by_default() -> None:
    deny = policies()["release-parley-deny"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    assert set(deny["podSelector"]["matchLabels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def reached(rules: list[Manifest]) -> set[str]:
    """Return the components that egress rules allow; `dns` and `other` for addresses."""
    found = set()
    for peer in (peer for rule in rules for peer in rule["to"]):
        labels = peer.get("podSelector", {}).get("matchLabels", {})
        found.add(labels.get("app.kubernetes.io/component") or ("dns" if "53" in str(rules) else "other"))
    return found


def test_a_worker_reaches_redis_objects_and_dns_and_only_prometheus_reaches_it() -> None:
    worker = policies()["release-parley-worker"]
    [allowed] = worker["ingress"]
    assert allowed["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert reached(worker["egress"]) == {"redis", "objects", "dns"}
    ports = [port["port"] for rule in worker["egress"] for port in rule["ports"]]
    assert sorted(ports) == [53, 53, 6379, 7070, 7071]
    assert "0.0.0.0/0" not in str(worker)


def test_a_store_by_url_opens_its_addresses_only() -> None:
    values: Manifest = {
        "objects": {"kind": "url", "url": "s3://b"},
        "networkPolicy": {
            "objectStoreEgress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 9000}]}]
        },
    }
    worker = policies(values)["release-parley-worker"]
    assert {"ports": [{"port": 9000}], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]} in worker["egress"]
    assert "release-parley-objects" not in policies(values)


def test_deliveries_are_off_until_there_are_secrets(pods: dict[str, Manifest]) -> None:
    keeper = policies()["release-parley-keeper"]
    assert 80 not in [port["port"] for rule in keeper["egress"] for port in rule["ports"]]
    assert "WEBHOOK" not in str(pods)


@pytest.mark.parametrize(
    "values",
    [{"links": {"hosts": ["https://pacs.example"]}}, {"tenants": {"north": {"linkBuckets": "s3://calls"}}}],
    ids=["all tenants", "one tenant"],
)
def test_only_an_api_with_links_reaches_their_hosts(values: Manifest, pods: dict[str, Manifest]) -> None:
    assert "LINK" not in str(pods)
    assert 443 not in [port["port"] for rule in policies()["release-parley-api"]["egress"] for port in rule["ports"]]
    links = {"networks": ["10.30.0.0/16"], "existingSecret": "pacs", **values.get("links", {})}
    values = values | {"links": links}
    allowed, pod = policies(values), render(values).pods()["release-parley-api"]
    assert {"to": [{"ipBlock": {"cidr": "10.30.0.0/16"}}]} in allowed["release-parley-api"]["egress"]
    assert [443] in [
        [port["port"] for port in rule.get("ports", ())] for rule in allowed["release-parley-api"]["egress"]
    ]
    assert environment(pod)["PARLEY_LINK_SECRETS_FOLDER"] == "/etc/parley/links"
    assert {"name": "links", "secret": {"secretName": "pacs", "defaultMode": 0o440}} in pod["volumes"]
    assert "10.30.0.0" not in str(allowed["release-parley-worker"]) + str(allowed["release-parley-keeper"])


def test_only_workers_reach_a_recogniser_and_none_until_it_is_set(pods: dict[str, Manifest]) -> None:
    assert "ASR" not in str(pods)
    secret = {"existingSecret": "asr", "ca": True}
    values: Manifest = {
        "recogniser": {"url": "https://whisper.example:8443/v1", **secret},
        "networkPolicy": {"recogniserEgressTo": [{"ipBlock": {"cidr": "10.40.0.0/16"}}]},
    }
    allowed, found = policies(values), render(values).pods()
    rule = {"to": [{"ipBlock": {"cidr": "10.40.0.0/16"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}
    assert [name for name, policy in allowed.items() if rule in policy.get("egress", ())] == ["release-parley-worker"]
    worker = found["release-parley-worker-interactive"]
    assert environment(worker)["PARLEY_ASR_TOKEN_FILE"] == "/etc/parley/recogniser/token"
    assert environment(worker)["PARLEY_ASR_CA_FILE"] == "/etc/parley/recogniser/ca.crt"
    assert {"name": "recogniser", "secret": {"secretName": "asr", "defaultMode": 0o440}} in worker["volumes"]
    api = environment(found["release-parley-api"])
    assert {name for name in api if "ASR" in name} == {"PARLEY_ASR_URL"}  # the token is the workers' alone


def test_only_the_keeper_reaches_receivers() -> None:
    values: Manifest = {"webhooks": {"existingSecret": "hooks", "networks": ["10.20.0.0/16"]}}
    rendered = render(values)
    for component in ("api", "keeper"):
        pod = rendered.pods()[f"release-parley-{component}"]
        assert environment(pod)["PARLEY_WEBHOOK_NETWORKS"] == "10.20.0.0/16"
        assert {
            "name": "webhooks",
            "secret": {"secretName": "hooks", "defaultMode": 0o440, "items": [{"key": "secrets", "path": "secrets"}]},
        } in (pod["volumes"])
    assert "WEBHOOK" not in str(rendered.pods()["release-parley-worker-interactive"])
    allowed = policies(values)
    [public] = [
        rule
        for rule in allowed["release-parley-keeper"]["egress"]
        if {"port": 80, "protocol": "TCP"} in rule.get("ports", ())
    ]
    assert "169.254.0.0/16" in public["to"][0]["ipBlock"]["except"]
    assert {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]} in allowed["release-parley-keeper"]["egress"]
    assert "10.20.0.0/16" not in str(allowed["release-parley-api"]) + str(allowed["release-parley-worker"])


def test_traces_are_off_until_there_is_a_collector(pods: dict[str, Manifest]) -> None:
    keeper = policies()["release-parley-keeper"]
    assert 4318 not in [port["port"] for rule in keeper["egress"] for port in rule["ports"]]
    assert "OTEL" not in str(pods)


def test_only_the_keeper_reaches_the_collector_of_traces() -> None:
    values: Manifest = {"tracing": {"endpoint": "http://collector:4318", "existingSecret": "traces"}}
    pods = render(values).pods()
    variables = pods["release-parley-keeper"]["containers"][0]["env"]
    assert {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"} in variables
    headers = {"secretKeyRef": {"name": "traces", "key": "headers"}}
    assert {"name": "OTEL_EXPORTER_OTLP_HEADERS", "valueFrom": headers} in variables
    assert "OTEL" not in str([pod for name, pod in pods.items() if name != "release-parley-keeper"])
    reach = [name for name, policy in policies(values).items() if "4318" in str(policy.get("egress"))]
    assert reach == ["release-parley-keeper"]


def test_only_this_release_and_keda_reach_redis() -> None:
    (rule,) = policies()["release-parley-redis"]["ingress"]
    labels = [peer["podSelector"]["matchLabels"] for peer in rule["from"] if "podSelector" in peer]
    assert {label["app.kubernetes.io/component"] for label in labels} == {"api", "keeper", "worker", "flower"}
    assert {label["app.kubernetes.io/instance"] for label in labels} == {"release"}
    assert [p["namespaceSelector"]["matchLabels"] for p in rule["from"] if "namespaceSelector" in p] == [
        {"kubernetes.io/metadata.name": "keda"}
    ]


def test_network_policies_can_be_disabled() -> None:
    assert not policies({"networkPolicy": {"enabled": False}})


def acl() -> dict[str, str]:
    lines = render().one("ConfigMap", "-redis-config")["data"]["users.acl"].splitlines()
    return {line.split()[1]: line for line in lines}


def test_each_role_has_a_password_and_the_access_list_only_its_hash(tmp_path: Path) -> None:
    rendered = render()
    secret = rendered.one("Secret", "-redis")["stringData"]
    users = (
        write_access_lists(rendered.one("ConfigMap", "-redis-config")["data"], secret, tmp_path) / "users.acl"
    ).read_text()
    passwords = {key.removesuffix("-password"): value for key, value in secret.items()}
    assert len(set(passwords.values())) == len(passwords) == 6
    for role, password in passwords.items():
        assert re.fullmatch(r"[A-Za-z0-9]{32}", password)
        assert f"user {role} on #{sha256(password.encode()).hexdigest()} " in users
        assert password not in users


@pytest.mark.parametrize("found", [{}, {"keda-password": ""}])
def test_a_secret_of_ones_own_that_lacks_a_password_is_refused(found: dict[str, str], tmp_path: Path) -> None:
    config = render().one("ConfigMap", "-redis-config")["data"]
    secret = {f"{role}-password": "right\n" for role in ("probe", "api", "keeper", "worker", "flower")}
    with pytest.raises(CalledProcessError) as refusal:
        write_access_lists(config, secret | found, tmp_path)
    assert "no entry keda-password, or an empty one" in refusal.value.stderr


def test_roles_have_only_the_keys_they_need() -> None:
    rules = acl()
    assert " off " in rules["default"]
    assert "parley" not in rules["flower"].split("user flower", 1)[1]
    assert re.findall(r" (?:&\S+|allchannels)", rules["flower"]) == [" &/0.celery.pidbox", " &/0.celeryev/*"]
    assert "unacked" not in rules["api"] + rules["keeper"]
    assert re.findall(r" ~\S+", rules["keda"]) == [" ~parley:unfinished:*"]
    assert not re.search(r"\+(@write|set|zadd|zrem|del)", rules["keda"])
    assert {role for role, rule in rules.items() if "voiceprint" in rule} == {"api", "keeper"}
    for role in ("api", "keeper", "worker"):
        assert "-@all" in rules[role]
        assert not re.search(r"~\* |~parley:\*|\+@|allkeys|allchannels| \+scan| \+keys", rules[role])


def test_redis_persists_every_write_and_evicts_nothing() -> None:
    config = render().one("ConfigMap", "-redis-config")["data"]["redis.conf"]
    for line in ("appendonly yes", "appendfsync always", "maxmemory-policy noeviction", "maxmemory 512mb"):
        assert line in config.splitlines()
    stateful = render({"redis": {"maxmemoryMiB": 100}}).one("StatefulSet", "-redis")["spec"]
    assert stateful["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "200Mi"
    assert stateful["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_pod_has_a_secret_in_its_environment_or_its_commands(shape: str) -> None:
    rendered = render(SHAPES[shape], KEDA)
    secrets = [value for found in rendered.of("Secret") for value in found["stringData"].values()]
    for name, pod in rendered.pods().items():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert "envFrom" not in container, name
            assert "secretKeyRef" not in str(container), name
            assert not [secret for secret in secrets if secret in str(container)], name


def test_files_of_secrets_open_for_the_user_of_the_pod_alone() -> None:
    for name, pod in render({"redis": {"mode": "sentinel"}, "webhooks": {"existingSecret": "hooks"}}).pods().items():
        for volume in pod["volumes"]:
            kind = volume.get("secret") or volume.get("projected")
            assert kind is None or kind["defaultMode"] == 0o440, (name, volume)


def test_a_managed_redis_is_reached_over_tls_with_a_private_authority() -> None:
    external: Manifest = {"host": "redis.example", "port": 6380, "username": "parley", "existingSecret": "managed"}
    rendered = render({"redis": {"mode": "external", "external": external | {"tls": {"caSecret": "ca"}}}}, KEDA)
    pod = rendered.one("Deployment", "-api")["spec"]["template"]["spec"]
    url = environment(pod)["PARLEY_REDIS_URL"]
    assert url.startswith("rediss://parley@redis.example:6380/0?ssl_cert_reqs=required")
    (login,) = [volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "redis-login"]
    assert login == [
        {"secret": {"name": "managed", "items": [{"key": "password", "path": "password"}]}},
        {"secret": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    assert "ssl_ca_certs=/etc/parley/redis/ca.crt" in url
    assert not rendered.of("StatefulSet", "redis")
    assert not rendered.of("Secret", "redis")
    trigger = rendered.one("ScaledObject", "-worker-batch")["spec"]["triggers"][0]
    assert trigger["metadata"]["enableTLS"] == "true"
    assert trigger["metadata"]["username"] == "parley"


def test_an_uninstall_keeps_secrets_like_the_data_they_open() -> None:
    claims = render({"objects": {"kind": "volume"}}).of("PersistentVolumeClaim")
    tasks = [claim for claim in claims if claim["metadata"]["name"].endswith("-flower")]
    assert "annotations" not in tasks[0]["metadata"], "what Flower shows is no data"
    kept = [*render().of("Secret"), *(claim for claim in claims if claim not in tasks)]
    assert len(kept) == 4 + 1
    for manifest in kept:
        assert manifest["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_existing_secrets_replace_the_generated_ones() -> None:
    values: Manifest = {
        "redis": {"existingSecret": "mine"},
        "api": {"existingKeysSecret": "mine"},
        "flower": {"existingSecret": "mine"},
        "objects": {"embedded": {"existingSecret": "mine"}},
    }
    rendered = render(values, KEDA)
    assert not rendered.of("Secret")
    assert yaml.safe_dump(rendered.manifests) == yaml.safe_dump(render(values, KEDA).manifests)  # GitOps: no drift


def test_the_api_gets_hashes_of_keys_only() -> None:
    secret = render().one("Secret", "-api-keys")["stringData"]
    assert secret["keys"] == f"default:{sha256(secret['default-key'].encode()).hexdigest()}\n"
    (volume,) = [v for v in render().pods()["release-parley-api"]["volumes"] if v["name"] == "api-keys"]
    assert volume["secret"]["items"] == [{"key": "keys", "path": "keys"}]


def test_flower_needs_a_password() -> None:
    rendered = render()
    (container,) = rendered.pods()["release-parley-flower"]["containers"]
    assert "--conf=/etc/parley/flower/flowerconfig.py" in container["command"]
    assert "basic_auth = " in rendered.one("ConfigMap", "-flower")["data"]["flowerconfig.py"]
    assert not render({"flower": {"enabled": False}}).of("Deployment", "flower")


def test_listed_origins_reach_the_api() -> None:
    pod = render({"api": {"corsOrigins": ["https://a.example", "https://b.example"]}}).pods()["release-parley-api"]
    assert environment(pod)["PARLEY_CORS_ORIGINS"] == "https://a.example,https://b.example"


def test_the_api_watches_certificates_without_their_private_keys() -> None:
    ingress = {"enabled": True, "host": "parley.example", "tlsSecret": "parley-tls"}
    pod = render({"api": {"ingress": ingress, "certificateSecrets": ["gateway-tls", "parley-tls"]}}).pods()[
        "release-parley-api"
    ]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "certificates"]
    assert volume["projected"]["sources"] == [
        {"secret": {"name": name, "optional": True, "items": [{"key": "tls.crt", "path": f"{name}/tls.crt"}]}}
        for name in ("parley-tls", "gateway-tls")
    ]
    assert environment(pod)["PARLEY_CERTIFICATES_FOLDER"] == "/etc/parley/certificates"
    without = render().pods()["release-parley-api"]
    assert "certificates" not in {one["name"] for one in without["volumes"]}
    assert "PARLEY_CERTIFICATES_FOLDER" not in environment(without)


def test_a_path_of_the_host_reaches_the_api_and_its_routes(pods: dict[str, Manifest]) -> None:
    assert "PARLEY_ROOT_PATH" not in environment(pods["release-parley-api"])
    route = {"enabled": True, "parentRefs": [{"name": "gateway"}]}
    rendered = render(
        {"api": {"rootPath": "/parley", "ingress": {"enabled": True, "host": "apps.example"}, "httpRoute": route}}
    )
    assert environment(rendered.pods()["release-parley-api"])["PARLEY_ROOT_PATH"] == "/parley"
    [path] = rendered.one("Ingress", "-api")["spec"]["rules"][0]["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/parley", "Prefix")
    [rule] = rendered.one("HTTPRoute", "-api")["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/parley"}}]
