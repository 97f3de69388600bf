"""Error measures of a diarization, and of the confidence in it."""
