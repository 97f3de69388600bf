"""The recording of a job, as the object store has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from parley_core.errors import UnreadableRecording
from parley_core.job import Job
from parley_core.ports import RecordingStore


@contextmanager
def stored_recording(recordings: RecordingStore, job: Job) -> Iterator[Path]:
    """Return a file with the recording, which the end of the context removes.

    Raises:
        UnreadableRecording: it is gone.
        ObjectStoreUnavailable: try again.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(recordings.fetch(job.recording.key))
        except KeyError:
            raise UnreadableRecording("The stored recording is gone.") from None
        yield path
