"""Manifests, ends and tombstones keep these promises: on a folder and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parley_core.errors import IdempotencyKeyReused
from parley_core.job import (
    Attempt,
    Failure,
    IdempotencyKey,
    JobEnd,
    JobOptions,
    JobState,
    JobTrace,
    Queue,
    ResultSummary,
    SpeakerBounds,
)
from parley_core.job_id import day_of
from parley_core.ports import RecordingStore
from parley_core.storage.folder import FolderStore
from parley_core.storage.manifests import HistoryMarker, Manifests
from parley_core.transcript import Transcription
from parley_core.voiceprints import Role
from tests.support.fakes import MemoryRecordingStore, id_of, new_job

NOW = datetime(2026, 11, 27, 1, 2, 3, 456_000, tzinfo=UTC)
WITHOUT_WORDS = Transcription(error_code="recogniser_refused", error_detail="The recogniser says no.")
RESULT = ResultSummary(
    "results/x/1.json", 2, 5, 12.5, {"name": "onnx"}, {"engine": 1.0}, 2, 1.25, transcription=WITHOUT_WORDS
)
SUCCEEDED = JobEnd(
    JobState.SUCCEEDED,
    NOW,
    NOW - timedelta(seconds=5),
    token=2,
    attempts=(
        Attempt(1, "w/1", NOW - timedelta(seconds=5), NOW, Failure("worker_lost", "It was lost.")),
        Attempt(2, "w/2", NOW, NOW),
    ),
    result=RESULT,
)
CANCELLED = JobEnd(JobState.CANCELLED, NOW)


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> RecordingStore:
    return MemoryRecordingStore() if request.param == "memory" else FolderStore(tmp_path / "objects")


@pytest.fixture
def manifests(objects: RecordingStore) -> Manifests:
    return Manifests(objects)


def test_what_was_accepted_is_given_back_whole(manifests: Manifests) -> None:
    options = JobOptions(
        SpeakerBounds(2, 3), Queue.BATCH, "consult 7", None, 60, 0, True, (Role.CLINICIAN, Role.PATIENT)
    )
    new, key = new_job(options=options), IdempotencyKey("k", "d")
    assert manifests.accept(new, key) == new
    assert manifests.find(new.id) == (new, key)
    assert manifests.find(new_job().id) is None


def test_the_first_manifest_of_an_id_stays(manifests: Manifests) -> None:
    first = new_job()
    manifests.accept(first, None)
    assert manifests.accept(replace(first, tenant="other"), None) == first


def test_a_run_has_one_end_whoever_writes_it(manifests: Manifests) -> None:
    new = new_job()
    manifests.accept(new, None)
    assert manifests.find_end(new.id, 0) is None
    assert manifests.end(new.id, 0, SUCCEEDED) == SUCCEEDED
    assert manifests.end(new.id, 0, CANCELLED) == SUCCEEDED
    assert manifests.find_end(new.id, 0) == SUCCEEDED


def test_a_retry_by_hand_begins_a_run_with_an_end_of_its_own(manifests: Manifests) -> None:
    new = new_job()
    manifests.accept(new, None)
    manifests.end(new.id, 0, CANCELLED)
    manifests.begin_run(new.id, 1)
    manifests.begin_run(new.id, 1)
    assert manifests.trace(new.id) == JobTrace(new.id, accepted=True, run=1, ended=False)
    assert manifests.end(new.id, 1, SUCCEEDED) == SUCCEEDED
    assert manifests.trace(new.id) == JobTrace(new.id, accepted=True, run=1, ended=True)


def test_after_a_run_comes_a_retry_or_no_recording_and_never_both(manifests: Manifests) -> None:
    retried, removed = (new_job(options=JobOptions(retain_audio_seconds=0)) for _ in range(2))
    for new in (retried, removed):
        manifests.accept(new, None)
        manifests.end(new.id, 0, CANCELLED)
    now = datetime.now(UTC)
    assert manifests.begin_run(retried.id, 1)
    assert manifests.condemn_recording(retried.id, now) is None
    for _ in range(2):  # once more, after a keeper that was killed
        assert manifests.condemn_recording(removed.id, now) == removed.recording
    assert not manifests.begin_run(removed.id, 1)
    assert manifests.trace(retried.id) == JobTrace(retried.id, accepted=True, run=1)
    assert manifests.trace(removed.id) == JobTrace(removed.id, accepted=True, ended=True, recording_removed=True)
    manifests.end(retried.id, 1, SUCCEEDED)
    assert manifests.condemn_recording(retried.id, now) == retried.recording


def test_a_purged_job_leaves_a_tombstone_alone(manifests: Manifests, objects: RecordingStore) -> None:
    new = new_job()
    manifests.accept(new, IdempotencyKey("k", "d"))
    manifests.end(new.id, 0, SUCCEEDED)
    manifests.condemn(new.id)
    assert manifests.trace(new.id) == JobTrace(new.id, accepted=True, ended=True, purged=True)
    manifests.forget(new.id)
    manifests.forget(new.id)
    assert manifests.trace(new.id) == JobTrace(new.id, purged=True)
    left = [objects.read(key) for key in objects.keys("jobs/")]
    assert left == [b""], "a tombstone holds no personal data"


def test_a_day_lists_its_jobs_and_its_changes(manifests: Manifests) -> None:
    waiting, ended = new_job(), new_job()
    for new in (waiting, ended):
        manifests.accept(new, None)
    manifests.end(ended.id, 0, CANCELLED)
    day = day_of(waiting.id)
    assert manifests.days() == [day]
    traces = {trace.job_id: trace for trace in manifests.traces(day)}
    assert traces == {
        waiting.id: JobTrace(waiting.id, accepted=True),
        ended.id: JobTrace(ended.id, accepted=True, ended=True),
    }
    assert list(manifests.traces("2020-01-01")) == []
    assert list(manifests.changed_on(day)) == []
    manifests.begin_run(ended.id, 1)
    manifests.condemn(ended.id)
    assert list(manifests.changed_on(datetime.now(UTC).date().isoformat())) == [ended.id]


def test_jobs_without_a_record_are_found_until_they_have_one(manifests: Manifests) -> None:
    first, second = new_job(), new_job()
    for new in (first, second):
        manifests.mark_unrecorded(new.id)
    assert sorted(manifests.unrecorded()) == sorted([first.id, second.id])
    manifests.mark_recorded(first.id)
    manifests.mark_recorded(first.id)
    assert list(manifests.unrecorded()) == [second.id]


def test_a_key_is_bound_to_the_first_job(manifests: Manifests) -> None:
    assert manifests.bind_key("t", IdempotencyKey("k", "d"), "job-1") == "job-1"
    assert manifests.bind_key("t", IdempotencyKey("k", "d"), "job-2") == "job-1"
    assert manifests.bind_key("other tenant", IdempotencyKey("k", "d"), "job-2") == "job-2"
    with pytest.raises(IdempotencyKeyReused):
        manifests.bind_key("t", IdempotencyKey("k", "other"), "job-3")


DAMAGED = [b"", b"[]", b"{}", b'{"job": {}}', b"\xff", b'{"state": "nonsense"}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_document_is_replaced_by_who_writes_it_next(
    manifests: Manifests, objects: RecordingStore, text: bytes
) -> None:
    """A store that does not flush leaves such objects when its node loses power."""
    new = new_job()
    objects.put(f"jobs/{day_of(new.id)}/{new.id}/manifest.json", text)
    objects.put(f"jobs/{day_of(new.id)}/{new.id}/end-0.json", text)
    with pytest.raises(ValueError):
        manifests.find(new.id)
    assert manifests.accept(new, None) == new
    assert manifests.find(new.id) == (new, None)
    assert manifests.find_end(new.id, 0) is None
    assert manifests.end(new.id, 0, SUCCEEDED) == SUCCEEDED
    assert manifests.end(new.id, 0, CANCELLED) == SUCCEEDED


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_binding_of_a_key_binds_nothing(manifests: Manifests, objects: RecordingStore, text: bytes) -> None:
    manifests.bind_key("t", IdempotencyKey("k", "d"), "job-1")
    (name,) = objects.keys("idempotency")
    objects.put(name, text)
    assert manifests.bind_key("t", IdempotencyKey("k", "other"), "job-2") == "job-2"
    assert manifests.bind_key("t", IdempotencyKey("k", "other"), "job-3") == "job-2"


FOREIGN = ["stray", "{id}/deep/manifest.json", "{id}/retry-x", "{id}/retry-", "{id}/retry-1.json"]


def test_objects_of_other_names_are_passed_over(manifests: Manifests, objects: RecordingStore) -> None:
    new, foreign = new_job(), new_job()
    manifests.accept(new, None)
    day = day_of(new.id)
    for name in FOREIGN:
        objects.put(f"jobs/{day}/{name.format(id=foreign.id)}", b"x")
    assert {trace.job_id: trace for trace in manifests.traces(day)} == {
        new.id: JobTrace(new.id, accepted=True),
        foreign.id: JobTrace(foreign.id),
    }
    assert manifests.trace(foreign.id) == JobTrace(foreign.id)


def test_a_day_lists_what_was_accepted_or_changed_since(manifests: Manifests, objects: RecordingStore) -> None:
    """Of two clocks one is right: that of the process that made the id, or that of the object store."""
    now = datetime.now(UTC)
    early, late = (new_job(job_id=id_of(now - ago)) for ago in (timedelta(hours=3), timedelta(minutes=30)))
    day = day_of(late.id)
    for new in (early, late):
        objects.put(f"jobs/{day}/{new.id}/manifest.json", b"{}")

    def listed(since: datetime) -> set[str]:
        return {trace.job_id for trace in manifests.traces(day, since)}

    assert listed(now - timedelta(hours=4)) == {early.id, late.id}
    assert listed(now - timedelta(minutes=10)) == {late.id}, "its process has a clock that is slow by half an hour"
    assert listed(now + timedelta(hours=1)) == set()
    assert listed(now - timedelta(minutes=40)) == {late.id}
    assert sorted(trace.job_id for trace in manifests.traces(day)) == sorted([early.id, late.id])


def test_days_of_changes_are_those_on_which_something_changed(manifests: Manifests, objects: RecordingStore) -> None:
    assert manifests.change_days() == []
    for day in ("2026-11-28", "2026-11-27"):
        objects.put(f"changes/{day}/x.purged", b"")
    assert manifests.change_days() == ["2026-11-27", "2026-11-28"]


def test_members_of_a_newer_version_are_ignored(manifests: Manifests, objects: RecordingStore) -> None:
    new = new_job()
    manifests.accept(new, None)
    key = f"jobs/{day_of(new.id)}/{new.id}/manifest.json"
    objects.put(
        key, objects.read(key).replace(b'{"format":', b'{"added": 1, "format":').replace(b'"sha256"', b'"x":1,"sha256"')
    )
    assert manifests.find(new.id) == (new, None)


def test_a_purge_at_the_end_of_its_retention_is_no_change_to_look_for(manifests: Manifests) -> None:
    new = new_job()
    manifests.accept(new, None)
    manifests.condemn_each([new.id], lambda: None)
    assert manifests.trace(new.id).purged
    assert list(manifests.changed_on(datetime.now(UTC).date().isoformat())) == []


def test_the_marker_is_what_was_noted_last(manifests: Manifests, objects: RecordingStore) -> None:
    assert manifests.marker() is None
    manifests.mark(HistoryMarker("a", 1))
    manifests.mark(HistoryMarker("a", 2))
    assert manifests.marker() == HistoryMarker("a", 2)
    objects.put("history/marker.json", b"nonsense")
    assert manifests.marker() is None


def test_a_day_of_many_jobs_is_told_job_by_job(manifests: Manifests) -> None:
    jobs = [new_job() for _ in range(300)]
    for new in jobs:
        manifests.accept(new, None)
    for new in jobs[::2]:
        manifests.end(new.id, 0, CANCELLED)
        manifests.begin_run(new.id, 1)
    traces = [trace for day in manifests.days() for trace in manifests.traces(day)]
    assert sorted(trace.job_id for trace in traces) == sorted(new.id for new in jobs)
    assert sum(trace.run for trace in traces) == 150
