"""Problems of results: speakers, corrections, transcripts. `problem_kinds` has them in its table."""

from __future__ import annotations

from collections.abc import Mapping

from parley_api.http import errors as api
from parley_api.http.kind import Kind
from parley_core import errors as core

RESULT_KINDS: Mapping[str, Kind] = {
    # Speakers
    api.UnknownSpeaker.code: Kind(
        422,
        "Unknown speaker",
        "The job has no speaker with this label.",
        "Use one of the labels in `detail`.",
    ),
    api.SpeakerWithoutEmbedding.code: Kind(
        422,
        "Speaker without embedding",
        "The speaker says too little alone for a speaker embedding, or it was removed with a voiceprint.",
        "Enrol from a recording in which the person speaks longer.",
    ),
    api.ConsentRequired.code: Kind(
        422,
        "Consent required",
        "A voiceprint is enrolled with the consent of its person only.",
        "Send `consent`: who gave it, when, for which purpose, and until when.",
    ),
    api.SpeakerEmbeddingsNotKept.code: Kind(
        409,
        "Speaker embeddings not kept",
        "The job was submitted without `speaker_embeddings=true`.",
        "Submit the recording again with `speaker_embeddings=true`.",
    ),
    api.RecordingRemoved.code: Kind(
        410,
        "Recording removed",
        "The recording is kept for a shorter time than the result (`retain_audio_seconds`), and that time is over.",
        "Read the turns; `recording.kept` of a job says whether its recording is there.",
    ),
    api.PeaksNotKept.code: Kind(
        404,
        "Peaks not kept",
        "The job was computed before workers kept the peaks of waveforms.",
        "Draw the turns without a waveform, or submit the recording again.",
    ),
    api.InvalidCorrection.code: Kind(
        422,
        "Invalid correction",
        "The correction does not fit the version of the turns that it is made on.",
        "Read the turns again, and use their ids and labels.",
    ),
    api.CorrectionConflict.code: Kind(
        409,
        "Correction conflict",
        "Another correction was made in the meantime; `version` is the newest version.",
        "Read the turns again, and make the correction on their version.",
    ),
    api.TooManyCorrections.code: Kind(
        409,
        "Too many corrections",
        "The result has as many corrections as it may.",
        "Make several operations in one correction, or export the turns and go on elsewhere.",
    ),
    api.VersionNotFound.code: Kind(
        404,
        "Version not found",
        "The result has no such version.",
        "Use a version from 0 to the newest one, which `detail` names.",
    ),
    core.VoiceprintNotFound.code: Kind(
        404,
        "Voiceprint not found",
        "Your tenant has no voiceprint with this id.",
        "Check the id and the API key.",
    ),
    core.VoiceprintNameTaken.code: Kind(
        409,
        "Voiceprint name taken",
        "Your tenant has a voiceprint of this name; case does not count.",
        "Use another name, or delete that voiceprint first.",
    ),
    core.TooManyVoiceprints.code: Kind(
        409,
        "Too many voiceprints",
        "Your tenant has as many voiceprints as the server allows.",
        "Delete voiceprints that you no longer need.",
    ),
    # Shared links
    api.UnknownLink.code: Kind(
        401,
        "Unknown link",
        "The shared link opens nothing: it is incomplete, it was revoked, or its recording was deleted.",
        "Copy the whole link, or ask for a new one.",
    ),
    api.ExpiredLink.code: Kind(
        401,
        "Expired link",
        "The time of the shared link is over.",
        "Ask for a new one: `parley share JOB`.",
    ),
    api.AudioNotShared.code: Kind(
        403,
        "Recording not shared",
        "The shared link shows the turns and does not play the recording.",
        "Ask for a link with the recording: `parley share JOB --audio`.",
    ),
    api.ShareNotFound.code: Kind(
        404,
        "Link not found",
        "The job has no shared link with this id.",
        "Check the id: `parley shares JOB` lists them.",
    ),
    api.TooManyShares.code: Kind(
        409,
        "Too many links",
        "The job has as many shared links as the server allows.",
        "Revoke links that nobody uses: `parley shares JOB --revoke LINK`.",
    ),
    api.SharingOff.code: Kind(
        409,
        "Sharing off",
        "The server makes no shared links.",
        "Operators: set `PARLEY_LONGEST_SHARE_SECONDS`.",
    ),
    # Transcripts
    api.InvalidTranscript.code: Kind(
        422,
        "Invalid transcript",
        "The transcript cannot be read, has no words or too many, or belongs to another recording.",
        "Send the unchanged output of the recogniser, with times; `?format=` names its format.",
    ),
    api.TranscriptNotFound.code: Kind(
        404,
        "Transcript not found",
        "The job has no transcript.",
        "Send it: `POST /v1/jobs/{job_id}/transcript`.",
    ),
}
