"""Ends of jobs reach their receivers: on a real Valkey and a real folder, to real receivers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from standardwebhooks import Webhook

from parley_api.main import create_app
from parley_core import deliveries as schedule
from parley_core import targets
from parley_core.batches import batch_delivery_key, batch_delivery_to_json, open_batch_from_json
from parley_core.deliveries import Delivery, DeliveryState, DueDelivery, delivery_id, read_secrets
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import DeliveryNotFound, UnsafeSettings
from parley_core.job import DEFAULT_TENANT, Failure, GiveUp, JobOptions
from parley_core.job_id import new_id
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_core.targets import AddressGuard
from parley_keeper.delivery import http, sender
from parley_keeper.delivery.sender import Sender
from parley_keeper.retention import purge_expired
from tests.support.fakes import new_job
from tests.support.receivers import NEXT_SECRET, SECRET, Received, Receiver
from tests.support.valkey import Valkey

LOOPBACK = "127.0.0.1/32"
BROKEN = Failure("engine_error", "The engine broke.")


def nothing() -> None:
    """No progress to note."""


class Outbox:
    """The stores of one deployment, and a keeper's task on them."""

    def __init__(self, url: str, folder: Path, networks: str = LOOPBACK) -> None:
        self.secrets = folder / "secrets"
        self.secrets.write_text(f"{DEFAULT_TENANT}:{SECRET}\n")
        self.settings = Settings(
            redis_url=url, objects_url=f"file://{folder}/objects",
            webhook_secrets_file=self.secrets, webhook_networks=networks,
        )  # fmt: skip
        self.store = DurableJobStore.from_settings(self.settings)
        self.deliveries = RedisDeliveries.from_settings(self.settings)
        self.redis = Redis.from_url(url, decode_responses=True)
        self.sender = Sender(self.store, self.deliveries, self.secrets, AddressGuard(networks))

    def ended(self, url: str | None, succeeded: bool = False, **options: Any) -> str:
        """Return the id of a job that was cancelled, or that failed."""
        job_id = new_job(options=JobOptions(callback_url=url, reference="visit-1", **options))
        self.store.create(job_id)
        self.store.cancel(job_id.id)
        return job_id.id

    def run(self) -> int:
        return self.sender.run_once(nothing)

    def delivery(self, job_id: str, run: int = 0) -> Delivery:
        found = self.deliveries.of_job(DEFAULT_TENANT, job_id, run)
        return next(one for one in found if one.run == run)

    def waiting(self) -> int:
        return int(self.redis.zcard("parley:outbox"))  # type: ignore[arg-type]


