"""What an attempt needs: stores, decoder and engine, made from the settings."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import parley_audio
from parley_core.durable_job_store import DurableJobStore
from parley_core.errors import EngineError, ParleyError
from parley_core.ports import AttemptStore, RecordingStore, TurnTaker
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_worker.engines.port import Engine

if TYPE_CHECKING:
    from parley_worker.transcription.recogniser import Recogniser

INSTANCE_VARIABLE = "PARLEY_WORKER_INSTANCE"  # set once by the main process, inherited by its children


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What one attempt needs. Tests use in-memory ports.

    Attributes:
        decode: returns the sound of a recording; see parley_audio.decode_recording.
        engine: returns the engine and loads it at the first call.
        worker: name of this process in the record.
        stopping: says whether this worker was told to stop.
        note_phases: takes the seconds of an attempt by phase, however it ended.
        publish_next: publishes the next jobs of the queues, once a message was taken.
        recogniser: returns the recogniser of the deployment, None without one.
        words_requests: for the words of jobs that have ended; None answers none.
        levels: returns the levels of the given number of channels of a recording; see parley_audio.levels.
    """

    store: AttemptStore
    recordings: RecordingStore
    decode: Callable[[Path], parley_audio.DecodedRecording]
    engine: Callable[[], Engine]
    settings: Settings
    worker: str
    levels: Callable[[Path, int], NDArray[np.float32]] = parley_audio.levels
    recogniser: Callable[[], Recogniser | None] = lambda: None
    words_requests: RedisWordsRequests | None = None
    stopping: Callable[[], bool] = lambda: False
    publish_next: Callable[[TurnTaker], None] = lambda store: None
    note_phases: Callable[[Mapping[str, float]], None] = lambda seconds: None


def name_instance() -> None:
    """Choose a random name part for this worker: a restarted container has the host name and pids of the last one."""
    os.environ[INSTANCE_VARIABLE] = secrets.token_hex(3)


def worker_name(pid: int) -> str:
    """Return the name of a child in the record: `<host or pod>/<instance>/<pid>`."""
    return f"{instance_name()}/{pid}"


def instance_name() -> str:
    """Return the name of this worker, which its children share: `<host or pod>/<instance>`."""
    return f"{socket.gethostname()}/{os.environ.get(INSTANCE_VARIABLE, '-')}"


@cache
def dependencies() -> Dependencies:
    """Return those of this process. The first job makes them, since connections and engines do not survive a fork."""
    settings = Settings()
    limits = parley_audio.DecodeLimits.from_settings(settings)
    recordings = object_store(settings)
    return Dependencies(
        store=DurableJobStore.from_settings(settings, recordings),
        recordings=recordings,
        decode=lambda path: parley_audio.decode_recording(path, limits),
        engine=cache(lambda: load(settings)),
        settings=settings,
        worker=worker_name(os.getpid()),
        levels=lambda path, channels: parley_audio.levels(path, channels, limits),
        recogniser=lambda: recogniser_of(settings),
        words_requests=RedisWordsRequests.from_settings(settings),
    )


def recogniser_of(settings: Settings) -> Recogniser | None:
    """Return the recogniser of the settings, None without one. Loads its HTTP client at the first call."""
    from parley_worker.transcription.recogniser import Recogniser

    return Recogniser.from_settings(settings)


def load(settings: Settings) -> Engine:
    """Return the engine of the settings.

    Raises:
        EngineError: the engine cannot be loaded. Another worker may be able to, so the job can be tried again.
    """
    from parley_worker.engines.base import load_engine

    try:
        return load_engine(settings.engine, settings.engine_threads)
    except ParleyError as error:
        raise EngineError(error.detail) from error
