"""What an attempt has computed so far, as objects beside its job: the next attempt goes on from there.

A part is written by a thread of its own while the engine computes. An outage of the object store costs nothing but the
checkpoint: parts that could not be written are tried again with the next one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import takewhile
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from parley_core.errors import ObjectStoreUnavailable
from parley_core.job import Job
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.recording import checkpoint_folder
from parley_core.turns import EngineInfo
from parley_worker.attempt.packing import pack, unpack
from parley_worker.attempt.retry import SoftLimitReached
from parley_worker.attempt.stopping import WorkerStopping
from parley_worker.engines.checkpoint import Part

# A killed attempt loses what it computed since its last part: 2 % of the engine's work, which has two steps of about
# the same cost. Writing and deleting a part takes about 5 ms, 2 % of the shortest time between two parts.
PART_SHARE = 0.04
PART_SECONDS = 0.25
HASH_BYTES = 32
FORMAT = 2  # of a part: parts of an older format are ignored

log = get_logger(__name__)


class _Pending(NamedTuple):
    step: str
    part: Part


class StoredCheckpoint:
    """Checkpoint in an object store, for one attempt.

    Args:
        job: as its attempt started.
        engine: whose parts they are, on whatever processor.
        count_ignored: called for each stored part that is damaged, or of another recording or engine.
    """

    def __init__(
        self, recordings: RecordingStore, job: Job, engine: EngineInfo, count_ignored: Callable[[], None]
    ) -> None:
        self._recordings, self._count_ignored = recordings, count_ignored
        self._folder = checkpoint_folder(job.id)
        made_by = asdict(replace(engine, kernels={}))
        work = [FORMAT, job.recording.sha256, made_by]
        self._binding = json.dumps(work, sort_keys=True, default=str).encode()
        self._keys = self._stored_keys() if job.token > 1 else set()
        self._pending: list[_Pending] = []
        self._written_at = time.monotonic()
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[int] | None = None

    def continued(self, step: str, total: int, compute: Callable[[int], Iterator[Part]]) -> Iterator[Part]:
        """See parley_worker.engines.checkpoint.Checkpoint."""
        reached = 0
        while (part := self._read(step, reached)) is not None:
            reached = part.end
            yield part
        if reached:
            log.info("work continued", step=step, windows=total, kept=reached)
        for part in compute(reached):
            self._pending.append(_Pending(step, part))
            yield part
            self._write_if_due(total * PART_SHARE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Write the rest for the next attempt if this one was broken off."""
        written = self._finish_writing()
        while self._pending and written and isinstance(error, WorkerStopping | SoftLimitReached):
            self._start_writing()
            written = self._finish_writing()
        self._writer.shutdown()

    def remove(self) -> None:
        """Delete all parts. What an unavailable object store keeps, the keeper deletes."""
        with suppress(ObjectStoreUnavailable):
            for key in sorted(self._keys):
                self._recordings.delete(key)
            self._keys.clear()

    def _stored_keys(self) -> set[str]:
        try:
            return set(self._recordings.keys(f"{self._folder}/"))
        except ObjectStoreUnavailable as error:
            log.warning("checkpoint not read", code=error.code)
            return set()

    def _key(self, step: str, first: int) -> str:
        return f"{self._folder}/{step}-{first:08d}"

    def _read(self, step: str, first: int) -> Part | None:
        """Return the stored part that begins with a window, None if there is none that is whole and of this work."""
        key = self._key(step, first)
        if key not in self._keys:
            return None
        try:
            stored = self._recordings.read(key)
        except (KeyError, ObjectStoreUnavailable):
            return None
        if stored[:HASH_BYTES] != self._hash(stored[HASH_BYTES:]):
            log.warning("part of a checkpoint ignored: damaged, or of another engine", key=key)
            self._count_ignored()
            return None
        arrays = unpack(stored[HASH_BYTES:])
        return Part(first, int(arrays.pop("end")[0]), arrays)

    def _hash(self, content: bytes) -> bytes:
        return hashlib.sha256(self._binding + content).digest()

    def _write_if_due(self, windows: float) -> None:
        if self._writing is not None and not self._writing.done():
            return
        self._finish_writing()
        computed = self._pending[-1].part.end - self._pending[0].part.first if self._pending else 0
        one_step = bool(self._pending) and self._pending[0].step == self._pending[-1].step
        if time.monotonic() - self._written_at >= PART_SECONDS and (computed >= windows or not one_step):
            self._start_writing()

    def _start_writing(self) -> None:
        """Write the computed parts of one step as one part, unless they are being written."""
        if self._writing is None:
            step = self._pending[0].step
            parts = [pending.part for pending in takewhile(lambda pending: pending.step == step, self._pending)]
            self._writing = self._writer.submit(self._write, step, parts)

    def _finish_writing(self) -> bool:
        """Wait for the part that is being written; return False if it could not be written."""
        if self._writing is None:
            return True
        writing, self._writing, self._written_at = self._writing, None, time.monotonic()
        try:
            del self._pending[: writing.result()]
        except ObjectStoreUnavailable as error:
            log.warning("checkpoint not written", code=error.code)
            return False
        return True

    def _write(self, step: str, parts: Sequence[Part]) -> int:
        """Return the number of parts. Raises ObjectStoreUnavailable."""
        arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
        content = pack({"end": np.array([parts[-1].end]), **arrays})
        key = self._key(step, parts[0].first)
        self._recordings.put(key, self._hash(content) + content)
        self._keys.add(key)
        return len(parts)
