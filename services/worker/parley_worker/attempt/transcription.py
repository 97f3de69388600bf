"""The words of a job, from the recogniser of the deployment, while the engine computes.

A thread sends the recording piece by piece and stores the words of each piece as a checkpoint: the next attempt goes on
from there. It holds no lease and ends no attempt: whatever becomes of it, the turns are kept.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from parley_audio import SAMPLE_RATE
from parley_core.errors import (
    ObjectStoreUnavailable,
    ParleyError,
    RecogniserUnavailable,
    TranscriptionTimedOut,
    UnusableTranscription,
)
from parley_core.job import Job, Phase
from parley_core.logs import get_logger
from parley_core.ports import RecordingStore
from parley_core.recording import checkpoint_folder
from parley_core.settings import Settings
from parley_core.transcript import Transcript, Transcription, Word
from parley_worker.engines.port import Report
from parley_worker.transcription.network import Stopped
from parley_worker.transcription.pieces import pieces_of
from parley_worker.transcription.recogniser import Recogniser, RecogniserBusy

LEAST_SECONDS = 60.0  # for the recogniser, whatever the length of the recording: it may have to load its model
RESERVE_SECONDS = 120.0  # of the soft limit, to store the turns
PATIENCE_SECONDS = 30.0  # with a recogniser that does not answer: as long as a restart takes
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds between two tries
LOOK_SECONDS = 0.2  # how often the waiting attempt looks for a cancel or a stop
END_SECONDS = 1.0  # in which the thread ends after a stop; it is not waited for longer

log = get_logger(__name__)


class Transcribed(NamedTuple):
    """What became of the words, and the transcript if there is one."""

    outcome: Transcription
    transcript: Transcript | None = None


class AttemptTranscription:
    """The transcription of one attempt. It begins with the context and is stopped at its end.

    Args:
        waveform: shape (samples,), mono, 16 kHz, -1 to 1.
        recogniser: None where this worker has none.
        resumed: an earlier attempt may have stored the words of pieces.

    Attributes:
        late: they were waited for in vain.
    """

    def __init__(
        self,
        recogniser: Recogniser | None,
        recordings: RecordingStore,
        job: Job,
        waveform: NDArray[np.float32],
        settings: Settings,
        *,
        resumed: bool,
    ) -> None:
        self._recogniser, self._recordings, self._job, self._waveform = recogniser, recordings, job, waveform
        self._settings, self._resumed = settings, resumed
        self._seconds = len(waveform) / SAMPLE_RATE
        binding = [job.recording.sha256, settings.asr_url, settings.asr_model, settings.asr_language]
        self._binding = hashlib.sha256(json.dumps(binding).encode()).hexdigest()
        self._keys: list[str] = []
        self._share = 0.0
        self._found = Transcribed(Transcription())
        self.late = False
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"transcription-{job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(END_SECONDS)

    def wait(self, report: Report, seconds: float = float("inf")) -> Transcribed:
        """Return what became of the words. Raises what `report` raises: the job was cancelled, the worker stops.

        Args:
            seconds: after which the words are late, and those of the pieces so far are kept.
        """
        deadline = time.monotonic() + seconds
        while not self._ended.wait(LOOK_SECONDS):
            report(Phase.TRANSCRIPTION, self._share)
            if time.monotonic() > deadline:
                self.late = True
                late = TranscriptionTimedOut("The recogniser is slower than PARLEY_ASR_WAIT_SECONDS allows.")
                return Transcribed(Transcription(error_code=late.code, error_detail=late.detail))
        return self._found

    def remove(self) -> None:
        """Delete the words of the pieces. What an unavailable object store keeps, the keeper deletes."""
        with suppress(ObjectStoreUnavailable):
            for key in self._keys:
                self._recordings.delete(key)

    def _run(self) -> None:
        try:
            self._found = self._transcribed()
        except Stopped:
            pass
        except ParleyError as error:
            log.warning("no transcript", job_id=self._job.id, code=error.code, detail=error.detail)
            self._found = Transcribed(Transcription(error_code=error.code, error_detail=error.detail))
        except Exception as error:  # noqa: BLE001  # the turns must not be lost, whatever a recogniser answers
            log.error("no transcript", job_id=self._job.id, error=type(error).__name__)  # its text may hold words
            detail = "The recogniser's answer could not be read."
            self._found = Transcribed(Transcription(error_code=UnusableTranscription.code, error_detail=detail))
        finally:
            self._ended.set()

    def _transcribed(self) -> Transcribed:
        if self._recogniser is None:
            raise RecogniserUnavailable("This worker has no recogniser (PARLEY_ASR_URL).")
        deadline = time.monotonic() + min(self._longest(self._seconds), self._job.limits.soft - RESERVE_SECONDS)
        words: list[Word] = []
        pieces = pieces_of(self._waveform, self._settings.asr_piece_seconds)
        for first, end in pieces:
            if self._stopped.is_set():
                raise Stopped
            offset = round(first * 1000 / SAMPLE_RATE)
            found = self._words(self._recogniser, first, end, deadline)
            words += (replace(word, start=word.start + offset, end=word.end + offset) for word in found)
            self._share = end / max(1, len(self._waveform))
        log.info("recording transcribed", job_id=self._job.id, words=len(words), pieces=len(pieces))
        outcome = Transcription(len(words), round(self._seconds, 3))
        return Transcribed(outcome, Transcript(tuple(words), "openai"))

    def _longest(self, seconds: float) -> float:
        return LEAST_SECONDS + seconds * self._settings.asr_seconds_per_audio_second

    def _words(self, recogniser: Recogniser, first: int, end: int, deadline: float) -> tuple[Word, ...]:
        """Return the words of a piece, from an earlier attempt or from the recogniser."""
        key = f"{checkpoint_folder(self._job.id)}/words-{first:010d}-{end:010d}"
        self._keys.append(key)
        if self._resumed and (known := self._stored(key)) is not None:
            return known
        seconds = (end - first) / SAMPLE_RATE
        words = self._asked(recogniser, first, end, min(deadline, time.monotonic() + self._longest(seconds)))
        if not self._stopped.is_set():
            with suppress(ObjectStoreUnavailable):
                self._recordings.put(key, Transcript(words, self._binding).to_json())
        return words

    def _stored(self, key: str) -> tuple[Word, ...] | None:
        try:
            stored = Transcript.from_json(self._recordings.read(key))
        except (KeyError, ValueError, ObjectStoreUnavailable):
            return None
        return stored.words if stored.source == self._binding else None

    def _asked(self, recogniser: Recogniser, first: int, end: int, deadline: float) -> tuple[Word, ...]:
        """Return the words of a piece. A recogniser that does not answer is asked again for half a minute."""
        patience, pause = None, FIRST_PAUSE
        while True:
            try:
                return recogniser.transcribe(self._waveform[first:end], deadline, self._stopped)
            except RecogniserUnavailable as error:
                patience = patience or time.monotonic() + PATIENCE_SECONDS
                seconds = max(pause, error.seconds if isinstance(error, RecogniserBusy) else 0.0)
                if time.monotonic() + seconds > min(patience, deadline):
                    raise
            if self._stopped.wait(seconds):
                raise Stopped
            pause = min(LONGEST_PAUSE, pause * 2)
