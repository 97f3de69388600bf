"""What the routes need, made once per process; a test puts in-memory ports here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from parley_api.runtime.admission import Admission
from parley_api.runtime.blocking_calls import BlockingCalls
from parley_api.runtime.job_notifications import JobNotifications, RedisJobNotifications
from parley_api.runtime.keys import ApiKeys
from parley_api.runtime.probe import AudioInspector
from parley_core.celery_queue import CeleryJobQueue
from parley_core.ports import JobQueue, Journal, RecordingStore, SubmitStore, VoiceprintStore
from parley_core.redis import RedisJobStore
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.settings import Settings
from parley_core.storage.journal import ObjectJournal
from parley_core.storage.objects import ObjectStore


@dataclass(slots=True)
class Dependencies:
    """The ports, and what this process knows beside them."""

    settings: Settings
    store: SubmitStore
    recordings: RecordingStore
    queue: JobQueue
    journal: Journal
    audio: AudioInspector
    voiceprints: VoiceprintStore
    changes: JobNotifications = field(default_factory=JobNotifications)
    calls: BlockingCalls = field(init=False)
    admission: Admission = field(init=False)
    keys: ApiKeys | None = field(init=False)

    def __post_init__(self) -> None:
        self.calls = BlockingCalls(self.settings.redis_timeout_seconds)
        self.admission = Admission(self.store, self.calls, self.settings)
        self.keys = ApiKeys(self.settings.api_keys_file) if self.settings.api_keys_file else None


def connect(settings: Settings) -> Dependencies:
    """Return the real ones; they connect at their first call."""
    from parley_api.runtime.inspection import IsolatedInspector

    objects = ObjectStore.from_settings(settings)
    return Dependencies(
        settings=settings,
        store=RedisJobStore.from_settings(settings),
        recordings=objects,
        queue=CeleryJobQueue.from_settings(settings),
        journal=ObjectJournal(objects),
        audio=IsolatedInspector(settings),
        voiceprints=RedisVoiceprintStore.from_settings(settings),
        changes=RedisJobNotifications(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds),
    )


async def deps_of(request: Request) -> Dependencies:
    """Return the application's own."""
    deps: Dependencies = request.app.state.deps
    return deps


Deps = Annotated[Dependencies, Depends(deps_of)]
