"""One trace per job: derived from what the transitions noted on a real Valkey, sent by OTLP to a real receiver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition

from parley_api.runtime.record_metrics import RecordCollector, Snapshot
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobStoreUnavailable, UnsafeSettings
from parley_core.job import (
    Failure,
    GiveUp,
    Job,
    JobEnd,
    JobOptions,
    JobState,
    Lease,
    NewJob,
    Phase,
    ResultSummary,
    RetryIn,
)
from parley_core.recording import result_key
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.settings import Settings
from parley_core.storage.job_documents import end_of
from parley_core.targets import AddressGuard
from parley_keeper.delivery.sender import Sender
from parley_keeper.retention import purge_expired
from parley_keeper.tracing import sender as tracing
from parley_keeper.tracing.sender import TraceSender, is_on
from tests.support.collector import Collector
from tests.support.fakes import new_job
from tests.support.receivers import SECRET, Receiver
from tests.support.valkey import Valkey
from tests.support.waiting import until

CALLER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
TRACEPARENT = f"00-{CALLER[0]}-{CALLER[1]}-01"
BROKEN = Failure("engine_error", "The engine broke.")
MARK = "doe-jane-1970"


def nothing() -> None:
    """No progress to note."""


class Traced:
    """The stores of one deployment, and a keeper's task that sends traces."""

    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
        for name, value in {**collector.environment, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}.items():
            monkeypatch.setenv(name, value)
        (folder / "secrets").write_text(f"default:{SECRET}\n")
        self.settings = Settings(redis_url=url, objects_url=f"file://{folder}/objects")
        self.store = DurableJobStore.from_settings(self.settings)
        self.deliveries = Sender(
            self.store,
            RedisDeliveries.from_settings(self.settings),
            folder / "secrets",
            AddressGuard("127.0.0.1/32"),
        )
        sender = TraceSender.from_environment(self.settings)
        assert sender is not None
        self.sender = sender
        self.send()  # from now on transitions note traces

    def send(self) -> int:
        return self.sender.run_once(nothing)

    def accept(self, traceparent: str | None = None, **options: Any) -> NewJob:
        new = replace(new_job(options=JobOptions(**options)), traceparent=traceparent)
        self.store.create(new)
        return new

    def start(self, new: NewJob, worker: str = "worker/1") -> tuple[Job, Lease]:
        started = self.store.start_attempt(new.id, worker, 30)
        assert started
        return started

    def succeed(self, job: Job, lease: Lease) -> None:
        timings = {phase.value: 0.001 for phase in Phase}
        self.store.succeed(lease, ResultSummary(result_key(job.id, lease.nonce), 2, 3, 1.0, {"name": "x"}, timings))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def traced(valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collector: Collector) -> Traced:
    return Traced(valkey.url, tmp_path, monkeypatch, collector)


def test_a_job_is_one_trace_below_the_span_of_its_caller(traced: Traced, collector: Collector) -> None:
    new = traced.accept(TRACEPARENT, reference=MARK)
    _, lease = traced.start(new)
    traced.store.renew(lease, 30, Phase.SEGMENTATION, 0.2)
    traced.store.fail_attempt(lease, BROKEN, RetryIn(0.0))
    job, lease = traced.start(new, "worker/2")
    traced.succeed(job, lease)
    assert traced.send() == 1

    spans = collector.spans()
    assert {span.trace_id for span in spans} == {CALLER[0]}
    [root] = collector.named("job")
    assert root.parent == CALLER[1]
    assert root.resource["service.name"] == "parley"
    assert (root.attributes["parley.job.id"], root.attributes["parley.job.state"]) == (new.id, "succeeded")
    first, second = collector.named("attempt")
    assert (first.failed, first.attributes["error.type"], second.failed) == (True, BROKEN.code, False)
    assert [span.name for span in spans if span.parent == first.span_id] == ["decoding", "segmentation"]
    assert [span.name for span in spans if span.parent == second.span_id] == [phase.value for phase in Phase]
    children = [span for span in spans if span.parent == root.span_id]
    assert [span.name for span in children] == ["submit", "wait", "wait", "attempt", "attempt"]
    assert all(root.start <= span.start <= span.end <= root.end for span in spans)
    assert MARK not in str(spans)


def test_the_buckets_that_count_a_job_name_its_trace(traced: Traced) -> None:
    new = traced.accept()
    job, lease = traced.start(new)
    traced.succeed(job, lease)
    assert traced.store.stats().exemplars == {}
    traced.send()
    stats = traced.store.stats()
    histograms = {"wait_seconds", "run_seconds", "result_seconds"}
    assert {name.partition("_bucket|")[0] for name in stats.exemplars} == histograms
    assert all(stats.counters[name] == 1 for name in stats.exemplars)
    registry = CollectorRegistry()
    registry.register(RecordCollector(Snapshot(stats, traced.store.queues(), traced.store.health()), ()))
    found = re.findall(r'(\w+)_bucket{.*} \S+ # {trace_id="(\w+)"}', exposition.generate_latest(registry).decode())
    assert set(found) == {(f"parley_{name}", new.id.replace("-", "")) for name in histograms}


