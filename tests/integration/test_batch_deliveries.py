"""The end of a batch is delivered once all of its jobs have ended, at least once, whatever dies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from parley_api.runtime.batches import Batches
from parley_core.batches import Batch, BatchItem, OpenBatch, batch_key, batch_to_json, open_batch_to_json
from parley_core.deliveries import DeliveryState, delivery_id
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import DeliveryNotFound
from parley_core.job import Failure, ResultSummary
from parley_core.job_id import new_id
from parley_core.recording import result_key
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.settings import Settings
from parley_core.storage.folder import FolderStore
from parley_core.targets import AddressGuard
from parley_keeper.delivery.batches import BatchSender
from tests.support.fakes import new_job
from tests.support.receivers import SECRET, Receiver
from tests.support.valkey import Valkey


def nothing() -> None:
    """No progress to note."""


class Deployment:
    """A record, an object store and a keeper that delivers."""

    def __init__(self, url: str, folder: Path) -> None:
        secrets = folder / "secrets"
        secrets.write_text(f"default:{SECRET}\n")
        settings = Settings(redis_url=url, objects_url=f"file://{folder}/objects")
        self.objects, self.store = FolderStore(folder / "objects"), DurableJobStore.from_settings(settings)
        self.deliveries = RedisDeliveries.from_settings(settings)
        self.sender = BatchSender(self.store, self.objects, self.deliveries, secrets, AddressGuard("127.0.0.1/32"))

    def batch(self, url: str, jobs: int = 2, stored: bool = True) -> Batch:
        new = [new_job() for _ in range(jobs)]
        for one in new:
            self.store.create(one)
        refused = BatchItem(None, "visit 3", Failure("not_audio", "This is no recording."))
        batch = Batch("default", new_id(), "night", [*(BatchItem(one.id) for one in new), refused])
        waiting = OpenBatch("default", batch.id, url)
        self.objects.put(waiting.key, open_batch_to_json(waiting))
        if stored:
            self.objects.put(batch_key("default", batch.id), batch_to_json(batch))
        return batch

    def succeed(self, job_id: str) -> None:
        started = self.store.start_attempt(job_id, "worker/1", 30)
        assert started
        job, lease = started
        self.store.succeed(lease, ResultSummary(result_key(job.id, lease.nonce), 2, 3, 1.0, {"name": "x"}, {}))

    def send(self) -> int:
        return self.sender.run_once(nothing)

    def waiting(self) -> int:
        return len(self.objects.keys("batches/open/"))


@pytest.fixture
def here(valkey: Valkey, tmp_path: Path) -> Deployment:
    return Deployment(valkey.url, tmp_path)


def test_one_delivery_follows_the_last_end(here: Deployment) -> None:
    with Receiver() as receiver:
        batch = here.batch(receiver.url)
        first, second = batch.job_ids
        here.succeed(first)
        assert (here.send(), receiver.received) == (0, [])
        here.store.cancel(second)
        assert (here.send(), here.send(), here.waiting()) == (1, 0, 0)
        [received] = receiver.received
    Webhook(SECRET).verify(received.body, dict(received.headers))
    document = json.loads(received.body)
    assert received.headers["webhook-id"] == delivery_id(batch.id, 0)
    assert (document["type"], document["data"]["id"], document["data"]["reference"]) == (
        "batch.ended",
        batch.id,
        "night",
    )
    assert document["data"]["counts"] == {"succeeded": 1, "cancelled": 1, "refused": 1}
    assert here.store.stats().counters["delivery_attempts|result=delivered"] == 1


def test_a_receiver_that_fails_is_asked_again_with_the_same_id(
    here: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver(answers=[503]) as receiver:
        batch = here.batch(receiver.url, jobs=0)
        assert (here.send(), here.send(), here.waiting()) == (1, 0, 1)  # not before its time
        monkeypatch.setattr("parley_keeper.delivery.batches.time.time", lambda: 2e9)
        assert (here.send(), here.waiting()) == (1, 0)
        assert [one.headers["webhook-id"] for one in receiver.received] == 2 * [delivery_id(batch.id, 0)]
        assert len({one.body for one in receiver.received}) == 1


def test_a_redis_that_has_lost_all_takes_no_delivery_along(here: Deployment, valkey: Valkey) -> None:
    with Receiver() as receiver:
        batch = here.batch(receiver.url)
        first, second = batch.job_ids
        here.succeed(first)
        valkey.client().flushall()
        assert (here.send(), here.waiting()) == (0, 1)  # the other job has not ended
        here.store.cancel(second)
        assert (here.send(), len(receiver.received)) == (1, 1)


def test_a_claimed_one_is_no_other_keepers(here: Deployment) -> None:
    with Receiver() as receiver:
        batch = here.batch(receiver.url, jobs=0)
        assert here.deliveries.claim_batch(batch.id, 60)
        assert (here.send(), here.waiting()) == (0, 1)
        here.deliveries.release_batch(batch.id)
        assert (here.send(), len(receiver.received)) == (1, 1)


def test_what_cannot_be_read_stops_no_other(here: Deployment) -> None:
    with Receiver() as receiver:
        here.batch(receiver.url, jobs=0, stored=False)  # its request is under way
        here.objects.put("batches/open/damaged.json", b"{")
        here.objects.put("batches/open/strange.json", open_batch_to_json(OpenBatch("default", "x", receiver.url)))
        batch = here.batch(receiver.url, jobs=0)
        assert (here.send(), here.waiting()) == (1, 3)
        assert [one.headers["webhook-id"] for one in receiver.received] == [delivery_id(batch.id, 0)]


def test_deliveries_of_batches_are_listed_and_sent_again(here: Deployment) -> None:
    """Under the same id, from what is stored alone: the receiver refuses the first for good."""
    batches = Batches(here.objects)
    with Receiver(answers=[410]) as receiver:
        first, second = here.batch(receiver.url, jobs=0), here.batch(receiver.url, jobs=0)
        assert batches.deliveries("default", None, 10) == []
        assert here.send() == 2
        assert [one.batch_id for one in batches.deliveries("default", None, 10)] == [second.id, first.id]
        [failed] = batches.deliveries("default", DeliveryState.FAILED, 10)
        assert (failed.outcome, failed.attempts, failed.next_attempt_at) == ("410", 1, None)
        assert batches.deliveries("other", None, 10) == []
        with pytest.raises(DeliveryNotFound):
            batches.resend("other", str(failed.batch_id))
        planned = batches.resend("default", str(failed.batch_id))
        assert (planned.id, planned.state, planned.attempts) == (failed.id, DeliveryState.PENDING, 0)
        assert (here.send(), here.send(), here.waiting()) == (1, 0, 0)
        again = batches.delivery("default", str(failed.batch_id))
        assert (again.state, again.attempts, again.outcome) == (DeliveryState.DELIVERED, 1, "204")
        assert [one.headers["webhook-id"] for one in receiver.received].count(failed.id) == 2
    assert {one.id for one in batches.page("default", 10, None)[0]} == {first.id, second.id}


def test_a_batch_that_is_planned_again_during_an_attempt_is_sent_again(here: Deployment) -> None:
    batches = Batches(here.objects)
    with Receiver() as receiver:
        batch = here.batch(receiver.url, jobs=0)
        assert here.send() == 1
        batches.resend("default", batch.id)
        receiver.before_answer = lambda _: batches.resend("default", batch.id)
        assert (here.send(), here.waiting()) == (1, 1)
        receiver.before_answer = None
        assert (here.send(), here.waiting(), len(receiver.received)) == (1, 0, 3)
