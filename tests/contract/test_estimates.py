"""When a job ends: what a queue learns from its jobs, and what it says of the others. The clock is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley_core.forecast import Forecast
from parley_core.job import (
    Attempt,
    Failure,
    GiveUp,
    Job,
    JobEnd,
    JobOptions,
    JobQuery,
    JobState,
    Lease,
    Phase,
    Queue,
    ResultSummary,
    RetryIn,
)
from parley_core.redis import RedisJobStore
from parley_core.settings import Settings
from parley_core.tenants import TenantQuota
from tests.support.fakes import new_job
from tests.support.simulated_clock import SimulatedClock, simulated_clock
from tests.support.valkey import Valkey

QUEUE = Queue.INTERACTIVE
FOREVER = 1e6
MOMENTS = ("free", "line:0", "line:1", "line:2", "part:0", "part:1", "part:2", "part:3")
START, PER_SECOND = 2.0, 0.1  # of the time that a job takes here


def taking(seconds: float) -> float:
    """Return how long a recording of so many seconds takes."""
    return START + PER_SECOND * seconds


@dataclass
class Deployment:
    """A queue whose workers are the test."""

    store: RedisJobStore
    clock: SimulatedClock
    client: Any
    places: int = 0

    def work_with(self, places: int) -> None:
        self.store.register_worker("worker/1", QUEUE, self.places, 0)
        if places:
            self.store.register_worker("worker/1", QUEUE, places, FOREVER)
        self.places = places

    def submit(self, seconds: float = 100.0, tenant: str = "north") -> Job:
        new = new_job(tenant=tenant, options=JobOptions(queue=QUEUE))
        job = self.store.create(replace(new, recording=replace(new.recording, seconds=seconds))).job
        self.publish(job.id)
        return self.store.get(job.id)

    def publish(self, accepted: str | None = None) -> None:
        for dispatch in self.store.take_turns(100, accepted):
            self.store.mark_queued(dispatch)

    def start(self, job: Job) -> Lease:
        started = self.store.start_attempt(job.id, "worker/1", FOREVER)
        assert started is not None
        self.publish()
        return started[1]

    def succeed(self, lease: Lease, engine: str = "1") -> None:
        self.store.succeed(lease, ResultSummary("result", 2, 10, 60.0, {"version": engine}, {"engine": 1.0}))

    def run(self, seconds: float, takes: float | None = None, engine: str = "1", tenant: str = "north") -> Job:
        """Run a job alone, with a renewal at each quarter of it."""
        job = self.submit(seconds, tenant)
        lease = self.start(job)
        for quarter in range(1, 5):
            self.clock.advance((taking(seconds) if takes is None else takes) / 4)
            self.store.renew(lease, FOREVER, Phase.EMBEDDING, quarter / 4)
        self.succeed(lease, engine)
        return job

    def learn(self, *lengths: float) -> None:
        for seconds in lengths or (20.0, 60.0, 100.0, 200.0, 400.0, 50.0):
            self.run(seconds)

    def left(self, job: Job) -> float:
        """Return the estimate without what it has learned from the ratios: these are 1 in the middle."""
        estimate = self.store.get(job.id).estimate
        assert estimate is not None
        assert estimate.low <= estimate.seconds <= estimate.high
        return estimate.seconds

    def ratios(self, moment: str) -> list[float]:
        return [float(text) for text in self.client.lrange(f"parley:pace:{QUEUE}:{moment}", 0, -1)]


@pytest.fixture
def here(valkey: Valkey) -> Iterator[Deployment]:
    with simulated_clock():
        store = RedisJobStore.from_settings(Settings(redis_url=valkey.url, tenants={"heavy": TenantQuota(weight=4)}))
        deployment = Deployment(store, SimulatedClock(valkey), valkey.client())
        deployment.work_with(1)
        yield deployment


def near(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.03)


def test_nothing_is_said_before_five_jobs_have_ended_nor_of_one_that_has_ended(here: Deployment) -> None:
    here.learn(20, 60, 100, 200)
    assert here.submit().estimate is None
    here.store.cancel(here.store.page(JobQuery("north", JobState.QUEUED)).jobs[0].id)
    ended = here.run(400)
    assert here.submit().estimate is not None
    assert here.store.get(ended.id).estimate is None


def test_time_by_length_and_time_by_job_are_told_apart(here: Deployment) -> None:
    here.learn()
    job = here.submit(1000)
    assert here.left(job) == near(taking(1000))
    here.store.cancel(job.id)
    assert here.left(here.submit(10)) == near(taking(10))


@pytest.mark.parametrize(
    "times",
    [{20: 10, 100: 10, 400: 10}, {20: 2, 100: 10, 400: 40}, {100: 10}, {0: 2}],
    ids=["by job alone", "by length alone", "one length", "no length"],
)
def test_jobs_that_tell_one_thing_alone(here: Deployment, times: dict[float, float]) -> None:
    for seconds, takes in 7 * list(times.items()):
        here.run(seconds, takes)
    for seconds, takes in times.items():
        job = here.submit(seconds)
        assert here.left(job) == pytest.approx(takes, rel=0.15)
        here.store.cancel(job.id)
    longest = here.submit(10 * max(times))
    assert max(times.values()) * 0.9 <= here.left(longest) <= max(times.values()) * 11


@pytest.mark.parametrize(
    ("times", "seconds"),
    [({20: 40, 400: 5}, 4000), ({20: 0.5, 400: 40}, 10)],
    ids=["longer ones are faster", "short ones take next to nothing"],
)
def test_no_line_through_the_known_times_gives_a_time_below_zero(
    here: Deployment, times: dict[float, float], seconds: float
) -> None:
    for length, takes in 3 * list(times.items()):
        here.run(length, takes)
    assert here.left(here.submit(seconds)) > 0.2


def test_without_a_worker_nobody_knows(here: Deployment) -> None:
    here.learn()
    running, waiting = here.submit(), here.submit()
    here.start(running)
    here.work_with(0)
    assert here.store.get(running.id).estimate is None
    assert here.store.get(waiting.id).estimate is None
    assert here.store.get(waiting.id).position == 1


def test_a_waiting_job_counts_what_runs_what_is_published_and_what_is_before_it_in_line(here: Deployment) -> None:
    here.learn()
    jobs = [here.submit(seconds) for seconds in (100, 200, 100, 300, 50)]
    here.start(jobs[0])
    here.clock.advance(taking(100) / 2)
    here.store.renew(Lease(jobs[0].id, 1, here.store.get(jobs[0].id).nonce), FOREVER, Phase.EMBEDDING, 0.5)
    wait = taking(100) / 2
    for job, seconds in zip(jobs[1:4], (200, 100, 300), strict=True):
        assert here.left(job) == pytest.approx(wait + taking(seconds), rel=0.35)
        wait += taking(seconds)
    assert here.left(jobs[4]) == pytest.approx(wait + taking(50), rel=0.15)  # by the mean of its line


def test_more_places_share_the_work(here: Deployment) -> None:
    here.learn()
    alone = [here.submit(100) for _ in range(9)]
    here.work_with(4)
    here.publish()
    assert here.left(alone[3]) == near(taking(100))
    assert here.left(alone[8]) == pytest.approx(3 * taking(100), rel=0.15)
    for job in alone[:4]:
        here.start(job)
    here.work_with(2)  # two of the four stop after their jobs
    assert here.left(alone[8]) == pytest.approx(4 * taking(100), rel=0.2)


def test_the_place_that_is_free_first_counts_not_the_one_that_was_taken_first(here: Deployment) -> None:
    here.learn()
    here.work_with(2)
    for seconds in (1000, 20):
        here.start(here.submit(seconds))
        here.clock.advance(0.01)
    assert here.left(here.submit(100)) == near(taking(20) + taking(100))


def test_a_turn_of_a_lower_name_is_counted_once(here: Deployment) -> None:
    here.submit(10)  # the message that the worker finds
    for _ in range(5):
        here.submit(100, "a")
    waiting = [here.submit(250, "b") for _ in range(2)]
    assert here.store.get(waiting[1].id).position == 1 + 3 + 1, "three turns of 105 begin before one of 255 is over"


def test_what_a_weighted_tenant_has_waiting_counts_in_full(here: Deployment) -> None:
    here.learn()
    for _ in range(8):
        here.submit(400, "heavy")
    last = [here.submit(100, "south") for _ in range(5)][-1]
    heavy = (last.position or 0) - 4
    assert heavy >= 4
    here.clock.advance(36_000)
    assert here.left(last) == pytest.approx(heavy * taking(400) + 5 * taking(100), rel=0.1)
    for job in here.store.page(JobQuery("heavy")).jobs[:6]:
        here.store.cancel(job.id)
    assert here.left(last) == pytest.approx(2 * taking(400) + 5 * taking(100), rel=0.1)


def test_work_of_others_that_keeps_arriving_delays_the_last_of_a_flood(here: Deployment) -> None:
    here.learn()
    flood = [here.submit(100, "archive") for _ in range(20)]
    quiet = here.store.get(flood[-1].id).estimate
    for _ in range(10):
        here.run(600, tenant="south")
        here.clock.advance(20)
    delayed = here.store.get(flood[-1].id).estimate
    assert quiet is not None and delayed is not None
    assert delayed.seconds > 1.15 * quiet.seconds
    assert delayed.low <= quiet.seconds
    assert here.left(flood[0]) == pytest.approx(taking(100), rel=0.2)
    here.clock.advance(10 * 3600)
    assert here.left(flood[-1]) == pytest.approx(quiet.seconds, rel=0.02)


def test_a_running_job_goes_by_its_progress(here: Deployment) -> None:
    here.learn()
    job = here.submit(400)
    lease = here.start(job)
    assert here.left(job) == near(42)
    here.clock.advance(10)
    assert here.left(job) == near(32)
    here.store.renew(lease, FOREVER, Phase.EMBEDDING, 10 / 42)
    assert here.left(job) == near(32)
    here.clock.advance(40)
    assert here.left(job) == near(3.2)  # overdue
    here.store.renew(lease, FOREVER, Phase.EMBEDDING, 0.9)  # slower than expected
    assert 4.2 < here.left(job) < 6
    here.clock.advance(1)
    assert 3.2 < here.left(job) < 5


def test_an_attempt_that_goes_on_from_a_checkpoint_is_not_taken_for_a_fast_one(here: Deployment) -> None:
    here.learn()
    job = here.submit(400)
    lease = here.start(job)
    here.clock.advance(21)
    here.store.renew(lease, FOREVER, Phase.EMBEDDING, 0.5)
    here.store.give_back(lease)
    lease = here.start(job)
    assert here.left(job) == near(42)
    here.clock.advance(0.5)
    here.store.renew(lease, FOREVER, Phase.EMBEDDING, 0.5)
    assert here.left(job) == near(21)
    before = here.client.hgetall(f"parley:pace:{QUEUE}")
    here.clock.advance(21)
    here.succeed(lease)
    assert here.client.hgetall(f"parley:pace:{QUEUE}") == before


def test_a_job_that_waits_for_its_next_attempt_starts_no_sooner(here: Deployment) -> None:
    here.learn()
    job = here.submit(100)
    here.store.fail_attempt(here.start(job), Failure("engine_error", "It broke."), RetryIn(60))
    assert here.left(job) == near(60 + taking(100))


def test_only_a_success_teaches(here: Deployment) -> None:
    here.learn()
    known = (here.client.hgetall(f"parley:pace:{QUEUE}"), here.ratios("free"), here.ratios("part:0"))
    failed, cancelled = here.submit(), here.submit()
    lease = here.start(failed)
    here.clock.advance(500)
    here.store.fail_attempt(lease, Failure("engine_error", "It broke."), GiveUp())
    here.start(cancelled)
    here.store.cancel(cancelled.id)
    assert (here.client.hgetall(f"parley:pace:{QUEUE}"), here.ratios("free"), here.ratios("part:0")) == known
    for job in (failed, cancelled):
        left_over = here.client.hgetall(f"parley:job:{job.id}")
        assert not [field for field in left_over if field.startswith("eta:") or field == "progressed_at"]


def test_each_moment_notes_by_how_much_it_was_off(here: Deployment) -> None:
    here.learn()
    seen = {moment: len(here.ratios(moment)) for moment in ("free", "part:0", "part:1", "part:2", "part:3")}
    here.run(100, takes=2 * taking(100))
    for moment, number in seen.items():
        found = here.ratios(moment)
        assert len(found) == number + 1
        assert 0.0 < found[-1] < 0.75, moment
    first = here.submit(100)
    waits = [here.submit(100) for _ in range(18)]
    for job in (first, *waits):
        lease = here.start(job)
        here.clock.advance(taking(100))
        here.succeed(lease)
    assert [len(here.ratios(f"line:{number}")) for number in range(3)] == [3, 12, 3]
    assert len(here.ratios("free")) == seen["free"] + 2


def test_an_estimate_that_is_always_off_is_put_right_and_its_interval_follows(
    here: Deployment,
) -> None:
    here.learn()
    for number in range(70):
        here.client.rpush(f"parley:pace:{QUEUE}:free", *("0.693", "0.0", "1.386")[number % 3 : number % 3 + 1])
    here.run(100)
    assert len(here.ratios("free")) == 60
    estimate = here.submit(100).estimate
    assert estimate is not None
    assert estimate.seconds == near(2 * taking(100))
    assert (estimate.low, estimate.high) == (near(taking(100)), near(4 * taking(100)))


def test_ratios_that_agree_leave_no_interval(here: Deployment) -> None:
    here.learn()
    here.client.delete(f"parley:pace:{QUEUE}:free")
    here.client.rpush(f"parley:pace:{QUEUE}:free", *["0.0"] * 20)
    estimate = here.submit(100).estimate
    assert estimate is not None
    assert estimate.low == estimate.seconds == estimate.high


def test_few_ratios_are_not_believed(here: Deployment) -> None:
    here.learn()
    estimate = here.submit(100).estimate
    assert estimate is not None
    assert estimate.low < 0.9 * taking(100) < 1.1 * taking(100) < estimate.high


def test_one_attempt_that_takes_a_hundred_times_as_long_changes_little(here: Deployment) -> None:
    here.learn(*[100.0] * 20)
    here.run(100, takes=100 * taking(100))
    assert here.left(here.submit(100)) < 1.3 * taking(100)


def test_a_new_engine_is_learned_at_once_and_a_known_one_slowly(here: Deployment) -> None:
    here.learn(*[100.0] * 20)
    for _ in range(3):
        here.run(100, takes=taking(100) / 3, engine="2")
    pace = here.client.hgetall(f"parley:pace:{QUEUE}")
    assert float(pace["weight"]) < 7
    here.run(100, engine="1")
    assert float(here.client.hget(f"parley:pace:{QUEUE}", "weight")) > 6


def test_the_list_of_a_tenant_and_the_events_say_it_too(here: Deployment) -> None:
    here.learn()
    running, waiting = here.submit(), here.submit()
    lease = here.start(running)
    here.store.renew(lease, FOREVER, Phase.EMBEDDING, 0.3)
    listed = {job.id: job.estimate for job in here.store.page(JobQuery("north")).jobs}
    assert listed[running.id] == here.store.get(running.id).estimate
    assert listed[waiting.id] == here.store.get(waiting.id).estimate
    *earlier, newest = here.store.events(running.id)
    assert newest.estimate == here.store.get(running.id).estimate
    assert not [event for event in earlier if event.estimate]
    here.succeed(lease)
    assert here.store.events(running.id)[-1].estimate is None


def test_no_read_costs_more_when_more_jobs_wait_and_run(here: Deployment) -> None:
    here.learn()
    here.work_with(200)
    jobs = [here.submit() for _ in range(300)]
    for job in jobs[:120]:
        here.start(job)
    calls = commands(here)
    last = here.store.get(jobs[-1].id)
    assert last.estimate is not None
    assert commands(here) - calls < 300
    assert last.position == 299
    here.client.config_resetstat()
    here.store.page(JobQuery("north", limit=100))
    assert here.client.info("commandstats")["cmdstat_lrange"]["calls"] <= len(MOMENTS), "the ratios of each moment once"


def commands(here: Deployment) -> int:
    return sum(command["calls"] for command in here.client.info("commandstats").values())


def test_restored_ends_teach(here: Deployment) -> None:
    began = datetime.fromtimestamp(1_800_000_000, UTC)
    for seconds in (20.0, 60.0, 100.0, 200.0, 400.0):
        finished = began + timedelta(seconds=taking(seconds))
        attempt = Attempt(1, "worker/1", began, finished)
        result = ResultSummary("result", 2, 10, 60.0, {"version": "1"}, {"engine": 1.0})
        new = new_job(seconds=seconds)
        end = JobEnd(JobState.SUCCEEDED, finished, began, 1, (attempt,), None, result)
        here.store.restore(new, began, 0, end)
    known = here.client.hgetall(f"parley:pace:{QUEUE}")
    end = JobEnd(JobState.SUCCEEDED, began, began, 1, (), None, result)
    assert here.store.restore(new_job(), began, 0, end), "an end without its attempt"
    assert here.client.hgetall(f"parley:pace:{QUEUE}") == known
    assert here.left(here.submit(300)) == near(taking(300))


def test_a_job_that_ends_or_is_purged_while_its_list_is_read_has_no_estimate(here: Deployment) -> None:
    here.learn()
    ended = here.run(100)
    listed = [(job_id, {"state": "running"}) for job_id in (ended.id, "purged")]
    assert here.store._forecasts(listed) == [Forecast(), Forecast()]
