"""The words of a job that has ended can be asked for: a recogniser was away, or they are wanted later."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley_api.main import create_app
from parley_api.runtime.dependencies import connect
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import JobNotRetryable, JobNotSucceeded, JobPurged, LeaseLost
from parley_core.job import MAX_ATTEMPTS, JobOptions, ResultSummary
from parley_core.recording import checkpoint_folder, result_key, words_key
from parley_core.redis import RedisJobStore
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.storage.folder import FolderStore
from parley_core.storage.manifests import BEGINNING, Manifests
from parley_core.transcript import Transcription
from parley_keeper.reconciliation import Reconciler
from parley_keeper.words_requests import RequestedWords, publish_requests
from tests.support.fakes import MemoryJobQueue, new_job
from tests.support.recogniser_server import Answer, Asked, RecogniserServer, words_answer
from tests.support.sounds import wav
from tests.support.waiting import HANG_SECONDS, until
from tests.support.worker import System, running_system

pytestmark = pytest.mark.anyio


@pytest.fixture
def system(settings: Settings, tmp_path: Path) -> Iterator[System]:
    with running_system(settings, tmp_path) as system:
        yield system


async def test_words_come_after_the_end_also_when_the_worker_is_killed(system: System) -> None:
    """The recogniser is slow in the second piece of three: the job does not wait. Then the worker dies there."""
    ended_first, held, let_go = threading.Event(), threading.Event(), threading.Event()
    asked: list[float] = []

    def answer(one: Asked) -> Answer:
        asked.append(one.seconds)
        if len(asked) == 2:
            ended_first.wait(HANG_SECONDS)
        if len(asked) == 3:
            held.set()
            let_go.wait(HANG_SECONDS)
        return words_answer(("Hello.", 0.1, 0.4))

    with RecogniserServer(answer) as server:
        system.worker(PARLEY_ASR_URL=server.url, PARLEY_ASR_PIECE_SECONDS=10, PARLEY_ASR_WAIT_SECONDS=1)
        system.keeper()
        new = new_job(seconds=25.0, options=JobOptions(transcribe=True))
        system.objects.put(new.recording.key, wav(25.0))
        system.publish(system.store.create(new).job)
        system.wait_for_end(new.id)
        given = system.settings.model_copy(update={"asr_url": server.url})
        transport = httpx.ASGITransport(create_app(given, connect(given)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7001") as client:
            path = f"/v1/jobs/{new.id}"

            async def state_of(response: httpx.Response) -> str:
                return str(response.json()["result"]["transcription"]["state"])

            assert await state_of(await client.post(f"{path}/transcribe")) in ("waiting", "running")
            assert [job_id for job_id, _ in Manifests(system.objects).words_requests("")] == [new.id]
            ended_first.set()
            assert held.wait(HANG_SECONDS)
            until(lambda: system.objects.keys(f"{checkpoint_folder(new.id)}/"))
            shown = (await client.get(path)).json()
            assert (shown["state"], shown["result"]["transcription"]["state"]) == ("succeeded", "running")
            request = system.store.get(new.id).words_request
            assert request is not None
            os.kill(int(request.worker.rpartition("/")[2]), signal.SIGKILL)
            ended = system.wait(new.id, lambda job: job.words_request is None)
            let_go.set()
            assert ended.result is not None
            assert ended.result.transcription == Transcription(words=len(asked) - 2, audio_seconds=25.0)
            assert sum(asked) - 2 * asked[1] == pytest.approx(25.0)  # the first piece is not sent again
            read = (await client.get(f"{path}/transcript")).json()
            assert [word["text"] for word in read["words"]] == ["Hello."] * (len(asked) - 2)
            again = await client.post(f"{path}/transcribe")
            assert (again.status_code, await state_of(again)) == (202, "succeeded")
    counters = system.store.stats().counters
    assert {name: value for name, value in counters.items() if name.startswith("transcriptions")} == {
        "transcriptions|code=transcription_timed_out|queue=interactive": 1,
        "transcriptions|code=none|queue=interactive": 1,
    }
    assert not system.objects.keys(f"{checkpoint_folder(new.id)}/")
    assert system.objects.read(words_key(ended.result.key))


class Requests:
    """Requests on a real Redis, and jobs that have ended."""

    def __init__(self, store: RedisJobStore, redis: Any) -> None:
        self.store, self.redis, self.requests = store, redis, RedisWordsRequests(redis)
        self.queue = MemoryJobQueue()

    def ended(self, store: RedisJobStore | DurableJobStore | None = None) -> str:
        store = store or self.store
        new = new_job()
        store.create(new)
        started = store.start_attempt(new.id, "host/1", 60)
        assert started is not None
        key = result_key(new.id, started[1].nonce)
        store.succeed(started[1], ResultSummary(key, 2, 3, 1.0, {"name": "x"}, {}))
        return new.id

    def publish(self) -> int:
        return publish_requests(self.requests, self.queue, lambda: None)

    def lapse(self, job_id: str) -> None:
        self.redis.zadd("parley:words_requests", {job_id: 0})


@pytest.fixture
def made(store: RedisJobStore, redis: Any) -> Requests:
    return Requests(store, redis)


def test_one_worker_at_a_time_has_a_request_and_a_late_one_changes_nothing(made: Requests) -> None:
    job_id = made.ended()
    for _ in range(2):
        made.requests.request(job_id, 1)
    assert (made.publish(), made.publish(), len(made.queue.published)) == (1, 0, 1)
    first = made.requests.start(job_id, "host/1", 60)
    assert first is not None
    assert made.requests.start(job_id, "host/2", 60) is None
    made.lapse(job_id)
    assert made.publish() == 1
    second = made.requests.start(job_id, "host/2", 60)
    assert second is not None
    with pytest.raises(LeaseLost):
        made.requests.renew(first[1], 60, None, 0.5)
    assert made.requests.answer(job_id, first[1].nonce, Transcription(error_code="engine_error", error_detail="."))
    assert made.store.get(job_id).words_request is not None
    assert made.requests.answer(job_id, second[1].nonce, Transcription(words=3, audio_seconds=1.0))
    job = made.store.get(job_id)
    assert job.result is not None
    assert (job.words_request, job.result.transcription) == (None, Transcription(words=3, audio_seconds=1.0))
    assert made.redis.zcard("parley:words_requests") == 0


def test_a_request_that_no_worker_survives_ends_with_the_reason(made: Requests) -> None:
    job_id = made.ended()
    made.requests.request(job_id, 1)
    for number in range(MAX_ATTEMPTS):
        assert made.publish() == 1
        assert made.requests.start(job_id, f"host/{number}", 60) is not None
        made.lapse(job_id)
    made.publish()
    job = made.store.get(job_id)
    assert len(made.queue.published) == MAX_ATTEMPTS
    assert job.words_request is None
    assert job.result is not None
    assert job.result.transcription is not None
    assert job.result.transcription.error_code == "worker_lost"


def test_a_planned_stop_counts_no_attempt(made: Requests) -> None:
    job_id = made.ended()
    made.requests.request(job_id, 1)
    for _ in range(MAX_ATTEMPTS + 1):
        assert made.publish() == 1
        started = made.requests.start(job_id, "host/1", 60)
        assert started is not None
        made.requests.give_back(started[1])
    request = made.store.get(job_id).words_request
    assert request is not None
    assert request.attempts == 0


def test_requests_take_half_of_the_slots_at_most(made: Requests) -> None:
    for _ in range(6):
        made.requests.request(made.ended(), 1)
    assert made.publish() == 1
    made.store.register_worker("host/1", new_job().options.queue, 6, 60)
    assert (made.publish(), made.publish()) == (2, 0)


def test_a_request_outlives_the_redis_that_took_it(made: Requests, redis: Any, tmp_path: Path) -> None:
    objects = FolderStore(tmp_path / "objects")
    store = DurableJobStore(made.store, objects)
    requested = RequestedWords(made.requests, store, objects)

    def restored_after_a_loss(wiped: bool = True) -> int:
        if wiped:
            redis.flushall()
        reconciler = Reconciler(store, words=requested)
        reconciler.reconcile(BEGINNING, lambda: None)
        return reconciler.found.words_requests

    job_id = made.ended(store)
    store.manifests.note_words_request(job_id, 7)
    made.requests.request(job_id, 7)
    assert (restored_after_a_loss(), made.publish(), made.queue.published[-1].job_id) == (1, 1, job_id)
    assert restored_after_a_loss(wiped=False) == 0
    assert made.requests.answer(job_id, "", Transcription(error_code="recogniser_unavailable", error_detail="."))
    assert restored_after_a_loss(wiped=False) == 0, "it is answered"
    assert (restored_after_a_loss(), made.publish()) == (1, 1), "its answer is lost, and there are no words"
    result = made.store.get(job_id).result
    assert result is not None
    objects.put(words_key(result.key), b"{}")
    assert restored_after_a_loss() == 0, "the words are there"
    objects.delete(words_key(result.key))
    store.remove(made.store.get(job_id))
    assert restored_after_a_loss() == 0, "the job is gone"


REFUSALS: dict[str, tuple[Callable[[Requests, str], object], type[Exception]]] = {
    "the recording is gone": (lambda made, job_id: made.store.note_recording_removed(job_id), JobNotRetryable),
    "the job is being removed": (lambda made, job_id: made.store.condemn(job_id), JobPurged),
    "the job is gone": (lambda made, job_id: made.store.purge(job_id), JobPurged),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_words_of_what_is_gone_cannot_be_asked_for(made: Requests, case: str) -> None:
    happens, error = REFUSALS[case]
    job_id = made.ended()
    happens(made, job_id)
    with pytest.raises(error):
        made.requests.request(job_id, 1)


def test_a_job_that_is_removed_meanwhile_takes_its_request_with_it(made: Requests) -> None:
    job_id = made.ended()
    made.requests.request(job_id, 1)
    started = made.requests.start(job_id, "host/1", 60)
    assert started is not None
    made.store.condemn(job_id)
    with pytest.raises(LeaseLost):
        made.requests.renew(started[1], 60, None, 0.5)
    made.store.purge(job_id)
    assert not made.requests.answer(job_id, started[1].nonce, Transcription(words=1))
    assert made.redis.zcard("parley:words_requests") == 0
    assert made.redis.exists(f"parley:job:{job_id}") == 0


def test_words_of_an_unfinished_job_cannot_be_asked_for(made: Requests) -> None:
    new = new_job()
    made.store.create(new)
    with pytest.raises(JobNotSucceeded):
        made.requests.request(new.id, 1)
