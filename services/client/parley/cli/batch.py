"""Submitting many files at once: a few uploads at a time, then every job is followed until it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley import AsyncParley, Job, ParleyClientError, SubmitOptions, Turns
from parley.cli.display import turns_json
from parley.cli.exit_codes import Exit
from parley.cli.failures import error_document, exit_code_of, sentence
from parley.cli.links import Link, Source, key_of
from parley.cli.options import TurnFormat
from parley.cli.progress import ProgressView

UPLOADS = 4  # at once; more do not use a line better
WATCHES = 16  # at once; jobs end roughly in the order of their submits
WATCH_SECONDS = 1.0  # between two looks at the progress of a job


def unfinished_uploads() -> Path:
    """Return the folder that notes unfinished uploads, for a second run (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "parley" / "uploads"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one file: `job` is None if it was not accepted, `turns` is None unless the job succeeded."""

    path: Source
    job: Job | None = None
    turns: Turns | None = None
    error: Exception | None = None

    @property
    def exit_code(self) -> Exit:
        if self.error is not None:
            return exit_code_of(self.error)
        failed = self.job is not None and self.job.terminal and not self.job.succeeded
        return Exit.JOB_FAILED if failed else Exit.OK

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.error is not None:
            why = sentence(self.error)
            return why if self.job is None else f"{why} The server keeps job {self.job.id}."
        assert self.job is not None, "an outcome has an error or a job"
        if self.job.error is not None:
            return f"{self.job.state}: {self.job.error.detail} ({self.job.error.code})"
        return self.job.state

    def document(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "file": str(self.path),
            "job": self.job.document if self.job else None,
            "turns": self.turns.document if self.turns else None,
            "error": error_document(self.error) if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class TurnFiles:
    """A folder with the turns of each recording in a file.

    Attributes:
        subfolders: where the files of recordings go that come from a subfolder of a submitted folder.
    """

    folder: Path
    format: TurnFormat
    subfolders: Mapping[Source, Path]

    def path(self, recording: Source) -> Path:
        subfolder = self.subfolders.get(recording, Path())
        return self.folder / subfolder / f"{recording.stem}.{self.format.extension}"

    async def write(self, parley: AsyncParley, recording: Source, turns: Turns) -> None:
        """Write the turns of a recording."""
        if self.format is TurnFormat.JSON:
            content = turns_json(turns).encode()
        elif self.format is TurnFormat.PNG:
            content = await parley.picture(turns.job_id)
        else:
            content = (await parley.export(turns.job_id, self.format)).encode()
        path = self.path(recording)
        path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, content)


@dataclass
class Batch:
    """Submits files and follows their jobs.

    Attributes:
        options: options of every submit.
        wait: follow every job to its end and get its turns; else the accepted job is the outcome.
        turn_files: where the turns of each file are written as soon as they are there.
        transcript: of the recording, if there is one recording.
        repeatable: files whose idempotency key depends on their content, so that a second run makes no second job.
        accepted: the jobs so far, also if the batch is interrupted.
    """

    parley: AsyncParley
    view: ProgressView
    options: SubmitOptions
    wait: bool
    turn_files: TurnFiles | None = None
    transcript: Path | None = None
    repeatable: frozenset[Source] = frozenset()
    accepted: list[Job] = field(default_factory=list)
    _uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UPLOADS))
    _watches: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WATCHES))

    async def run(self, paths: Sequence[Source]) -> list[Outcome]:
        """Return the outcome of each file, in the given order. The failure of one file does not stop the others."""
        return await asyncio.gather(*(self._run_one(path) for path in paths))

    async def _run_one(self, path: Source) -> Outcome:
        job: Job | None = None
        turns: Turns | None = None
        error: Exception | None = None
        try:
            job = await self._submit(path)
            if self.wait:
                async with self._watches:
                    async for seen in self.parley.watch(job.id, every=WATCH_SECONDS):
                        self.view.watching(path, seen)
                        job = seen
            if job.succeeded:
                turns = await self.parley.turns(job.id)
                if self.turn_files is not None:
                    await self.turn_files.write(self.parley, path, turns)
        except (ParleyClientError, OSError) as caught:
            error = caught
        outcome = Outcome(path, job, turns, error)
        self.view.ended(path, outcome.summary)
        return outcome

    async def _submit(self, path: Source) -> Job:
        async with self._uploads:
            if isinstance(path, Link):
                self.view.fetching(path)
            key = None
            if isinstance(path, Path) and path in self.repeatable:
                key = await asyncio.to_thread(key_of, path, self.options)
            job = await self.parley.submit(
                path.url if isinstance(path, Link) else path,
                transcript=self.transcript,
                idempotency_key=key,
                on_bytes=lambda sent, total: self.view.uploading(path, sent, total),
                resume_folder=unfinished_uploads(),
                **self.options,
            )
        self.accepted.append(job)
        self.view.watching(path, job)
        return job