@pytest.fixture
def outbox(valkey: Valkey, tmp_path: Path) -> Outbox:
    return Outbox(valkey.url, tmp_path)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses of the schedule be over at once."""
    monkeypatch.setattr(schedule, "RETRY_SECONDS", (0,) * 9)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def verified(received: Received, secret: str = SECRET) -> Any:
    return Webhook(secret).verify(received.body, dict(received.headers))


def test_an_end_is_delivered_once_and_verifies(outbox: Outbox, receiver: Receiver) -> None:
    job_id = outbox.ended(receiver.url)
    assert outbox.run() == 1
    assert outbox.run() == 0
    [received] = receiver.received
    document = verified(received)
    ended = outbox.store.get(job_id)
    assert document["type"] == "job.cancelled"
    assert document["data"] == {
        "id": job_id, "state": "cancelled", "queue": "interactive", "reference": "visit-1", "error": None
    }  # fmt: skip
    assert ended.finished_at is not None
    assert received.headers["webhook-id"] == delivery_id(job_id, 0)
    delivery = outbox.delivery(job_id)
    assert (delivery.state, delivery.attempts, delivery.outcome) == (DeliveryState.DELIVERED, 1, "204")
    assert delivery.next_attempt_at is None
    assert outbox.store.stats().counters["delivery_attempts|result=delivered"] == 1


def test_a_failed_job_is_delivered_with_its_error(outbox: Outbox, receiver: Receiver) -> None:
    new = new_job(options=JobOptions(callback_url=receiver.url))
    outbox.store.create(new)
    started = outbox.store.start_attempt(new.id, "worker/1", 30)
    assert started
    outbox.store.fail_attempt(started[1], BROKEN, GiveUp())
    outbox.run()
    document = verified(receiver.received[0])
    assert document["type"] == "job.failed"
    assert document["data"]["error"] == {"code": BROKEN.code, "detail": BROKEN.detail}


def test_a_job_without_an_address_leaves_nothing_to_deliver(outbox: Outbox) -> None:
    outbox.ended(None)
    assert outbox.waiting() == 0


def test_a_receiver_that_fails_three_times_gets_it_the_fourth(
    outbox: Outbox, receiver: Receiver, at_once: None
) -> None:
    receiver.answers = [500, 503, 429]
    job_id = outbox.ended(receiver.url)
    assert outbox.run() == 4
    assert {received.headers["webhook-id"] for received in receiver.received} == {delivery_id(job_id, 0)}
    assert [verified(received) for received in receiver.received] == [verified(receiver.received[0])] * 4
    assert outbox.delivery(job_id).attempts == 4


def test_attempts_follow_the_schedule_of_the_specification(outbox: Outbox, receiver: Receiver) -> None:
    receiver.answers = [500, 500]
    job_id = outbox.ended(receiver.url)
    outbox.run()
    delivery = outbox.delivery(job_id)
    assert delivery.state is DeliveryState.PENDING
    assert delivery.outcome == "500"
    assert delivery.last_attempt_at is not None
    assert delivery.next_attempt_at is not None
    assert 5 <= (delivery.next_attempt_at - delivery.last_attempt_at).total_seconds() < 5.6
    assert sum(schedule.RETRY_SECONDS) > 3 * 86400 * 0.95


def test_a_delivery_is_given_up_after_the_whole_schedule(outbox: Outbox, receiver: Receiver, at_once: None) -> None:
    receiver.answers = [500] * 20
    job_id = outbox.ended(receiver.url)
    outbox.run()
    assert len(receiver.received) == len(schedule.RETRY_SECONDS) + 1
    assert outbox.delivery(job_id).state is DeliveryState.FAILED
    assert outbox.store.stats().counters["deliveries_given_up"] == 1
    assert outbox.waiting() == 0


def test_a_receiver_that_is_gone_gets_no_further_attempt(outbox: Outbox, receiver: Receiver) -> None:
    receiver.answers = [410]
    job_id = outbox.ended(receiver.url)
    outbox.run()
    assert outbox.delivery(job_id).state is DeliveryState.FAILED


def test_both_secrets_of_a_rotation_verify(outbox: Outbox, receiver: Receiver) -> None:
    outbox.secrets.write_text(f"{DEFAULT_TENANT}:{NEXT_SECRET}\n{DEFAULT_TENANT}:{SECRET}\nnorth:{SECRET}\n")
    outbox.ended(receiver.url)
    outbox.run()
    assert verified(receiver.received[0], SECRET) == verified(receiver.received[0], NEXT_SECRET)


def test_without_a_secret_nothing_is_sent(outbox: Outbox, receiver: Receiver) -> None:
    outbox.secrets.write_text(f"north:{SECRET}\n")
    job_id = outbox.ended(receiver.url)
    outbox.run()
    assert receiver.received == []
    assert outbox.delivery(job_id).outcome == "no_secret"


@pytest.mark.parametrize("line", ["tenant", "tenant:whsec_short", "a b:" + SECRET, f"{'t:' + SECRET}\n" * 3])
def test_a_wrong_file_of_secrets_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "secrets").write_text(line)
    with pytest.raises(UnsafeSettings):
        read_secrets(tmp_path / "secrets")


# Where a delivery must not go


def test_a_redirect_is_not_followed(outbox: Outbox, receiver: Receiver) -> None:
    with Receiver(answers=[302, 307, 308], headers={"location": receiver.url}) as redirecting:
        job_id = outbox.ended(redirecting.url)
        outbox.run()
        assert len(redirecting.received) == 1
    assert receiver.received == []
    assert outbox.delivery(job_id).outcome == "302"


def answers_of_dns(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let look-ups give one address after the other; return the names that were looked up."""
    asked: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
        if host[:1].isdigit():  # an address stands for itself
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        asked.append(host)
        address = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(targets.socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "192.168.0.1"])
def test_a_name_that_resolves_to_a_private_address_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, address: str
) -> None:
    answers_of_dns(monkeypatch, address)
    url = f"http://records.example:{receiver.port}/"
    assert http.post(url, b"{}", {}, AddressGuard()) == "address_not_allowed"
    assert receiver.received == []


def test_a_name_with_one_private_address_among_others_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("8.8.8.8", "127.0.0.1")]
    monkeypatch.setattr(targets.socket, "getaddrinfo", lambda *_, **__: both)
    assert http.post("http://records.example/", b"{}", {}, AddressGuard()) == "address_not_allowed"


