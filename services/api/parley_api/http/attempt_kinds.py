"""Table of the errors of attempts and jobs. They are not responses; docs/reference/errors.md lists them."""

from __future__ import annotations

from collections.abc import Mapping

from parley_core import errors as core

ATTEMPT_KINDS: Mapping[str, tuple[str, str]] = {  # the meaning, and what the caller can do
    core.WorkerLost.code: (
        "The worker stopped renewing its lease: it died, or lost its connection.",
        "Nothing: another attempt begins at once.",
    ),
    core.AttemptTimedOut.code: (
        "The attempt took longer than its time limit.",
        "Nothing before the last attempt. Then cut the recording into parts.",
    ),
    core.EngineError.code: (
        "The engine failed in an unexpected way, or ran out of memory.",
        "Nothing before the last attempt. Then retry the job, and report it if it fails again.",
    ),
    core.DecodingInterrupted.code: (
        "The process that decoded the recording was stopped.",
        "Nothing before the last attempt. Then retry the job.",
    ),
    core.ObjectStoreUnavailable.code: (
        "The worker could not read the recording or store the result.",
        "Nothing before the last attempt. Then retry the job.",
    ),
    core.UnreadableRecording.code: (
        "The recording is damaged in a way that shows only when all of it is decoded.",
        "Convert the recording to WAV or FLAC, and submit that.",
    ),
    core.EngineMismatch.code: (
        "A model file is not the one that this version was built for.",
        "Operators: install the model files of this version, then retry the job.",
    ),
    core.RecogniserUnavailable.code: (
        "The recogniser cannot be reached, or is too busy. In `result.transcription.error`: the turns have no text.",
        "Send a transcript, or submit the recording again later. Operators: `parley doctor --recogniser`.",
    ),
    core.TranscriptionTimedOut.code: (
        "The recogniser took longer than it may. In `result.transcription.error`: the turns have no text.",
        "Operators: give it more time (PARLEY_ASR_SECONDS_PER_AUDIO_SECOND) or a faster machine.",
    ),
    core.RecogniserRefused.code: (
        "The recogniser does not take the request. In `result.transcription.error`: the turns have no text.",
        "Operators: check its model and its token with `parley doctor --recogniser`.",
    ),
    core.UnusableTranscription.code: (
        "The recogniser's answer has no words with times. In `result.transcription.error`: the turns have no text.",
        "Operators: choose a model that answers `verbose_json` with the times of words.",
    ),
    core.JobCancelled.code: (
        "A caller cancelled the job during this attempt.",
        "Retry the job if you need its result.",
    ),
}
"""Codes in a job's `error` and in its `attempts`, which are not responses. Recording errors may appear there too."""
