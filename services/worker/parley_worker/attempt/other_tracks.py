"""A result says so if its file has more audio tracks than the one that was read."""

from __future__ import annotations

from dataclasses import replace

from parley_core.turns import AudioQuality, AudioWarning, Diarization


def with_other_tracks(diarization: Diarization, tracks: int) -> Diarization:
    """Return what an engine found, with a warning if the file has several audio tracks.

    Errors are not higher in the track that was read, so the warning asks for no review.

    Args:
        diarization: of the first track.
        tracks: number of audio tracks in the file.
    """
    if tracks < 2:
        return diarization
    detail = f"The file has {tracks} audio tracks; only the first one was read."
    warning = AudioWarning("other_tracks", detail, needs_review=False)
    quality = diarization.audio_quality or AudioQuality({}, ())
    return replace(diarization, audio_quality=replace(quality, warnings=(*quality.warnings, warning)))