def test_a_job_without_a_caller_has_the_trace_of_its_id(traced: Traced, collector: Collector) -> None:
    new = traced.accept()
    traced.store.cancel(new.id)
    traced.send()
    [root] = collector.named("job")
    assert (root.trace_id, root.parent, root.failed) == (new.id.replace("-", ""), "", False)
    assert collector.count() == {"job": 1, "submit": 1, "wait": 1}


def test_a_run_by_hand_joins_the_trace_of_its_job(traced: Traced, collector: Collector) -> None:
    new = traced.accept()
    traced.store.fail_attempt(traced.start(new)[1], BROKEN, GiveUp())
    traced.send()
    traced.store.retry(new.id)
    traced.succeed(*traced.start(new))
    traced.send()
    first, again = collector.named("job")
    assert (again.trace_id, again.parent) == (first.trace_id, first.span_id)
    assert [span.parent for span in collector.named("attempt")] == [first.span_id, again.span_id]
    assert (first.failed, first.attributes["error.type"]) == (True, BROKEN.code)


def test_an_attempt_that_a_stopping_worker_gave_back_is_a_span(traced: Traced, collector: Collector) -> None:
    new = traced.accept()
    traced.store.give_back(traced.start(new)[1])
    traced.succeed(*traced.start(new, "worker/2"))
    traced.send()
    assert [span.attributes.get("error.type") for span in collector.named("attempt")] == ["given_back", None]
    assert traced.store.stats().counters["attempts_started|queue=interactive"] == 2


def test_an_attempt_beside_that_of_the_end_is_no_attempt_of_the_job(
    traced: Traced, collector: Collector, valkey: Valkey
) -> None:
    new = traced.accept()
    job, lease = traced.start(new, "worker/1")
    valkey.client().flushall()
    traced.send()
    assert traced.store.find_accepted(new.id) is not None
    traced.start(new, "worker/2")  # Redis has lost the first claim, and the first attempt stores its end only now
    result = ResultSummary(result_key(job.id, lease.nonce), 2, 3, 1.0, {"name": "x"}, {})
    traced.store.manifests.end(job.id, 0, end_of(job, JobState.SUCCEEDED, None, result))
    traced.succeed(job, lease)
    traced.send()
    [attempt], [other], [root] = (collector.named(name) for name in ("attempt", "superseded attempt", "job"))
    assert (attempt.attributes["parley.worker"], other.attributes["parley.worker"]) == ("worker/1", "worker/2")
    assert (other.attributes["error.type"], root.attributes["parley.job.attempts"]) == ("superseded", 1)
    assert (traced.store.get(new.id).token, len(traced.store.get(new.id).attempts)) == (1, 1)


def test_a_claimed_trace_is_no_other_keepers_and_a_sent_one_leaves_nothing(traced: Traced, valkey: Valkey) -> None:
    traced.store.cancel(traced.accept().id)
    outbox = traced.sender._traces
    claimed = outbox.claim(10, 60)
    assert (len(claimed), outbox.claim(10, 60)) == (1, [])
    assert outbox.forget(claimed) == 0
    assert valkey.client().keys("parley:trac*") == ["parley:tracing"]


def test_an_end_of_long_ago_that_is_restored_is_not_sent_again(traced: Traced) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    for finished_at, sent in ((began, 0), (datetime.now(UTC), 1)):
        end = JobEnd(JobState.CANCELLED, finished_at)
        assert traced.store.index.restore(new_job(), began, 0, end)
        assert traced.send() == sent


