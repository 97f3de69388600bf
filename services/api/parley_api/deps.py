"""What the routes need, made once per process; a test puts in-memory ports here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from parley_api.admission import Admission
from parley_api.audio import AudioInspector
from parley_api.calls import Calls
from parley_api.keys import ApiKeys
from parley_api.waiting import Changes, RedisChanges
from parley_core.journal import ObjectJournal
from parley_core.objects import ObjectStore
from parley_core.ports import JobQueue, JobStore, Journal, RecordingStore, VoiceStore
from parley_core.queue import CeleryJobQueue
from parley_core.redis_jobs import RedisJobStore
from parley_core.redis_voices import RedisVoiceStore
from parley_core.settings import Settings


@dataclass(slots=True)
class Deps:
    """The ports, and what this process knows beside them."""

    settings: Settings
    store: JobStore
    recordings: RecordingStore
    queue: JobQueue
    journal: Journal
    audio: AudioInspector
    voices: VoiceStore
    changes: Changes = field(default_factory=Changes)
    calls: Calls = field(init=False)
    admission: Admission = field(init=False)
    keys: ApiKeys | None = field(init=False)

    def __post_init__(self) -> None:
        self.calls = Calls(self.settings.redis_timeout_seconds)
        self.admission = Admission(self.store, self.calls, self.settings)
        self.keys = ApiKeys(self.settings.api_keys_file) if self.settings.api_keys_file else None


def connect(settings: Settings) -> Deps:
    """Return the real ones; they connect at their first call."""
    from parley_api.inspection import IsolatedInspector

    objects = ObjectStore.from_settings(settings)
    return Deps(
        settings=settings,
        store=RedisJobStore.from_settings(settings),
        recordings=objects,
        queue=CeleryJobQueue.from_settings(settings),
        journal=ObjectJournal(objects),
        audio=IsolatedInspector(settings),
        voices=RedisVoiceStore.from_settings(settings),
        changes=RedisChanges(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds),
    )


async def deps_of(request: Request) -> Deps:
    """Return the application's own."""
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(deps_of)]