def test_a_name_that_changes_its_address_is_looked_up_once(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    with Receiver(host="127.0.0.2", port=receiver.port) as allowed:
        asked = answers_of_dns(monkeypatch, "127.0.0.2", "127.0.0.1")
        url = f"http://records.example:{receiver.port}/"
        assert http.post(url, b"{}", {}, AddressGuard("127.0.0.2/32")) == "204"
        assert asked == ["records.example"]
        assert [one.headers["host"] for one in allowed.received] == [f"records.example:{receiver.port}"]
    assert receiver.received == []


def test_a_receiver_without_an_end_is_left_after_a_while(receiver: Receiver) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        with suppress(BrokenPipeError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(200):
                handler.wfile.write(b"x: y\r\n")
                time.sleep(0.05)

    receiver.before_answer = trickle
    assert http.post(receiver.url, b"{}", {}, AddressGuard(LOOPBACK), seconds=0.5) == "timeout"


def test_what_cannot_be_reached_is_an_outcome(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = AddressGuard(LOOPBACK)
    secure = receiver.url.replace("http://", "https://")
    assert http.post(secure, b"{}", {}, guard) == "tls_error"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert http.post(f"http://127.0.0.1:{unused.getsockname()[1]}/", b"{}", {}, guard) == "connection_error"

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(targets.socket, "getaddrinfo", unknown)
    assert http.post("http://records.example/", b"{}", {}, guard) == "name_not_resolved"


# Whatever dies


def test_a_keeper_that_dies_before_its_note_delivers_again_under_the_same_id(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = outbox.ended(receiver.url)
    monkeypatch.setattr(sender, "CLAIM_SECONDS", 0)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(outbox.sender, "_note", die)
        with pytest.raises(KeyboardInterrupt):
            outbox.run()
    outbox.run()
    assert [one.headers["webhook-id"] for one in receiver.received] == [delivery_id(job_id, 0)] * 2


def test_a_claimed_delivery_is_no_other_keepers_for_a_while(outbox: Outbox, receiver: Receiver) -> None:
    job_id, deliveries = outbox.ended(receiver.url), RedisDeliveries(outbox.redis)
    [claimed] = deliveries.claim_due(10, 60)
    assert (claimed.job_id, claimed.run, claimed.attempts) == (job_id, 0, 0)
    assert deliveries.claim_due(10, 60) == []
    outbox.redis.zadd("parley:outbox", {f"{job_id}:0": 0})  # the claim has lapsed
    assert deliveries.claim_due(10, 60) == [claimed]


def test_what_belongs_to_no_job_leaves_the_outbox(outbox: Outbox) -> None:
    outbox.redis.zadd("parley:outbox", {f"{new_id()}:0": 0, "nonsense": 0})
    assert RedisDeliveries(outbox.redis).claim_due(10, 60) == []
    assert not outbox.redis.exists("parley:outbox")


def test_a_redis_that_lost_an_end_gets_its_delivery_back(outbox: Outbox, receiver: Receiver) -> None:
    job_id = outbox.ended(receiver.url)
    outbox.redis.flushall()
    outbox.store.restore(outbox.store.manifests.trace(job_id))
    assert outbox.run() == 1
    assert [one.headers["webhook-id"] for one in receiver.received] == [delivery_id(job_id, 0)]


def test_a_redis_that_lost_a_delivered_end_does_not_deliver_it_again(outbox: Outbox, receiver: Receiver) -> None:
    job_id = outbox.ended(receiver.url)
    outbox.run()
    outbox.redis.flushall()
    outbox.store.restore(outbox.store.manifests.trace(job_id))
    outbox.run()
    assert len(receiver.received) == 1
    assert outbox.delivery(job_id).state is DeliveryState.DELIVERED


def test_each_end_of_a_retried_job_is_delivered(outbox: Outbox, receiver: Receiver) -> None:
    job_id = outbox.ended(receiver.url)
    outbox.store.retry(job_id)
    outbox.store.cancel(job_id)
    outbox.run()
    ids = sorted(one.headers["webhook-id"] for one in receiver.received)
    assert ids == [delivery_id(job_id, 0), delivery_id(job_id, 1)]


def test_a_job_is_kept_until_its_end_is_delivered(outbox: Outbox, receiver: Receiver, at_once: None) -> None:
    job_id = outbox.ended(receiver.url, retain_seconds=0)
    assert purge_expired(outbox.store, nothing) == 0
    outbox.run()
    outbox.redis.zadd("parley:expiry", {job_id: 0})
    assert purge_expired(outbox.store, nothing) == 1
    assert outbox.deliveries.newest(DEFAULT_TENANT, 10) == []


def test_a_job_deleted_by_its_caller_is_not_delivered(outbox: Outbox, receiver: Receiver) -> None:
    job_id = outbox.ended(receiver.url)
    outbox.store.remove(outbox.store.get(job_id))
    assert outbox.redis.keys("parley:outbox") == outbox.redis.keys("parley:deliveries:*") == []
    assert outbox.run() == 0
    assert receiver.received == []
    with pytest.raises(DeliveryNotFound):
        outbox.deliveries.resend(job_id, 0)
    outbox.deliveries.note(DueDelivery(job_id, 0, 0), "204", DeliveryState.DELIVERED)
    assert outbox.redis.keys("parley:job:*") == []


# The API


@pytest.fixture
def api(outbox: Outbox) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(outbox.settings))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7001")


@pytest.mark.anyio
async def test_deliveries_are_listed_and_sent_again(api: httpx.AsyncClient, outbox: Outbox, receiver: Receiver) -> None:
    receiver.answers = [410]
    job_id, other = outbox.ended(receiver.url), outbox.ended(receiver.url)
    outbox.run()
    listed = (await api.get("/v1/deliveries")).json()["deliveries"]
    assert {one["job_id"] for one in listed} == {job_id, other}
    [failed] = (await api.get("/v1/deliveries", params={"state": "failed"})).json()["deliveries"]
    of_job = (await api.get("/v1/deliveries", params={"job_id": failed["job_id"]})).json()["deliveries"]
    assert of_job == [failed]
    again = await api.post(f"/v1/deliveries/{failed['id']}/resend")
    assert again.status_code == 202, again.text
    assert (again.json()["state"], again.json()["attempts"]) == ("pending", 0)
    outbox.run()
    assert (await api.get("/v1/deliveries", params={"state": "failed"})).json()["deliveries"] == []
    delivered = await api.post(f"/v1/deliveries/{failed['id']}/resend")
    assert delivered.status_code == 202
    outbox.run()
    assert [one.headers["webhook-id"] for one in receiver.received].count(failed["id"]) == 3


@pytest.mark.anyio
async def test_deliveries_of_batches_are_listed_among_those_of_jobs(api: httpx.AsyncClient, outbox: Outbox) -> None:
    objects, batch_id = object_store(outbox.settings), new_id()
    old = Delivery(
        None,
        0,
        "https://records.example/",
        DeliveryState.FAILED,
        10,
        datetime(2025, 1, 1, tzinfo=UTC),
        "410",
        batch_id=batch_id,
    )
    objects.put(batch_delivery_key(DEFAULT_TENANT, batch_id), batch_delivery_to_json(old))
    job_id = outbox.ended("https://records.example/")
    listed = (await api.get("/v1/deliveries")).json()["deliveries"]
    assert [(one["job_id"], one["batch_id"]) for one in listed] == [(job_id, None), (None, batch_id)]
    assert (await api.post(f"/v1/deliveries/{delivery_id(batch_id, 1)}/resend")).status_code == 404
    again = await api.post(f"/v1/deliveries/{old.id}/resend")
    assert (again.status_code, again.json()["batch_id"], again.json()["state"]) == (202, batch_id, "pending")
    [waiting] = objects.keys("batches/open/")
    assert open_batch_from_json(objects.read(waiting)).callback_url == old.url


@pytest.mark.anyio
async def test_deliveries_of_others_are_not_found(api: httpx.AsyncClient, outbox: Outbox) -> None:
    foreign = new_job(tenant="north", options=JobOptions(callback_url="https://records.example/"))
    outbox.store.create(foreign)
    outbox.store.cancel(foreign.id)
    assert (await api.get("/v1/deliveries")).json()["deliveries"] == []
    assert (await api.get("/v1/deliveries", params={"job_id": foreign.id})).status_code == 404
    for wrong in (delivery_id(foreign.id, 0), delivery_id(outbox.ended(None), 0), "msg_1", "x" * 300):
        answer = await api.post(f"/v1/deliveries/{wrong}/resend")
        assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    ["ftp://records.example/", "http://10.0.0.1/", "http://127.0.0.5/v1/jobs", "https://u:p@records.example/", ""],
)
async def test_an_address_that_is_not_safe_is_refused_before_the_upload(
    api: httpx.AsyncClient, outbox: Outbox, url: str
) -> None:
    headers = {"content-type": "audio/flac"}
    answer = await api.post("/v1/jobs", params={"callback_url": url}, content=b"fLaC", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_option")
    assert "callback_url" in json.dumps(answer.json())
    assert outbox.redis.keys("parley:job:*") == []