def test_a_keeper_that_dies_after_sending_sends_the_same_spans_again(
    traced: Traced, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = traced.accept()
    traced.succeed(*traced.start(new))

    def dies(_: object) -> int:
        raise JobStoreUnavailable("The keeper has died.")

    with monkeypatch.context() as patch:
        patch.setattr(traced.sender._traces, "forget", dies)
        patch.setattr(tracing, "CLAIM_SECONDS", 0.0)
        with pytest.raises(JobStoreUnavailable):
            traced.send()
    until(traced.send)
    first, again = (collector.spans()[: len(collector.spans()) // 2], collector.spans()[len(collector.spans()) // 2 :])
    assert [span.span_id for span in first] == [span.span_id for span in again]
    assert len({span.span_id for span in first}) == len(first)
    assert traced.send() == 0


def test_a_collector_that_is_away_delays_traces_and_harms_no_job(
    traced: Traced, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "CLAIM_SECONDS", 0.0)
    collector.answers = [400]  # refused for good; after 503 the exporter tries again by itself
    new = traced.accept()
    traced.succeed(*traced.start(new))
    assert traced.send() == 0
    assert (traced.store.get(new.id).state, traced.sender.failures) == (JobState.SUCCEEDED, 1)
    until(traced.send)
    assert collector.count()["job"] == 2


def test_too_many_waiting_traces_are_counted_and_not_kept(traced: Traced, collector: Collector, valkey: Valkey) -> None:
    redis = valkey.client()
    redis.zadd("parley:traces", {f"end job-{number} 0": 2**45 for number in range(10_000)})
    new = traced.accept()
    traced.store.cancel(new.id)
    assert (traced.store.stats().counters["traces_dropped"], redis.zcard("parley:traces")) == (1, 10_000)
    assert redis.keys("parley:trace:*") == []
    assert traced.send() == 0


def test_what_waits_for_the_collector_is_bounded(traced: Traced, valkey: Valkey) -> None:
    redis, new = valkey.client(), traced.accept()
    lines = f"parley:trace:{new.id}:0"
    redis.rpush(lines, *["phase 1 decoding"] * 300)
    _, lease = traced.start(new)
    assert redis.llen(lines) == 200, "of one run"
    redis.delete(lines)
    for progress in (0.2, 0.3, 0.4):
        traced.store.renew(lease, 30, Phase.SEGMENTATION, progress)
    assert redis.llen(lines) == 1, "of one phase"
    traced.store.cancel(new.id)
    for key in (lines, "parley:traces"):
        assert 86_400 < redis.ttl(key) <= 2 * 86_400
    assert 0 < redis.ttl("parley:tracing") < 86_400, "a deployment whose keeper sends no more traces notes no more"


def test_the_trace_of_a_job_that_is_purged_at_once_is_sent(traced: Traced, collector: Collector) -> None:
    new = traced.accept(retain_seconds=0)
    traced.succeed(*traced.start(new))
    until(lambda: purge_expired(traced.store, nothing))
    traced.send()
    assert collector.count()["attempt"] == 1


def test_what_cannot_be_read_is_dropped_and_blocks_nothing(
    traced: Traced, collector: Collector, valkey: Valkey
) -> None:
    redis = valkey.client()
    redis.zadd("parley:traces", {"end lost 0": 1, "end damaged 0": 2, "delivery x 0 - 204 1 2": 3, "odd": 4})
    redis.rpush("parley:trace:damaged:0", "{}")
    traced.store.cancel(traced.accept().id)
    assert traced.send() == 5
    assert collector.count()["job"] == 1
    assert traced.store.stats().counters["traces_dropped"] == 4


def test_a_job_that_redis_has_lost_stays_in_the_trace_of_its_caller(
    traced: Traced, collector: Collector, valkey: Valkey
) -> None:
    new = traced.accept(TRACEPARENT)
    valkey.client().flushall()
    traced.send()
    assert traced.store.find_accepted(new.id) is not None
    traced.store.cancel(new.id)
    traced.send()
    assert [span.trace_id for span in collector.named("job")] == [CALLER[0]]


def test_each_attempt_to_deliver_is_a_span(traced: Traced, collector: Collector) -> None:
    with Receiver(answers=[500]) as receiver:
        new = traced.accept(TRACEPARENT, callback_url=receiver.url)
        traced.store.cancel(new.id)
        assert traced.deliveries.run_once(nothing) == 1
    traced.send()
    [delivery], [root] = collector.named("deliver"), collector.named("job")
    assert (delivery.trace_id, delivery.parent, delivery.failed) == (CALLER[0], root.span_id, True)
    assert delivery.attributes["error.type"] == "500"
    assert str(receiver.port) not in str(delivery)


def test_the_caller_decides_whether_a_trace_is_kept(traced: Traced, collector: Collector) -> None:
    traced.store.cancel(traced.accept(f"{TRACEPARENT[:-2]}00").id)
    assert traced.send() == 1
    assert collector.spans() == []


def test_the_sampler_of_the_environment_is_asked(
    traced: Traced, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    traced.sender._sampler = TracerProvider(shutdown_on_exit=False).sampler
    traced.store.cancel(traced.accept(TRACEPARENT).id)
    assert traced.send() == 1
    assert collector.spans() == []


def test_nothing_is_noted_where_traces_are_off(valkey: Valkey, tmp_path: Path) -> None:
    settings = Settings(redis_url=valkey.url, objects_url=f"file://{tmp_path}/objects")
    store = DurableJobStore.from_settings(settings)
    new = new_job()
    store.create(new)
    started = store.start_attempt(new.id, "worker/1", 30)
    assert started
    store.renew(started[1], 30, Phase.SEGMENTATION, 0.2)
    store.cancel(new.id)
    assert valkey.client().keys("parley:trac*") == []


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_the_standard_variables_switch_traces_on(variables: dict[str, str], on: bool) -> None:
    assert is_on(variables) is on


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_variables_that_ask_for_more_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(UnsafeSettings):
        is_on(variables)
